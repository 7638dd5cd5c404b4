"""One site's controller without its IO: what holds, what follows, what it proves. (design.md, part 4)

Statements, answers, claims and readings go in; commands, questions and alarms come out, for somebody
else to perform: the engine in production, the simulated world under virtual time. Time comes in from the
clock port; what must not be lost is on disk (the keeper's store) before a method returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from grandpause.core.conductor import next_wake, prepare, step
from grandpause.core.evidence import NodeReport, report_of
from grandpause.core.metering import complete_sums
from grandpause.core.model import Power, VerdictWord
from grandpause.core.plan import Plan, Planner
from grandpause.core.proving import Proof, Prover, Question
from grandpause.core.ramp import WINDOW_S, RampBook
from grandpause.core.stop import (
    Alarm,
    Begin,
    Claimed,
    Effect,
    EffectKey,
    Event,
    Judged,
    Metered,
    Phase,
    Stop,
    Timing,
)
from grandpause.core.trust import Admission, Standing
from grandpause.ports import Claim, Clock, MeterRead
from grandpause.site.keeper import Decision, Keeper
from grandpause.site.observation import Observation

DOUBTS_TO_ALARM: Final = 2
"""Judgements in a row that do not prove what was proven before it is an alarm; one may be a lost datagram."""
FRESH_CLAIM_S: Final = 5.0
"""A claim of "off" younger than this saves a node a command when a stop begins."""


SENT_LATELY_S: Final = 300
"""How long after its command a node may still be on its way down, when the controller starts anew."""


@dataclass(frozen=True, slots=True)
class VerdictDue:
    """A stop's verdict is to be given to people now: proven, or nothing more to wait for."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing binds any more (or the site was disarmed): commands that were not sent yet are dropped."""


@dataclass(frozen=True, slots=True)
class Started:
    """A stop begins where there was none."""


Move: TypeAlias = Effect | VerdictDue | Ended | Started


