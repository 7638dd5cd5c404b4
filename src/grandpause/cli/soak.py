"""``sim soak`` and ``sim replay-seed``: simulated worlds by the thousand, or one of them again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from grandpause.cli.output import replace_file, say_json
from grandpause.errors import UsageError

if TYPE_CHECKING:
    from grandpause.sim.soak.outcome import Crew, Run
    from grandpause.sim.soak.soaking import Plan
    from grandpause.sim.world.settings import Fault

_SECONDS = 60.0
_INTERRUPTED = 130
_MAY_BE_NOTHING = {"words", "shrink-seconds"}
Stopping = Callable[[], bool]


def soak(
    *,
    seconds: float | None = None,
    worlds: int | None = None,
    seed: int = 1,
    processes: int | None = None,
    scheduler: str = "",
    twice: bool = False,
    fail_fast: bool = False,
    shrink_seconds: float = 60.0,
    output: Path | None = None,
    json: bool = False,
) -> int:
    """Run simulated worlds of the production controller, seed after seed, with every kind of trouble.

    Exit code 0: no violation; 1: at least one. A failure is told in words and made as small as possible.
    Ctrl-C ends it and prints what was done. What the figures mean: spec/soak.md.

    Parameters
    ----------
    seconds
        Wall-clock seconds after which no further world begins; 60 unless --worlds is given.
    worlds
        How many worlds at most.
    seed
        The first seed; the next world takes the next one.
    processes
        How many worlds run at a time; as many as there are cores unless given.
    scheduler
        Address of a Dask scheduler, tcp://HOST:PORT: the same worlds run on its workers.
    twice
        Run each seed twice, in processes that hash text differently, and compare. Needs --worlds.
    fail_fast
        End at the first violation.
    shrink_seconds
        How long to look for the smallest world that shows a failure, in all.
    output
        Write the JSON value into this file, too.
    json
        Print one JSON value.
    """
    from grandpause.sim.soak.soaking import Plan
    from grandpause.sim.world.world import run_world

    _check(
        seconds=seconds, worlds=worlds, seed=seed, processes=processes, **{"shrink-seconds": shrink_seconds}
    )
    if seconds is None and worlds is None:
        seconds = _SECONDS
    if twice:
        if worlds is None or seconds is not None or scheduler:
            raise UsageError("takes --worlds, and neither --seconds nor --scheduler", where="--twice")
        value, code = _twice(run_world, range(seed, seed + worlds), processes or _cores(), quiet=json)
    else:
        if scheduler and processes is not None:
            raise UsageError("the cluster knows how many workers it has", where="--processes")
        plan = Plan(first_seed=seed, seconds=seconds, worlds=worlds, fail_fast=fail_fast)
        value, code = _soak(
            run_world, plan, processes or _cores(), scheduler, shrink_s=shrink_seconds, quiet=json
        )
    if output is not None:
        replace_file(output, (dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
    if json:
        say_json(value)
    return code


def replay_seed(
    seed: int,
    *,
    words: int | None = None,
    fault: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    no_fault: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    sites: int | None = None,
    elements: int | None = None,
    days: float | None = None,
    json: bool = False,
) -> int:
    """Run one simulated world again: the same seed and settings give the same trace.

    Exit code 0: no violation; 1: one.

    Parameters
    ----------
    seed
        The world's seed; what is not given below is drawn from it.
    words
        How many of its last events to print in words, at most 50; 50 after a violation unless given.
    fault
        The only classes of faults that may strike, for example loss; "none" for none. May be given often.
    no_fault
        A class that may not strike. May be given often.
    sites
        How many sites.
    elements
        How many elements each site has.
    days
        How long until everything heals.
    json
        Print one JSON value.
    """
    from grandpause.cli.soak_view import show_world
    from grandpause.sim.soak.document import world_value
    from grandpause.sim.soak.origin import origin
    from grandpause.sim.soak.outcome import attempt
    from grandpause.sim.world.settings import Settings
    from grandpause.sim.world.world import run_world

    _check(seed=seed, words=words, sites=sites, elements=elements, days=days)
    settings = Settings.draw(seed)
    settings = replace(
        settings,
        faults=(_faults(fault, "--fault") if fault else settings.faults) - _faults(no_fault, "--no-fault"),
        sites=sites if sites is not None else settings.sites,
        elements=elements if elements is not None else settings.elements,
        days=days if days is not None else settings.days,
    )
    outcome = attempt(run_world, settings, words=True)
    if words is None:
        words = 50 if outcome.failure is not None else 0
    if json:
        say_json({**world_value(outcome, words=words), **origin()})
    else:
        show_world(outcome, words=words)
    return 0 if outcome.failure is None else 1


def _soak(
    run: Run, plan: Plan, processes: int, scheduler: str, *, shrink_s: float, quiet: bool
) -> tuple[dict[str, Any], int]:
    """Soak, tell of failures; return the document and the exit code."""
    from grandpause.cli.soak_view import Progress, show_soak
    from grandpause.sim.soak.document import document
    from grandpause.sim.soak.origin import origin
    from grandpause.sim.soak.soaking import soak as soaking
    from grandpause.sim.soak.telling import tell
    from grandpause.sim.soak.workers import Workers

    began, where = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), origin()
    with ExitStack() as stack:
        workers = stack.enter_context(Workers(run, processes=processes))
        crew: Crew = workers
        if scheduler:
            from grandpause.sim.soak.cluster import cluster_at

            cluster = stack.enter_context(cluster_at(scheduler, run))
            crew, processes = cluster, cluster.processes
        stopping = stack.enter_context(_stopping())
        with Progress(seconds=plan.seconds, worlds=plan.worlds) as progress:
            soaked = soaking(crew, plan, stopping=stopping, seen=progress.saw)
        told = tell(soaked.totals.failures, workers, shrink_s=shrink_s, stopping=stopping)
    value = document(soaked, told=told, processes=processes, began=began, origin=where)
    if not quiet:
        show_soak(value)
    if soaked.totals.failed:
        return value, 1
    return value, _INTERRUPTED if soaked.stopped else 0


def _twice(run: Run, seeds: range, processes: int, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Run every seed twice; return the document and the exit code."""
    from grandpause.cli.soak_view import Ticker, show_twice
    from grandpause.sim.soak.document import twice_value
    from grandpause.sim.soak.origin import origin
    from grandpause.sim.soak.twice import HASH_SEEDS, compare

    ticker = Ticker(f"of {len(seeds) * len(HASH_SEEDS)} worlds")
    with _stopping() as stopping:
        compared = compare(run, seeds, processes=processes, stopping=stopping, seen=ticker.saw)
        stopped = stopping()
    value = {**twice_value(compared, first_seed=seeds.start), **origin()}
    if not quiet:
        show_twice(value)
    if compared.different or compared.failed:
        return value, 1
    return value, _INTERRUPTED if stopped else 0


@contextmanager
def _stopping() -> Iterator[Stopping]:
    """Within, SIGINT and SIGTERM only say that it is time to stop; a second one ends at once."""
    told = threading.Event()

    def hear(number: int, _frame: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()
        sys.stderr.write(f"\n{signal.Signals(number).name}: stopping\n")

    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return
    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _faults(names: Iterable[str], where: str) -> frozenset[Fault]:
    from grandpause.sim.soak.telling import faults_named
    from grandpause.sim.world.settings import Fault

    try:
        return faults_named(names)
    except ValueError as cause:
        raise UsageError(
            f"no such class of faults: {', '.join(names)}", where=where, hint="known: " + ", ".join(Fault)
        ) from cause


def _check(*, seed: int, **least: float | None) -> None:
    """Refuse numbers that make no world. Raises UsageError."""
    if seed < 0:
        raise UsageError("must not be negative", where="--seed")
    for name, value in least.items():
        least_of_it = "at least" if name in _MAY_BE_NOTHING else "more than"
        if value is not None and (value < 0 or (value == 0 and name not in _MAY_BE_NOTHING)):
            raise UsageError(f"must be {least_of_it} 0", where=f"--{name}")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
