"""A stop of a simulated hall in this process, under virtual time: the production core, no sockets.

The same conductor, planner and prover as in production; only the engine's place is taken by a loop over an
agenda. Devices misbehave as the plant says. Hours pass in seconds, and a run repeats exactly.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from grandpause.core.conductor import next_wake, prepare, step
from grandpause.core.elements import Element, ElementTable, Measures, MeterRow
from grandpause.core.evidence import NodeReport, report_of
from grandpause.core.model import Act, Power, Reply, Stage, VerdictWord
from grandpause.core.plan import Equipment, Order, Plan, Planner
from grandpause.core.proving import Proof, Prover, Snapshot
from grandpause.core.proving import Question as ProofQuestion
from grandpause.core.ramp import RampRule
from grandpause.core.stop import (
    Alarm,
    Answered,
    Begin,
    Claimed,
    Command,
    Event,
    Judged,
    Metered,
    Question,
    Stop,
    Tick,
    Timing,
)
from grandpause.sim.faults import Manner
from grandpause.sim.plant import Plant

DEFAULT_TIMING = Timing(
    rung_s={Stage.SOFT_OFF: 90.0, Stage.FORCE_OFF: 30.0, Stage.OUTLET_OFF: 20.0},
    poll_s=2.0,
    settle_s=15.0,
)
_READ_METERS = "read meters"
_OFF_MARGIN_W = 20
_IDLE_SHARE = 0.8
_REPLY_S = 0.05


@dataclass(slots=True)
class VirtualHall:
    """A hall whose stop runs under virtual time.

    Attributes:
        outlets: whether the controller may switch them; a set of nodes that have none, otherwise.
        meters_s: between two readings of every meter.
        window_s: how old a reading may be.
    """

    plant: Plant
    timing: Timing = DEFAULT_TIMING
    ramp: RampRule = field(default_factory=RampRule)
    without_outlets: frozenset[str] = frozenset()
    meters_s: float = 5.0
    window_s: int = 30
    now_s: float = 0.0
    events: int = 0
    alarms: list[Alarm] = field(default_factory=list)
    proof: Proof | None = None
    plan: Plan | None = None
    stop: Stop = field(init=False)
    _table: ElementTable = field(init=False)
    _prover: Prover = field(init=False)
    _history: dict[str, deque[Snapshot]] = field(default_factory=dict)
    _agenda: list[tuple[float, int, Event | str]] = field(default_factory=list)
    _made: int = 0
    _due_meters: bool = False

    def __post_init__(self) -> None:
        self._table = table_of(self.plant)
        self._prover = Prover(self._table)
        self.stop = Stop(self.timing)
        prepare(self.stop, self._table.by_id)

    def bring_down(self, order: Order, *, within_s: float) -> Proof:
        """Carry out ``order``; return the proof at the end.

        Ends when it is proven, or after ``within_s`` virtual seconds.
        """
        planner = Planner(self._table, self._equipment(), ramp=self.ramp, protected_w=0)
        self.plan = planner.plan(order)
        for turn in range(3):
            self.now_s = float(turn) * self.meters_s
            self._read_meters()
        before = {meter: each[-1] for meter, each in self._history.items()}
        self._push(self.now_s, Begin(self.plan, {}, self.now_s + within_s))
        self._push(self.now_s + self.meters_s, _READ_METERS)
        end_s = self.now_s + within_s
        while self.now_s <= end_s:
            self._next()
            if self.proof is not None and self.proof.word is VerdictWord.PROVEN and not self.stop.pending:
                break
            if self._due_meters:
                self._judge(order, before)
        assert self.proof is not None
        return self.proof

    def reports(self) -> list[NodeReport]:
        """Return what is known of every node at the end."""
        metered: Mapping[str, Power] = self.proof.elements if self.proof else {}
        return [report_of(run, metered.get(name, Power.UNKNOWN)) for name, run in self.stop.runs.items()]

    def _next(self) -> None:
        """Take the next thing on the agenda, or the conductor's own next deadline."""
        self._due_meters = False
        wake = next_wake(self.stop) if self.stop.plan is not None else None
        if wake is not None and (not self._agenda or wake < self._agenda[0][0]):
            self.now_s = max(self.now_s, wake)
            self._feed(Tick())
            return
        self.now_s, _, item = heapq.heappop(self._agenda)
        if isinstance(item, str):
            self._read_meters()
            self._due_meters = True
            self._push(self.now_s + self.meters_s, _READ_METERS)
        else:
            self._feed(item)

    def _feed(self, event: Event) -> None:
        self.events += 1
        for effect in step(self.stop, event, self.now_s):
            if isinstance(effect, Command):
                self._command(effect)
            elif isinstance(effect, Question):
                self._ask(effect)
            else:
                self.alarms.append(effect)

    def _command(self, command: Command) -> None:
        element = command.key.element
        if command.act is Act.OUTLET_OFF:
            self.plant.command(element, command.act, self.now_s)
            self._push(self.now_s + _REPLY_S, Answered(command.key, Reply.ACCEPTED))
            return
        reply, delay = self._reception(element, command.within_s)
        if reply is Reply.ACCEPTED:
            reply = self.plant.command(element, command.act, self.now_s)
        self._push(self.now_s + delay, Answered(command.key, reply))

    def _ask(self, question: Question) -> None:
        element = question.element
        if question.outlet:
            node = self.plant.node(element)
            on = any(each.on for each in node.outlets)
            self._push(self.now_s + _REPLY_S, Claimed(element, Power.ON if on else Power.OFF))
            return
        reply, delay = self._reception(element, question.within_s)
        power = Power.UNKNOWN
        if reply is Reply.ACCEPTED:
            power = self.plant.claimed(element, self.now_s)
        self._push(self.now_s + delay, Claimed(element, power, reply))

    def _reception(self, element: str, within_s: float) -> tuple[Reply, float]:
        """Return how the node's BMC receives a request, and after how long that is known."""
        if not self.plant.bmc_alive(element, self.now_s):
            return Reply.UNREACHABLE, _REPLY_S
        reception = self.plant.node(element).bmc.reception()
        delay = reception.delay_s + _REPLY_S
        if reception.manner is Manner.HANGS or delay > within_s:
            return Reply.TIMED_OUT, within_s
        if reception.manner is Manner.DROPS:
            return Reply.UNREACHABLE, delay
        if reception.status >= 400:  # noqa: PLR2004
            return (Reply.UNREACHABLE if reception.status >= 500 else Reply.REFUSED), delay  # noqa: PLR2004
        return Reply.ACCEPTED, delay

    def _read_meters(self) -> None:
        for row in self._table.meters:
            snapshot = Snapshot(meter=row.id, at_s=int(self.now_s), watts=self._watts(row))
            history = self._history.setdefault(row.id, deque())
            history.append(snapshot)
            while history[0].at_s < snapshot.at_s - self.window_s:
                history.popleft()

    def _watts(self, row: MeterRow) -> dict[str, int | None]:
        if row.path == "feeds":
            return {"total": _whole(self.plant.feed_watts(row.id, self.now_s))}
        return {
            channel: _whole(self.plant.outlet_watts(row.id, int(channel) - 1, self.now_s))
            for channel in row.channels
        }

    def _judge(self, order: Order, before: Mapping[str, Snapshot]) -> None:
        assert self.plan is not None
        self.proof = self._prover.prove(
            ProofQuestion(
                caps=order.caps,
                keep=self.plan.keep,
                operator="operator",
                now_s=int(self.now_s),
                window_s=self.window_s,
            ),
            self._history,
            before,
        )
        self._feed(Metered(self.proof.elements))
        if not self.stop.pending:
            self._feed(Judged(self.proof.word))

    def _equipment(self) -> dict[str, Equipment]:
        return {
            node.id: Equipment(outlets=0 if node.id in self.without_outlets else len(node.outlets))
            for node in self.plant.nodes.values()
        }

    def _push(self, at_s: float, item: Event | str) -> None:
        self._made += 1
        heapq.heappush(self._agenda, (at_s, self._made, item))


