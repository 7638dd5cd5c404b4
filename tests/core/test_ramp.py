from __future__ import annotations

import random

import pytest

from grandpause.core.ramp import WINDOW_S, RampBook, RampRule

RULE = RampRule(watts_per_minute=30, watts_per_step=20, step_s=1.0)


def test_machines_go_until_the_minute_is_full_and_again_a_minute_after_the_first_is_down() -> None:
    book = RampBook()
    assert book.grant("a", 10, RULE, 0.0) is None
    assert book.grant("b", 10, RULE, 0.0) is None
    assert book.grant("c", 10, RULE, 1.0) is None
    assert book.grant("d", 10, RULE, 2.0) == 2.0 + WINDOW_S, "nothing is seen to be down yet"

    book.settle("a", 40.0)

    assert book.grant("d", 10, RULE, 62.0) == 100.0
    assert book.grant("d", 10, RULE, 100.0) is None


def test_a_step_takes_no_more_than_its_watts() -> None:
    book = RampBook()
    assert book.grant("a", 20, RULE, 0.0) is None
    assert book.grant("b", 10, RULE, 0.0) == 1.0
    assert book.grant("b", 10, RULE, 1.0) is None


def test_a_machine_under_way_may_be_told_again_and_is_charged_once() -> None:
    book = RampBook()
    assert book.grant("a", 20, RULE, 0.0) is None
    assert book.grant("a", 20, RULE, 5.0) is None
    assert book.grant("b", 10, RULE, 5.0) is None
    assert book.settle("a", 6.0)
    assert not book.settle("a", 7.0)


def test_a_machine_larger_than_the_rule_goes_alone() -> None:
    book = RampBook()
    assert book.grant("huge", 100, RULE, 0.0) is None
    assert book.grant("a", 1, RULE, 5.0) is not None
    book.settle("huge", 10.0)
    assert book.grant("a", 1, RULE, 70.0) is None


@pytest.mark.parametrize("seed", range(40))
def test_whenever_machines_really_fall_no_minute_sees_more_than_the_rule(seed: int) -> None:
    chance = random.Random(seed)
    book = RampBook()
    rule = RampRule(watts_per_minute=chance.randrange(20, 100))
    drops: list[tuple[float, int]] = []
    ends: list[tuple[float, str]] = []
    ask = {f"n{number}": 0.0 for number in range(60)}
    watts = {name: chance.randrange(1, 20) for name in ask}
    now = 0.0
    while ask:
        now = min([*ask.values(), *(at for at, _ in ends)])
        for at, name in [each for each in ends if each[0] <= now]:
            book.settle(name, now)
            ends.remove((at, name))
        for name in [each for each, at in ask.items() if at <= now]:
            again = book.grant(name, watts[name], rule, now)
            if again is not None:
                assert again > now
                ask[name] = again
                continue
            del ask[name]
            took = chance.uniform(0, 200)
            drops.append((now + chance.uniform(0, took), watts[name]))
            ends.append((now + took, name))
    most = rule.watts_per_minute
    assert most is not None
    for end, _ in drops:
        assert sum(each for at, each in drops if end - WINDOW_S < at <= end) <= most
