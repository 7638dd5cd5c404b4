"""Performs what the core decides: sends commands, asks, reads, and feeds back what happened.

No deadline, retry or escalation lives here; those are ``core.conductor``'s. Every command's key is on disk
before the command is on the wire; after a restart the state is read again, never assumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from grandpause.core.conductor import next_wake, prepare, step
from grandpause.core.evidence import NodeReport, report_of
from grandpause.core.model import Power, Reply, VerdictWord
from grandpause.core.plan import Plan, Planner
from grandpause.core.proving import Proof, Question
from grandpause.core.stop import (
    Alarm,
    Answered,
    Begin,
    Claimed,
    Command,
    Event,
    Judged,
    Metered,
    Phase,
    Stop,
    Tick,
    Timing,
)
from grandpause.core.stop import Question as PowerQuestion
from grandpause.core.trust import Admission
from grandpause.ports import Actuator, Claim, Clock, Notifier, Store
from grandpause.site.dispatch import Dispatch
from grandpause.site.keeper import Decision, Keeper
from grandpause.site.observer import Observer
from grandpause.site.sitefile import Periods

DOUBTS_TO_ALARM: Final = 2
"""Judgements in a row that do not prove what was proven before it is an alarm; one may be a lost datagram."""
LOOK_EVERY_S: Final = 0.2
"""Time alone can begin or end a limit; statements that arrive are obeyed at once."""
FRESH_CLAIM_S: Final = 5.0
"""A claim of "off" younger than this saves a node a command when a stop begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The world, as the engine sees it."""

    store: Store
    clock: Clock
    notifier: Notifier
    bmcs: Actuator | None
    outlets: Actuator | None


class Engine:
    """One site's stop, from a limit's arrival to the hold."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        planner: Planner,
        observer: Observer,
        ports: Ports,
        timing: Timing,
        periods: Periods,
        operator: str,
        on_verdict: Callable[[], None],
        on_round: Callable[[], None],
    ) -> None:
        """Wire the engine; ``run`` starts it.

        Args:
            on_verdict: called when a stop's verdict is due: proven, or nothing more to wait for.
            on_round: called when every BMC was asked once more.
        """
        self.keeper = keeper
        self.observer = observer
        self.decision: Decision = keeper.decide()
        self.plan: Plan | None = None
        self.stop = self._fresh_stop(timing, observer)
        self.proof: Proof | None = None
        self.proof_at_s = 0
        self.began_wall_s = 0
        self.settled_s: float | None = None
        self._planner = planner
        self._ports = ports
        self._periods = periods
        self._operator = operator
        self._on_verdict = on_verdict
        self._on_round = on_round
        self._verdict_given: VerdictWord | None = None
        self._doubts = 0
        self._dispatch = Dispatch(record=self._record, send=self._send, failed=self.fail, drained=self._wake)
        self._woken = asyncio.Event()
        self._failure: BaseException | None = None
        self._obeyed: object = None

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            OwnFault: the store failed, or an event made no sense; the process must end.
        """
        loops = (self._clockwork(), self._metering(), self._asking())
        tasks = [asyncio.create_task(each) for each in loops]
        self.obey()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._dispatch.cancel()

    def receive(self, data: bytes) -> Admission:
        """Take one statement; when this returns it is on disk, and obeyed.

        Raises:
            StatementError, TrustError: refused; nothing changed.
            StoreError: it could not be written; the controller must end.
        """
        admission = self.keeper.receive(data)
        self.obey()
        return admission

    def arm(self) -> None:
        """Let commands be sent."""
        self.keeper.arm()
        self.obey()

    def disarm(self) -> None:
        """Send no more commands. Raises TrustError if something binds and the quorum did not allow it."""
        self.keeper.disarm()
        self.obey()

    def obey(self) -> None:
        """Look at what holds now; if it changed, plan anew and go on from where every node is."""
        self.decision = decision = self.keeper.decide()
        memory = decision.memory
        key = (decision.order, memory.standby, memory.armed)
        if key == self._obeyed:
            return
        self._obeyed = key
        known_off = frozenset(name for name, power in self._claims().items() if power is Power.OFF)
        self.plan = self._planner.plan(decision.order, standby=memory.standby, known_off=known_off)
        if not (memory.armed and decision.binds):
            if self.stop.plan is not None:
                self.stop = self._fresh_stop(self.stop.timing, self.observer)
            self._dispatch.forget()
            return
        if self.stop.plan is None:
            self.observer.remember_before()
            self._dispatch.begin()
            self.began_wall_s = self._ports.clock.wall_s()
        self.settled_s = None
        self._verdict_given = None
        self._feed(Begin(self.plan, self._claims(), self._deadline_s(decision)))

    def reports(self) -> list[NodeReport]:
        """Return what is known of every node of the stop, on both axes."""
        if self.stop.plan is None:
            return []
        metered = self.proof.elements if self.proof else {}
        return [report_of(run, metered.get(name, Power.UNKNOWN)) for name, run in self.stop.runs.items()]

    @staticmethod
    def _fresh_stop(timing: Timing, observer: Observer) -> Stop:
        stop = Stop(timing)
        prepare(stop, observer.elements)
        return stop

    def _deadline_s(self, decision: Decision) -> float | None:
        complete_by = decision.order.complete_by
        if complete_by is None:
            return None
        return self._ports.clock.monotonic_s() + max(0, complete_by - self._ports.clock.wall_s())

    def _claims(self) -> dict[str, Power]:
        return self.observer.fresh_claims(not_older_s=FRESH_CLAIM_S)

    def _feed(self, event: Event) -> None:
        if self.stop.plan is None and not isinstance(event, Begin):
            return
        now = self._ports.clock.monotonic_s()
        commands = []
        for effect in step(self.stop, event, now):
            if isinstance(effect, Command):
                commands.append(effect)
            elif isinstance(effect, PowerQuestion):
                self._dispatch.start(self._ask(effect))
            else:
                self._alarm(effect)
        if commands:
            self._dispatch.put(commands)
        self._wake()

    def _record(self, commands: Sequence[Command]) -> None:
        keys = [each.key for each in commands]
        self._ports.store.record_effects(keys, at_s=self._ports.clock.wall_s())

    def _wake(self) -> None:
        self._woken.set()

    async def _send(self, command: Command) -> None:
        key = command.key
        actuator = self._ports.outlets if command.act.value.startswith("outlet") else self._ports.bmcs
        if actuator is None:
            self._feed(Answered(key, Reply.REFUSED, "this site has no driver for it"))
            return
        answer = await actuator.command(key.element, command.act, within_s=command.within_s)
        self._feed(Answered(key, answer.reply, answer.detail))

    async def _ask(self, question: PowerQuestion) -> None:
        actuator = self._ports.outlets if question.outlet else self._ports.bmcs
        claim = (
            Claim(power=Power.UNKNOWN, reply=Reply.REFUSED, detail="this site has no driver for it")
            if actuator is None
            else await actuator.claim(question.element, within_s=question.within_s)
        )
        self.observer.note(question.element, claim)
        self._heard(question.element, claim)

    def _heard(self, element: str, claim: Claim) -> None:
        if self.stop.plan is not None and element in self.stop.runs:
            self._feed(Claimed(element, claim.power, claim.reply, claim.detail))

    def _alarm(self, alarm: Alarm) -> None:
        self._ports.notifier.notify(
            alarm.code, f"{alarm.element}: {alarm.text}" if alarm.element else alarm.text
        )

    def fail(self, fault: BaseException) -> None:
        """Remember our own fault; the clockwork raises it, and the process ends in a safe state."""
        self._failure = self._failure or fault
        self._woken.set()

    async def _clockwork(self) -> None:
        """Wake whenever a deadline, retry or slot is due; look for begun and ended limits now and then."""
        looked_s = 0.0
        while True:
            wake = next_wake(self.stop) if self.stop.plan is not None else None
            if self._dispatch.crowded:
                wake = None
            delay = 1.0 if wake is None else min(1.0, max(0.0, wake - self._ports.clock.monotonic_s()))
            self._woken.clear()
            if self._failure is None and delay > 0:
                try:
                    async with asyncio.timeout(delay):
                        await self._woken.wait()
                except TimeoutError:
                    pass
            else:
                await asyncio.sleep(0)
            if self._failure is not None:
                raise self._failure
            now = self._ports.clock.monotonic_s()
            if now >= looked_s + LOOK_EVERY_S:
                looked_s = now
                self.obey()
            due = next_wake(self.stop) if self.stop.plan is not None else None
            if due is not None and due <= now and not self._dispatch.crowded:
                self._feed(Tick())

    async def _metering(self) -> None:
        clock = self._ports.clock
        while True:
            began = clock.monotonic_s()
            await self.observer.read_meters()
            self._judge()
            await asyncio.sleep(max(0.05, self._periods.meters_s - (clock.monotonic_s() - began)))

    def _judge(self) -> None:
        if self.plan is None:
            return
        stop = self.stop
        self.proof_at_s = self._ports.clock.wall_s()
        self.proof = proof = self.observer.prove(
            Question(
                caps=self.decision.caps,
                keep=self.plan.keep,
                operator=self._operator,
                now_s=self.proof_at_s,
                window_s=self._periods.window_s,
            )
        )
        if stop.plan is None:
            return
        self._feed(Metered({name: power for name, power in proof.elements.items() if name in stop.runs}))
        if stop.pending == 0:
            self._feed(Judged(proof.word))
        self._watch_hold(proof)
        self._give_verdict(proof)

    def _watch_hold(self, proof: Proof) -> None:
        """Alarm when what was proven no longer is, twice in a row; then a new verdict is wanted."""
        if proof.word is not VerdictWord.NOT_PROVEN or self._verdict_given is not VerdictWord.PROVEN:
            self._doubts = 0
            return
        self._doubts += 1
        if self._doubts == DOUBTS_TO_ALARM:
            self._verdict_given = None
            self.settled_s = None
            self._ports.notifier.notify("hold-broken", "; ".join(proof.reasons))

    def _give_verdict(self, proof: Proof) -> None:
        """Give the verdict once it is proven, or once waiting longer can bring nothing new.

        Nothing new can come once no node is on its way and the window holds only readings from after
        that moment; a later proof replaces an earlier "not proven".
        """
        now = self._ports.clock.monotonic_s()
        if self.stop.pending or any(each.phase is Phase.WAITING for each in self.stop.runs.values()):
            self.settled_s = None
            return
        self.settled_s = now if self.settled_s is None else self.settled_s
        patience = self._periods.window_s + self.stop.timing.settle_s
        due = proof.word is VerdictWord.PROVEN or now - self.settled_s >= patience
        if self.decision.caps and due and self._verdict_given not in (VerdictWord.PROVEN, proof.word):
            self._verdict_given = proof.word
            self._on_verdict()

    async def _asking(self) -> None:
        """Ask every BMC in turn, in every state: it shows who came back, and keeps connections warm."""
        while self._periods.status_s > 0:
            began = self._ports.clock.monotonic_s()
            await self.observer.ask(self.observer.elements, at_once=64, heard=self._heard)
            if self.keeper.memory.standby is not None:
                seen = self.observer.fresh_claims(not_older_s=self._ports.clock.monotonic_s() - began)
                self.keeper.seen_off(name for name, power in seen.items() if power is Power.OFF)
            self._on_round()
            await asyncio.sleep(self._periods.status_s)
        await asyncio.Event().wait()