def table_of(plant: Plant) -> ElementTable:
    """Return the elements table of a plant: power units as meters by outlet, feeds as the second path."""
    elements = tuple(
        Element(
            id=node.id,
            hall=node.hall,
            tenant="",
            rated_w=node.machine.rated_w,
            idle_w=int(node.machine.idle_w * _IDLE_SHARE),
            off_w=node.machine.standby_w + _OFF_MARGIN_W,
            compute=node.machine.bf16_teraflops,
        )
        for node in plant.nodes.values()
    )
    units = [
        MeterRow(
            id=unit.id,
            path="rows",
            owner="operator",
            signed=False,
            measures=Measures.IT,
            resolution_w=1,
            channels={
                str(index + 1): (outlet.node.id,)
                for index, outlet in enumerate(unit.outlets)
                if outlet.node is not None
            },
        )
        for unit in plant.units.values()
    ]
    feeds = [
        MeterRow(
            id=feed,
            path="feeds",
            owner="utility",
            signed=False,
            measures=Measures.IT,
            resolution_w=10,
            channels={"total": tuple(plant.nodes)},
        )
        for feed in plant.feeds
    ]
    return ElementTable(elements, (*units, *feeds))


def _whole(watts: float | None) -> int | None:
    return None if watts is None or math.isnan(watts) else round(watts)
