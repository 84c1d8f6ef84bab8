"""Ends of all sorts: close during calls, use after close, forks, signals, exit in mid-call. Never a crash or a hang."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply, run, until

import rpcx
import rpcx.sync

#: Calls of the memory test; RPCX_DEEP has the whole million.
CALLS = 1_000_000 if os.environ.get("RPCX_DEEP") else 20_000


def program(text: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own."""
    path = str(Path(rpcx.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(text), *args],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_close_ends_running_calls(arith: tuple[Arith, str]) -> None:
    """On a loop, and of threads."""

    async def main() -> None:
        client = rpcx.Client(arith[1])
        calls = [asyncio.create_task(client.service("Arith").call("Wait")) for _ in range(10)]
        for _ in calls:
            await asyncio.to_thread(arith[0].begun.acquire)
        client.close()
        client.close()
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, rpcx.Closed)

    run(main())
    client = rpcx.sync.Client(arith[1])
    with ThreadPoolExecutor(4) as threads:
        waiting: list[Future[Any]] = [threads.submit(client.service("Arith").call, "Wait") for _ in range(4)]
        for _ in waiting:
            assert arith[0].begun.acquire(timeout=LIMIT)
        client.close()
        for call in waiting:
            with pytest.raises(rpcx.Closed):
                call.result(LIMIT)


def test_handles_survive_the_close(arith: tuple[Arith, str]) -> None:
    """Every entry fails with `Closed` or answers."""
    client = rpcx.sync.Client([arith[1]])
    service, mul = client.service("Arith"), client.service("Arith").method("Mul")
    assert mul(Args(2, 3)) == {"C": 6}
    client.close()
    for use in (
        mul,
        lambda: service.call_response("Mul"),
        lambda: service.oneway("Mul"),
        lambda: service.oneshot("Mul"),
        lambda: service.inform("Mul"),
        lambda: client.service("Other").call("Mul"),
    ):
        with pytest.raises(rpcx.Closed):
            use()
    assert client.pushes().next() is None
    assert client.stats()["calls"] >= 1
    client.shutdown(1)
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(Arith())
    server.start()
    server.close()
    server.close()
    server.wait_closed()
    with pytest.raises(rpcx.ConfigError):
        server.start()


def test_a_shutdown_waits_for_running_calls(arith: tuple[Arith, str]) -> None:
    """And says when it had to cut some off."""
    with ThreadPoolExecutor(2) as threads:
        client = rpcx.sync.Client(arith[1])
        call: Future[Any] = threads.submit(client.service("Arith").call, "Block")
        assert arith[0].begun.acquire(timeout=LIMIT)
        ending = threads.submit(client.shutdown, LIMIT)
        arith[0].gate.set()
        assert call.result(LIMIT) == "open"
        ending.result(LIMIT)
        arith[0].gate.clear()
        client = rpcx.sync.Client(arith[1])
        call = threads.submit(client.service("Arith").call, "Block")
        assert arith[0].begun.acquire(timeout=LIMIT)
        with pytest.raises(rpcx.CallTimeout):
            client.shutdown(0.01)
        with pytest.raises(rpcx.Closed):
            call.result(LIMIT)


def test_one_client_on_one_loop_after_the_other(arith: tuple[Arith, str]) -> None:
    """What belongs to a closed loop is dropped."""
    client = rpcx.Client(arith[1])
    for n in range(20):
        assert run(client.service("Arith").call("Mul", Args(n, n), Reply)) == Reply(n * n)

    async def leave() -> None:
        asyncio.create_task(client.service("Arith").call("Wait"))  # noqa: RUF006
        await asyncio.to_thread(arith[0].begun.acquire)

    # A loop that ends while a call is under way, and is collected with it.
    run(leave())
    client.close()
    gc.collect()


