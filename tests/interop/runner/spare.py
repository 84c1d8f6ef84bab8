"""Whether the processors have time to spare: many cases only wait, for a backoff or for a lease to end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_NICE, _IDLE, _IOWAIT = 1, 3, 4  # among the fields of its first line, ticks since the machine started

# Long enough for a program that has just been started to show.
_INTERVAL = 0.4  # seconds
_SHARE = 0.5


class Spare:
    """Looked at by workers beyond the usual number. Where the kernel does not say, there is never any."""

    def __init__(self) -> None:
        """Begins to look now."""
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._idle, self._all = _ticks()

    def take(self) -> bool:
        """Whether one more case may begin; at most one each interval."""
        with self._lock:
            if time.monotonic() - self._looked < _INTERVAL:
                return False
            idle, everything = _ticks()
            share = (idle - self._idle) / max(1, everything - self._all)
            self._looked, self._idle, self._all = time.monotonic(), idle, everything
            return share > _SHARE


def _ticks() -> tuple[int, int]:
    try:
        first = _STAT.read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return 0, 0
    ticks = [int(field) for field in first.split()[1:]]
    # What runs at a low priority would give way.
    return ticks[_NICE] + ticks[_IDLE] + ticks[_IOWAIT], sum(ticks[:8])  # what follows is part of the others
