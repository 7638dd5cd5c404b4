"""What breaks: clocks, networks, disks, machines, meters, feeds. Each class comes if the seed says so."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from grandpause.sim.world.settings import DAY_S, Fault

if TYPE_CHECKING:
    from grandpause.sim.world.hall import Machine, MeterBox
    from grandpause.sim.world.site import SimSite
    from grandpause.sim.world.world import World

HOUR_S: Final = 3_600
_METER_FAULTS: Final = {
    Fault.METER_STUCK: "stuck",
    Fault.METER_ZERO: "zero",
    Fault.METER_NAN: "nan",
    Fault.METER_STALE: "stale",
    Fault.METER_SWAPPED: "swapped",
}
_BMC_FAULTS: Final = {
    Fault.HANG: "hangs",
    Fault.FLICKER: "flickers",
    Fault.LIE: "lies",
    Fault.PARTIAL: "deaf",
}
_WRITES: Final = (Fault.WRITE_KEPT, Fault.WRITE_DROPPED, Fault.WRITE_TORN, Fault.DISK_FULL)


class Accidents:
    """Draws accidents, and mends them after a while."""

    def __init__(self, world: World) -> None:
        self._world = world
        # A stream of its own, so that a world with fewer classes of trouble stays much the same.
        self._chance = random.Random(f"accidents {world.settings.seed}")
        self._over = False

    def begin(self) -> None:
        """Put every class that is on, on the agenda of every site."""
        mean_days: dict[Fault, tuple[float, Callable[[SimSite, Fault], None]]] = {
            Fault.CLOCK_JUMP: (20.0, self._clock_jumps),
            Fault.BOOT: (15.0, self._boots),
            Fault.PARTITION: (20.0, self._partition),
            Fault.BIT_FLIP: (75.0, self._bit_flips),
            Fault.OLD_IMAGE: (62.5, self._old_image),
            Fault.REINSTALL: (75.0, self._reinstall),
            Fault.COME_BACK: (10.0, self._come_back),
            Fault.PLUG: (50.0, self._plug),
            Fault.RENAME_HALLS: (15.0, self._rename),
            **dict.fromkeys(_WRITES, (15.0, self._write)),
            **dict.fromkeys(_BMC_FAULTS, (10.0, self._bmcs)),
            **dict.fromkeys(_METER_FAULTS, (12.5, self._meter)),
        }
        for site in self._world.sites:
            for fault, (days, accident) in mean_days.items():
                if fault in self._world.settings.faults:
                    self._later(days * DAY_S, self.strike, site, (fault, days, accident))

    def heal(self) -> None:
        """Mend everything; nothing breaks any more."""
        self._over = True
        for site in self._world.sites:
            site.network.cut = False
            site.disk.doom = None
            self.set_clock(site, None)
            if site.disk.damaged:
                site.loses_state(None)
                self._world.director.forget(site)
            for machine in site.hall.machines.values():
                machine.hangs = machine.flickers = machine.lies = machine.deaf = machine.welded = False
                if not machine.fed:
                    site.hall.feed([machine], live=True, restart=False)
            for box in site.hall.boxes:
                box.fault = ""
            site.meters_moved()

    def strike(self, site: SimSite, what: tuple[Fault, float, Callable[[SimSite, Fault], None]]) -> None:
        """One accident, and when the next one of its class comes."""
        if self._over:
            return
        fault, days, accident = what
        accident(site, fault)
        self._later(days * DAY_S, self.strike, site, what)

    def _clock_jumps(self, site: SimSite, fault: Fault) -> None:
        self._world.struck(fault)
        site.clock.off_s = self._chance.choice(
            (-400 * DAY_S, -2 * HOUR_S, 3 * HOUR_S, 9 * DAY_S, 3_650 * DAY_S)
        )
        site.clock_moved()
        self._world.note(site, f"wall clock jumps to {site.clock.off_s:.0f} s off")
        self._later(DAY_S, self.set_clock, site, None)

    def set_clock(self, site: SimSite, _b: object) -> None:
        """Somebody sets the clock right."""
        if abs(site.clock.off_s) > HOUR_S:
            site.clock.off_s = self._chance.uniform(-5, 5)
            site.clock_moved()

    def _boots(self, site: SimSite, fault: Fault) -> None:
        self._world.struck(fault)
        if site.process is not None:
            site.power_fails()

    def _partition(self, site: SimSite, fault: Fault) -> None:
        self._world.struck(fault)
        site.network.cut = True
        self._world.note(site, "is cut off")
        self._later(2 * HOUR_S, self.joined, site, None)

    def joined(self, site: SimSite, _b: object) -> None:
        """The network is whole again."""
        site.network.cut = False

    def _write(self, site: SimSite, fault: Fault) -> None:
        if site.process is not None:
            self._world.struck(fault)
            site.disk.doom = fault

    def _bit_flips(self, site: SimSite, fault: Fault) -> None:
        self._world.struck(fault)
        site.keep_image()
        site.disk.damaged = True

    def _old_image(self, site: SimSite, fault: Fault) -> None:
        if site.images:
            self._world.struck(fault)
            site.loses_state(site.images[self._chance.randrange(len(site.images))])
            self._world.director.forget(site)
        site.keep_image()

    def _reinstall(self, site: SimSite, fault: Fault) -> None:
        self._world.struck(fault)
        site.loses_state(None)
        self._world.director.forget(site)

    def _come_back(self, site: SimSite, fault: Fault) -> None:
        down = [each for each in site.hall.machines.values() if not each.on]
        for machine in self._some(down):
            self._world.struck(fault)
            self._world.note(site, f"{machine.id} comes on by itself")
            site.start(machine)

    def _rename(self, site: SimSite, fault: Fault) -> None:
        """The operator gives his halls other names, swaps them, or gives them their own again."""
        self._world.struck(fault)
        site.rename_halls(self._chance.choice(({}, {"h1": "x1"}, {"h1": "h2", "h2": "h1"}, {"h1": "h2"})))

    def _plug(self, site: SimSite, fault: Fault) -> None:
        """A feed loses power, and sometimes the controller with it; machines may come on with it."""
        self._world.struck(fault)
        machines = list(site.hall.machines.values())[:: self._chance.choice((1, 2))]
        if site.process is not None and self._chance.random() < 0.5:
            site.power_fails()
        site.fed(machines, live=False, restart=False)
        self._later(HOUR_S, self.plugged, site, (machines, self._chance.random() < 0.5))

    def plugged(self, site: SimSite, what: tuple[list[Machine], bool]) -> None:
        """The feed is live again."""
        machines, restart = what
        site.fed([each for each in machines if not each.fed], live=True, restart=restart)

    def _bmcs(self, site: SimSite, fault: Fault) -> None:
        struck = self._some(list(site.hall.machines.values()))
        for machine in struck:
            self._world.struck(fault)
            setattr(machine, _BMC_FAULTS[fault], True)
            if fault is Fault.PARTIAL and self._chance.random() < 0.2:
                machine.welded = True
        self._world.note(site, f"{fault} at {', '.join(each.id for each in struck)}")
        self._later(12 * HOUR_S, self.mended, site, (fault, struck))

    def mended(self, _site: SimSite, what: tuple[Fault, list[Machine]]) -> None:
        """Somebody mends the machines."""
        fault, struck = what
        for machine in struck:
            setattr(machine, _BMC_FAULTS[fault], False)
            if fault is Fault.PARTIAL:
                machine.welded = False

    def _meter(self, site: SimSite, fault: Fault) -> None:
        """One meter goes wrong. Two paths never lie at the same time: against that nothing here can help."""
        kind = _METER_FAULTS[fault]
        boxes = [each for each in site.hall.boxes if not each.fault and (kind != "swapped" or each.other)]
        lying = {each.id[:3] for each in site.hall.boxes if each.fault in {"stuck", "zero", "swapped"}}
        if kind in {"stuck", "zero", "swapped"}:
            boxes = [each for each in boxes if not lying or each.id[:3] in lying]
        if not boxes:
            return
        self._world.struck(fault)
        box = self._chance.choice(boxes)
        box.fault = kind
        names = list(box.channels)
        # Mostly one channel: where many are missing the sums differ, and nothing is proven anyway.
        count = 1 if self._chance.random() < 0.7 else self._chance.randint(1, len(names))
        box.blind = tuple(self._chance.sample(names, count))
        self._world.note(site, f"meter {box.id} is {kind}")
        site.meters_moved()
        self._later(8 * HOUR_S, self.meter_mended, site, box)

    def meter_mended(self, site: SimSite, box: MeterBox) -> None:
        """Somebody mends the meter."""
        box.fault = ""
        site.meters_moved()

    def _some(self, machines: list[Machine]) -> list[Machine]:
        count = min(len(machines), self._chance.choice((1, 1, 2, 4, 13)))
        return self._chance.sample(machines, count)

    def _later(self, mean_s: float, handler: Callable[..., None], a: object, b: object) -> None:
        wait_s = -math.log(1.0 - self._chance.random()) * mean_s
        self._world.push(self._world.now_s + wait_s, handler, a, b)
