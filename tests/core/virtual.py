"""A world of nodes under virtual time: devices that obey, hang, lie and come back, and meters that tell."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from grandpause.core.conductor import next_wake, step
from grandpause.core.evidence import report_of
from grandpause.core.model import Act, Caps, NodeState, Outcome, Power, Profile, Reply, Stage, VerdictWord
from grandpause.core.plan import Cut, Order, Plan
from grandpause.core.stop import (
    Alarm,
    Answered,
    Begin,
    Claimed,
    Command,
    Effect,
    Event,
    Judged,
    Metered,
    NodeRun,
    Question,
    Stop,
    Tick,
    Timing,
)

FULL: Final = (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF)
TIMING: Final = Timing(rung_s={Stage.SOFT_OFF: 60.0, Stage.FORCE_OFF: 20.0, Stage.OUTLET_OFF: 15.0})
SILENT: Final = None
"""A device that never answers."""


def plan_of(cut: Iterable[Cut], *, keep: Iterable[str] = (), statement: str = "ab" * 32) -> Plan:
    """Return a plan that cuts and keeps these."""
    order = Order(
        caps=Caps(),
        statements=(statement,),
        profile=Profile.COOPERATIVE,
        category=1,
        complete_by=None,
        ramp_override=False,
    )
    return Plan(
        order=order,
        keep=frozenset(keep),
        cut=tuple(cut),
        target_w=0,
        blocked=(),
        floor_reached=False,
        unknown_parts=(),
        ramp_broken=(),
    )


@dataclass(slots=True)
class Way:
    """How a device takes one act: whether it does it, what it answers, and how long either takes."""

    applied: bool = True
    reply: Reply | None = Reply.ACCEPTED
    answer_s: float = 0.1
    effect_s: float = 1.0


@dataclass(slots=True)
class Node:
    """One simulated node."""

    on: bool = True
    ways: dict[Act, Way] = field(default_factory=dict)
    claim: Callable[[bool], Power] = lambda on: Power.ON if on else Power.OFF
    claim_reply: Reply | None = Reply.ACCEPTED
    told: list[Act] = field(default_factory=list)


class World:
    """Runs one stop against its nodes. ``meters_s``: seconds between two meter readings; 0: no meters."""

    def __init__(
        self, nodes: Iterable[str], *, timing: Timing = TIMING, meters_s: float = 1.0, asks_s: float = 0.0
    ) -> None:
        self.nodes = {each: Node() for each in nodes}
        self.stop = Stop(timing)
        self.now_s = 1_000.0
        self.alarms: list[Alarm] = []
        self.commands: list[tuple[float, Command]] = []
        self._meters_s, self._asks_s = meters_s, asks_s
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        if meters_s:
            self.after(meters_s, self._read_meters)
        if asks_s:
            self.after(asks_s, self._ask_all)

    def begin(
        self, plan: Plan, *, claims: Mapping[str, Power] | None = None, deadline_s: float | None = None
    ) -> None:
        """Give the stop a plan."""
        until = None if deadline_s is None else self.now_s + deadline_s
        self.feed(Begin(plan, claims or {}, until))

    def after(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_s + delay_s, self._count, work))

    def feed(self, event: Event) -> list[Effect]:
        """Give the conductor one event and perform its effects."""
        effects = step(self.stop, event, self.now_s)
        for effect in effects:
            if isinstance(effect, Command):
                self._obey(effect)
            elif isinstance(effect, Question):
                self._answer(effect)
            else:
                self.alarms.append(effect)
        return effects

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now_s + seconds
        while True:
            wake = next_wake(self.stop)
            coming = self._queue[0][0] if self._queue else until
            if wake is not None and max(wake, self.now_s) <= min(coming, until):
                self.now_s = max(wake, self.now_s)
                self.feed(Tick())
            elif coming <= until and self._queue:
                self.now_s, _, work = heapq.heappop(self._queue)
                work()
            else:
                break
        self.now_s = until

    def until_settled(self, *, most_s: float = 3_600.0) -> float:
        """Let time pass until nothing is on its way; return how long it took."""
        began = self.now_s
        while self.stop.pending:
            self.passes(0.5)
            assert self.now_s - began <= most_s, f"{self.stop.pending} nodes are still on their way"
        return self.now_s - began

    def run(self, name: str) -> NodeRun:
        """Return what the conductor knows of a node."""
        return self.stop.runs[name]

    def codes(self, name: str = "") -> list[str]:
        """Return the codes of the alarms so far (of one node)."""
        return [each.code for each in self.alarms if not name or each.element == name]

    def switch(self, name: str, *, on: bool) -> None:
        """Somebody else switches a node."""
        self.nodes[name].on = on

    def _obey(self, command: Command) -> None:
        node = self.nodes[command.key.element]
        self.commands.append((self.now_s, command))
        node.told.append(command.act)
        way = node.ways.get(command.act, Way())
        if way.applied:
            self.after(way.effect_s, lambda: setattr(node, "on", False))
        if way.reply is SILENT:
            self.after(command.within_s, lambda: self._late(command))
        elif way.answer_s <= command.within_s:
            reply = way.reply
            self.after(way.answer_s, lambda: self._reply(command, reply))
        else:
            self.after(command.within_s, lambda: self._reply(command, Reply.TIMED_OUT))

    def _late(self, command: Command) -> None:
        """The engine gave the device its time; here even the engine forgets to say so."""

    def _reply(self, command: Command, reply: Reply) -> None:
        self.feed(Answered(command.key, reply, str(reply)))

    def _answer(self, question: Question) -> None:
        node = self.nodes[question.element]
        if node.claim_reply is SILENT:
            return
        reply = node.claim_reply

        def answer() -> None:
            power = node.claim(node.on) if reply is Reply.ACCEPTED else Power.UNKNOWN
            self.feed(Claimed(question.element, power, reply, str(reply)))

        self.after(0.1, answer)

    def _read_meters(self) -> None:
        if self.stop.plan is not None:
            seen = {name: Power.ON if node.on else Power.OFF for name, node in self.nodes.items()}
            self.feed(Metered({name: power for name, power in seen.items() if name in self.stop.runs}))
            if self.stop.pending == 0:
                on = any(self.nodes[each.element].on for each in self.stop.plan.cut)
                self.feed(Judged(VerdictWord.NOT_PROVEN if on else VerdictWord.PROVEN))
        self.after(self._meters_s, self._read_meters)

    def _ask_all(self) -> None:
        for name in self.nodes:
            if name in self.stop.runs:
                self._answer(Question(name, outlet=False, within_s=5.0))
        self.after(self._asks_s, self._ask_all)


def one_node(ladder: tuple[Stage, ...] = FULL, *, meters_s: float = 1.0, asks_s: float = 0.0) -> World:
    """Return a world of one node whose turn comes in a moment."""
    world = World(["n1"], meters_s=meters_s, asks_s=asks_s)
    world.begin(plan_of([Cut("n1", 0.01, ladder)]))  # a moment for the test to say how the node behaves
    return world


def state_of(world: World, name: str = "n1") -> tuple[NodeState, Outcome]:
    """Return what would be reported of a node just now."""
    run = world.run(name)
    report = report_of(run, run.metered)
    return report.state, report.outcome
