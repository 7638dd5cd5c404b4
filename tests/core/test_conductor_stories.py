"""Stories of a stop under virtual time: large ones, new plans on the way, nodes that come back."""

from __future__ import annotations

import pytest

from core.virtual import FULL, SILENT, TIMING, Way, World, one_node, plan_of, state_of
from grandpause.core.conductor import MOST_AT_ONCE, next_wake, prepare
from grandpause.core.model import Act, NodeState, Power, Reply, Stage
from grandpause.core.plan import Cut
from grandpause.core.stop import (
    Phase,
)

BMC_ONLY = (Stage.SOFT_OFF, Stage.FORCE_OFF)
REPLIES = (Reply.ACCEPTED, Reply.REFUSED, Reply.TIMED_OUT, Reply.UNREACHABLE, SILENT)
TOTAL_S = sum(TIMING.rung_s.values())


def test_no_command_is_ever_named_twice() -> None:
    world = one_node()
    node = world.nodes["n1"]
    node.ways = dict.fromkeys(
        (Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF), Way(applied=False, reply=Reply.TIMED_OUT)
    )
    world.passes(300)
    world.begin(plan_of([], keep=["n1"]))
    world.begin(plan_of([Cut("n1", 0.0, FULL)]))
    world.passes(300)
    keys = [command.key for _, command in world.commands]
    assert len(keys) == len(set(keys)) > 20


def test_a_node_that_comes_back_goes_down_again_without_being_asked_politely() -> None:
    world = one_node(asks_s=2.0)
    world.until_settled()
    world.switch("n1", on=True)
    world.passes(30)
    assert not world.nodes["n1"].on
    assert world.codes("n1")[0] in {"came-back", "contradicted"}
    assert world.nodes["n1"].told == [Act.SOFT_OFF, Act.FORCE_OFF]


def test_a_node_that_comes_back_behind_a_silent_bmc_is_seen_by_its_meter() -> None:
    world = one_node()
    world.until_settled()
    world.nodes["n1"].claim_reply = SILENT
    world.switch("n1", on=True)
    world.passes(60)
    assert not world.nodes["n1"].on
    assert "contradicted" in world.codes("n1")


def test_a_liar_that_comes_back_is_cut_again_however_often_it_is_asked() -> None:
    world = one_node(asks_s=3.0)
    node = world.nodes["n1"]
    node.ways = {Act.SOFT_OFF: Way(applied=False), Act.FORCE_OFF: Way(applied=False)}
    node.claim = lambda _: Power.OFF
    world.passes(TOTAL_S)
    assert not node.on
    world.switch("n1", on=True)
    world.passes(TIMING.retry_s + 2 * TIMING.settle_s + 5)
    assert not node.on


def test_a_node_that_comes_back_again_and_again_is_cut_again_and_again() -> None:
    world = one_node(asks_s=2.0)
    for _ in range(5):
        world.until_settled()
        world.switch("n1", on=True)
        world.passes(60)
        assert not world.nodes["n1"].on


def test_a_kept_node_is_told_nothing() -> None:
    world = World(["n1", "n2"], asks_s=1.0)
    world.begin(plan_of([Cut("n1", 0.0, FULL)], keep=["n2"]))
    world.passes(120)
    assert world.nodes["n2"].told == []
    assert world.nodes["n2"].on


def test_a_node_that_said_that_it_is_off_just_now_is_told_nothing() -> None:
    world = World(["n1"])
    world.switch("n1", on=False)
    world.begin(plan_of([Cut("n1", 0.0, FULL)]), claims={"n1": Power.OFF})
    world.passes(60)
    assert world.nodes["n1"].told == []
    lying = World(["n1"])
    lying.begin(plan_of([Cut("n1", 0.0, FULL)]), claims={"n1": Power.OFF})
    lying.passes(60)
    assert not lying.nodes["n1"].on


@pytest.mark.parametrize("meters_s", [0, 1])
def test_a_node_that_nothing_can_be_sent_to_and_that_comes_back_is_alarmed_once(meters_s: float) -> None:
    world = one_node((), asks_s=1.0, meters_s=meters_s)
    world.switch("n1", on=False)
    world.passes(5)
    world.switch("n1", on=True)
    world.passes(60)
    assert len(world.codes("n1")) <= 2
    assert world.run("n1").phase is Phase.EXHAUSTED
    assert state_of(world)[0] is NodeState.ON


def test_each_node_waits_for_its_slot() -> None:
    world = World(["n1", "n2", "n3"])
    world.begin(plan_of([Cut(f"n{index}", 10.0 * index, FULL) for index in (1, 2, 3)]))
    began = world.now_s
    world.until_settled()
    assert [round(when - began) for when, _ in world.commands] == [10, 20, 30]


def test_a_stricter_plan_takes_a_polite_rung_away_at_once() -> None:
    world = one_node()
    world.nodes["n1"].ways = {Act.SOFT_OFF: Way(applied=False)}
    world.passes(5)
    world.begin(plan_of([Cut("n1", 0.0, FULL[1:])]))
    world.passes(0.1)
    assert world.nodes["n1"].told == [Act.SOFT_OFF, Act.FORCE_OFF]


def test_a_new_plan_leaves_a_node_its_rung_and_its_deadline() -> None:
    world = one_node()
    world.nodes["n1"].ways = {Act.SOFT_OFF: Way(applied=False)}
    began = world.now_s
    for _ in range(11):
        world.passes(5)
        world.begin(plan_of([Cut("n1", 0.0, FULL)], statement="cd" * 32))
    world.passes(6)
    assert world.nodes["n1"].told == [Act.SOFT_OFF, Act.FORCE_OFF]
    forced = [when for when, command in world.commands if command.act is Act.FORCE_OFF]
    assert forced == [began + 0.01 + TIMING.rung_s[Stage.SOFT_OFF]]


