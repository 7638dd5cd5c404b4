"""The literal table, walked cell by cell by events alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.virtual import FULL, TIMING, plan_of
from grandpause.core.conductor import step
from grandpause.core.model import Power, Reply, Stage, VerdictWord
from grandpause.core.plan import Cut
from grandpause.core.stop import (
    ACT_OF,
    TABLE,
    Alarm,
    Answered,
    Begin,
    Claimed,
    Command,
    Cue,
    Effect,
    EffectKey,
    Judged,
    Metered,
    Move,
    NodeRun,
    Phase,
    Question,
    Stop,
    Tick,
)

START = 100.0
SETTLED_S = TIMING.settle_s + 1


class Walk:
    """One node on its way down, moved by events."""

    def __init__(self, *, keep: bool = False) -> None:
        self.state = Stop(TIMING)
        self.now_s = START
        self.effects: list[Effect] = []
        plan = plan_of([], keep=["n1"]) if keep else plan_of([Cut("n1", 5.0, FULL)])
        self.effects = step(self.state, Begin(plan, {}), self.now_s)

    @property
    def run(self) -> NodeRun:
        return self.state.runs["n1"]

    def later(self, seconds: float) -> None:
        self.now_s += seconds
        self.effects = step(self.state, Tick(), self.now_s)

    def answered(self, reply: Reply) -> None:
        key = EffectKey(self.state.statement, "n1", Stage.SOFT_OFF, self.run.attempt)
        self.effects = step(self.state, Answered(key, reply), self.now_s)

    def claimed(self, power: Power) -> None:
        self.effects = step(self.state, Claimed("n1", power), self.now_s)

    def metered(self, power: Power) -> None:
        self.effects = step(self.state, Metered({"n1": power}), self.now_s)


def waiting() -> Walk:
    return Walk()


def kept() -> Walk:
    return Walk(keep=True)


def sent() -> Walk:
    walk = Walk()
    walk.later(5.0)
    return walk


def backoff() -> Walk:
    walk = sent()
    walk.answered(Reply.TIMED_OUT)
    return walk


def doubting() -> Walk:
    walk = sent()
    walk.answered(Reply.REFUSED)
    return walk


def watching() -> Walk:
    walk = sent()
    walk.answered(Reply.ACCEPTED)
    return walk


def off() -> Walk:
    walk = watching()
    walk.claimed(Power.OFF)
    walk.now_s += SETTLED_S
    return walk


def exhausted() -> Walk:
    walk = sent()
    for stage in FULL:
        walk.later(TIMING.rung_s[stage])
    return walk


MAKERS: dict[Phase, Callable[[], Walk]] = {
    Phase.KEPT: kept,
    Phase.WAITING: waiting,
    Phase.SENT: sent,
    Phase.BACKOFF: backoff,
    Phase.DOUBTING: doubting,
    Phase.WATCHING: watching,
    Phase.OFF: off,
    Phase.EXHAUSTED: exhausted,
}

CUES: dict[Cue, Callable[[Walk], None]] = {
    Cue.ACCEPTED: lambda walk: walk.answered(Reply.ACCEPTED),
    Cue.REFUSED: lambda walk: walk.answered(Reply.REFUSED),
    Cue.LOST: lambda walk: walk.answered(Reply.UNREACHABLE),
    Cue.SEEN_OFF: lambda walk: walk.claimed(Power.OFF),
    Cue.SEEN_ON: lambda walk: walk.claimed(Power.ON),
    Cue.UNSEEN: lambda walk: walk.claimed(Power.UNKNOWN),
    Cue.METERED_OFF: lambda walk: walk.metered(Power.OFF),
    Cue.METERED_ON: lambda walk: walk.metered(Power.ON),
}

SOFT, FORCE, OUTLET = FULL
# (phase, cue) -> (phase afterwards, stage afterwards). What is not listed stays as it is.
EXPECTED: dict[tuple[Phase, Cue], tuple[Phase, Stage]] = {
    (Phase.SENT, Cue.ACCEPTED): (Phase.WATCHING, SOFT),
    (Phase.SENT, Cue.REFUSED): (Phase.DOUBTING, SOFT),
    (Phase.SENT, Cue.LOST): (Phase.BACKOFF, SOFT),
    (Phase.SENT, Cue.METERED_OFF): (Phase.OFF, SOFT),
    (Phase.BACKOFF, Cue.METERED_OFF): (Phase.OFF, SOFT),
    (Phase.DOUBTING, Cue.SEEN_OFF): (Phase.OFF, SOFT),
    (Phase.DOUBTING, Cue.SEEN_ON): (Phase.SENT, FORCE),
    (Phase.DOUBTING, Cue.UNSEEN): (Phase.SENT, FORCE),
    (Phase.DOUBTING, Cue.METERED_OFF): (Phase.OFF, SOFT),
    (Phase.WATCHING, Cue.SEEN_OFF): (Phase.OFF, SOFT),
    (Phase.WATCHING, Cue.METERED_OFF): (Phase.OFF, SOFT),
    (Phase.OFF, Cue.SEEN_ON): (Phase.SENT, FORCE),
    (Phase.OFF, Cue.METERED_ON): (Phase.SENT, FORCE),
    (Phase.EXHAUSTED, Cue.SEEN_OFF): (Phase.OFF, OUTLET),
    (Phase.EXHAUSTED, Cue.METERED_OFF): (Phase.OFF, OUTLET),
}


@pytest.mark.parametrize("phase", MAKERS)
def test_every_phase_can_be_reached(phase: Phase) -> None:
    assert MAKERS[phase]().run.phase is phase


@pytest.mark.parametrize("phase", MAKERS)
@pytest.mark.parametrize("cue", CUES)
def test_every_cell_does_what_the_table_says_and_nothing_else(phase: Phase, cue: Cue) -> None:
    walk = MAKERS[phase]()
    stage, attempt = walk.run.stage, walk.run.attempt
    CUES[cue](walk)
    if (phase, cue) not in EXPECTED:
        assert (walk.run.phase, walk.run.stage, walk.run.attempt) == (phase, stage, attempt)
        assert not any(isinstance(each, Command) for each in walk.effects)
        return
    after, stage_after = EXPECTED[phase, cue]
    assert (walk.run.phase, walk.run.stage) == (after, stage_after)
    commands = [each for each in walk.effects if isinstance(each, Command)]
    assert len(commands) == (after is Phase.SENT)
    assert all(each.act is ACT_OF[stage_after] for each in commands)
    assert any(isinstance(each, Question) for each in walk.effects) is (
        after in {Phase.WATCHING, Phase.DOUBTING}
    )


def test_the_expectation_covers_the_whole_table() -> None:
    by_time = {Cue.DUE, Cue.LATE}
    listed = {
        (phase, cue)
        for phase, moves in TABLE.items()
        for cue, move in moves.items()
        if cue not in by_time and move not in {Move.STAY, Move.LINGER}
    }
    assert listed == set(EXPECTED)
    assert set(TABLE) == set(Phase)


def test_a_node_whose_slot_comes_is_told_the_first_stage() -> None:
    walk = waiting()
    walk.later(4.9)
    assert walk.run.phase is Phase.WAITING
    walk.later(0.2)
    (command,) = [each for each in walk.effects if isinstance(each, Command)]
    assert (command.key.stage, command.key.attempt, command.within_s) == (SOFT, 1, TIMING.command_s)


@pytest.mark.parametrize("maker", [sent, backoff, doubting, watching])
def test_a_stage_that_takes_too_long_escalates(maker: Callable[[], Walk]) -> None:
    walk = maker()
    while walk.run.stage is SOFT:
        # The deadline is the stage's own: lost commands and questions do not move it.
        walk.later(0.5)
        assert walk.now_s <= START + 5 + TIMING.rung_s[SOFT]
        if walk.run.phase is Phase.SENT and walk.run.stage is SOFT and maker is backoff:
            walk.answered(Reply.TIMED_OUT)
    assert (walk.run.phase, walk.run.stage) == (Phase.SENT, FORCE)
    assert walk.now_s == START + 5 + TIMING.rung_s[SOFT]


def test_a_lost_command_is_sent_again_as_a_new_attempt() -> None:
    walk = backoff()
    walk.later(TIMING.backoff_s)
    (command,) = [each for each in walk.effects if isinstance(each, Command)]
    assert (command.key.stage, command.key.attempt) == (SOFT, 2)


@pytest.mark.parametrize("power", [Power.ON, Power.UNKNOWN])
def test_a_node_that_is_not_off_yet_is_asked_again_later(power: Power) -> None:
    walk = watching()
    walk.claimed(power)
    assert walk.effects == []
    walk.later(TIMING.poll_s - 0.1)
    assert walk.effects == []
    walk.later(0.2)
    assert [type(each) for each in walk.effects] == [Question]


def test_a_node_at_the_end_of_its_ladder_is_named_once_and_tried_again() -> None:
    walk = exhausted()
    assert [each.code for each in walk.effects if isinstance(each, Alarm)] == ["residual"]
    assert not walk.run.open
    for _ in range(3):
        walk.later(TIMING.retry_s)
        assert (walk.run.phase, walk.run.stage) == (Phase.SENT, FORCE)
        for stage in (FORCE, OUTLET):
            walk.later(TIMING.rung_s[stage])
            assert not any(isinstance(each, Alarm) for each in walk.effects)
        assert walk.run.phase is Phase.EXHAUSTED


def test_the_outlets_are_asked_when_the_outlets_were_told() -> None:
    walk = sent()
    walk.later(TIMING.rung_s[SOFT])
    walk.later(TIMING.rung_s[FORCE])
    assert walk.run.stage is OUTLET
    walk.answered(Reply.ACCEPTED)
    assert [each.outlet for each in walk.effects if isinstance(each, Question)] == [True]


def test_the_answer_to_a_command_that_was_overtaken_is_ignored() -> None:
    walk = sent()
    walk.later(TIMING.rung_s[SOFT])
    old = EffectKey(walk.state.statement, "n1", SOFT, 1)
    step(walk.state, Answered(old, Reply.ACCEPTED), walk.now_s)
    assert (walk.run.phase, walk.run.stage) == (Phase.SENT, FORCE)


def test_a_meter_does_not_contradict_a_claim_before_it_had_time_to_see_it() -> None:
    walk = watching()
    walk.claimed(Power.OFF)
    walk.now_s += TIMING.settle_s - 0.1
    walk.metered(Power.ON)
    assert walk.run.phase is Phase.OFF
    assert walk.effects == []


def test_the_stop_has_one_stage_at_a_time() -> None:
    walk = waiting()
    assert walk.state.stage is SOFT
    assert walk.state.untouched == 1
    walk = sent()
    assert (walk.state.stage, walk.state.untouched) == (SOFT, 0)
    walk.later(TIMING.rung_s[SOFT])
    assert walk.state.stage is FORCE
    walk.metered(Power.OFF)
    stages = [walk.state.stage]
    for word in (VerdictWord.PROVEN, VerdictWord.NOT_PROVEN, VerdictWord.PROVEN):
        step(walk.state, Judged(word), walk.now_s)
        stages.append(walk.state.stage)
    assert stages == [Stage.PROVE, Stage.HOLD, Stage.PROVE, Stage.HOLD]
    assert Stop(TIMING).stage is None
