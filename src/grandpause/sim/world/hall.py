"""One site's machines and meters as they really are, and everything that they do wrong.

Lean on purpose: a world runs millions of these events. ``sim.plant`` is the same hall in detail, for device
servers. Watts are constant in each state: what the prover must see through are lies, not noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from grandpause.core.elements import Element, ElementTable, Measures, MeterRow
from grandpause.core.model import Power, Reply
from grandpause.ports import MeterRead, Sample

RATED_W: Final = 10_200
IDLE_W: Final = 1_700
OFF_W: Final = 65
STANDBY_W: Final = 40
COMPUTE: Final = 7_915
"""TFLOP/s, an eight-way H100 node as in ``sim.machines``."""
MACHINES_A_ROW: Final = 16
FAR: Final = 10**12


@dataclass(slots=True)
class Machine:
    """One node: the truth, and what is wrong with it.

    Attributes:
        hall: where it stands, whatever the operator calls it.
        parts: the parts of the site that it counts to.
        on: whether it really runs.
        draw_w: what it really draws.
        fed: its outlet is closed and its feed is live.
        told_off: a lying BMC was told, and says so since.
        hangs, flickers: its BMC does not answer / answers with an error.
        lies: its BMC says "off" and does nothing.
        deaf: its host ignores a soft off.
        welded: its outlet cannot open.
        dropped_for: the controller's command that is taking it down, for the ramp; empty otherwise.
    """

    id: str
    index: int
    hall: str
    running_w: int
    parts: tuple[str, ...] = ()
    on: bool = True
    draw_w: int = 0
    fed: bool = True
    told_off: bool = False
    hangs: bool = False
    flickers: bool = False
    lies: bool = False
    deaf: bool = False
    welded: bool = False
    commanded: bool = False
    going: int = 0

    def claim(self) -> Power:
        """Return what its BMC says of it."""
        return Power.ON if self.on and not (self.lies and self.told_off) else Power.OFF


@dataclass(slots=True)
class MeterBox:
    """One meter: which machines each channel covers, and what is wrong with it.

    Attributes:
        fault: "" or stuck, zero, nan, stale, swapped.
        shown: what it showed last, by channel.
        at_s: Unix seconds that it gave for it.
        other: the meter with which it may be swapped.
        alone: the machines, where every channel covers one.
        blind: channels that show nothing while the fault is nan.
    """

    id: str
    channels: dict[str, tuple[Machine, ...]]
    fault: str = ""
    shown: dict[str, int | None] = field(default_factory=dict)
    at_s: int = 0
    other: MeterBox | None = None
    alone: tuple[Machine, ...] = ()
    blind: tuple[str, ...] = ()

    def look(self, wall_s: int) -> int:
        """Take a reading at this moment; return how many channels show something new."""
        fault = self.fault
        if fault == "stale":
            return 0
        self.at_s = wall_s
        if fault == "stuck":
            return 0
        if fault == "zero":
            shown: dict[str, int | None] = dict.fromkeys(self.channels, 0)
        else:
            source = self.other if fault == "swapped" and self.other is not None else self
            shown = {}
            if source.alone:
                shown |= dict(zip(self.channels, [each.draw_w for each in source.alone], strict=True))
            else:
                sums = [sum([each.draw_w for each in covered]) for covered in source.channels.values()]
                shown |= dict(zip(self.channels, sums, strict=True))
        if fault == "nan":
            shown |= dict.fromkeys(self.blind)
        old = self.shown
        self.shown = shown
        return sum(value != old.get(channel) for channel, value in shown.items())

    def read(self, at_s: int | None = None) -> MeterRead:
        """Return what it shows as the site's driver would, taken at ``at_s`` (its own time by default)."""
        at = self.at_s if at_s is None else at_s
        return MeterRead(
            samples=tuple(
                [
                    Sample(meter=self.id, channel=channel, watts=watts, at_s=at)
                    for channel, watts in self.shown.items()
                ]
            )
        )


