from __future__ import annotations

import random
from collections import Counter

import pytest

from grandpause.sim.world.network import Network, Way
from grandpause.sim.world.settings import Fault

ILLS = (Fault.LOSS, Fault.DELAY, Fault.REORDER, Fault.DUPLICATE)
MANY = 20_000


def ways(*faults: Fault, count: int = MANY) -> list[float | Way]:
    network = Network(random.Random(3), faults)
    return [network.way() for _ in range(count)]


def struck(*faults: Fault) -> list[Way]:
    """Return what becomes of the requests that something strikes."""
    return [each for each in ways(*faults) if isinstance(each, Way)]


def test_a_sound_network_brings_everything_once_and_quickly() -> None:
    assert struck(Fault.HANG) == []
    assert all(0 < each < 0.1 for each in ways(Fault.HANG) if isinstance(each, float))


@pytest.mark.parametrize("fault", ILLS)
def test_each_class_strikes_where_it_is_on_and_alone(fault: Fault) -> None:
    blows = Counter(each.fault for each in struck(fault))
    assert set(blows) == {fault}
    assert 0.01 < blows[fault] / MANY < 0.03


def test_all_classes_strike_about_equally_often() -> None:
    blows = Counter(each.fault for each in struck(*ILLS))
    assert all(0.01 < blows[each] / MANY < 0.03 for each in ILLS)


def test_of_lost_requests_some_arrived_and_no_answer_comes() -> None:
    lost = struck(Fault.LOSS)
    assert not any(each.returns for each in lost)
    assert 0.3 < sum(each.arrives for each in lost) / len(lost) < 0.7


def test_late_answers_are_late_and_all_arrive() -> None:
    for fault, most_s in ((Fault.DELAY, 6.1), (Fault.REORDER, 1.1)):
        late = struck(fault)
        assert all(each.arrives and each.returns and not each.twice for each in late)
        assert most_s * 0.9 < max(each.delay_s for each in late) < most_s


def test_a_repeated_answer_is_one_command() -> None:
    twice = struck(Fault.DUPLICATE)
    assert all(each.arrives and each.returns and each.twice for each in twice)


def test_through_a_cut_network_nothing_comes_whatever_else_is_on() -> None:
    network = Network(random.Random(3), ILLS)
    network.cut = True
    for _ in range(100):
        way = network.way()
        assert isinstance(way, Way)
        assert (way.arrives, way.returns, way.fault) == (False, False, Fault.PARTITION)
    network.cut = False
    assert any(isinstance(network.way(), float) for _ in range(10))
