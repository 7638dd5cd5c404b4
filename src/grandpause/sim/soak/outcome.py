"""What came of one world that was handed to a worker: its report, or how it failed to give one."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from grandpause.sim.world.report import Violation, WorldReport
from grandpause.sim.world.settings import Settings

DIED: Final = "worker-died"
RAN_AWAY: Final = "world-ran-away"
RAISED: Final = "world-raised"
"""Failures that no invariant of a world can see; the exception's name is added to the last."""
_FRAMES = 3


class Run(Protocol):
    """Runs one world. It must be found by name in a module, since other processes are told it by name."""

    def __call__(self, settings: Settings, *, words: bool = False) -> WorldReport:
        """Return what came of it; ``words`` keeps the last events in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One world that was run to its end, or was not.

    Attributes:
        report: what the world said; None if it said nothing.
        failure: the first violation, or why there is no report; None if all is well.
    """

    settings: Settings
    report: WorldReport | None
    failure: Violation | None


class Crew(Protocol):
    """Whoever runs worlds: processes of this machine, or a cluster."""

    def outcomes(
        self, worlds: Iterable[Settings], *, stopping: Callable[[], bool], words: bool = False
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome for each world, in the order in which they end.

        Worlds are drawn only as there is room to run them. Once ``stopping`` says so, or the generator is
        closed, worlds under way are given up and nothing more is drawn.
        """


def attempt(run: Run, settings: Settings, *, words: bool = False) -> Outcome:
    """Run a world here; whatever it raises is its failure."""
    try:
        report = run(settings, words=words)
    except Exception as cause:  # noqa: BLE001  (any exception of a world is what a soak looks for)
        return mishap(settings, f"{RAISED}-{type(cause).__name__}", f"{cause} ({_where(cause)})")
    # Plain dictionaries: a read-only view cannot go to another process.
    report = replace(
        report, events=dict(report.events), counts=dict(report.counts), faults=dict(report.faults)
    )
    return Outcome(settings=settings, report=report, failure=next(iter(report.violations), None))


def mishap(settings: Settings, invariant: str, text: str) -> Outcome:
    """Return the outcome of a world that gave no report."""
    violation = Violation(invariant=invariant, site="", at_s=0.0, event=0, text=text)
    return Outcome(settings=settings, report=None, failure=violation)


def _where(cause: Exception) -> str:
    """Return the innermost frames, without anybody's directories."""
    frames = traceback.extract_tb(cause.__traceback__)[-_FRAMES:]
    return " < ".join(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames))
