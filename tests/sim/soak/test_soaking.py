"""A soak: what is added up, when it ends, and that none of it hangs on who ran which world."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import Any

import pytest

from grandpause.sim.soak.document import SCHEMA, document
from grandpause.sim.soak.outcome import Outcome, Run, attempt
from grandpause.sim.soak.soaking import Plan, Soaked, soak
from grandpause.sim.soak.telling import Told, tell
from grandpause.sim.soak.totals import MOST_FAILURES, Totals
from grandpause.sim.soak.workers import Workers
from grandpause.sim.world.settings import Fault, Settings
from sim.soak import double

TIMED = {"seconds", "processes", "events_per_second", "began", "unfinished"}
REQUIRED = [
    "schema", "site_years", "events_per_second", "seeds", "violations", "demands", "pfd_upper_95",
    "spurious_per_1000_site_years", "faults",
]  # fmt: skip


class Here:
    """A crew that runs worlds in this process, in an order of its own."""

    def __init__(self, run: Run, *, shuffled: int = 0) -> None:
        self._run = run
        self._shuffled = shuffled

    def outcomes(
        self, worlds: Iterable[Settings], *, stopping: Callable[[], bool], words: bool = False
    ) -> Generator[Outcome, None, None]:
        source: Iterable[Settings] = worlds
        if self._shuffled:
            source = list(worlds)
            random.Random(self._shuffled).shuffle(source)
        for settings in source:
            if stopping():
                return
            yield attempt(self._run, settings, words=words)


def plan(*, worlds: int | None = None, seconds: float | None = None, fail_fast: bool = False) -> Plan:
    return Plan(first_seed=1, seconds=seconds, worlds=worlds, fail_fast=fail_fast)


def told_by(soaked: Soaked) -> list[Told]:
    with Workers(double.ill, processes=1) as workers:
        return tell(soaked.totals.failures, workers, shrink_s=0, stopping=lambda: True)


def value_of(soaked: Soaked) -> dict[str, Any]:
    return document(soaked, told=told_by(soaked), processes=1, began="2026-11-22T00:00:00Z", origin={})


def test_the_document_has_the_keys_that_are_promised_in_their_order() -> None:
    value = value_of(soak(Here(double.quiet), plan(worlds=5)))
    assert list(value)[: len(REQUIRED)] == REQUIRED
    assert value["schema"] == SCHEMA == "grandpause.soak/1"
    assert set(value["faults"]) == {str(each) for each in Fault}
    assert (value["seeds"], value["violations"], value["demands"]) == (5, 0, 15)
    assert value["pfd_upper_95"] == 3 / 15
    assert (value["first_seed"], value["last_seed"]) == (1, 5)
    assert value["stopped"] is False


def test_the_figures_are_the_sums_of_the_worlds() -> None:
    reports = [double.quiet(Settings.draw(seed)) for seed in range(1, 9)]
    value = value_of(soak(Here(double.quiet), plan(worlds=8)))
    assert value["site_years"] == pytest.approx(
        sum(each.site_s for each in reports) / (365.25 * 86_400), abs=0.0006
    )
    assert value["action_events"] == sum(sum(each.events.values()) for each in reports)
    assert value["idle_sweeps"] == sum(each.idle_sweeps for each in reports)
    struck = [Settings.draw(each.seed).faults for each in reports]
    assert value["faults"]["loss"] == 5 * sum(Fault.LOSS in each for each in struck) > 0
    assert value["events_per_cpu_second"] == pytest.approx(value["action_events"] / 0.008, rel=1e-3)
    assert value["traces"] == {str(each.seed): each.trace for each in reports[:3]}
    assert value["spurious_per_1000_site_years"] == pytest.approx(4_000 / value["site_years"], rel=1e-2)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_no_figure_hangs_on_the_order_in_which_worlds_end(order: int) -> None:
    one, other = (
        value_of(soak(Here(double.ill, shuffled=shuffled), plan(worlds=60))) for shuffled in (0, order)
    )
    assert one["violations"] > 1
    assert {key: one[key] for key in one if key not in TIMED} == {
        key: other[key] for key in other if key not in TIMED
    }


def test_processes_give_what_one_process_gives() -> None:
    here = value_of(soak(Here(double.ill), plan(worlds=60)))
    with Workers(double.ill, processes=2) as workers:
        there = value_of(soak(workers, plan(worlds=60)))
    assert {key: here[key] for key in here if key not in TIMED} == {
        key: there[key] for key in there if key not in TIMED
    }


def test_worlds_that_have_begun_when_the_time_is_up_are_waited_for() -> None:
    with Workers(double.slow, processes=2) as workers:
        soaked = soak(workers, plan(seconds=1.5))
    assert 1.5 <= soaked.seconds < 30
    assert soaked.unfinished == ()
    assert soaked.totals.last_seed == soaked.totals.worlds >= 2


def test_a_stop_ends_it_and_what_was_done_is_kept() -> None:
    seen: list[int] = []
    with Workers(double.endless, processes=2) as workers:
        soaked = soak(
            workers,
            plan(worlds=10**9),
            stopping=lambda: len(seen) >= 15,
            seen=lambda totals: seen.append(totals.worlds),
        )
    assert soaked.stopped
    assert double.BAD_SEED in soaked.unfinished
    assert soaked.totals.worlds >= 15
    value = value_of(soaked)
    assert (value["stopped"], value["seeds"]) == (True, soaked.totals.worlds)


def test_the_first_failure_ends_it_where_that_was_asked_for() -> None:
    whole = soak(Here(double.ill), plan(worlds=60))
    short = soak(Here(double.ill), plan(worlds=60, fail_fast=True))
    assert short.totals.failed == 1
    assert short.totals.failures == whole.totals.failures[:1]
    assert short.totals.worlds == short.totals.failures[0].settings.seed


def test_a_hopeless_soak_ends_and_its_failures_stay_a_bounded_list() -> None:
    with Workers(double.always_dying, processes=2) as workers:
        soaked = soak(workers, Plan(first_seed=1, seconds=None, worlds=10**6, most_failures=6))
    assert 6 <= soaked.totals.failed <= 8
    assert soaked.totals.worlds == soaked.totals.failed
    soaked = soak(Here(double.fickle), plan(worlds=10**6))
    assert soaked.totals.failed == len(soaked.totals.failures) == MOST_FAILURES


def test_what_no_world_counted_is_not_nought() -> None:
    quiet = double.quiet(Settings.draw(1))
    counts = {what: count for what, count in quiet.counts.items() if what != "spurious"}
    totals = Totals(first_seed=1)
    totals.add(Outcome(settings=Settings.draw(1), report=replace(quiet, counts=counts), failure=None))
    soaked = Soaked(totals=totals, seconds=1.0, unfinished=(), stopped=False)
    assert value_of(soaked)["spurious_per_1000_site_years"] is None
    totals.add(
        Outcome(settings=Settings.draw(2), report=replace(quiet, counts={"spurious": 0}), failure=None)
    )
    assert value_of(soaked)["spurious_per_1000_site_years"] == 0


def test_nothing_asked_is_nothing_known() -> None:
    value = value_of(soak(Here(double.raising), Plan(first_seed=7, seconds=None, worlds=1)))
    assert (value["demands"], value["pfd_upper_95"], value["pfd_upper_95_exact"]) == (0, 1.0, 1.0)
    assert value["spurious_per_1000_site_years"] is None
    assert value["violations"] == 1
    assert value["failures"][0]["seed"] == 7
