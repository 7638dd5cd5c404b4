"""Fault matrix of a stop, under virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from core.virtual import FULL, SILENT, TIMING, Way, World, one_node, plan_of, state_of
from grandpause.core.conductor import next_wake, step
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


def test_a_node_that_nothing_can_be_sent_to_is_exhausted_from_the_start() -> None:
    world = one_node(())
    world.passes(60)
    run = world.run("n1")
    assert (run.phase, run.detail) == (Phase.EXHAUSTED, "nothing can be sent to it")
    assert world.commands == []
    world.switch("n1", on=False)
    world.passes(5)
    assert state_of(world) == (NodeState.OFF_METERED, Outcome.CONFIRMED_BY_METER)


def test_one_that_hangs_delays_no_other() -> None:
    names = [f"n{index}" for index in range(50)]
    world = World(names)
    world.nodes["n7"].ways = dict.fromkeys((Act.SOFT_OFF, Act.FORCE_OFF), Way(applied=False, reply=SILENT))
    world.nodes["n7"].claim_reply = SILENT
    world.begin(plan_of([Cut(each, 0.0, FULL) for each in names]))
    world.passes(3)
    assert [each for each in names if world.nodes[each].on] == ["n7"]
    assert world.stop.pending == 1


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
    assert world.run("n1").outcome is Outcome.CONFIRMED_BY_BMC


def test_meters_that_had_shown_a_node_off_and_show_it_on_say_that_it_came_back() -> None:
    world = one_node(meters_s=0)
    world.until_settled()
    world.feed(Metered({"n1": Power.OFF}))
    world.feed(Metered({"n1": Power.ON}))
    assert [each.code for each in world.alarms] == ["came-back"]
    assert world.run("n1").phase is Phase.SENT
    assert world.run("n1").stage is Stage.FORCE_OFF


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
