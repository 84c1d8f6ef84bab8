"""The servers: a thread pool, and asyncio."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import benchmark_pb2_grpc as rpc
import grpc
from benchmark_pb2 import BenchmarkMessage

from .message import answer

OPTIONS = [("grpc.max_concurrent_streams", 100_000)]
THREADS = 8


class Plain(rpc.HelloServicer):  # type: ignore[misc]
    """With a plain handler."""

    def Say(self, request: BenchmarkMessage, context: Any) -> BenchmarkMessage:  # noqa: N802
        """Hello.Say."""
        return answer(request)


class Async(rpc.HelloServicer):  # type: ignore[misc]
    """With an async handler."""

    async def Say(self, request: BenchmarkMessage, context: Any) -> BenchmarkMessage:  # noqa: N802
        """Hello.Say."""
        return answer(request)


def on_threads(address: str) -> None:
    """Serves until the process is ended."""
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS), options=OPTIONS)
    rpc.add_HelloServicer_to_server(Plain(), server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


async def on_loop(address: str) -> None:
    """Serves until the process is ended."""
    server = grpc.aio.server(options=OPTIONS)
    rpc.add_HelloServicer_to_server(Async(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()
