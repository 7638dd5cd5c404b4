"""What is told of a failure: that it replays, its last events in words, the smallest world that shows it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from grandpause.sim.soak.outcome import RAN_AWAY, Outcome, mishap
from grandpause.sim.soak.shrink import Shrunk, shrink
from grandpause.sim.soak.totals import Failure
from grandpause.sim.soak.workers import Workers
from grandpause.sim.world.settings import Fault, Settings

MOST_TOLD: Final = 3
"""So many kinds of failure are told in words and shrunk; the rest is listed."""
NO_FAULT: Final = "none"
_SHARE_OF_ONE: Final = 0.2
"""Of the time for a failure, so much at most goes into one smaller world: some run away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One failure and what became known of it.

    Attributes:
        words: its last events, oldest first; empty where it was only listed.
        replays: run again, it fails alike; None if it was not run again.
        smallest: the smallest settings that violate the same invariant; its own if it was not shrunk.
        tried: how many smaller worlds were run.
    """

    failure: Failure
    words: tuple[str, ...]
    replays: bool | None
    smallest: Settings
    tried: int

    @property
    def command(self) -> str:
        """What shows it again, to paste into a shell."""
        return command_for(self.smallest)


def tell(
    failures: Sequence[Failure], workers: Workers, *, shrink_s: float, stopping: Callable[[], bool]
) -> list[Told]:
    """Return every failure; the first of each kind is run again, and shrunk in its share of ``shrink_s``."""
    chosen = list(_first_of_each_kind(failures))[:MOST_TOLD]
    end_s = time.monotonic() + shrink_s
    told = {}
    for number, failure in enumerate(chosen):
        now_s = time.monotonic()
        share_s = (end_s - now_s) / (len(chosen) - number)
        told[failure.settings.seed] = _tell_one(failure, workers, until_s=now_s + share_s, stopping=stopping)
    return [told.get(each.settings.seed) or _listed(each) for each in failures]


def command_for(settings: Settings) -> str:
    """Return the command line that runs these settings."""
    drawn = Settings.draw(settings.seed)
    words = ["grandpause", "sim", "replay-seed", str(settings.seed)]
    if settings.faults != drawn.faults:
        for fault in sorted(map(str, settings.faults)) or [NO_FAULT]:
            words += ["--fault", fault]
    for name in ("sites", "elements", "days"):
        if getattr(settings, name) != getattr(drawn, name):
            words += [f"--{name}", f"{getattr(settings, name):g}"]
    return shlex.join(words)


def faults_named(names: Iterable[str]) -> frozenset[Fault]:
    """Return the classes of these names; the name "none" stands for no class. Raises ValueError."""
    return frozenset(Fault(name) for name in names if name != NO_FAULT)


def _tell_one(failure: Failure, workers: Workers, *, until_s: float, stopping: Callable[[], bool]) -> Told:
    settings, violation = failure.settings, failure.violation
    if violation.invariant == RAN_AWAY:
        # Each look at it would take as long again.
        return _listed(failure)
    again = workers.one(settings, stopping=stopping, words=True)
    if again is None:
        return _listed(failure)
    replays = again.failure is not None and (again.failure.invariant, again.failure.event) == (
        violation.invariant,
        violation.event,
    )
    words = again.report.words if again.report is not None else ()
    shrunk = Shrunk(settings=settings, tried=0, whole=False)
    if replays:
        longest_s = (until_s - time.monotonic()) * _SHARE_OF_ONE

        def judge(smaller: Settings) -> Outcome | None:
            end_s = min(until_s, time.monotonic() + longest_s)
            outcome = workers.one(smaller, stopping=lambda: stopping() or time.monotonic() > end_s)
            if outcome is None and not stopping() and time.monotonic() < until_s:
                return mishap(smaller, RAN_AWAY, "too long to be of use")
            return outcome

        shrunk = shrink(settings, violation, judge)
    return Told(failure=failure, words=words, replays=replays, smallest=shrunk.settings, tried=shrunk.tried)


def _listed(failure: Failure) -> Told:
    return Told(failure=failure, words=(), replays=None, smallest=failure.settings, tried=0)


def _first_of_each_kind(failures: Iterable[Failure]) -> Iterator[Failure]:
    kinds = set()
    for failure in failures:
        if failure.violation.invariant not in kinds:
            kinds.add(failure.violation.invariant)
            yield failure
