"""The crew of processes: nothing is left out, nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from grandpause.sim.soak.outcome import DIED, RAN_AWAY, Outcome, Run
from grandpause.sim.soak.workers import Workers
from grandpause.sim.world.settings import Settings
from sim.soak import double

TESTS = Path(__file__).resolve().parents[2]
ONE_SOAK = """
import sys
from grandpause.sim.soak.workers import Workers
from grandpause.sim.world.settings import Settings
from sim.soak import double
if __name__ == "__main__":
    with Workers(double.endless, processes=2) as workers:
        for outcome in workers.outcomes((Settings.draw(seed) for seed in (1, 7)), stopping=lambda: False):
            print("ended", outcome.settings.seed, *(each._process.pid for each in workers._idle), flush=True)
"""


def never() -> bool:
    return False


def worlds(number: int) -> Iterator[Settings]:
    return (Settings.draw(seed) for seed in range(1, number + 1))


def run_all(
    run: Run, number: int, *, processes: int = 2, limit_s: float = 60.0, stopping: Callable[[], bool] = never
) -> dict[int, Outcome]:
    with Workers(run, processes=processes, limit_s=limit_s) as workers:
        outcomes = list(workers.outcomes(worlds(number), stopping=stopping))
    assert len({each.settings.seed for each in outcomes}) == len(outcomes)
    return {each.settings.seed: each for each in outcomes}


def test_every_world_is_run_once_whatever_the_number_of_processes() -> None:
    alone, many = run_all(double.quiet, 20, processes=1), run_all(double.quiet, 20, processes=3)
    assert sorted(alone) == sorted(many) == list(range(1, 21))
    assert alone == many
    assert all(each.failure is None for each in alone.values())


@pytest.mark.parametrize(
    ("run", "invariant", "text"),
    [
        (double.raising, "world-raised-LookupError", "no such latch (double.py:"),
        (double.dying, DIED, "its process was ended by signal 9"),
        (double.leaving, DIED, "its process ended with code 9"),
        (double.unpicklable, DIED, "its report cannot be sent: cannot be sent"),
    ],
)
def test_a_world_that_gives_no_report_is_a_failure_with_its_seed(run: Run, invariant: str, text: str) -> None:
    outcomes = run_all(run, 10)
    assert sorted(outcomes) == list(range(1, 11))
    [failed] = [each for each in outcomes.values() if each.failure]
    assert failed.settings.seed == double.BAD_SEED
    assert failed.report is None
    assert failed.failure is not None
    assert failed.failure.invariant == invariant
    assert failed.failure.text.startswith(text)


def test_a_world_that_runs_away_is_ended_and_told_of() -> None:
    outcomes = run_all(double.endless, 10, limit_s=2.0)
    assert sorted(outcomes) == list(range(1, 11))
    failure = outcomes[double.BAD_SEED].failure
    assert failure is not None
    assert (failure.invariant, failure.text) == (RAN_AWAY, "not ended after 2 s")


def test_worlds_are_drawn_only_as_there_is_room_to_run_them() -> None:
    drawn = []

    def draw() -> Iterator[Settings]:
        for seed in count(1):
            drawn.append(seed)
            yield Settings.draw(seed)

    with Workers(double.quiet, processes=2) as workers:
        outcomes = workers.outcomes(draw(), stopping=never)
        taken = list(islice(outcomes, 5))
        outcomes.close()
    assert len(taken) == 5
    assert len(drawn) <= 5 + 2 + 1


def test_a_stop_is_heeded_within_a_second_and_leaves_no_process() -> None:
    with Workers(double.endless, processes=1) as workers:
        began_s = time.monotonic()
        seven = iter([Settings.draw(double.BAD_SEED)])
        assert list(workers.outcomes(seven, stopping=lambda: time.monotonic() - began_s > 1.0)) == []
        assert time.monotonic() - began_s < 20.0
        # The crew can still be used: the next world gets a process of its own.
        outcome = workers.one(Settings.draw(1), stopping=never)
        assert outcome is not None
        assert outcome.failure is None
        [worker] = workers._idle
        pid = worker._process.pid
        assert pid is not None
    assert not running(pid)


def test_a_worker_that_died_in_its_sleep_is_replaced_and_no_world_is_blamed() -> None:
    with Workers(double.quiet, processes=1) as workers:
        assert workers.one(Settings.draw(1), stopping=never) is not None
        [idle] = workers._idle
        assert idle._process.pid is not None
        os.kill(idle._process.pid, signal.SIGKILL)
        idle._process.join()
        outcome = workers.one(Settings.draw(2), stopping=never)
    assert outcome is not None
    assert outcome.failure is None


def test_workers_end_when_their_parent_is_killed_even_in_the_midst_of_a_world() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ONE_SOAK], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", str(TESTS)])}, cwd=TESTS.parent,
    )  # fmt: skip
    assert parent.stdout is not None
    with parent.stdout:
        word, seed, *idle = parent.stdout.readline().split()
        assert (word, seed) == ("ended", "1")
        children = children_of(parent.pid)
        assert {int(pid) for pid in idle} <= children
        assert len(children) >= 2
        parent.kill()
        parent.wait()
    until_s = time.monotonic() + 10
    while any(running(pid) for pid in children) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not [pid for pid in children if running(pid)]


def children_of(pid: int) -> set[int]:
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