def test_the_library_is_used_by_tasks_and_gone_with_them(arith: tuple[Arith, str]) -> None:
    """Clients that nobody refers to any more are closed."""
    for _ in range(20):
        client = rpcx.sync.Client(arith[1])
        client.service("Arith").call("Mul", Args(1, 1))
        del client
    gc.collect()


@pytest.mark.parametrize("method", ["call", "drop", "exit"])
def test_exit_in_the_middle_of_a_call(arith: tuple[Arith, str], method: str) -> None:
    """With a thread in a call, a task in a call, a client never closed."""
    done = program(
        """
        import asyncio, os, sys, threading, time
        import rpcx, rpcx.sync
        address, how = sys.argv[1:]
        client = rpcx.sync.Client(address)
        service = client.service("Arith")
        threading.Thread(target=service.call, args=("Wait",), daemon=True).start()
        other = rpcx.Client(address)
        async def main():
            task = asyncio.create_task(other.service("Arith").call("Wait"))
            await other.service("Arith").call("Mul")
            task.cancel()
        asyncio.run(main())
        server = rpcx.sync.Server("tcp@127.0.0.1:0")
        server.function("A", "B", lambda: None)
        server.start()
        rpcx.sync.Client(server.addresses).service("A").call("B")
        if how == "exit":
            sys.exit(3)
        if how == "drop":
            del client, service, other, server
        print("end")
        """,
        arith[1],
        method,
    )
    assert done.returncode == (3 if method == "exit" else 0), done.stderr
    assert done.stderr == ""


def test_threads_that_wake_up_while_the_interpreter_ends(arith: tuple[Arith, str]) -> None:
    """CPython before 3.14 ends them then by unwinding their stacks, which frames of Rust must not be on."""
    done = program(
        """
        import sys, threading, time
        import rpcx.sync
        class Slow:
            def __del__(self, sleep=time.sleep):
                sleep(1.5)
        sys.slow = Slow()  # holds up the end, with the interpreter lock free
        start, starts = threading.Thread.start, threading.Event()
        def start_slowly(self):
            start(self)
            if threading.current_thread().name == "rpcx-worker":
                starts.set()
                time.sleep(0.5)
        threading.Thread.start = start_slowly
        def call(service, method, timeout):
            run = lambda: service.call(method, timeout=timeout)
            threading.Thread(target=run, daemon=True).start()
        server = rpcx.sync.Server("tcp@127.0.0.1:0")
        server.function("A", "B", lambda: None)
        server.start()
        call(rpcx.sync.Client(sys.argv[1]).service("Arith"), "Wait", 0.5)
        call(rpcx.sync.Client(server.addresses).service("A"), "B", 10)
        assert starts.wait(10)
        print("end")
        """,
        arith[1],
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "end\n")


def test_ctrl_c_ends_a_waiting_call(arith: tuple[Arith, str]) -> None:
    """On the main thread."""
    text = """
        import os, signal, sys, threading
        import rpcx.sync
        signal.signal(signal.SIGINT, signal.default_int_handler)
        service = rpcx.sync.Client(sys.argv[1]).service("Arith")
        service.call("Mul")
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            service.call("Wait")
        except KeyboardInterrupt:
            print("interrupted")
        """
    done = program(text, arith[1])
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
    assert arith[0].cancelled.wait(LIMIT)


def test_a_forked_child_makes_its_own(arith: tuple[Arith, str]) -> None:
    """What its parent made fails there, and the parent's goes on."""
    done = program(
        """
        import asyncio, os, sys
        import rpcx, rpcx.sync
        client = rpcx.sync.Client(sys.argv[1])
        service = client.service("Arith")
        assert service.call("Mul", {"A": 6, "B": 7}) == {"C": 42}
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    service.call("Mul")
                except rpcx.Closed as error:
                    assert "fork" in str(error), error
                client.close()
                del client, service
                own = rpcx.sync.Client(sys.argv[1])
                assert own.service("Arith").call("Mul", {"A": 6, "B": 7}) == {"C": 42}
                async def main():
                    async with rpcx.Client(sys.argv[1]) as other:
                        return await other.service("Arith").call("Add", {"A": 6, "B": 7})
                assert asyncio.run(main()) == {"C": 13}
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert service.call("Mul", {"A": 6, "B": 7}) == {"C": 42}
        """,
        arith[1],
    )
    assert done.returncode == 0, done.stderr


