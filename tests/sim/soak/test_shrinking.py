"""A failure is told in words and made small."""

from __future__ import annotations

import shlex
from dataclasses import astuple, replace
from itertools import pairwise
from random import Random

import pytest

from grandpause.sim.soak.outcome import Outcome, Run, attempt
from grandpause.sim.soak.shrink import shrink
from grandpause.sim.soak.telling import MOST_TOLD, Told, command_for, faults_named, tell
from grandpause.sim.soak.totals import Failure
from grandpause.sim.soak.workers import Workers
from grandpause.sim.world.report import Violation
from grandpause.sim.world.settings import Fault, Settings
from sim.soak import double

ODD_FAULTS = frozenset({Fault.LOSS, Fault.HANG, Fault.LIE, Fault.BOOT})


def failures_of(run: Run, number: int) -> list[Failure]:
    """Return so many failures, lowest seeds first."""
    found: list[Failure] = []
    seed = 0
    while len(found) < number:
        seed += 1
        outcome = attempt(run, Settings.draw(seed))
        if outcome.failure is not None:
            found.append(Failure(settings=outcome.settings, violation=outcome.failure))
    return found


def told(run: Run, failures: list[Failure], *, shrink_s: float = 60) -> list[Told]:
    with Workers(run, processes=1, limit_s=20) as workers:
        return tell(failures, workers, shrink_s=shrink_s, stopping=lambda: False)


def test_the_smallest_world_has_just_what_the_failure_needs() -> None:
    for failure in failures_of(double.ill, 5):
        tried: list[Settings] = []

        def judge(settings: Settings, tried: list[Settings] = tried) -> Outcome:
            tried.append(settings)
            return attempt(double.ill, settings)

        shrunk = shrink(failure.settings, failure.violation, judge)
        assert shrunk.settings == Settings(
            seed=failure.settings.seed, faults=double.ILL_FAULTS, sites=2, elements=8, days=3.4
        )
        assert shrunk.whole
        assert shrunk.tried == len(tried) == len(set(tried)) < 250


def test_another_violation_is_not_taken_for_the_same_one() -> None:
    """Without loss the world of this test fails differently."""

    def judge(settings: Settings) -> Outcome:
        name = "first" if Fault.LOSS in settings.faults else "second"
        violation = Violation(invariant=name, site="", at_s=1.0, event=1, text="")
        return Outcome(settings=settings, report=None, failure=violation)

    settings = replace(Settings.draw(1), faults=frozenset(Fault))
    violation = Violation(invariant="first", site="", at_s=1.0, event=1, text="")
    shrunk = shrink(settings, violation, judge)
    assert shrunk.settings.faults == {Fault.LOSS}
    assert (shrunk.settings.sites, shrunk.settings.elements, shrunk.settings.days) == (1, 1, 0.01)


def test_when_the_time_is_up_the_smallest_so_far_is_told() -> None:
    [failure] = failures_of(double.ill, 1)
    left = 5

    def judge(settings: Settings) -> Outcome | None:
        nonlocal left
        left -= 1
        return attempt(double.ill, settings) if left >= 0 else None

    shrunk = shrink(failure.settings, failure.violation, judge)
    assert not shrunk.whole
    assert shrunk.tried == 5
    outcome = attempt(double.ill, shrunk.settings)
    assert outcome.failure is not None


def test_a_failure_is_told_with_its_last_events_and_a_command_that_shows_it_again() -> None:
    [failure] = failures_of(double.ill, 1)
    [one] = told(double.ill, [failure])
    assert one.replays is True
    assert one.words == tuple(f"event {number}" for number in range(50))
    assert one.command == (
        f"grandpause sim replay-seed {failure.settings.seed} --fault hang --fault loss"
        + (" --sites 2" if failure.settings.sites != 2 else "")
        + " --elements 8 --days 3.4"
    )
    assert one.tried > 5


def test_only_the_first_of_each_kind_is_shrunk_and_the_others_are_listed() -> None:
    failures = failures_of(double.ill, 4)
    assert [each.tried > 0 for each in told(double.ill, failures)] == [True, False, False, False]
    kinds = [
        replace(failure, violation=replace(failure.violation, invariant=f"kind {number}"))
        for number, failure in enumerate(failures)
    ]
    replays = [each.replays for each in told(double.ill, kinds)]
    assert replays == [False] * MOST_TOLD + [None]


def test_a_failure_that_does_not_come_again_is_said_to_be_one_of_the_world() -> None:
    [failure] = failures_of(double.fickle, 1)
    [one] = told(double.fickle, [failure])
    assert one.replays is False
    assert (one.smallest, one.tried) == (failure.settings, 0)


def test_a_process_that_dies_is_shrunk_too_and_a_world_that_ran_away_is_not() -> None:
    with Workers(double.dying, processes=1) as workers:
        outcome = workers.one(Settings.draw(double.BAD_SEED), stopping=lambda: False)
    assert outcome is not None
    assert outcome.failure is not None
    [one] = told(double.dying, [Failure(settings=outcome.settings, violation=outcome.failure)])
    assert one.replays is True
    assert one.command == "grandpause sim replay-seed 7 --fault none --sites 1 --elements 1 --days 0.01"
    away = replace(outcome.failure, invariant="world-ran-away")
    [one] = told(double.endless, [Failure(settings=outcome.settings, violation=away)])
    assert (one.replays, one.tried) == (None, 0)


@pytest.mark.parametrize("seed", range(1, 30))
def test_a_command_says_all_that_differs_from_what_the_seed_draws(seed: int) -> None:
    drawn = Settings.draw(seed)
    assert command_for(drawn) == f"grandpause sim replay-seed {seed}"
    smaller = replace(drawn, faults=frozenset({Fault.DISARM, Fault.LIE}), elements=3, days=0.07)
    words = shlex.split(command_for(smaller))
    assert faults_named(word for before, word in pairwise(words) if before == "--fault") == {
        Fault.DISARM,
        Fault.LIE,
    }
    assert words[words.index("--days") + 1] == "0.07"
    assert "--sites" not in words


def test_a_world_whose_odds_change_with_its_size_is_shrunk_under_another_seed() -> None:
    violation = Violation(invariant="first", site="", at_s=1.0, event=1, text="")

    def judge(settings: Settings) -> Outcome:
        ill = (
            Fault.LOSS in settings.faults
            and Random(repr((sorted(settings.faults), *astuple(settings)[2:], settings.seed))).random() < 0.5
        )
        return Outcome(settings=settings, report=None, failure=violation if ill else None)

    sizes, seeds = [], set()
    for seed in range(1, 20):
        settings = Settings(seed=seed, faults=ODD_FAULTS, sites=3, elements=64, days=60.0)
        shrunk = shrink(settings, violation, judge)
        sizes.append(len(shrunk.settings.faults) + shrunk.settings.sites + shrunk.settings.elements)
        seeds.add(shrunk.settings.seed - seed)
        assert shrunk.settings == settings or judge(shrunk.settings).failure is not None
    assert sorted(sizes)[len(sizes) // 2] <= 5
    assert seeds == {0, 1, 2}
