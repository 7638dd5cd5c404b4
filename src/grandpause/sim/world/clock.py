"""A machine's clocks: a wall clock that errs, drifts and jumps, and a boot-time clock that only drifts."""

from __future__ import annotations

from typing import Protocol

EPOCH_S = 1_780_000_000
"""Unix seconds at which every world begins."""


class Truth(Protocol):
    """Knows the true time: seconds since its world began."""

    now_s: float


class MachineClock:
    """One machine's clocks (``ports.Clock``).

    Attributes:
        off_s: wall clock minus the truth, in seconds.
        drift_ppm: how much too fast the boot-time clock runs.
    """

    def __init__(self, truth: Truth, *, off_s: float = 0.0, drift_ppm: float = 0.0) -> None:
        """Take what knows the true time."""
        self._truth = truth
        self.off_s = off_s
        self._rate = 1.0 + drift_ppm / 1_000_000
        self._booted_s = 0.0

    def wall_s(self) -> int:
        """Return the wall clock in Unix seconds."""
        return int(EPOCH_S + self._truth.now_s + self.off_s)

    def monotonic_s(self) -> float:
        """Return seconds since the machine's last boot."""
        return (self._truth.now_s - self._booted_s) * self._rate

    def monotonic_at(self, true_s: float) -> float:
        """Return what the boot-time clock showed at a true time."""
        return (true_s - self._booted_s) * self._rate

    def boot(self) -> None:
        """Begin to count anew."""
        self._booted_s = self._truth.now_s

    def true_s(self, monotonic_s: float) -> float:
        """Return the true time at which the boot-time clock shows this."""
        return self._booted_s + monotonic_s / self._rate
