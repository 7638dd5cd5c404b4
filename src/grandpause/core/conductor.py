"""Conducts a stop: deadlines, retries and escalation as data, without IO. (spec/conductor.md)

``step(state, event, now_s) -> effects`` moves every node along the literal table of ``core.stop``. The
engine performs the effects and feeds back what happened; the same code runs in production, in the demo
and under virtual time. ``now_s`` is monotonic (boot-time) seconds. The state is owned by its caller and
changed in place: at 10,000 nodes a fresh copy for each event would cost more than the stop (ADR 0002).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from grandpause.core.model import Outcome, Power, Reply, Stage, VerdictWord
from grandpause.core.plan import Cut
from grandpause.core.stop import (
    ACT_OF,
    SETTLED,
    TABLE,
    Alarm,
    Answered,
    Begin,
    Claimed,
    Command,
    Cue,
    Effect,
    EffectKey,
    Event,
    Judged,
    Metered,
    Move,
    NodeRun,
    Phase,
    Question,
    Stop,
    Tick,
)
from grandpause.errors import IllegalEvent

MOST_AT_ONCE: Final = 512
"""Timers that one step fires: the first commands leave before the last ones are made."""


def next_wake(state: Stop) -> float | None:
    """Return when ``Tick`` is due next, in the caller's monotonic seconds; None if never."""
    if state.unbegun:
        return state.began_s
    first = state.timers[0][0] if state.timers else None
    if state.alarmed or state.deadline_s is None:
        return first
    return state.deadline_s if first is None or state.deadline_s < first else first


def step(state: Stop, event: Event, now_s: float) -> list[Effect]:
    """Take one event; return what is to be done now.

    Raises:
        IllegalEvent: an event for an element or command that the plan does not know, or before a plan.
            Nothing was changed.
    """
    effects: list[Effect] = []
    if isinstance(event, Begin):
        _begin(state, event, now_s)
    elif state.plan is None:
        raise IllegalEvent(f"{type(event).__name__} before a plan")
    elif isinstance(event, Claimed):
        _claimed(state, event, now_s, effects)
    elif isinstance(event, Tick):
        pass  # below
    elif isinstance(event, Answered):
        _answered(state, event, now_s, effects)
    elif isinstance(event, Metered):
        _metered(state, event, now_s, effects)
    elif isinstance(event, Judged):
        state.verdict = event.word
    _fire(state, now_s, effects)
    return effects


def prepare(state: Stop, elements: Iterable[str]) -> None:
    """Make the runs of ``elements`` beforehand, so that a stop of 10,000 nodes begins at once."""
    for name in elements:
        if name not in state.runs:
            state.runs[name] = NodeRun(name, ())


def _begin(state: Stop, event: Begin, now_s: float) -> None:
    plan = event.plan
    state.plan = plan
    state.statement = plan.order.name
    state.began_s = now_s
    state.deadline_s = event.deadline_s
    state.verdict = None
    state.alarmed = False
    prepare(state, plan.keep)
    prepare(state, (each.element for each in plan.cut))
    for name in plan.keep:
        run = state.runs[name]
        if run.phase is not Phase.KEPT:
            run.residual = False
            # It may stay, and was told to go: until its rung is over it may still fall.
            state.book.settle(name, max(now_s, run.rung_until))
            _enter(state, run, Phase.KEPT)
    state.unbegun.clear()
    state.unbegun.extend(plan.cut)
    state.claims = event.claims
    runs = state.runs
    state.pending = sum(each.open for each in runs.values()) + sum(
        runs[cut.element].phase is Phase.KEPT for cut in plan.cut
    )


def _begin_some(state: Stop, now_s: float) -> None:
    """Begin the next cuts; a stop of 10,000 nodes begins with its first ones while the rest is looked at."""
    for _ in range(min(MOST_AT_ONCE, len(state.unbegun))):
        cut = state.unbegun.popleft()
        _begin_cut(state, cut, state.claims.get(cut.element, Power.UNKNOWN), now_s)


