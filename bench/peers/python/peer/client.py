"""The closed loops: a thread for each caller, or a task."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import benchmark_pb2_grpc as rpc
import grpc

from .message import check, request
from .window import Window

# Without it all channels to an address share a connection.
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
PAUSE = 0.005  # after a failure


def on_threads(address: str, window: Window) -> None:
    """Measures with a thread for each caller, and ends the process."""
    message = request()
    stubs = [rpc.HelloStub(grpc.insecure_channel(address, OPTIONS)) for _ in range(window.conns)]

    def caller(stub: Any) -> None:
        while not window.stopped:
            began = time.perf_counter_ns()
            try:
                check(stub.Say(message))
                window.done(time.perf_counter_ns() - began)
            except (grpc.RpcError, ValueError) as error:
                window.failed(error)
                time.sleep(PAUSE)

    for i in range(window.concurrency):
        threading.Thread(target=caller, args=(stubs[i % window.conns],), daemon=True).start()
    time.sleep(window.warmup)
    window.open()
    time.sleep(window.seconds)
    window.close()


async def on_loop(address: str, window: Window) -> None:
    """Measures with a task for each caller, and ends the process."""
    message = request()
    stubs = [rpc.HelloStub(grpc.aio.insecure_channel(address, OPTIONS)) for _ in range(window.conns)]

    async def caller(stub: Any) -> None:
        while not window.stopped:
            began = time.perf_counter_ns()
            try:
                check(await stub.Say(message))
                window.done(time.perf_counter_ns() - began)
            except (grpc.RpcError, ValueError) as error:
                window.failed(error)
                await asyncio.sleep(PAUSE)

    tasks = [asyncio.create_task(caller(stubs[i % window.conns])) for i in range(window.concurrency)]
    await asyncio.sleep(window.warmup)
    window.open()
    await asyncio.sleep(window.seconds)
    window.close()
    await asyncio.gather(*tasks)
