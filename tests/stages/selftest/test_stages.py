"""A runner that loses a stage, or what one says, would make every change green."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from harness import stage
from harness.order import run_all
from harness.stage import Outcome, Stage, Turn


class Stages(unittest.TestCase):
    """Stages of small commands, in a folder of their own."""

    def setUp(self) -> None:
        """Makes the folder, which has the logs too."""
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        patch = mock.patch.object(stage, "CACHE", self.folder)
        patch.start()
        self.addCleanup(patch.stop)

    def stage(self, name: str, script: str, turn: Turn = Turn.ALONE, minutes: float = 0.5) -> Stage:
        """A stage of one shell script, which runs in the folder."""
        return Stage(name, (("sh", "-c", f"cd {self.folder}; {script}"),), minutes=minutes, turn=turn)

    def outcomes(self, *stages: Stage) -> dict[str, Outcome]:
        """What comes of them, by name."""
        return {outcome.stage.name: outcome for outcome in run_all(stages, dict(os.environ))}

    def test_those_that_may_run_beside_each_other_do(self) -> None:
        """Each waits for the other."""
        meet = "touch {0} && until [ -e {1} ]; do sleep 0.01; done"
        stages = [self.stage(mine, meet.format(mine, other), Turn.BESIDE) for mine, other in ("ab", "ba")]
        outcomes = self.outcomes(*stages)
        self.assertEqual([outcomes[name].problem for name in "ab"], ["", ""])

    def test_all_others_run_alone(self) -> None:
        """Whichever finds another one running fails."""
        alone = "mkdir lock && sleep 0.05 && rmdir lock"
        stages = [self.stage(str(number), alone, Turn.BESIDE if number == 2 else Turn.ALONE) for number in range(5)]
        outcomes = self.outcomes(*stages)
        self.assertEqual([outcome.problem for outcome in outcomes.values()], [""] * 5)
        self.assertEqual(list(outcomes), ["0", "1", "2", "3", "4"])

    def test_spare_time_is_for_those_that_yield(self) -> None:
        """One at a time, at a low priority, beside all that come after them."""
        stages = [
            self.stage("before", "[ ! -e first ]"),
            self.stage("first", "touch first; until [ -e alone ]; do sleep 0.01; done", Turn.SPARE),
            self.stage("second", "[ -e alone ] && nice >nice", Turn.SPARE),
            self.stage("alone", "until [ -e first ]; do sleep 0.01; done; touch alone"),
        ]
        outcomes = self.outcomes(*stages)
        self.assertEqual({name: one.problem for name, one in outcomes.items()}, dict.fromkeys(outcomes, ""))
        self.assertEqual(sorted(outcomes), ["alone", "before", "first", "second"])
        self.assertEqual(int((self.folder / "nice").read_text(encoding="ascii")), os.nice(0) + 10)

    def test_whoever_needs_one_of_those_waits_for_it(self) -> None:
        """And a stage that has not been chosen is not waited for."""
        needs = ("sh", "-c", f"[ -e {self.folder}/made ]")
        outcomes = self.outcomes(
            self.stage("makes", "sleep 0.2; touch made", Turn.SPARE),
            Stage("needs", (needs,), after=("makes", "another")),
        )
        self.assertEqual([outcomes[name].problem for name in ("makes", "needs")], ["", ""])

    def test_what_a_stage_says_is_counted(self) -> None:
        """A stage that counts nothing is one test."""
        outcomes = self.outcomes(
            self.stage("counts", "echo 3 passed, 1 failed, 2 skipped; exit 1"),
            self.stage("quiet", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"),
            self.stage("bad", "exit 3"),
            Stage("none", (("/no/such/program",),)),
        )
        numbers = {name: (one.passed, one.failed, one.skipped) for name, one in outcomes.items()}
        self.assertEqual(numbers, {"counts": (3, 1, 2), "quiet": (1, 0, 0), "bad": (0, 1, 0), "none": (0, 1, 0)})
        self.assertIn("exit status 3", outcomes["bad"].problem)
        self.assertIn("cannot be started", outcomes["none"].problem)
        self.assertGreater(outcomes["quiet"].busy, 0)

    def test_one_that_hangs_ends_with_all_that_it_started(self) -> None:
        """Its time is over."""
        outcome = self.outcomes(self.stage("hangs", "sleep 100 & echo $! >pid; wait", minutes=0.01))["hangs"]
        self.assertIn("not done after 0.01 minutes", outcome.problem)
        self.assertTrue(_is_gone(int((self.folder / "pid").read_text(encoding="ascii"))))

    def test_an_interruption_ends_those_that_run(self) -> None:
        """And those that wait for their turn do not begin."""
        stages = [self.stage(str(number), f"echo $$ >{number}; sleep 100", Turn.BESIDE) for number in range(3)]
        with self.assertRaises(KeyboardInterrupt), _interrupted_when(self.folder / "0", self.folder / "1"):
            self.outcomes(*stages)
        for name in ("0", "1"):
            self.assertTrue(_is_gone(int((self.folder / name).read_text(encoding="ascii"))))
        self.assertFalse((self.folder / "2").exists())


@contextlib.contextmanager
def _interrupted_when(*files: Path) -> Iterator[None]:
    """Sends this process what Ctrl-C sends, as soon as all these files have something in them."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(0.01):
            if all(file.exists() and file.stat().st_size for file in files):
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=wait)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _is_gone(pid: int) -> bool:
    """Ended, though perhaps nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