def _begin_cut(state: Stop, cut: Cut, claim: Power, now_s: float) -> None:
    run = state.runs[cut.element]
    run.drop_w = cut.drop_w
    phase = run.phase
    if phase is Phase.KEPT:
        state.pending -= 1  # counted when the plan began; below it is counted by its phase
    if phase is not Phase.KEPT and phase is not Phase.WAITING:
        _keep_going(state, run, cut, now_s)
        return
    run.ladder = cut.ladder
    run.rung = 0
    run.outcome = Outcome.UNKNOWN
    if claim is Power.OFF:
        run.claim, run.claim_s, run.off_since = claim, now_s, now_s
        state.book.settle(run.element, now_s)
        run.outcome = Outcome.CONFIRMED_BY_BMC
        _enter(state, run, Phase.OFF)
    elif not cut.ladder:
        run.detail = "nothing can be sent to it"
        _enter(state, run, Phase.EXHAUSTED)
    else:
        # A new plan may bring a node's turn forward, and never puts it off: otherwise a new limit a second
        # would hold up every later slot for ever.
        due_s = state.began_s + cut.slot_s
        run.due_s = min(due_s, run.due_s) if phase is Phase.WAITING else due_s
        _enter(state, run, Phase.WAITING)
        _timer(state, run, Cue.DUE, run.due_s)


def _keep_going(state: Stop, run: NodeRun, cut: Cut, now_s: float) -> None:
    """Go on with a node that is on its way down already.

    A stricter plan may take a rung away from under it: then it goes on at once by the first one that is
    left; otherwise it keeps its rung and its deadline.
    """
    at = run.stage
    run.ladder = cut.ladder
    run.rung = cut.ladder.index(at) if at in cut.ladder else 0
    if at not in cut.ladder and cut.ladder and run.phase is not Phase.OFF:
        _enter(state, run, Phase.WAITING)
        _timer(state, run, Cue.DUE, now_s)


def _answered(state: Stop, event: Answered, now_s: float, effects: list[Effect]) -> None:
    run = _run(state, event.key.element)
    if run.phase is not Phase.SENT or event.key.attempt != run.attempt:
        return  # the answer to a command that was overtaken
    if event.reply is Reply.ACCEPTED:
        cue = Cue.ACCEPTED
        run.detail = event.detail
    elif event.reply is Reply.REFUSED:
        cue = Cue.REFUSED
        run.outcome, run.detail = Outcome.REFUSED, event.detail
    else:
        cue = Cue.LOST
        run.outcome, run.detail = Outcome.UNREACHABLE, event.detail
    _cue(state, run, cue, now_s, effects)


def _claimed(state: Stop, event: Claimed, now_s: float, effects: list[Effect]) -> None:
    run = _run(state, event.element)
    if event.power is not Power.UNKNOWN or run.phase is not Phase.OFF:
        # A question that went unanswered takes nothing back: the older claim stays, with its age.
        run.claim, run.claim_s = event.power, now_s
    if event.power is Power.OFF:
        if run.phase is Phase.EXHAUSTED and run.metered is Power.ON:
            return  # its meter denies it: being asked often must not put off the next try for ever
        cue = Cue.SEEN_OFF
        run.off_since = run.off_since or now_s
    elif event.power is Power.ON:
        cue = Cue.SEEN_ON
        run.off_since = 0.0
    else:
        cue = Cue.UNSEEN
        if run.phase is Phase.WATCHING:
            run.outcome = Outcome.REFUSED if event.reply is Reply.REFUSED else Outcome.UNREACHABLE
            run.detail = event.detail
    _cue(state, run, cue, now_s, effects)