class Hall:
    """The machines and meters of one site.

    Attributes:
        compute_on: part -> TFLOP/s that really run.
        watts: part -> watts that are really drawn.
        total_compute: part -> TFLOP/s in all.
        changed: machines of which something changed since somebody asked.
    """

    def __init__(
        self, *, elements: int, halls: int, chance: random.Random, dropped: Callable[[Machine, int], None]
    ) -> None:
        """Build it.

        Args:
            dropped: hears of every machine that a command took down, and how many watts fell.
        """
        self._dropped = dropped
        self._tables: dict[tuple[tuple[str, str], ...], ElementTable] = {}
        self.machines: dict[str, Machine] = {}
        self.compute_on: dict[str, int] = {}
        self.watts: dict[str, int] = {}
        self.total_compute: dict[str, int] = {}
        self.changed: dict[str, Machine] = {}
        for index in range(elements):
            machine = Machine(
                f"n{index + 1:03d}",
                index,
                f"h{index * halls // elements + 1}",
                chance.randrange(4_000, RATED_W + 1, 100),
            )
            machine.draw_w = machine.running_w
            self.machines[machine.id] = machine
        self.declare({}, {})
        self.boxes = self._make_boxes(chance)

    def declare(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Count the machines to the parts that the operator's names make of their halls.

        Args:
            before: hall -> its name when something began to bind; the same as ``now`` while nothing does.
            now: hall -> its name now; one that is not there has its own.
        """
        totals: list[dict[str, int]] = []
        for names in (before, now):
            total: dict[str, int] = {}
            for each in self.machines.values():
                for part in ("site", _part(names, each.hall)):
                    total[part] = total.get(part, 0) + COMPUTE
            totals.append(total)
        first, second = totals
        # A share is taken of the lower total of the two.
        self.total_compute = {
            part: min(first.get(part, FAR), second.get(part, FAR)) for part in first | second
        }
        self.compute_on = dict.fromkeys(self.total_compute, 0)
        self.watts = dict.fromkeys(self.total_compute, 0)
        for each in self.machines.values():
            each.parts = tuple(dict.fromkeys(("site", _part(before, each.hall), _part(now, each.hall))))
            for part in each.parts:
                self.compute_on[part] += COMPUTE if each.on else 0
                self.watts[part] += each.draw_w

    def table_by(self, names: Mapping[str, str]) -> ElementTable:
        """Return ``table(names)``, made once for each set of names."""
        key = tuple(sorted(names.items()))
        if key not in self._tables:
            self._tables[key] = self.table(names)
        return self._tables[key]

    def table(self, names: Mapping[str, str]) -> ElementTable:
        """Return the elements table, with halls as the operator names them now."""
        elements = tuple(
            Element(
                id=each.id,
                hall=names.get(each.hall, each.hall),
                tenant="",
                rated_w=RATED_W,
                idle_w=IDLE_W,
                off_w=OFF_W,
                compute=COMPUTE,
            )
            for each in self.machines.values()
        )
        meters = tuple(
            MeterRow(
                id=box.id,
                path=box.id.rstrip("0123456789"),
                owner="operator" if box.id.startswith("row") else "utility",
                signed=False,
                measures=Measures.IT,
                resolution_w=1,
                channels={name: tuple(one.id for one in each) for name, each in box.channels.items()},
            )
            for box in self.boxes
        )
        return ElementTable(elements, meters)

    def turn(self, machine: Machine, *, on: bool, by_command: bool = False) -> None:
        """Make it run or stop; whoever looks next sees it."""
        machine.going += 1
        draw = machine.running_w if on else (STANDBY_W if machine.fed else 0)
        rise = draw - machine.draw_w
        machine.draw_w = draw
        for part in machine.parts:
            self.watts[part] += rise
        if machine.on is not on:
            machine.on = on
            for part in machine.parts:
                self.compute_on[part] += COMPUTE if on else -COMPUTE
            if by_command:
                self._dropped(machine, -rise)
        if on:
            machine.commanded = False
        self.changed[machine.id] = machine

    def receive(self, machine: Machine) -> Reply:
        """Return how its BMC takes a request."""
        if not machine.fed or machine.flickers:
            return Reply.UNREACHABLE
        return Reply.TIMED_OUT if machine.hangs else Reply.ACCEPTED

    def feed(self, machines: Iterable[Machine], *, live: bool, restart: bool) -> None:
        """Cut the feed of these machines, or bring it back; ``restart``: they come on by themselves."""
        for each in machines:
            each.fed = live
            if not live:
                each.told_off = False
                self.turn(each, on=False)
            else:
                self.turn(each, on=restart)

    def _make_boxes(self, chance: random.Random) -> tuple[MeterBox, ...]:
        machines = list(self.machines.values())
        rows = [machines[at : at + MACHINES_A_ROW] for at in range(0, len(machines), MACHINES_A_ROW)]
        boxes = [
            MeterBox(
                f"row{number}", {str(place): (each,) for place, each in enumerate(row, 1)}, alone=tuple(row)
            )
            for number, row in enumerate(rows, 1)
        ]
        for one, other in zip(boxes, [*boxes[1:], boxes[0]], strict=True):
            if len(one.channels) == len(other.channels) and one is not other:
                one.other = other
        if chance.random() < 0.5:
            feeds = [MeterBox("feed1", {"total": tuple(machines)})]
        else:
            feeds = [MeterBox(f"feed{number}", {"total": tuple(row)}) for number, row in enumerate(rows, 1)]
        for box in (*boxes, *feeds):
            box.look(0)
        return (*boxes, *feeds)


def _part(names: Mapping[str, str], hall: str) -> str:
    return f"hall:{names.get(hall, hall)}"
