"""Which stages run at the same time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial

from .stage import INTERRUPTED, Outcome, Stage, Turn, run

_BESIDE = 2  # stages at a time, where one alone leaves a processor idle while it links or downloads


def run_all(stages: Iterable[Stage], environment: dict[str, str]) -> Iterator[Outcome]:
    """Runs each alone, but for neighbours that may run beside each other, and those that take what time is left."""
    INTERRUPTED.clear()
    once = partial(run, environment=environment)
    spare: dict[str, Future[Outcome]] = {}
    unsaid: list[Future[Outcome]] = []
    lane = ThreadPoolExecutor(1)
    pools = [lane]
    try:
        for turn, group in itertools.groupby(stages, lambda stage: stage.turn):
            if turn is Turn.SPARE:
                begun = {stage.name: lane.submit(once, stage) for stage in group}
                spare |= begun
                unsaid += begun.values()
                continue
            pools.append(ThreadPoolExecutor(_BESIDE if turn is Turn.BESIDE else 1))
            running = [pools[-1].submit(_after, stage, spare, once) for stage in group]
            for future in as_completed(running):
                yield future.result()
                while unsaid and unsaid[0].done():
                    yield unsaid.pop(0).result()
        for future in unsaid:
            yield future.result()
    except BaseException:
        INTERRUPTED.set()
        raise
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _after(stage: Stage, spare: dict[str, Future[Outcome]], once: Callable[[Stage], Outcome]) -> Outcome:
    """Runs it when those have ended that it needs, as far as they have been chosen."""
    for name in stage.after:
        if name in spare:
            spare[name].result()
    return once(stage)
