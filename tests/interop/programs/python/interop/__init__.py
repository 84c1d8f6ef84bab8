"""The interop programs in Python: `server` and `client` (the driver), `bench_server` and `bench_client`.

What is the same on asyncio and with threads lies here; the files that end in `_sync` are for programs without an event
loop.
"""
