"""Looks for the smallest settings under which a world still violates the same invariant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from grandpause.sim.soak.outcome import Outcome
from grandpause.sim.world.report import Violation
from grandpause.sim.world.settings import DAY_S, Fault, Settings

_SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
_LEAST_DAYS: Final = 0.01
_OTHER_SEEDS: Final = 2
Judge = Callable[[Settings], Outcome | None]
"""Runs a world; None if there is no time left for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What was found.

    Attributes:
        settings: the smallest that violates the invariant.
        tried: how many worlds were run for it.
        whole: nothing smaller was left to try; otherwise the time was up.
    """

    settings: Settings
    tried: int
    whole: bool


class _TimeIsUp(Exception):
    """There is no time left for another world: the search ends with what it has."""


def shrink(settings: Settings, violation: Violation, judge: Judge) -> Shrunk:
    """Return the smallest settings found that violate the same invariant as ``settings`` did.

    First the world ends just behind the violation; then fewer sites and elements, since small worlds are
    quick; then fewer classes of faults (delta debugging; Zeller and Hildebrandt, 2002) and fewer days; again
    from the beginning until a whole round makes nothing smaller. A smaller world draws other odds, so each
    size is tried under some other seeds, too.
    """
    search = _Search(settings, violation, judge)
    try:
        while True:
            before = search.smallest
            search.end_sooner()
            search.fewer_sites()
            search.fewer_elements()
            search.fewer_faults()
            search.fewer_days()
            if search.smallest == before:
                return Shrunk(settings=before, tried=search.tried, whole=True)
    except _TimeIsUp:
        return Shrunk(settings=search.smallest, tried=search.tried, whole=False)


class _Search:
    """The smallest settings so far."""

    def __init__(self, settings: Settings, violation: Violation, judge: Judge) -> None:
        self.smallest = settings
        self.tried = 0
        self._first_seed = settings.seed
        self._struck: frozenset[Fault] = settings.faults
        self._at_s = violation.at_s
        self._invariant = violation.invariant
        self._seen = {settings}
        self._judge = judge

    def fewer_faults(self) -> None:
        """Leave out what never struck, then ever smaller parts of what did."""
        self._accepts(replace(self.smallest, faults=self.smallest.faults & self._struck))
        self._accepts(replace(self.smallest, faults=frozenset()))
        parts = 2
        while len(self.smallest.faults) > 1:
            faults = sorted(self.smallest.faults)
            left_out = (faults[: at[0]] + faults[at[1] :] for at in _parts(faults, parts))
            if any(self._accepts(replace(self.smallest, faults=frozenset(each))) for each in left_out):
                parts = max(parts - 1, 2)
            elif parts >= len(faults):
                return
            else:
                parts = min(parts * 2, len(faults))

    def fewer_sites(self) -> None:
        """Try the smallest number first: small worlds are quick."""
        smaller = (each for each in _SIZES if each < self.smallest.sites)
        any(self._accepts(replace(self.smallest, sites=each)) for each in smaller)

    def fewer_elements(self) -> None:
        """Try the smallest number first."""
        smaller = (each for each in _SIZES if each < self.smallest.elements)
        any(self._accepts(replace(self.smallest, elements=each)) for each in smaller)

    def end_sooner(self) -> None:
        """Try to end just behind the violation."""
        self._accepts(replace(self.smallest, days=_rounded(self._at_s / DAY_S)))

    def fewer_days(self) -> None:
        """Halve."""
        self.end_sooner()
        while self._accepts(replace(self.smallest, days=_rounded(self.smallest.days / 2))):
            pass

    def _accepts(self, settings: Settings) -> bool:
        """Say whether these are smaller and violate it too, under some seed; then they are the smallest."""
        if settings == self.smallest:
            return False
        others = (self._first_seed + each for each in range(1, _OTHER_SEEDS + 1))
        seeds = dict.fromkeys((settings.seed, self._first_seed, *others))
        return any(self._accepts_exactly(replace(settings, seed=seed)) for seed in seeds)

    def _accepts_exactly(self, settings: Settings) -> bool:
        if settings in self._seen or not _LEAST_DAYS <= settings.days <= self.smallest.days:
            return False
        self._seen.add(settings)
        outcome = self._judge(settings)
        if outcome is None:
            raise _TimeIsUp
        self.tried += 1
        failure = outcome.failure
        if failure is None or failure.invariant != self._invariant:
            return False
        self.smallest, self._at_s = settings, failure.at_s
        if outcome.report is not None:
            self._struck = frozenset(each for each in Fault if outcome.report.faults.get(each, 0))
        return True


def _parts(whole: Sequence[Fault], number: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of ``number`` parts, as equal as may be."""
    for part in range(number):
        yield len(whole) * part // number, len(whole) * (part + 1) // number


def _rounded(days: float) -> float:
    """Return two decimals, upwards: what a person can read and paste."""
    return -int(-days * 100 // 1) / 100
