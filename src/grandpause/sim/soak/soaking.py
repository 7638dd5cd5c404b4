"""Hands seeds to a crew until the time is up, and adds up what comes of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from grandpause.sim.soak.outcome import Crew
from grandpause.sim.soak.totals import MOST_FAILURES, Totals
from grandpause.sim.world.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which worlds to run.

    Attributes:
        first_seed: seeds are taken upwards from here.
        seconds: wall-clock seconds after which no further world begins; None sets no such bound.
        worlds: how many worlds at most; None sets no such bound.
        fail_fast: the first failure ends the soak, and worlds under way are given up.
        most_failures: after so many no further world begins: there is nothing more to learn.
    """

    first_seed: int
    seconds: float | None
    worlds: int | None
    fail_fast: bool = False
    most_failures: int = MOST_FAILURES


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What came of a soak.

    Attributes:
        seconds: wall-clock seconds, from the start of the first worker to the end of the last world.
        unfinished: seeds of worlds that were given up: by a stop, or by the first failure.
        stopped: it was told to stop before the plan was done.
    """

    totals: Totals
    seconds: float
    unfinished: tuple[int, ...]
    stopped: bool


def soak(
    crew: Crew,
    plan: Plan,
    *,
    stopping: Callable[[], bool] = lambda: False,
    seen: Callable[[Totals], None] = lambda _: None,
) -> Soaked:
    """Run the plan's worlds.

    Worlds that have begun when the time is up are waited for, so that no seed below the last is missing and
    long worlds count like short ones.

    Args:
        stopping: asked often; once it says yes, worlds under way are given up.
        seen: called after each world.
    """
    totals = Totals(first_seed=plan.first_seed)
    began_s = time.monotonic()
    under_way: set[int] = set()

    def worlds() -> Iterator[Settings]:
        for seed in itertools.islice(itertools.count(plan.first_seed), plan.worlds):
            late = plan.seconds is not None and time.monotonic() - began_s >= plan.seconds
            if late or totals.failed >= plan.most_failures:
                return
            under_way.add(seed)
            yield Settings.draw(seed)

    with closing(crew.outcomes(worlds(), stopping=stopping)) as outcomes:
        for outcome in outcomes:
            under_way.discard(outcome.settings.seed)
            totals.add(outcome)
            seen(totals)
            if plan.fail_fast and totals.failed:
                break
    return Soaked(
        totals=totals,
        seconds=time.monotonic() - began_s,
        unfinished=tuple(sorted(under_way)),
        stopped=stopping(),
    )
