"""Who hangs on what in the simulated site, and what flows where at the present moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import TypeVar
from zlib import crc32

from grandpause.errors import UsageError
from grandpause.sim.faults import Measured, Meter
from grandpause.sim.machines import Machine
from grandpause.sim.parts import Node, Outlet, PowerUnit, Timing

SWING_PERIOD_S = 37.0
SWING_SHARE = 0.015
NOISE_SHARE = 0.005
"""The load of a row swings by 1.5 % and jitters by 0.5 %: an assumption; training steps run in unison."""

GAIN_ERROR = 0.004
"""Meters are off by at most 0.4 %: inside class 0.5 of IEC 62053-22."""

_Part = TypeVar("_Part")


class Wiring:
    """Nodes, row power units, feeds and meters by name; sums of watts at ``now_s``.

    Attributes:
        now_s: the present, in seconds from any fixed moment.
        nodes: by id, in the order of their addition; a device server numbers them by it.
        units: row power units by id.
        feeds: the units on each feed.
    """

    def __init__(self, *, seed: int = 1, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self.now_s = 0.0
        self.nodes: dict[str, Node] = {}
        self.units: dict[str, PowerUnit] = {}
        self.feeds: dict[str, list[PowerUnit]] = {}
        self._meters: dict[str, Meter] = {}
        self._seed = seed
        self._rng = Random(seed)  # noqa: S311  a simulation wants chance that can be repeated
        self._swings: dict[str, tuple[int, float]] = {}

    def add_unit(self, unit_id: str, *, feed: str, row: str, outlets: int) -> PowerUnit:
        """Add a row power unit with its meter, and its feed with the feed's meter if it is new."""
        if unit_id in self._meters:
            raise UsageError("two meters of one name", where=unit_id)
        unit = PowerUnit(unit_id, feed=feed, row=row, outlets=outlets)
        self.units[unit_id] = unit
        self._add_meter(unit_id)
        if feed not in self.feeds:
            self.feeds[feed] = []
            self._add_meter(feed)
        self.feeds[feed].append(unit)
        return unit

    def add_node(
        self, node_id: str, *, machine: Machine, hall: str, row: str, outlets: list[tuple[str, int]]
    ) -> Node:
        """Add a node that works at full load, plugged into ``outlets`` (unit, index from 0)."""
        if node_id in self.nodes:
            raise UsageError("two nodes of one name", where=node_id)
        node = Node(node_id, machine=machine, hall=hall, row=row, timing=self.timing, rng=self._rng)
        node.plug(tuple(self.outlet(unit, index) for unit, index in outlets))
        self.nodes[node_id] = node
        return node

    def node(self, node_id: str) -> Node:
        """Return a node; raise UsageError for a name that is not there."""
        return named(self.nodes, node_id, "node")

    def unit(self, unit_id: str) -> PowerUnit:
        """Return a row power unit; raise UsageError for a name that is not there."""
        return named(self.units, unit_id, "power unit")

    def feed(self, feed: str) -> list[PowerUnit]:
        """Return the units on a feed; raise UsageError for a name that is not there."""
        return named(self.feeds, feed, "feed")

    def meter(self, name: str) -> Meter:
        """Return the meter of a row power unit or feed; raise UsageError for any other name."""
        return named(self._meters, name, "meter")

    def outlet(self, unit_id: str, index: int) -> Outlet:
        """Return one outlet, counted from 0; raise UsageError where there is none."""
        unit = self.unit(unit_id)
        if not 0 <= index < len(unit.outlets):
            raise UsageError(f"no outlet {index} of {len(unit.outlets)}", where=unit_id)
        return unit.outlets[index]

    def draw(self, unit: PowerUnit) -> float:
        """Return the watts through a unit now."""
        return (unit.swinging_mw * self.swing(unit.row) + unit.steady_mw) / 1000

    def outlet_draw(self, outlet: Outlet) -> float:
        """Return the watts through an outlet now."""
        node = outlet.node
        return 0.0 if node is None else node.outlet_watts(outlet, self.swing(outlet.unit.row))

    def metered_draw(self, name: str, outlet: int | None) -> float:
        """Return the watts that the meter ``name`` has on its wires now, in total or for one outlet."""
        if outlet is not None:
            return self.outlet_draw(self.outlet(name, outlet))
        unit = self.units.get(name)
        return sum(map(self.draw, self.feeds[name])) if unit is None else self.draw(unit)

    def swing(self, row: str) -> float:
        """Return the factor, near 1, on the load of a row in the present second."""
        second = math.floor(self.now_s)
        known = self._swings.get(row)
        if known is not None and known[0] == second:
            return known[1]
        phase = crc32(row.encode()) / 2**32
        chance = crc32(b"%d:%d" % (self._seed, second), crc32(row.encode())) / 2**32
        factor = (
            1.0
            + SWING_SHARE * math.sin(2 * math.pi * (second / SWING_PERIOD_S + phase))
            + NOISE_SHARE * (2 * chance - 1)
        )
        self._swings[row] = (second, factor)
        return factor

    def _add_meter(self, name: str) -> None:
        gain = 1.0 + self._rng.uniform(-GAIN_ERROR, GAIN_ERROR)
        self._meters[name] = Meter(name, lambda: self._measured(name), gain=gain)

    def _measured(self, name: str) -> Measured:
        unit = self.units.get(name)
        outlets = () if unit is None else tuple(map(self.outlet_draw, unit.outlets))
        return Measured(at_s=self.now_s, total=self.metered_draw(name, None), outlets=outlets)


def named(parts: Mapping[str, _Part], name: str, kind: str) -> _Part:
    """Return ``parts[name]``; raise UsageError, saying what ``kind`` of part is missing."""
    try:
        return parts[name]
    except KeyError:
        raise UsageError(f"the simulated site has no {kind} of this name", where=name) from None
