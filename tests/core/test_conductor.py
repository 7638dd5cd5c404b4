"""Fault matrix and stories of a stop, under virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from core.virtual import FULL, SILENT, TIMING, Way, World, plan_of
from grandpause.core.conductor import MOST_AT_ONCE, next_wake, prepare, step
from grandpause.core.evidence import report_of
from grandpause.core.model import Act, NodeState, Outcome, Power, Reply, Stage, VerdictWord
from grandpause.core.plan import Cut
from grandpause.core.stop import (
    Answered,
    Claimed,
    Command,
    EffectKey,
    Judged,
    Metered,
    Phase,
    Stop,
    Tick,
)
from grandpause.errors import IllegalEvent

BMC_ONLY = (Stage.SOFT_OFF, Stage.FORCE_OFF)
REPLIES = (Reply.ACCEPTED, Reply.REFUSED, Reply.TIMED_OUT, Reply.UNREACHABLE, SILENT)
TOTAL_S = sum(TIMING.rung_s.values())


def one_node(ladder: tuple[Stage, ...] = FULL, *, meters_s: float = 1.0, asks_s: float = 0.0) -> World:
    world = World(["n1"], meters_s=meters_s, asks_s=asks_s)
    world.begin(plan_of([Cut("n1", 0.01, ladder)]))  # a moment for the test to say how the node behaves
    return world


def state_of(world: World, name: str = "n1") -> tuple[NodeState, Outcome]:
    run = world.run(name)
    report = report_of(run, run.metered)
    return report.state, report.outcome


@pytest.mark.parametrize(
    ("soft", "soft_reply", "force", "force_reply"),
    list(product((True, False), REPLIES, (True, False), REPLIES)),
)
def test_whatever_a_bmc_does_and_says_a_node_with_a_good_outlet_goes_off(
    *, soft: bool, soft_reply: Reply | None, force: bool, force_reply: Reply | None
) -> None:
    world = one_node()
    node = world.nodes["n1"]
    node.ways = {Act.SOFT_OFF: Way(soft, soft_reply), Act.FORCE_OFF: Way(force, force_reply)}
    took_s = world.until_settled()
    world.passes(2)
    assert not node.on
    assert took_s <= TOTAL_S + 1
    assert world.codes() == []
    assert state_of(world) == (NodeState.OFF_METERED, Outcome.CONFIRMED_BY_METER)
    # Each stage in its order; a command that got lost may be sent again within it.
    assert (
        list(dict.fromkeys(node.told)) == [Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF][: len(set(node.told))]
    )


@pytest.mark.parametrize(("applied", "reply"), list(product((True, False), REPLIES)))
def test_without_outlets_a_node_that_stays_on_is_named_with_its_outcome(
    *, applied: bool, reply: Reply | None
) -> None:
    world = one_node(BMC_ONLY)
    node = world.nodes["n1"]
    node.ways = {act: Way(applied, reply) for act in (Act.SOFT_OFF, Act.FORCE_OFF)}
    world.until_settled()
    world.passes(2)
    if applied:
        assert not node.on
        assert state_of(world) == (NodeState.OFF_METERED, Outcome.CONFIRMED_BY_METER)
        return
    assert node.on
    assert world.codes("n1") == ["residual"]
    outcome = {
        Reply.ACCEPTED: Outcome.CONTRADICTED,
        Reply.REFUSED: Outcome.REFUSED,
        Reply.TIMED_OUT: Outcome.UNREACHABLE,
        Reply.UNREACHABLE: Outcome.UNREACHABLE,
        SILENT: Outcome.UNKNOWN,
    }[reply]
    assert state_of(world) == (NodeState.ON, outcome)


@pytest.mark.parametrize("asked", [Reply.REFUSED, Reply.TIMED_OUT, Reply.UNREACHABLE, SILENT])
def test_a_node_that_never_says_what_it_is_escalates_unless_a_meter_sees_it(asked: Reply | None) -> None:
    unmetered = one_node(meters_s=0)
    unmetered.nodes["n1"].claim_reply = asked
    unmetered.until_settled()
    assert unmetered.nodes["n1"].told == [Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF]
    assert unmetered.codes() == ["residual"]
    assert state_of(unmetered)[0] is NodeState.UNKNOWN
    metered = one_node()
    metered.nodes["n1"].claim_reply = asked
    metered.until_settled()
    assert metered.nodes["n1"].told == [Act.SOFT_OFF]


def test_a_node_that_obeys_is_told_once_and_politely() -> None:
    world = one_node(meters_s=0)
    world.until_settled()
    assert world.nodes["n1"].told == [Act.SOFT_OFF]
    assert state_of(world) == (NodeState.OFF_CLAIMED, Outcome.CONFIRMED_BY_BMC)


def test_a_bmc_that_lies_is_found_out_by_the_meter_and_cut_at_the_outlet() -> None:
    world = one_node()
    node = world.nodes["n1"]
    node.ways = {Act.SOFT_OFF: Way(applied=False), Act.FORCE_OFF: Way(applied=False)}
    node.claim = lambda _: Power.OFF
    world.passes(TOTAL_S)
    assert not node.on
    assert node.told == [Act.SOFT_OFF, Act.FORCE_OFF, Act.OUTLET_OFF]
    assert "contradicted" in world.codes("n1")
    assert state_of(world) == (NodeState.OFF_METERED, Outcome.CONFIRMED_BY_METER)


def test_a_bmc_that_lies_and_has_no_outlet_is_contradicted_for_ever_and_alarmed_once() -> None:
    world = one_node(BMC_ONLY)
    node = world.nodes["n1"]
    node.ways = {Act.SOFT_OFF: Way(applied=False), Act.FORCE_OFF: Way(applied=False)}
    node.claim = lambda _: Power.OFF
    world.passes(600)
    assert state_of(world) == (NodeState.ON, Outcome.CONTRADICTED)
    assert world.codes("n1").count("residual") == 1
    assert world.codes("n1").count("contradicted") <= 2
    assert world.stop.pending == 0


def test_without_meters_a_lie_is_only_ever_a_claim() -> None:
    world = one_node(meters_s=0)
    world.nodes["n1"].ways = {Act.SOFT_OFF: Way(applied=False)}
    world.nodes["n1"].claim = lambda _: Power.OFF
    world.until_settled()
    assert state_of(world)[0] is NodeState.OFF_CLAIMED


def test_a_bmc_that_flickers_is_told_again_until_it_hears() -> None:
    world = one_node(BMC_ONLY)
    node = world.nodes["n1"]
    deaf = Way(applied=False, reply=Reply.UNREACHABLE)
    node.ways = {Act.SOFT_OFF: deaf, Act.FORCE_OFF: deaf}
    world.passes(7)
    node.ways = {}
    world.until_settled()
    assert not node.on
    attempts = [command.key.attempt for _, command in world.commands]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) >= 3


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


def test_a_node_that_nothing_can_be_sent_to_is_exhausted_from_the_start() -> None:
    world = one_node(())
    world.passes(60)
    run = world.run("n1")
    assert (run.phase, run.detail) == (Phase.EXHAUSTED, "nothing can be sent to it")
    assert world.commands == []
    world.switch("n1", on=False)
    world.passes(5)
    assert state_of(world) == (NodeState.OFF_METERED, Outcome.CONFIRMED_BY_METER)


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


def test_one_that_hangs_delays_no_other() -> None:
    names = [f"n{index}" for index in range(50)]
    world = World(names)
    world.nodes["n7"].ways = dict.fromkeys((Act.SOFT_OFF, Act.FORCE_OFF), Way(applied=False, reply=SILENT))
    world.nodes["n7"].claim_reply = SILENT
    world.begin(plan_of([Cut(each, 0.0, FULL) for each in names]))
    world.passes(3)
    assert [each for each in names if world.nodes[each].on] == ["n7"]
    assert world.stop.pending == 1


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


def test_a_meter_that_loses_sight_takes_its_confirmation_back() -> None:
    world = one_node(meters_s=0)
    world.until_settled()
    for power, outcome in (
        (Power.OFF, Outcome.CONFIRMED_BY_METER),
        (Power.UNKNOWN, Outcome.CONFIRMED_BY_BMC),
        (Power.OFF, Outcome.CONFIRMED_BY_METER),
    ):
        world.feed(Metered({"n1": power}))
        assert world.run("n1").outcome is outcome
    world.feed(Claimed("n1", Power.UNKNOWN, Reply.UNREACHABLE))
    world.feed(Metered({"n1": Power.UNKNOWN}))
    assert world.run("n1").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "event",
    [
        Claimed("stranger", Power.OFF),
        Metered({"stranger": Power.OFF}),
        Answered(EffectKey("ab" * 32, "stranger", Stage.SOFT_OFF, 1), Reply.ACCEPTED),
    ],
)
def test_an_event_for_a_node_that_the_plan_does_not_know_is_our_own_fault(
    event: Claimed | Metered | Answered,
) -> None:
    world = one_node()
    before = replace(world.run("n1"))
    with pytest.raises(IllegalEvent, match="does not know"):
        world.feed(event)
    assert world.run("n1") == before


@pytest.mark.parametrize("event", [Tick(), Metered({}), Claimed("n1", Power.ON)])
def test_nothing_can_happen_before_a_plan(event: Tick | Metered | Claimed) -> None:
    stop = Stop(TIMING)
    with pytest.raises(IllegalEvent, match="before a plan"):
        step(stop, event, 0.0)
    assert stop == Stop(TIMING)
    assert next_wake(stop) is None


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


@pytest.mark.parametrize("word", VerdictWord)
def test_only_a_proof_makes_a_hold(word: VerdictWord) -> None:
    world = one_node(meters_s=0)
    world.until_settled()
    assert world.stop.stage is Stage.PROVE
    world.feed(Judged(word))
    assert world.stop.stage is (Stage.HOLD if word is VerdictWord.PROVEN else Stage.PROVE)


def test_a_command_leaves_the_device_no_more_time_than_its_stage_has() -> None:
    world = one_node()
    world.nodes["n1"].ways = dict.fromkeys(Act, Way(applied=False, reply=Reply.TIMED_OUT, answer_s=3.0))
    world.passes(TOTAL_S)
    ends = {
        Stage.SOFT_OFF: TIMING.rung_s[Stage.SOFT_OFF],
        Stage.FORCE_OFF: TIMING.rung_s[Stage.SOFT_OFF] + TIMING.rung_s[Stage.FORCE_OFF],
        Stage.OUTLET_OFF: TOTAL_S,
    }
    for when, command in world.commands:
        assert isinstance(command, Command)
        assert when - 1_000.0 + command.within_s <= ends[command.key.stage] + 0.02
        assert command.within_s <= TIMING.command_s