def test_a_node_that_may_stay_after_all_is_told_nothing_more() -> None:
    world = one_node()
    world.nodes["n1"].ways = {Act.SOFT_OFF: Way(applied=False)}
    world.passes(5)
    world.begin(plan_of([], keep=["n1"]))
    world.passes(200)
    assert world.nodes["n1"].told == [Act.SOFT_OFF]
    assert (world.stop.pending, world.run("n1").phase) == (0, Phase.KEPT)


def test_a_flood_of_new_plans_does_not_postpone_what_waits() -> None:
    """One member may write a new bounded limit every second; a ramped stop must still come to its end."""
    names = [f"n{index}" for index in range(5)]
    world = World(names)
    cuts = [Cut(each, 10.0 * index, FULL) for index, each in enumerate(names)]
    for number in range(60):
        world.begin(plan_of(cuts, statement=f"{number:064x}"))
        world.passes(1)
    assert not any(node.on for node in world.nodes.values())


def test_a_new_plan_that_wants_a_node_sooner_gets_it_sooner() -> None:
    world = World(["n1"])
    world.begin(plan_of([Cut("n1", 100.0, FULL)]))
    world.passes(5)
    world.begin(plan_of([Cut("n1", 1.0, FULL)]))
    world.passes(1.5)
    assert world.nodes["n1"].told == [Act.SOFT_OFF]


def test_a_deadline_that_passes_without_a_proof_is_one_alarm() -> None:
    world = World(["n1"])
    world.nodes["n1"].ways = dict.fromkeys(Act, Way(applied=False))
    world.begin(plan_of([Cut("n1", 0.0, FULL)]), deadline_s=30)
    assert next_wake(world.stop) is not None
    world.passes(29)
    assert "deadline" not in world.codes()
    world.passes(100)
    assert world.codes().count("deadline") == 1
    (alarm,) = [each for each in world.alarms if each.code == "deadline"]
    assert "1 nodes are still on their way" in alarm.text


def test_a_deadline_that_passes_after_the_proof_is_no_alarm() -> None:
    world = World(["n1"])
    world.begin(plan_of([Cut("n1", 0.0, FULL)]), deadline_s=30)
    world.passes(60)
    assert world.stop.stage is Stage.HOLD
    assert world.codes() == []


def test_runs_made_beforehand_change_nothing() -> None:
    world = World(["n1", "n2"])
    prepare(world.stop, ["n1", "n2", "n1"])
    assert set(world.stop.runs) == {"n1", "n2"}
    world.begin(plan_of([Cut("n1", 0.0, FULL)], keep=["n2"]))
    world.until_settled()
    assert world.nodes["n1"].told == [Act.SOFT_OFF]


def test_ten_bad_ones_among_a_hundred_are_each_cut_at_the_outlet() -> None:
    names = [f"n{index:02}" for index in range(100)]
    world = World(names)
    bad = {each: world.nodes[each] for each in names[::10]}
    kinds = [
        Way(applied=False, reply=SILENT),
        Way(applied=False, reply=Reply.REFUSED),
        Way(applied=False, reply=Reply.UNREACHABLE),
        Way(applied=False),
        Way(applied=False, reply=Reply.ACCEPTED, answer_s=30.0),
    ]
    for index, node in enumerate(bad.values()):
        node.ways = dict.fromkeys((Act.SOFT_OFF, Act.FORCE_OFF), kinds[index % 5])
    list(bad.values())[-1].claim = lambda _: Power.OFF
    world.begin(plan_of([Cut(each, 0.0, FULL) for each in names]))
    world.passes(TOTAL_S + 5)
    assert not any(node.on for node in world.nodes.values())
    assert all(Act.OUTLET_OFF in node.told for node in bad.values())
    assert sum(Act.OUTLET_OFF in node.told for node in world.nodes.values()) == len(bad)


def test_the_first_commands_of_a_large_stop_leave_before_the_last_ones_are_made() -> None:
    names = [f"n{index:04}" for index in range(2 * MOST_AT_ONCE + 1)]
    world = World(names)
    world.begin(plan_of([Cut(each, 0.0, FULL) for each in names]))
    assert 0 < len(world.commands) <= MOST_AT_ONCE
    assert world.stop.pending == len(names)
    world.passes(0)
    assert len(world.commands) == len(names)
    assert {when for when, _ in world.commands} == {1_000.0}
    world.until_settled()
    assert not any(node.on for node in world.nodes.values())


def test_ten_thousand_nodes_with_every_fault_come_to_an_end() -> None:
    names = [f"n{index:05}" for index in range(10_000)]
    world = World(names, meters_s=10.0)
    replies = [*REPLIES, Reply.ACCEPTED, Reply.ACCEPTED, Reply.ACCEPTED]
    for index, node in enumerate(world.nodes.values()):
        if index % 10 == 0:
            way = Way(applied=index % 20 == 0, reply=replies[index // 10 % 8])
            node.ways = {Act.SOFT_OFF: way, Act.FORCE_OFF: way}
    world.begin(plan_of([Cut(each, index / 1_000, FULL) for index, each in enumerate(names)]))
    took_s = world.until_settled()
    assert not any(node.on for node in world.nodes.values())
    assert took_s <= 10 + TOTAL_S + 1
    assert world.codes() == []
    assert world.stop.untouched == 0
