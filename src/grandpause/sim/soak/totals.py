"""Sums over all worlds of a soak. Their size does not grow with the number of worlds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from grandpause.sim.soak.outcome import Outcome
from grandpause.sim.world.report import Violation
from grandpause.sim.world.settings import Settings

MOST_FAILURES: Final = 100
"""So many failures are kept; all are counted."""
TRACES: Final = 3
"""Of so many worlds, the first ones, the trace is kept."""
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A world that failed, as drawn from its seed."""

    settings: Settings
    violation: Violation


class Totals:
    """What came of the worlds so far.

    Times are summed as whole microseconds, so that the order in which worlds end changes no digit.
    """

    def __init__(self, *, first_seed: int) -> None:
        self.first_seed = first_seed
        self.last_seed: int | None = None
        self.worlds = 0
        self.idle_sweeps = 0
        self.failed = 0
        self.events: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.traces: dict[int, str] = {}
        self._failures: dict[int, Failure] = {}
        self._site_us = 0
        self._cpu_us = 0

    def add(self, outcome: Outcome) -> None:
        """Count one world."""
        seed = outcome.settings.seed
        self.worlds += 1
        self.last_seed = seed if self.last_seed is None else max(self.last_seed, seed)
        if outcome.failure is not None:
            self.failed += 1
            if len(self._failures) < MOST_FAILURES:
                self._failures[seed] = Failure(settings=outcome.settings, violation=outcome.failure)
        report = outcome.report
        if report is None:
            return
        self.idle_sweeps += report.idle_sweeps
        self.events.update({str(kind): count for kind, count in report.events.items()})
        self.counts.update({str(what): count for what, count in report.counts.items()})
        self.faults.update({str(fault): count for fault, count in report.faults.items()})
        self._site_us += round(report.site_s * _MILLION)
        self._cpu_us += round(report.cpu_s * _MILLION)
        if seed < self.first_seed + TRACES:
            self.traces[seed] = report.trace

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures that were kept, by seed."""
        return tuple(self._failures[seed] for seed in sorted(self._failures))

    @property
    def action_events(self) -> int:
        """How much happened; idle sweeps are not among it."""
        return sum(self.events.values())

    @property
    def site_s(self) -> float:
        """Simulated seconds, summed over the sites."""
        return self._site_us / _MILLION

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the worlds took."""
        return self._cpu_us / _MILLION
