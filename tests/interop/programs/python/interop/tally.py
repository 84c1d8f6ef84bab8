"""How often each method ran and how it ended, counted inside the handlers: what `Test.Count` tells."""

from __future__ import annotations

import threading
from asyncio import CancelledError
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rpcx

from .messages import CountReply


class Stopped(Exception):
    """A plain handler saw that its call was cancelled."""


class Tally:
    """The counters of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._methods: dict[str, CountReply] = defaultdict(CountReply)
        self._errors = self._panics = 0

    @contextmanager
    def run(self, ctx: rpcx.Context) -> Iterator[None]:
        """Counts what runs inside as one run of a handler."""
        name = f"{ctx.service}.{ctx.method}"
        with self._lock:
            self._methods[name].Started += 1
        try:
            yield
        except (CancelledError, Stopped):
            with self._lock:
                self._methods[name].Cancelled += 1
            raise
        except BaseException as error:
            self._finished(name, failed=True, panicked=not isinstance(error, rpcx.RpcError))
            raise
        self._finished(name, failed=False, panicked=False)

    def _finished(self, name: str, *, failed: bool, panicked: bool) -> None:
        with self._lock:
            self._methods[name].Finished += 1
            self._errors += failed
            self._panics += panicked

    def of(self, method: str) -> CountReply:
        """What became of the calls of one `Service.Method`."""
        with self._lock:
            counts = self._methods.get(method, CountReply())
            return CountReply(counts.Started, counts.Finished, counts.Cancelled)

    def stopped(self) -> dict[str, Any]:
        """The server's last line."""
        with self._lock:
            methods = list(self._methods.values())
            return {
                "stopped": True,
                "calls": sum(counts.Started for counts in methods),
                "errors": self._errors,
                "cancelled": sum(counts.Cancelled for counts in methods),
                "panics": self._panics,
            }
