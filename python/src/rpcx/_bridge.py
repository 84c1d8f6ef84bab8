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
        drain = self.native.drain
        me = weakref.ref(self)

        def ready() -> None:
            requests = drain()
            if requests and (bridge := me()) is not None and bridge.requests is not None:
                bridge.requests(requests)

        loop.add_reader(self.native.fileno(), ready)


_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()


def of(loop: asyncio.AbstractEventLoop) -> Bridge:
    """The bridge of a loop, made with the first call on it."""
    found = _bridges.get(loop)
    if found is None:
        found = _bridges[loop] = Bridge(loop)
    return found