class Controller:
    """One site's stop, from a limit's arrival to the hold.

    Attributes:
        decision: what holds now.
        plan: what follows from it; without an armed site or anything that binds it is a preview.
        stop: where every node stands.
        proof: what the readings showed last, at ``proof_at_s`` (Unix seconds).
        began_wall_s: when the present stop began, Unix seconds.
    """

    def __init__(
        self,
        *,
        keeper: Keeper,
        planner: Planner,
        prover: Prover,
        clock: Clock,
        timing: Timing,
        window_s: int,
        operator: str,
        sent: Iterable[tuple[EffectKey, int]] = (),
    ) -> None:
        """Look at what holds; call ``obey`` to act on it.

        Args:
            window_s: how old a reading may be that proves something.
            operator: the body that runs the site: its own meters prove less than another's.
            sent: commands that an earlier process may have sent lately; what they take down counts for the
                ramp (``SENT_LATELY_S``).
        """
        self.keeper = keeper
        self.seen = Observation()
        self.elements = tuple(prover.table.by_id)
        self.decision: Decision = keeper.decide()
        self.plan: Plan | None = None
        self.proof: Proof | None = None
        self.proof_at_s = 0
        self.began_wall_s = 0
        self._planner = planner
        self._prover = prover
        self._window_s = window_s
        self._clock = clock
        self.stop = self._fresh_stop(timing, self._book_of(sent, timing))
        self._operator = operator
        self._settled_s: float | None = None
        self._verdict_given: VerdictWord | None = None
        self._doubts = 0
        self._clock_doubted = False
        self._obeyed: object = None

    def receive(self, data: bytes) -> tuple[Admission, list[Move]]:
        """Take one statement; when this returns it is on disk, and the moves that follow are to be made.

        Raises:
            StatementError, TrustError: refused; nothing changed.
            StoreError: it could not be written; the controller must end.
        """
        admission = self.keeper.receive(data)
        # What does not count changes nothing; what time alone changes is looked at on time.
        return admission, self.obey() if admission.standing is Standing.COUNTS else []

    def arm(self) -> list[Move]:
        """Let commands be sent."""
        self.keeper.arm()
        return self.obey()

    def disarm(self) -> list[Move]:
        """Send no more commands. Raises TrustError if something binds and the quorum did not allow it."""
        self.keeper.disarm()
        return self.obey()

    def obey(self) -> list[Move]:
        """Look at what holds now; if it changed, plan anew and go on from where every node is."""
        self.decision = decision = self.keeper.decide()
        memory = decision.memory
        moves: list[Move] = self._doubt_clock()
        key = (decision.order, memory.standby, memory.armed)
        if key == self._obeyed:
            return moves
        self._obeyed = key
        claims = self.seen.fresh_claims(since_s=self._clock.monotonic_s() - FRESH_CLAIM_S)
        known_off = frozenset(name for name, power in claims.items() if power is Power.OFF)
        self.plan = plan = self._planner.plan(decision.order, standby=memory.standby, known_off=known_off)
        if not (memory.armed and decision.binds):
            if self.stop.plan is not None:
                self.stop = self._fresh_stop(self.stop.timing, self.stop.book)
            return [*moves, Ended()]
        if self.stop.plan is None:
            self.seen.remember_before()
            self.began_wall_s = self._clock.wall_s()
            moves.append(Started())
        deadline_s = self._deadline_s(plan)
        self._settled_s = None
        self._verdict_given = None
        return [*moves, *self.feed(Begin(plan, claims, deadline_s))]

    def feed(self, event: Event) -> Sequence[Move]:
        """Pass one event to the conductor; events between stops are of no interest."""
        if self.stop.plan is None and not isinstance(event, Begin):
            return []
        return step(self.stop, event, self._clock.monotonic_s())

    def heard(self, element: str, claim: Claim) -> Sequence[Move]:
        """Take what a device says of an element's power."""
        now_s = self._clock.monotonic_s()
        self.seen.claims[element] = (claim, now_s)
        stop = self.stop
        if stop.plan is None or element not in stop.runs:
            return []
        return step(stop, Claimed(element, claim.power, claim.reply, claim.detail), now_s)

    def seen_since(self, since_s: float) -> None:
        """During a standby: what was asked since then (monotonic seconds) and is off may not come on."""
        if self.keeper.memory.standby is not None:
            claims = self.seen.fresh_claims(since_s=since_s)
            self.keeper.seen_off(name for name, power in claims.items() if power is Power.OFF)

    @property
    def wake_s(self) -> float | None:
        """When the conductor wants its next ``Tick``, in monotonic seconds; None if never."""
        return next_wake(self.stop) if self.stop.plan is not None else None

    def read(self, meter: str, read: MeterRead) -> None:
        """Take what one meter showed; ``judge`` when a round of them is in."""
        self.seen.take(
            meter,
            read,
            wall_s=self._clock.wall_s(),
            window_s=self._window_s,
            check=self.keeper.signed_reading,
        )

    def watts_before(self) -> dict[str, int]:
        """Return path -> watts before the stop, for every path whose readings were complete then."""
        before = {meter: each.watts for meter, each in self.seen.before.items()}
        return complete_sums(self._prover.paths, before)

    def judge(self) -> list[Move]:
        """Judge the present readings; call it after each round of them."""
        if self.plan is None:
            return []
        stop = self.stop
        self.proof_at_s = self._clock.wall_s()
        self.proof = proof = self._prover.prove(
            Question(
                caps=self.decision.caps,
                keep=self.plan.keep,
                operator=self._operator,
                now_s=self.proof_at_s,
                window_s=self._window_s,
            ),
            self.seen.history,
            self.seen.before,
        )
        if stop.plan is None:
            return []
        runs = stop.runs
        metered = Metered({name: power for name, power in proof.elements.items() if name in runs})
        moves: list[Move] = [*self.feed(metered)]
        if stop.pending == 0:
            moves += self.feed(Judged(proof.word))
        return [*moves, *self._watch_hold(proof), *self._give_verdict(proof)]

    def reports(self) -> list[NodeReport]:
        """Return what is known of every node of the stop, on both axes."""
        if self.stop.plan is None:
            return []
        metered = self.proof.elements if self.proof else {}
        return [report_of(run, metered.get(name, Power.UNKNOWN)) for name, run in self.stop.runs.items()]

    def _book_of(self, sent: Iterable[tuple[EffectKey, int]], timing: Timing) -> RampBook:
        """Return a book that has charged what an earlier process told, and may go down now."""
        book = RampBook()
        now_s, wall_s = self._clock.monotonic_s(), self._clock.wall_s()
        by_id = self._prover.table.by_id
        in_order = sorted((each for each in sent if each[0].element in by_id), key=lambda each: each[1])
        last = {key.element: (key.stage, at_s) for key, at_s in in_order}
        for name, (stage, at_s) in last.items():
            # A clock that was set since then makes the age a lie; no rung takes longer than its time.
            rung_s = timing.rung_s.get(stage, 0.0)
            left_s = min(max(rung_s - (wall_s - at_s), 0.0), rung_s)
            book.resume(by_id[name].rated_w - by_id[name].off_w, now_s + left_s)
        return book

    def _fresh_stop(self, timing: Timing, book: RampBook) -> Stop:
        stop = Stop(timing, book=book)
        prepare(stop, self.elements)
        return stop

    def _doubt_clock(self) -> list[Move]:
        """Alarm once when the wall clock begins to disagree by more than its error."""
        stepped = self.keeper.clock_stepped
        news = stepped and not self._clock_doubted
        self._clock_doubted = stepped
        text = "the wall clock disagrees with the boot-time clock by more than its stated error: not believed"
        return [Alarm("clock-stepped", "", text)] if news else []

    def _deadline_s(self, plan: Plan) -> float:
        """Return when people must hear that the ceiling is not proven, in monotonic seconds.

        That is the limit's complete-by, or where none is still to come: when every node could have gone
        through its whole ladder. A new plan on the way never puts it off.
        """
        now_s = self._clock.monotonic_s()
        stop = self.stop
        complete_by = plan.order.complete_by
        left_s = 0.0 if complete_by is None else float(complete_by - self._clock.wall_s())
        if left_s <= 0:
            timing = stop.timing
            ladder_s = max(
                (sum(timing.rung_s[stage] for stage in each.ladder) for each in plan.cut), default=0.0
            )
            # Under a ramp a node gives its watts free a minute after it is down, not after its command.
            slowest = 1.0 + ladder_s / WINDOW_S if plan.ramp is not None else 1.0
            left_s = plan.last_slot_s * slowest + ladder_s + timing.settle_s + self._window_s
        if stop.plan is None or stop.deadline_s is None or stop.alarmed or self._verdict_given is not None:
            return now_s + left_s
        return min(stop.deadline_s, now_s + left_s)

    def _watch_hold(self, proof: Proof) -> Sequence[Move]:
        """Alarm when what was proven no longer is, twice in a row; then a new verdict is wanted."""
        if proof.word is VerdictWord.PROVEN or self._verdict_given is not VerdictWord.PROVEN:
            self._doubts = 0
            return ()
        self._doubts += 1
        if self._doubts != DOUBTS_TO_ALARM:
            return ()
        self._verdict_given = None
        self._settled_s = None
        return (Alarm("hold-broken", "", "; ".join(proof.reasons)),)

    def _give_verdict(self, proof: Proof) -> Iterable[Move]:
        """Give the verdict once it is proven, or once waiting longer can bring nothing new.

        Nothing new can come once no node is on its way and the window holds only readings from after
        that moment; a later proof replaces an earlier "not proven".
        """
        now = self._clock.monotonic_s()
        if self.stop.pending or any(each.phase is Phase.WAITING for each in self.stop.runs.values()):
            self._settled_s = None
            return ()
        self._settled_s = now if self._settled_s is None else self._settled_s
        patience = self._window_s + self.stop.timing.settle_s
        due = proof.word is VerdictWord.PROVEN or now - self._settled_s >= patience
        if self.decision.caps and due and self._verdict_given not in (VerdictWord.PROVEN, proof.word):
            self._verdict_given = proof.word
            return (VerdictDue(proof),)
        return ()