def test_prefork_workers_serve_side_by_side() -> None:
    """Each child has its own server, as with gunicorn or multiprocessing."""
    done = program(
        """
        import multiprocessing, sys
        import rpcx.sync
        def work(pipe):
            server = rpcx.sync.Server("tcp@127.0.0.1:0")
            server.function("Fn", "Greet", lambda name: f"hi {name}")
            with server:
                pipe.send(server.addresses)
                pipe.recv()
        if __name__ == "__main__":
            fork = multiprocessing.get_context("fork")
            workers = []
            for _ in range(3):
                mine, theirs = fork.Pipe()
                worker = fork.Process(target=work, args=(theirs,))
                worker.start()
                workers.append((worker, mine, mine.recv()))
            nodes = [address for _, _, addresses in workers for address in addresses]
            with rpcx.sync.Client(nodes) as client:
                assert {client.service("Fn").call_response("Greet", "you").server for _ in range(30)} == set(nodes)
            for worker, mine, _ in workers:
                mine.send(None)
                worker.join(10)
                assert worker.exitcode == 0
        """
    )
    assert done.returncode == 0, done.stderr


def test_memory_stays_flat(arith: tuple[Arith, str]) -> None:
    """However many calls there were, good and bad."""

    async def calls(client: rpcx.Client, count: int) -> None:
        service = client.service("Arith")

        async def caller() -> None:
            for _ in range(count // 50):
                await service.call("Mul", Args(2, 3), Reply)
                with pytest.raises(rpcx.ServiceError):
                    await service.call("Fail")

        await asyncio.gather(*(caller() for _ in range(25)))

    async def main() -> None:
        async with rpcx.Client(arith[1], timeout=0) as client:
            await calls(client, 2_000)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            await calls(client, CALLS)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            assert grown < 200_000, f"{grown} bytes more after {CALLS} calls"

    asyncio.run(main())


def test_handlers_of_a_server_that_is_closed_are_cancelled() -> None:
    """Also those of a loop that ends."""
    service = Arith()

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(service)
        async with server:
            client = rpcx.Client(server.addresses)
            call = asyncio.create_task(client.service("Arith").call("Wait"))
            while not service.begun.acquire(blocking=False):
                await asyncio.sleep(0.005)
        with pytest.raises(rpcx.Closed):
            await call
        client.close()
        while not service.cancelled.is_set():
            await asyncio.sleep(0.005)

    run(main())


def test_a_signal_while_calls_run_does_no_harm(arith: tuple[Arith, str]) -> None:
    """A handler of Python's runs, the call goes on."""
    seen: list[int] = []

    def note(number: int, _: object) -> None:
        seen.append(number)
        arith[0].gate.set()

    def send() -> None:
        arith[0].begun.acquire(timeout=LIMIT)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, note)
    try:
        with rpcx.sync.Client(arith[1]) as client, ThreadPoolExecutor(1) as threads:
            threads.submit(send)
            assert client.service("Arith").call("Block") == "open"
        assert seen == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_loop_without_runner_is_left_clean() -> None:
    """No task of the library outlives the servers, and a server that nobody holds ends its threads."""

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(Arith())
        async with server, rpcx.Client(server.addresses) as client:
            assert await client.service("Arith").call("Mul", Args(2, 3), Reply) == Reply(6)
            assert await client.service("Arith").call("Add", Args(2, 3), Reply) == Reply(5)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.005)

    def workers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "rpcx-worker"]

    until(lambda: not workers())
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(Arith())
    server.start()
    assert workers()
    del server
    gc.collect()
    until(lambda: not workers())
