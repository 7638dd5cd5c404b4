from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from core.virtual import FULL, SILENT, Way, World, plan_of
from grandpause.core.model import Act, Power, Reply, Stage
from grandpause.core.plan import Cut, Plan
from grandpause.core.ramp import WINDOW_S, RampBook, RampRule
from grandpause.core.stop import Claimed, Phase, Timing

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


def test_what_an_earlier_process_told_is_charged_until_a_minute_after_it_must_be_down() -> None:
    book = RampBook()
    book.resume(10, 40.0)
    book.resume(10, 5.0)
    assert book.grant("a", 20, RULE, 6.0) == 65.0, "the first one that ends, in whatever order they came"
    assert book.grant("b", 10, RULE, 6.0) is None
    assert book.grant("a", 20, RULE, 65.0) == 100.0
    book.settle("b", 65.0)
    assert book.grant("a", 20, RULE, 100.0) is None
    assert book.grant("c", 10, RULE, 101.0) == 125.0


# The book in the conductor: what is charged, what is held, and what lets it go.

TWO_A_MINUTE = RampRule(watts_per_minute=20)
LONG_STAGES = {Stage.SOFT_OFF: 90.0, Stage.FORCE_OFF: 30.0, Stage.OUTLET_OFF: 20.0}


def ramped(
    names: Iterable[str], *, keep: Iterable[str] = (), rule: RampRule | None = TWO_A_MINUTE, drop_w: int = 10
) -> Plan:
    """Return a plan in which every node's turn comes at once, and only the book holds it."""
    return replace(plan_of([Cut(each, 0.0, FULL, drop_w) for each in names], keep=keep), ramp=rule)


def world_of(count: int, *, quick: bool = True) -> World:
    world = World([f"n{number}" for number in range(1, count + 1)])
    if not quick:
        for node in world.nodes.values():
            node.ways = dict.fromkeys((Act.SOFT_OFF, Act.FORCE_OFF), Way(applied=False))
    return world


def told(world: World) -> dict[str, float]:
    """Return when each node was told for the first time, in seconds since the world began."""
    first: dict[str, float] = {}
    for when, command in world.commands:
        first.setdefault(command.key.element, round(when - 1_000.0, 1))
    return first


def test_a_node_that_the_book_holds_goes_a_minute_after_one_before_it_is_down() -> None:
    world = world_of(3)
    world.begin(ramped(world.nodes))
    world.until_settled()
    first = told(world)
    assert (first["n1"], first["n2"]) == (0.0, 0.0)
    # The first two are down after a second; the third asked again after a minute, a second too early.
    assert WINDOW_S < first["n3"] <= 2 * WINDOW_S + 2


def test_late_devices_hold_those_behind_them_however_their_slots_were_planned() -> None:
    """Slots bound commands; the book bounds what falls (ADR 0018)."""
    world = world_of(4, quick=False)
    world.begin(ramped(world.nodes))
    world.passes(100.0)  # 80 s of stages that do nothing, then the outlets
    assert set(told(world)) == {"n1", "n2"}
    world.until_settled()
    fell = min(told(world)[each] for each in ("n3", "n4"))
    assert fell >= 80.0 + WINDOW_S
    assert not any(node.on for node in world.nodes.values())


def test_the_stages_of_one_node_are_one_charge() -> None:
    world = world_of(2, quick=False)
    world.begin(ramped(world.nodes))
    world.until_settled()
    assert [each.told for each in world.nodes.values()] == [
        [Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF],
        [Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF],
    ]


def test_a_new_plan_lets_nobody_go_who_is_held_and_charges_nobody_twice() -> None:
    world = world_of(3, quick=False)
    world.begin(ramped(world.nodes))
    for _ in range(50):
        world.passes(1.0)
        world.begin(ramped(world.nodes))
    assert set(told(world)) == {"n1", "n2"}
    assert world.stop.book.under_way == {"n1": 10, "n2": 10}


def test_an_override_lets_everybody_go_at_once() -> None:
    world = world_of(6, quick=False)
    world.begin(ramped(world.nodes))
    world.passes(10.0)
    assert len(told(world)) == 2
    world.begin(ramped(world.nodes, rule=None))
    world.passes(0.1)
    assert set(told(world)) == set(world.nodes)


def test_what_is_under_way_when_an_override_ends_still_counts() -> None:
    world = world_of(4, quick=False)
    world.begin(ramped(["n1", "n2"]))
    world.passes(5.0)
    world.begin(ramped(["n1", "n2"], rule=None))
    world.passes(5.0)
    world.begin(ramped(world.nodes))
    world.passes(30.0)
    assert set(told(world)) == {"n1", "n2"}