def _metered(state: Stop, event: Metered, now_s: float, effects: list[Effect]) -> None:
    for name, power in event.elements.items():
        run = _run(state, name)
        was_off = run.metered is Power.OFF
        run.metered, run.metered_s = power, now_s
        if power is Power.ON and run.phase is Phase.KEPT:
            continue  # as it may be: the usual case of a node that stays on
        if power is Power.OFF and run.phase is Phase.OFF:
            run.outcome, run.detail = Outcome.CONFIRMED_BY_METER, ""
            continue  # as it must be: the usual case in a hold
        if power is Power.OFF:
            if run.phase not in {Phase.KEPT, Phase.WAITING}:
                run.outcome, run.detail = Outcome.CONFIRMED_BY_METER, ""
            _cue(state, run, Cue.METERED_OFF, now_s, effects)
        elif power is Power.ON and run.phase is Phase.OFF:
            _denied(state, run, now_s, effects, was_off=was_off)
        elif run.outcome is Outcome.CONFIRMED_BY_METER:
            run.outcome = Outcome.CONFIRMED_BY_BMC if run.claim is Power.OFF else Outcome.UNKNOWN


def _denied(state: Stop, run: NodeRun, now_s: float, effects: list[Effect], *, was_off: bool) -> None:
    """A meter shows a node to be on that is taken for off."""
    if was_off:
        # Not a false claim: it was off, and somebody or something started it.
        run.outcome = Outcome.UNKNOWN
        _cue(state, run, Cue.SEEN_ON, now_s, effects)
    elif now_s - run.off_since >= state.timing.settle_s:
        first = run.outcome is not Outcome.CONTRADICTED
        run.outcome = Outcome.CONTRADICTED
        run.detail = "claims to be off, and its meter shows that it is on"
        if first and not run.residual:
            effects.append(Alarm("contradicted", run.element, run.detail))
        _cue(state, run, Cue.METERED_ON, now_s, effects)


def _fire(state: Stop, now_s: float, effects: list[Effect]) -> None:
    if state.unbegun:
        _begin_some(state, now_s)
    timers = state.timers
    for _ in range(MOST_AT_ONCE):
        if not timers or timers[0][0] > now_s:
            break
        _, _, run, cue, serial = heapq.heappop(timers)
        if serial == (run.rung_serial if cue is Cue.LATE else run.serial):
            _cue(state, run, cue, now_s, effects)
    if state.deadline_s is not None and now_s >= state.deadline_s and not state.alarmed:
        state.alarmed = True
        if state.verdict is not VerdictWord.PROVEN:
            text = f"the ceiling is not proven by its deadline; {state.pending} nodes are still on their way"
            effects.append(Alarm("deadline", "", text))


def _cue(state: Stop, run: NodeRun, cue: Cue, now_s: float, effects: list[Effect]) -> None:
    move = _NEXT[run.phase].get(cue)
    if move is not None:
        move(state, run, now_s, effects)


