"""Performs what the controller decides: sends commands, asks, reads, and feeds back what happened.

No deadline, retry or escalation lives here; those are ``core.conductor``'s. Every command's key is on disk
before the command is on the wire; after a restart the state is read again, never assumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from grandpause.core.model import Power, Reply
from grandpause.core.stop import Alarm, Answered, Command, Question, Tick
from grandpause.core.trust import Admission
from grandpause.ports import Actuator, Claim, Clock, Notifier, Store
from grandpause.site.controller import Controller, Ended, Move, Started, VerdictDue
from grandpause.site.dispatch import Dispatch
from grandpause.site.observer import Observer
from grandpause.site.sitefile import Periods

LOOK_EVERY_S: Final = 0.2
"""Time alone can begin or end a limit; statements that arrive are obeyed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The world, as the engine sees it."""

    store: Store
    clock: Clock
    notifier: Notifier
    bmcs: Actuator | None
    outlets: Actuator | None


class Engine:
    """The IO of one site's controller."""

    def __init__(
        self,
        *,
        controller: Controller,
        observer: Observer,
        ports: Ports,
        periods: Periods,
        on_verdict: Callable[[], None],
        on_round: Callable[[], None],
    ) -> None:
        """Wire the engine; ``run`` starts it.

        Args:
            on_verdict: called when a stop's verdict is due: proven, or nothing more to wait for.
            on_round: called when every BMC was asked once more.
        """
        self.controller = controller
        self._observer = observer
        self._ports = ports
        self._periods = periods
        self._on_verdict = on_verdict
        self._on_round = on_round
        self._dispatch = Dispatch(record=self._record, send=self._send, failed=self.fail, drained=self._wake)
        self._woken = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            OwnFault: the store failed, or an event made no sense; the process must end.
        """
        loops = (self._clockwork(), self._metering(), self._asking())
        tasks = [asyncio.create_task(each) for each in loops]
        self._perform(self.controller.obey())
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
        admission, moves = self.controller.receive(data)
        self._perform(moves)
        return admission

    def arm(self) -> None:
        """Let commands be sent."""
        self._perform(self.controller.arm())

    def disarm(self) -> None:
        """Send no more commands. Raises TrustError if something binds and the quorum did not allow it."""
        self._perform(self.controller.disarm())

    def fail(self, fault: BaseException) -> None:
        """Remember our own fault; the clockwork raises it, and the process ends in a safe state."""
        self._failure = self._failure or fault
        self._woken.set()

    def _perform(self, moves: Iterable[Move]) -> None:
        commands = []
        for move in moves:
            if isinstance(move, Command):
                commands.append(move)
            elif isinstance(move, Question):
                self._dispatch.start(self._ask(move))
            elif isinstance(move, Alarm):
                text = f"{move.element}: {move.text}" if move.element else move.text
                self._ports.notifier.notify(move.code, text)
            elif isinstance(move, VerdictDue):
                self._on_verdict()
            elif isinstance(move, Started):
                self._dispatch.begin()
            else:
                assert isinstance(move, Ended)
                self._dispatch.forget()
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
            answered = Answered(key, Reply.REFUSED, "this site has no driver for it")
        else:
            answer = await actuator.command(key.element, command.act, within_s=command.within_s)
            answered = Answered(key, answer.reply, answer.detail)
        self._perform(self.controller.feed(answered))

    async def _ask(self, question: Question) -> None:
        actuator = self._ports.outlets if question.outlet else self._ports.bmcs
        claim = (
            Claim(power=Power.UNKNOWN, reply=Reply.REFUSED, detail="this site has no driver for it")
            if actuator is None
            else await actuator.claim(question.element, within_s=question.within_s)
        )
        self._heard(question.element, claim)

    def _heard(self, element: str, claim: Claim) -> None:
        self._perform(self.controller.heard(element, claim))

    async def _clockwork(self) -> None:
        """Wake whenever a deadline, retry or slot is due; look for begun and ended limits now and then."""
        controller = self.controller
        looked_s = 0.0
        while True:
            wake = None if self._dispatch.crowded else controller.wake_s
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
                self._perform(controller.obey())
            due = controller.wake_s
            if due is not None and due <= now and not self._dispatch.crowded:
                self._perform(controller.feed(Tick()))

    async def _metering(self) -> None:
        clock = self._ports.clock
        while True:
            began = clock.monotonic_s()
            for meter, read in (await self._observer.read_meters()).items():
                self.controller.read(meter, read)
            self._perform(self.controller.judge())
            await asyncio.sleep(max(0.05, self._periods.meters_s - (clock.monotonic_s() - began)))

    async def _asking(self) -> None:
        """Ask every BMC in turn, in every state: it shows who came back, and keeps connections warm."""
        while self._periods.status_s > 0:
            began = self._ports.clock.monotonic_s()
            await self._observer.ask(self.controller.elements, at_once=64, heard=self._heard)
            self.controller.seen_since(began)
            self._on_round()
            await asyncio.sleep(self._periods.status_s)
        await asyncio.Event().wait()
