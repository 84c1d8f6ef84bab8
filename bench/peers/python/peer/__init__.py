"""gRPC in Python as its users write it, for the benchmark: grpcio on threads and on asyncio."""
