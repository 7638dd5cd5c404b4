"""One charter's time as an interval, from a wall clock with a stated error. (spec/time.md)

For charters without a log: the wall clock names the time, its stated error moves both ends. A step of
the wall clock that is larger than that error is an alarm and moves neither end: the boot-time clock
then carries the interval on. More doubt never raises a ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grandpause.core.model import Interval

DRIFT_PPM: Final = 200
"""Ordinary quartz errs by up to 100 ppm; doubled for temperature (RFC 5905 assumes 15 ppm, disciplined)."""
UNKNOWN_S: Final = 10 * 365 * 86_400
"""How much later than the floor it may be when the clock is certainly wrong: longer than any limit runs."""


@dataclass(slots=True)
class TimeKeeper:
    """Keeps [earliest, latest]. Feed it both clocks; it never lets ``earliest`` go back.

    Attributes:
        error_s: the charter's stated error of the wall clock.
        floor_s: a moment that is certainly past (the last one that was stored); 0 if none is known.
        past_s: a moment that is certainly past now: the floor, moved on by the boot-time clock.
        stepped: whether the wall clock last disagreed by more than its error.
    """

    error_s: int
    floor_s: int = 0
    stepped: bool = False
    past_s: int = 0
    _began_s: float | None = None
    _anchor_wall_s: float | None = None
    _anchor_monotonic_s: float = 0.0
    _earliest: int = 0
    _ahead_s: float = 0.0
    _behind: bool = False

    @property
    def anchor(self) -> tuple[float, float] | None:
        """The first look: (wall clock in Unix seconds, boot-time seconds); None before it.

        A look at a clock that is certainly wrong is none: no later process may go on from it.
        """
        if self._anchor_wall_s is None or self._behind:
            return None
        return self._anchor_wall_s, self._anchor_monotonic_s

    def resume(self, anchor: tuple[float, float], *, wall_s: float, monotonic_s: float) -> None:
        """Go on from the first look of an earlier process of the same boot of the machine.

        A restart of the process is then no moment at which the wall clock is believed anew: one that is
        ahead is a doubt, which moves ``latest`` alone.
        """
        passed = monotonic_s - anchor[1]
        expected = anchor[0] + passed
        doubt = self.error_s + passed * DRIFT_PPM / 1_000_000
        if expected + doubt < self.floor_s:
            return  # that look was at a clock which was certainly wrong: look again
        self._anchor_wall_s, self._anchor_monotonic_s = anchor
        self._ahead_s = wall_s - expected if wall_s - expected > doubt else 0.0

    def observe(self, *, wall_s: float, monotonic_s: float) -> Interval:
        """Return the interval at this moment.

        Args:
            wall_s: the wall clock, Unix seconds.
            monotonic_s: boot-time seconds; never steps.
        """
        if self._began_s is None:
            self._began_s = monotonic_s
        # What is certainly past moves on with the boot-time clock: a clock that is an hour behind is so still
        # an hour later.
        self.past_s = self.floor_s + int((monotonic_s - self._began_s) * (1 - DRIFT_PPM / 1_000_000))
        right = wall_s + self.error_s >= self.past_s
        if self._anchor_wall_s is None or (right and self._behind):
            # A clock that was certainly wrong at the first look, and has been set, is looked at as at a boot.
            self._anchor_wall_s, self._anchor_monotonic_s = wall_s, monotonic_s
            self._behind = not right
        # Always judged from the first anchor: one that moved along would believe a clock that creeps by
        # many steps, each below its error, and an hour of them would run out any limit.
        passed = monotonic_s - self._anchor_monotonic_s
        expected = self._anchor_wall_s + passed
        doubt = self.error_s + passed * DRIFT_PPM / 1_000_000
        if abs(wall_s - expected) <= doubt:
            expected, doubt = wall_s, float(self.error_s)
            self.stepped = self._behind
        else:
            self.stepped = True
        self._earliest = max(self._earliest, int(expected - doubt))
        latest = max(int(expected + doubt + self._ahead_s) + 1, self.past_s, self._earliest)
        if self._behind:
            # The clock is behind what was stored, so nobody knows how long the controller was down: a limit
            # that begins now must act now, and nothing that a date could make void may raise.
            latest = max(latest, self.past_s + UNKNOWN_S)
        return Interval(earliest=self._earliest, latest=latest)