def test_a_node_that_comes_back_is_charged_anew() -> None:
    world = world_of(3)
    world.begin(ramped(["n1"]))
    world.until_settled()
    assert world.stop.book.under_way == {}
    world.passes(2 * WINDOW_S)
    world.nodes["n1"].ways = dict.fromkeys((Act.FORCE_OFF, Act.OUTLET_OFF), Way(applied=False, reply=SILENT))
    world.switch("n1", on=True)
    world.feed(Claimed("n1", Power.ON))
    assert world.run("n1").phase is Phase.SENT
    assert world.stop.book.under_way == {"n1": 10}
    world.begin(ramped(world.nodes))
    world.passes(5.0)
    assert set(told(world)) == {"n1", "n2"}, "its watts leave room for one other only"


def test_a_node_that_comes_back_waits_while_the_minute_is_full() -> None:
    world = world_of(3, quick=False)
    world.begin(ramped(["n1", "n2", "n3"]))
    world.nodes["n3"].on = False
    world.begin(ramped(["n1", "n2", "n3"]), claims={"n3": Power.OFF})
    world.passes(5.0)
    world.switch("n3", on=True)
    world.feed(Claimed("n3", Power.ON))
    assert world.run("n3").phase is Phase.WAITING
    world.until_settled()
    assert not world.nodes["n3"].on


def test_a_node_that_may_stay_after_all_gives_its_charge_back_a_minute_later() -> None:
    """It was told already: it may still fall."""
    world = world_of(3, quick=False)
    world.begin(ramped(world.nodes))
    world.passes(5.0)
    world.begin(ramped(["n2", "n3"], keep=["n1"]))
    assert world.stop.book.under_way == {"n2": 10}
    world.passes(50.0)
    assert "n3" not in told(world)
    world.passes(70.0)
    assert "n3" in told(world)


def test_a_node_that_may_stay_after_all_and_falls_late_in_its_stage_still_counts() -> None:
    """With stages longer than a minute, as by default, it may fall after its charge is over."""
    world = World([f"n{number}" for number in range(1, 5)], timing=Timing(rung_s=LONG_STAGES))
    for name in ("n1", "n2"):
        world.nodes[name].ways = {Act.SOFT_OFF: Way(effect_s=85.0)}
    world.begin(ramped(world.nodes))
    world.passes(1.0)
    world.begin(ramped(["n3", "n4"], keep=["n1", "n2"]))
    fell: dict[str, float] = {}
    while len(fell) < 4:
        world.passes(1.0)
        for name, node in world.nodes.items():
            if not node.on:
                fell.setdefault(name, world.now_s)
    for end in fell.values():
        assert sum(end - WINDOW_S < when <= end for when in fell.values()) <= 2


def test_a_node_that_is_given_up_gives_its_charge_back_and_is_charged_when_it_is_tried_again() -> None:
    world = world_of(2)
    world.nodes["n1"].ways = dict.fromkeys(Act, Way(applied=False))
    world.begin(ramped(["n1"]))
    world.until_settled()
    assert (world.run("n1").phase, world.stop.book.under_way) == (Phase.EXHAUSTED, {})
    world.passes(world.stop.timing.retry_s + 0.5)
    assert world.stop.book.under_way == {"n1": 10}


@pytest.mark.parametrize("seed", range(6))
def test_no_minute_sees_more_fall_than_the_rule_however_late_and_deaf_the_nodes(seed: int) -> None:
    chance = random.Random(seed)
    world = world_of(24)
    draws = {name: chance.randrange(5, 15) for name in world.nodes}
    fallen: dict[str, float] = {}
    for node in world.nodes.values():
        slow = Way(effect_s=chance.uniform(0, 25), answer_s=chance.uniform(0.1, 12))
        deaf = Way(applied=False, reply=chance.choice((SILENT, Reply.ACCEPTED)))
        node.ways = {act: chance.choice((slow, deaf)) for act in (Act.SOFT_OFF, Act.FORCE_OFF)}
    cuts = [Cut(name, 0.0, FULL, watts) for name, watts in draws.items()]
    rule = RampRule(watts_per_minute=40)
    world.begin(replace(plan_of(cuts), ramp=rule))
    while world.stop.pending:
        world.passes(0.25)
        for name, node in world.nodes.items():
            if not node.on:
                fallen.setdefault(name, world.now_s)
        assert world.now_s < 20_000
    assert len(fallen) == len(world.nodes)
    for end in fallen.values():
        within = [draws[name] for name, when in fallen.items() if end - WINDOW_S + 0.25 < when <= end]
        assert sum(within) <= 40
