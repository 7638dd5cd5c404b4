"""Whether the same seed gives the same world: each one twice, in processes that hash text differently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from grandpause.sim.soak.outcome import Outcome, Run
from grandpause.sim.soak.workers import WORLD_LIMIT_S, Workers
from grandpause.sim.world.settings import Settings

HASH_SEEDS: Final = (1, 2)
"""Sets and dictionaries of text come out in another order under each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of running every seed twice.

    Attributes:
        worlds: how many were run twice.
        different: seeds whose two worlds differed, in the trace or in any figure but CPU time.
        failed: seeds whose first world failed.
    """

    worlds: int
    different: tuple[int, ...]
    failed: tuple[int, ...]


def compare(
    run: Run,
    seeds: Sequence[int],
    *,
    processes: int,
    limit_s: float = WORLD_LIMIT_S,
    stopping: Callable[[], bool] = lambda: False,
    seen: Callable[[int], None] = lambda _: None,
) -> Compared:
    """Run each seed once under each hash seed; ``seen`` is called with the number of worlds so far."""
    digests: dict[int, str] = {}
    different = []
    failed = []
    ended = compared = 0
    for round_, hash_seed in enumerate(HASH_SEEDS):
        with Workers(run, processes=processes, limit_s=limit_s, hash_seed=hash_seed) as workers:
            worlds = (Settings.draw(seed) for seed in seeds)
            with closing(workers.outcomes(worlds, stopping=stopping)) as outcomes:
                for outcome in outcomes:
                    ended += 1
                    seen(ended)
                    seed = outcome.settings.seed
                    if round_ == 0:
                        digests[seed] = digest(outcome)
                        failed += [seed] if outcome.failure is not None else []
                    elif seed in digests:
                        compared += 1
                        different += [seed] if digest(outcome) != digests[seed] else []
    return Compared(worlds=compared, different=tuple(sorted(different)), failed=tuple(sorted(failed)))


def digest(outcome: Outcome) -> str:
    """Return SHA-256 over all that a world says of itself but its CPU time."""
    text = json.dumps(list(_said(outcome)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _said(outcome: Outcome) -> Iterator[Any]:
    failure, report = outcome.failure, outcome.report
    if failure is not None:
        yield [failure.invariant, failure.site, failure.at_s, failure.event, failure.text]
    if report is not None:
        yield [report.trace, report.site_s, report.idle_sweeps]
        for counts in (report.events, report.counts, report.faults):
            yield {str(name): count for name, count in counts.items()}