def _send(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    stage = run.ladder[run.rung]
    ramp = state.plan.ramp if state.plan is not None else None
    if ramp is not None:
        again_s = state.book.grant(run.element, run.drop_w, ramp, now_s)
        if again_s is not None:
            _enter(state, run, Phase.WAITING)
            _timer(state, run, Cue.DUE, again_s)
            return
    if run.phase is not Phase.BACKOFF:
        run.rung_serial += 1
        run.rung_until = now_s + state.timing.rung_s[stage]
        _timer(state, run, Cue.LATE, run.rung_until, run.rung_serial)
    run.attempt += 1
    _enter(state, run, Phase.SENT)
    within = min(state.timing.command_s, max(run.rung_until - now_s, 0.001))
    key = EffectKey(state.statement, run.element, stage, run.attempt)
    effects.append(Command(key, ACT_OF[stage], within))


def _watch(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    _enter(state, run, Phase.WATCHING)
    _ask(state, run, now_s, effects)


def _doubt(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    _enter(state, run, Phase.DOUBTING)
    _ask(state, run, now_s, effects)


def _ask(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    within = min(state.timing.command_s, max(run.rung_until - now_s, 0.001))
    outlet = run.ladder[run.rung] is Stage.OUTLET_OFF
    effects.append(Question(run.element, outlet, within))


def _linger(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:  # noqa: ARG001
    _enter(state, run, Phase.WATCHING)
    _timer(state, run, Cue.DUE, now_s + state.timing.poll_s)


def _retry(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:  # noqa: ARG001
    _enter(state, run, Phase.BACKOFF)
    _timer(state, run, Cue.DUE, now_s + state.timing.backoff_s)


def _rest(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:  # noqa: ARG001
    if run.metered is Power.OFF:
        run.outcome, run.detail = Outcome.CONFIRMED_BY_METER, ""
    elif run.claim is Power.OFF and run.metered is not Power.ON:
        run.outcome, run.detail = Outcome.CONFIRMED_BY_BMC, ""
    run.off_since = run.off_since or now_s
    run.rung_serial += 1
    # Seen by its BMC it is down now; by a meter alone (which may be stuck), when its rung is over.
    state.book.settle(run.element, now_s if run.claim is Power.OFF else max(now_s, run.rung_until))
    _enter(state, run, Phase.OFF)
    if run.metered is not Power.ON:
        run.residual = False


def _climb(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    run.off_since = 0.0
    if run.phase is Phase.WATCHING and run.claim is Power.ON:
        # It had the whole rung's time: only now is its "accepted" contradicted by its own claim.
        run.outcome = Outcome.CONTRADICTED
        run.detail = f"accepted {run.ladder[run.rung]} and says that it is on"
    if run.rung + 1 < len(run.ladder):
        run.rung += 1
        _enter(state, run, Phase.WAITING)
        _send(state, run, now_s, effects)
        return
    _enter(state, run, Phase.EXHAUSTED)
    state.book.settle(run.element, now_s)
    run.rung_serial += 1
    if not run.residual:
        run.residual = True
        effects.append(Alarm("residual", run.element, f"{run.outcome}: {run.detail}"))
    _timer(state, run, Cue.DUE, now_s + state.timing.retry_s)


def _trip(state: Stop, run: NodeRun, now_s: float, effects: list[Effect]) -> None:
    """Go down again, from the first rung that does not ask the host: it had its chance."""
    if run.phase is Phase.OFF and not run.residual:
        effects.append(Alarm("came-back", run.element, "came back on while it must be off"))
    forced = (index for index, stage in enumerate(run.ladder) if stage is not Stage.SOFT_OFF)
    run.rung = next(forced, 0)
    run.off_since = 0.0
    if not run.ladder:
        _enter(state, run, Phase.EXHAUSTED)
        return
    _enter(state, run, Phase.WAITING)
    _send(state, run, now_s, effects)


_MOVES: Final[Mapping[Move, Callable[[Stop, NodeRun, float, list[Effect]], None]]] = {
    Move.SEND: _send,
    Move.WATCH: _watch,
    Move.LINGER: _linger,
    Move.RETRY: _retry,
    Move.DOUBT: _doubt,
    Move.REST: _rest,
    Move.CLIMB: _climb,
    Move.TRIP: _trip,
}


_NEXT: Final = {
    phase: {cue: _MOVES[move] for cue, move in row.items() if move is not Move.STAY}
    for phase, row in TABLE.items()
}
"""The table of ``core.stop``, with what each move does in its place."""


def _enter(state: Stop, run: NodeRun, phase: Phase) -> None:
    if not run.residual:
        state.pending += (phase not in SETTLED) - (run.phase not in SETTLED)
    run.phase = phase
    run.serial += 1


def _timer(state: Stop, run: NodeRun, cue: Cue, at_s: float, serial: int | None = None) -> None:
    state.timer_count += 1
    serial = run.serial if serial is None else serial
    heapq.heappush(state.timers, (at_s, state.timer_count, run, cue, serial))


def _run(state: Stop, element: str) -> NodeRun:
    run = state.runs.get(element)
    if run is None:
        raise IllegalEvent("an event for an element that the plan does not know", where=element)
    return run
