"""One completion queue for each event loop, which the loop watches like a socket."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from . import _rpcx

__all__ = ["Bridge", "of"]


class Bridge:
    """The native queue of a loop, and who takes the requests that come through it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.native = _rpcx.Bridge()
        self.requests: Callable[[list[Any]], None] | None = None
        self.dispatcher: Any = None
        # The loop holds the bridge; the other way round neither would ever go.
        drain, turn = self.native.drain, self.native.turn
        mine, my_loop = weakref.ref(self), weakref.ref(loop)

        def serve(requests: list[Any]) -> None:
            if (bridge := mine()) is not None and bridge.requests is not None:
                bridge.requests(requests)

        def ready() -> None:
            if requests := drain(watch):
                serve(requests)

        def drive() -> None:
            if requests := turn(watch):
                serve(requests)

        def watch(fd: int, begin: bool) -> None:
            loop = my_loop()
            if loop is None:
                return
            if begin:
                loop.add_reader(fd, drive)
            else:
                loop.remove_reader(fd)

        loop.add_reader(self.native.fileno(), ready)


_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()


def of(loop: asyncio.AbstractEventLoop) -> Bridge:
    """The bridge of a loop, made with the first call on it."""
    found = _bridges.get(loop)
    if found is None:
        found = _bridges[loop] = Bridge(loop)
    return found
