"""The simulated truth of a site, in virtual time: what is on, what it draws, what devices claim and show.

Pure: the time is an argument (seconds from any fixed moment), randomness comes from a seed. Device servers
pass their clock, a virtual-time run its own. Time never goes back: an earlier ``now_s`` counts as the
latest one seen. Loads change once a second, as the displays of real meters do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush

from grandpause.core.model import Act, Power, Reply
from grandpause.sim.faults import Lie, Shown
from grandpause.sim.machines import H100X8, Machine
from grandpause.sim.parts import Host, Node, Timing
from grandpause.sim.wiring import Wiring

RESET_TYPE_OF_ACT: Mapping[Act, str] = {
    Act.SOFT_OFF: "GracefulShutdown",
    Act.FORCE_OFF: "ForceOff",
    Act.POWER_ON: "On",
}
_GENTLE = frozenset({"GracefulShutdown", "GracefulRestart", "PushPowerButton"})
_AGAIN = frozenset({"ForceRestart", "GracefulRestart", "PowerCycle"})
_OFF = frozenset({"ForceOff", "GracefulShutdown", "PushPowerButton"})
_ON = frozenset({"On", "ForceOn", "PushPowerButton"})


class Plant(Wiring):
    """A simulated site. Build one with ``Plant.hall``, or part by part with ``add_unit`` and ``add_node``."""

    def __init__(self, *, seed: int = 1, timing: Timing | None = None) -> None:
        super().__init__(seed=seed, timing=timing)
        self._agenda: list[tuple[float, int, Node, int, Host]] = []
        self._planned = 0

    @classmethod
    def hall(
        cls,
        *,
        nodes: int = 256,
        nodes_per_row: int = 16,
        machine: Machine = H100X8,
        seed: int = 1,
        timing: Timing | None = None,
        name: str = "hall-1",
    ) -> Plant:
        """Build a hall of rows: nodes ``r01n01``..., two power units a row, ``row01a`` and ``row01b``.

        Each node has one outlet on either unit, by its place in the row counted from 0; the ``a`` units
        hang on ``feed-a``, the ``b`` units on ``feed-b``. Rows and places have as many digits as the last
        one needs, at least two.
        """
        plant = cls(seed=seed, timing=timing)
        row_digits = max(2, len(str(math.ceil(nodes / nodes_per_row))))
        place_digits = max(2, len(str(nodes_per_row)))
        for index in range(nodes):
            row_index, place = divmod(index, nodes_per_row)
            number = f"{row_index + 1:0{row_digits}d}"
            units = [f"row{number}{side}" for side in "ab"]
            if place == 0:
                for side, unit in zip("ab", units, strict=True):
                    plant.add_unit(unit, feed=f"feed-{side}", row=f"row{number}", outlets=nodes_per_row)
            plant.add_node(
                f"r{number}n{place + 1:0{place_digits}d}",
                machine=machine,
                hall=name,
                row=f"row{number}",
                outlets=[(unit, place) for unit in units],
            )
        return plant

    def command(self, node_id: str, what: Act | str, now_s: float) -> Reply:
        """Tell a node's BMC ``what`` (a Redfish reset type or an Act) to do; return how it answers.

        Outlet acts switch every outlet of the node. How the BMC receives requests (hanging, failing) is
        the caller's affair, see ``Bmc.reception``; its lies are kept here. A dead BMC is unreachable.
        """
        node = self.node(node_id)
        self.advance(now_s)
        if what in (Act.OUTLET_OFF, Act.OUTLET_ON):
            for outlet in node.outlets:
                self.switch_outlet(outlet.unit.id, outlet.index, what is Act.OUTLET_ON, now_s)
            return Reply.ACCEPTED
        reset_type = RESET_TYPE_OF_ACT[what] if isinstance(what, Act) else what
        if not self._bmc_alive(node):
            return Reply.UNREACHABLE
        if reset_type not in node.bmc.reset_types:
            return Reply.REFUSED
        if node.bmc.lie is not Lie.NONE:
            node.bmc.told_off = reset_type in _OFF
        elif node.host.powered:
            if reset_type in _OFF or reset_type in _AGAIN:
                self._take_down(node, reset_type)
        elif node.host is Host.OFF and reset_type in _ON:
            self._start(node)
        elif node.host is Host.STARTING and reset_type in _OFF:
            self._turn(node, Host.OFF)
        return Reply.ACCEPTED

    def switch_outlet(self, unit_id: str, index: int, on: bool, now_s: float) -> None:  # noqa: FBT001
        """Switch one outlet; a welded one stays closed and says nothing."""
        outlet = self.outlet(unit_id, index)
        self.advance(now_s)
        if outlet.on is on or (outlet.welded and not on):
            return
        outlet.on = on
        if outlet.node is not None:
            self._supply_changed(outlet.node)

    def switch_feed(self, feed: str, closed: bool, now_s: float) -> None:  # noqa: FBT001
        """Open or close a feed's final contact; the outlets behind it keep their own positions."""
        units = self.feed(feed)
        self.advance(now_s)
        for unit in units:
            unit.energised = closed
            for outlet in unit.outlets:
                if outlet.node is not None:
                    self._supply_changed(outlet.node)

    def power(self, node_id: str, now_s: float) -> Power:
        """Return whether the host is really on."""
        self.advance(now_s)
        return Power.ON if self.node(node_id).host.powered else Power.OFF

    def claimed(self, node_id: str, now_s: float) -> Power:
        """Return what the BMC says of the host; unknown where the BMC is dead."""
        node = self.node(node_id)
        self.advance(now_s)
        if not self._bmc_alive(node):
            return Power.UNKNOWN
        if node.bmc.lie is Lie.SAYS_OFF and node.bmc.told_off:
            return Power.OFF
        return Power.ON if node.host.powered else Power.OFF

    def bmc_alive(self, node_id: str, now_s: float) -> bool:
        """Tell whether the BMC has standby power and has booted."""
        node = self.node(node_id)
        self.advance(now_s)
        return self._bmc_alive(node)

    def outlet_on(self, unit_id: str, index: int) -> bool:
        """Return the true position of an outlet's relay."""
        return self.outlet(unit_id, index).on

    def nodes_on(self, now_s: float) -> Iterator[str]:
        """Yield the nodes whose hosts are really on."""
        self.advance(now_s)
        return (node.id for node in self.nodes.values() if node.host.powered)

    def true_node_watts(self, node_id: str, now_s: float) -> float:
        """Return what a node really draws."""
        self.advance(now_s)
        return sum(map(self.outlet_draw, self.node(node_id).outlets))

    def true_feed_watts(self, feed: str, now_s: float) -> float:
        """Return what really flows through a feed."""
        self.advance(now_s)
        return sum(map(self.draw, self.feed(feed)))

    def true_site_watts(self, now_s: float) -> float:
        """Return what the whole site really draws."""
        self.advance(now_s)
        return sum(map(self.draw, self.units.values()))

    def reading(self, meter: str, now_s: float, *, outlet: int | None = None) -> Shown:
        """Return what a meter shows, in total or for one outlet, and the time that it gives for it."""
        self.advance(now_s)
        shows = self.meter(meter).shows
        return shows.shown(self.metered_draw(shows.name, outlet), self.now_s, outlet)

    def outlet_watts(self, unit_id: str, index: int, now_s: float) -> float | None:
        """Return an outlet's watts as its unit displays them: None for no value or a stale one, maybe NaN."""
        return self._displayed(self.reading(unit_id, now_s, outlet=index))

    def unit_watts(self, unit_id: str, now_s: float) -> float | None:
        """Return a unit's total watts as it displays them: None for no value or a stale one, maybe NaN."""
        return self._displayed(self.reading(unit_id, now_s))

    def feed_watts(self, feed: str, now_s: float) -> float | None:
        """Return a feed's watts as its meter displays them: None for no value or a stale one, maybe NaN."""
        return self._displayed(self.reading(feed, now_s))

    def advance(self, now_s: float) -> None:
        """Let everything happen that is due until ``now_s``."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= now_s:
            due_s, _, node, token, target = heappop(agenda)
            if token == node.due:
                self.now_s = max(self.now_s, due_s)
                self._arrive(node, target)
        self.now_s = max(self.now_s, now_s)

    def _displayed(self, shown: Shown) -> float | None:
        """Drop a value whose own time is old: a display without a clock goes blank then."""
        return shown.watts if shown.at_s == self.now_s else None

    def _bmc_alive(self, node: Node) -> bool:
        return node.has_power and self.now_s >= node.bmc_up_s

    def _take_down(self, node: Node, reset_type: str) -> None:
        gentle = reset_type in _GENTLE
        if gentle and node.bmc.ignores_soft_off:
            return
        off_at_s = self.now_s + (node.soft_off_s if gentle else node.force_off_s)
        node.restarts = reset_type in _AGAIN
        if node.off_at_s is not None and node.off_at_s <= off_at_s:
            return
        node.off_at_s = off_at_s
        if gentle:
            self._turn(node, Host.STOPPING)
        self._plan(node, off_at_s, Host.OFF)

    def _start(self, node: Node) -> None:
        self._turn(node, Host.STARTING)
        self._plan(node, self.now_s + node.power_on_s, Host.BOOTING)

    def _plan(self, node: Node, due_s: float, target: Host) -> None:
        node.due += 1
        self._planned += 1
        heappush(self._agenda, (due_s, self._planned, node, node.due, target))

    def _turn(self, node: Node, host: Host) -> None:
        """Put the host in a state; whatever was planned for it before is overtaken."""
        node.due += 1
        node.host = host
        node.settle()

    def _arrive(self, node: Node, target: Host) -> None:
        self._turn(node, target)
        if target is Host.BOOTING:
            self._plan(node, self.now_s + self.timing.boot_s, Host.WORKING)
        elif target is Host.OFF:
            node.off_at_s = None
            if node.restarts:
                node.restarts = False
                self._start(node)

    def _supply_changed(self, node: Node) -> None:
        had_power = node.has_power
        node.settle()
        if had_power and not node.has_power:
            node.off_at_s = None
            node.restarts = False
            node.bmc.told_off = False
            self._turn(node, Host.OFF)
        elif node.has_power and not had_power:
            node.bmc_up_s = self.now_s + self.timing.bmc_boot_s
            if node.restores_power:
                self._start(node)
