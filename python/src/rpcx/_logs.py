"""The library's events in ``logging.getLogger("rpcx")``: a thread of Python takes them from the native module."""

from __future__ import annotations

import logging
import os
import threading

from . import _rpcx

LOGGER = logging.getLogger("rpcx")

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: 5}
_lock = threading.Lock()
_thread: threading.Thread | None = None


def start() -> None:
    """Begins to hand events on, once; the level is that of the logger then."""
    global _thread  # noqa: PLW0603
    if _thread is not None:
        return
    with _lock:
        if _thread is None:
            refresh()
            _thread = threading.Thread(target=_run, name="rpcx-logs", daemon=True)
            _thread.start()


def refresh() -> None:
    """Has the library tell what the logger lets through; call it when the logger's level was changed later."""
    effective = LOGGER.getEffectiveLevel()
    _rpcx.set_logs(max((number for number, level in _LEVELS.items() if level >= effective), default=0))


def _run() -> None:
    while True:
        for level, target, message in _rpcx.take_logs():
            name = target.replace("::", ".")
            if name != "rpcx" and not name.startswith("rpcx."):
                name = f"rpcx.{name}"
            logging.getLogger(name).log(_LEVELS.get(level, logging.DEBUG), "%s", message)


def _after_fork() -> None:
    global _thread, _lock  # noqa: PLW0603
    _thread, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
