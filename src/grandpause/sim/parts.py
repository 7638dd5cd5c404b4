"""The parts of the simulated hall: nodes, outlets, row power units; who hangs on what, and what each draws.

Electrical sums are kept in whole milliwatts and changed only when something changes, so that a hall of
10,000 nodes costs no more to read than its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from grandpause.errors import UsageError
from grandpause.sim.faults import Bmc
from grandpause.sim.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take: (shortest, longest) seconds, drawn once a node; boot times are fixed.

    Attributes:
        soft_off_s: from GracefulShutdown to off; an assumption (hosts take seconds to minutes).
        force_off_s: from ForceOff to off.
        power_on_s: from On to on.
        boot_s: from on until the workload draws its load again.
        bmc_boot_s: from the return of standby power until the BMC answers.
    """

    soft_off_s: tuple[float, float] = (4.0, 9.0)
    force_off_s: tuple[float, float] = (0.7, 1.4)
    power_on_s: tuple[float, float] = (1.0, 3.0)
    boot_s: float = 60.0
    bmc_boot_s: float = 20.0

    def __post_init__(self) -> None:
        for shortest, longest in (self.soft_off_s, self.force_off_s, self.power_on_s):
            if not 0 <= shortest <= longest:
                raise UsageError(f"times must rise from 0: {shortest}, {longest}", where="timing")


class Host(StrEnum):
    """What the host of a node is doing."""

    OFF = "off"
    STARTING = "starting"
    BOOTING = "booting"
    WORKING = "working"
    STOPPING = "stopping"

    @property
    def powered(self) -> bool:
        """Whether the host's power is on in this state."""
        return self in _POWERED


_POWERED = frozenset({Host.BOOTING, Host.WORKING, Host.STOPPING})


class Outlet:
    """One outlet of a row power unit; ``node`` is what is plugged in, ``welded`` that it cannot open."""

    __slots__ = ("index", "node", "on", "unit", "welded")

    def __init__(self, unit: PowerUnit, index: int) -> None:
        self.unit = unit
        self.index = index
        self.on = True
        self.welded = False
        self.node: Node | None = None

    @property
    def live(self) -> bool:
        """Whether there is voltage on it."""
        return self.on and self.unit.energised


class PowerUnit:
    """A switched, metered row power unit.

    Attributes:
        feed: the feed that it hangs on.
        row: the row whose nodes it supplies; the load of a row swings together.
        energised: its feed is closed.
        swinging_mw: milliwatts of working nodes, before the row's swing is applied.
        steady_mw: milliwatts of all else.
    """

    __slots__ = ("energised", "feed", "id", "outlets", "row", "steady_mw", "swinging_mw")

    def __init__(self, unit_id: str, *, feed: str, row: str, outlets: int) -> None:
        self.id = unit_id
        self.feed = feed
        self.row = row
        self.energised = True
        self.outlets = [Outlet(self, index) for index in range(outlets)]
        self.swinging_mw = 0
        self.steady_mw = 0

    def welds(self, index: int) -> None:
        """Let the relay of one outlet stick: it acknowledges commands and stays closed."""
        self.outlets[index].welded = True


class Node:
    """One node: host, BMC and the outlets that supply it.

    Attributes:
        busy: its own share of the machine's load watts (seeded, near 1).
        due: counts its scheduled changes; a change that was overtaken is recognised by it.
        restarts: goes on again by itself after the next off (restart and power-cycle commands).
        restores_power: the host goes on by itself when power returns (power-restore policy "always on").
        bmc_up_s: the moment from which its BMC answers, while there is standby power.
    """

    __slots__ = (
        "_live",
        "_steady_each_mw",
        "_swinging_each_mw",
        "bmc",
        "bmc_up_s",
        "busy",
        "due",
        "force_off_s",
        "hall",
        "host",
        "id",
        "machine",
        "off_at_s",
        "outlets",
        "power_on_s",
        "restarts",
        "restores_power",
        "row",
        "soft_off_s",
    )

    def __init__(
        self, node_id: str, *, machine: Machine, hall: str, row: str, timing: Timing, rng: Random
    ) -> None:
        self.id = node_id
        self.machine = machine
        self.hall = hall
        self.row = row
        self.bmc = Bmc()
        self.outlets: tuple[Outlet, ...] = ()
        self.host = Host.WORKING
        self.busy = min(rng.gauss(1.0, 0.03), machine.rated_w / machine.load_w)
        self.soft_off_s = rng.uniform(*timing.soft_off_s)
        self.force_off_s = rng.uniform(*timing.force_off_s)
        self.power_on_s = rng.uniform(*timing.power_on_s)
        self.due = 0
        self.off_at_s: float | None = None
        self.restarts = False
        self.restores_power = False
        self.bmc_up_s = float("-inf")
        self._live: tuple[Outlet, ...] = ()
        self._swinging_each_mw = 0
        self._steady_each_mw = 0

    @property
    def has_power(self) -> bool:
        """Whether at least one of its outlets is live."""
        return bool(self._live)

    def plug(self, outlets: tuple[Outlet, ...]) -> None:
        """Plug the node into ``outlets``; raise UsageError if one is taken."""
        for outlet in outlets:
            if outlet.node is not None:
                raise UsageError(
                    f"outlet {outlet.unit.id}:{outlet.index} already feeds {outlet.node.id}", where=self.id
                )
            outlet.node = self
        self.outlets = outlets
        self.settle()

    def settle(self) -> None:
        """Book the node's present draw on the units of its live outlets, in equal shares."""
        for outlet in self._live:
            outlet.unit.swinging_mw -= self._swinging_each_mw
            outlet.unit.steady_mw -= self._steady_each_mw
        self._live = live = tuple(outlet for outlet in self.outlets if outlet.live)
        if not live:
            return
        machine = self.machine
        swinging = steady = 0
        if self.host is Host.WORKING:
            swinging = int(machine.load_w * self.busy * 1000)
        elif self.host.powered:
            steady = machine.idle_w * 1000
        else:
            steady = machine.standby_w * 1000
        self._swinging_each_mw = swinging // len(live)
        self._steady_each_mw = steady // len(live)
        for outlet in live:
            outlet.unit.swinging_mw += self._swinging_each_mw
            outlet.unit.steady_mw += self._steady_each_mw

    def outlet_watts(self, outlet: Outlet, swing: float) -> float:
        """Return what the node draws through one of its outlets, in watts."""
        if outlet not in self._live:
            return 0.0
        return (self._swinging_each_mw * swing + self._steady_each_mw) / 1000
