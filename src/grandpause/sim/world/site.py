"""One simulated site: machines, network, disk, clock, and the controller's lives."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Final

from grandpause.core.model import Caps, Stage
from grandpause.core.plan import Equipment, Planner
from grandpause.core.proving import Prover
from grandpause.core.ramp import RampRule
from grandpause.core.stop import Timing
from grandpause.errors import StoreError
from grandpause.sim.world import invariants
from grandpause.sim.world.clock import MachineClock
from grandpause.sim.world.disk import Content, Disk, PowerCut
from grandpause.sim.world.hall import Hall, Machine
from grandpause.sim.world.ledger import Ledger
from grandpause.sim.world.network import Network
from grandpause.sim.world.people import Posted
from grandpause.sim.world.process import WINDOW_S, Process
from grandpause.sim.world.settings import Fault
from grandpause.sim.world.watch import WATCHDOG_S, Watched
from grandpause.site.controller import SENT_LATELY_S, Controller
from grandpause.site.declared import table_in_force
from grandpause.site.keeper import Keeper

if TYPE_CHECKING:
    from grandpause.sim.world.world import World

GRID_ERROR_S: Final = 120
HONEST_S: Final = 10.0
"""The stated error of the wall clock in the operator's charter."""
_FORCE_S: Final = 8.0


class SimSite(Watched):
    """One site.

    Attributes:
        process: the controller's present life; None while it is down.
        in_flight: the envelope that the controller was taking when it ended.
        images: old images of the disk, with what the ledger said then.
    """

    def __init__(self, world: World, number: int, chance: random.Random) -> None:
        super().__init__()
        self.world = world
        self.id = f"site-{number}"
        self.chance = chance
        settings = world.settings
        self.hall = Hall(elements=settings.elements, halls=2, chance=chance, dropped=self._dropped)
        self.network = Network(chance, settings.faults)
        self.disk = Disk()
        drift = chance.uniform(-100, 100) if world.strikes(Fault.CLOCK_DRIFT) else 0.0
        off = chance.uniform(-9, 9) if world.strikes(Fault.CLOCK_ERROR) else 0.0
        self.clock = MachineClock(world, off_s=off, drift_ppm=drift)
        self.timing = _timing(chance)
        self.ramp = RampRule(
            watts_per_minute=chance.choice((None, None, 60_000, 200_000)),
            watts_per_step=chance.choice((None, 20_400, 61_200)),
        )
        self.ledger = Ledger(self.id)
        self.images: deque[tuple[Content, Ledger]] = deque(maxlen=4)
        self.names: dict[str, str] = {}
        self._tabled: dict[str, str] | None = None
        self.table = self.hall.table(self.names)
        self.prover = Prover(self.table)
        self.planner = self._make_planner()
        self.process: Process | None = None
        self.in_flight: tuple[Posted, tuple[str, ...]] | None = None
        self.arming = False
        self.meters_stirred = False
        self.booted_s = 0.0
        self._found_out = False
        self._seen_s = 0
        self._seen_at_s = 0.0
        self._machine_boots = 0
        self.broken = False

    @property
    def clock_right(self) -> bool:
        """Whether the wall clock keeps its stated error just now."""
        return abs(self.clock.off_s) <= HONEST_S

    # The controller's lives.

    def boot(self, _a: object = None, _b: object = None) -> None:
        """Start the machine, and its controller."""
        if self.process is not None:
            return
        self.clock.boot()
        self._machine_boots += 1
        self._remember_seen()
        self._clock_believed()
        self._start_controller()

    def start_again(self, _a: object, _b: object) -> None:
        """The supervisor starts the controller again; the machine ran on, so time does, too."""
        if self.process is None:
            # A clock that is ahead by now moves the latest moment alone.
            self.clock_honest = self.clock_honest and self.clock_right
            if self._found_out:
                self._remember_seen()
                self._clock_believed()
            self._start_controller()

    def _take_table(self, keeper: Keeper) -> None:
        """Use the table that the operator declares now, as far as what binds allows it."""
        names = self.ledger.names
        if names == self.names == self._tabled:
            return  # nothing was renamed since the last boot
        binds = keeper.decide().binds
        if not binds or names is None:
            names = self.ledger.names = self.names
        declared = self.hall.table_by(self.names)
        table = table_in_force(declared, store=self.disk, binds=binds, agreed=False)
        self._tabled = self.names
        self.hall.declare(names, self.names)
        if table != self.table or table.rated != self.table.rated:
            self.table = table
            self.prover = Prover(table)
            self.planner = self._make_planner()

    def rename_halls(self, names: dict[str, str]) -> None:
        """The operator declares his halls by other names, and starts the controller anew."""
        self.names = names
        if self.process is not None:
            self._stop("is started anew with other names for its halls")
            self.world.push(self.world.now_s + 5.0, self.start_again, None, None)

    def _remember_seen(self) -> None:
        self._seen_s = 0 if self.disk.damaged else int(self.disk.value("seen_s") or b"0")
        self._seen_at_s = self.clock.monotonic_s()

    def _start_controller(self) -> None:
        world = self.world
        self.booted_s = world.now_s
        hour_ago_s = self.clock.wall_s() - 3_600
        self.disk.commands = dict(self.disk.effects(since_s=hour_ago_s))
        try:
            keeper = Keeper.boot(
                site=self.id,
                controller="controller-a",
                store=self.disk,
                clock=self.clock,
                fresh_nonce=world.fresh_nonce,
                charters=world.people.files(),
                elements=self.hall.machines,
                check=world.table.check,
                boot_id=f"{self.id}-boot-{self._machine_boots}",
            )
            for each in world.people.agreed:
                self.ledger.hear(
                    each, each.signers, world.now_s, clock_right=self.clock_honest, installed=True
                )
            self._own_up(keeper)
            invariants.nothing_acknowledged_lost(keeper.memory, keeper.charters, self.ledger)
            self._take_table(keeper)
            controller = Controller(
                keeper=keeper,
                planner=self.planner,
                prover=self.prover,
                clock=self.clock,
                timing=self.timing,
                window_s=WINDOW_S,
                sent=self.disk.effects(since_s=self.clock.wall_s() - SENT_LATELY_S),
                operator="operator",
            )
            self.process = Process(self, controller)
            self.named.clear()
            self.proven = False
            self.hall.changed = dict(self.hall.machines)
            self.silent = False
            world.note(self, f"boots, wall clock off by {self.clock.off_s:.0f} s")
            self.process.start()
        except PowerCut:
            self.power_fails()
        except StoreError as fault:
            self.ends(fault)

    def _clock_believed(self) -> None:
        """Note what the controller makes of the wall clock at its first look.

        A clock that is behind what the disk remembers is seen to be wrong: then nothing is too late, and the
        controller looks again until it is set.
        """
        self._found_out = (
            self.clock.wall_s() + GRID_ERROR_S < self._seen_s + self.clock.monotonic_s() - self._seen_at_s
        )
        self.clock_honest = self.clock_right
        self.clock_safe = self.clock_right or self._found_out
        self.ledger.doubtful |= self.clock.off_s > HONEST_S

    def clock_moved(self) -> None:
        """The wall clock shows something else from now on; a clock that was believed stays believed."""
        if self._found_out:
            self._clock_believed()
            if self.process is not None:
                self.process.glance()  # the engine looks at its clocks five times a second

    def power_fails(self) -> None:
        """The controller's machine loses power; it comes back."""
        self._stop("loses power")
        self.world.push(self.world.now_s + self.chance.uniform(20, 400), self.boot, None, None)

    def ends(self, fault: StoreError) -> None:
        """The controller ends by its own fault; its supervisor starts it again if the disk is sound."""
        self._stop(f"ends: {fault}")
        if self.disk.damaged:
            self.broken = True
        else:
            self.world.push(self.world.now_s + 5.0, self.start_again, None, None)

    def loses_state(self, image: tuple[Content, Ledger] | None) -> None:
        """The disk is set up anew, or an old image is put back."""
        self._stop("is down, its disk is replaced")
        self.broken = False
        if image is None:
            self.disk.wipe()
        else:
            self.disk.restore(image[0])
        self.ledger = self.ledger.goes_back_to(None if image is None else image[1])
        self.world.count("excused-losses-of-state")
        self.caps = Caps()
        self.exceeding_s = None
        self.proven = False
        self.unproven = False
        self.adversarial = False
        self.in_flight = None
        self.world.push(self.world.now_s + self.chance.uniform(300, 4_000), self.boot, None, None)

    def keep_image(self) -> None:
        """Somebody copies the disk."""
        if not self.disk.damaged:
            self.images.append((self.disk.content.copy(), self.ledger.image()))

    def _stop(self, why: str) -> None:
        world = self.world
        if self.process is not None:
            self.process.alive = False
            self.process = None
        world.push(world.now_s + WATCHDOG_S, self.watchdog, self.booted_s, None)
        self.disk.doom = None
        world.note(self, why)

    def watchdog(self, booted_s: float, _b: object) -> None:
        """The supervisor has not heard of the controller for too long."""
        if self.process is None and self.booted_s == booted_s:
            self.silent = True
            self.alarm("watchdog", "the controller is down")

    def _own_up(self, keeper: Keeper) -> None:
        """What was being written when the power failed may be there or not: take note of what it is."""
        memory = keeper.memory
        if self.arming:
            self.ledger.armed = memory.armed
            self.arming = False
        if self.in_flight is None:
            return
        posted, people = self.in_flight
        self.in_flight = None
        for trusted in keeper.charters:
            if trusted.entry(posted.name) is not None and self.world.held(trusted, posted, people):
                self.ledger.hear(posted, people, self.world.now_s, clock_right=self.clock_honest)

    # What the machines do.

    def obey(self, machine: Machine, stage: Stage) -> None:
        """A machine's BMC takes a command to go off."""
        chance = self.chance
        machine.told_off = True
        if machine.lies or not machine.on or (stage is Stage.SOFT_OFF and machine.deaf):
            return
        delay_s = chance.uniform(4, 50) if stage is Stage.SOFT_OFF else chance.uniform(1, _FORCE_S)
        self.world.push(self.world.now_s + delay_s, self.goes_off, machine, machine.going)

    def goes_off(self, machine: Machine, going: int) -> None:
        """A machine that was told to goes off."""
        if machine.going == going and machine.on:
            self.hall.turn(machine, on=False, by_command=True)
            self._moved()

    def unplug(self, machine: Machine, _b: object) -> None:
        """A machine's outlet opens."""
        if machine.fed:
            machine.fed = False
            machine.told_off = False
            self.hall.turn(machine, on=False, by_command=True)
            self._moved()

    def start(self, machine: Machine) -> None:
        """Somebody, or something, starts a machine."""
        if not machine.on:
            machine.fed = True
            machine.told_off = False
            self.hall.turn(machine, on=True)
            self._moved()

    def fed(self, machines: list[Machine], *, live: bool, restart: bool) -> None:
        """A feed loses its power, or has it again."""
        self.hall.feed(machines, live=live, restart=restart)
        self._moved()

    def meters_moved(self) -> None:
        """Some meter shows something else from now on."""
        self.meters_stirred = True
        self.stir()

    def stir(self) -> None:
        """Something changed that the next round will see."""
        if self.process is not None:
            self.process.stir()

    def _moved(self) -> None:
        if self.caps or self.exceeding_s is not None:
            self.assess()
        if self.process is not None:
            self.process.stir()

    def _make_planner(self) -> Planner:
        equipment = {
            each: Equipment(priority=index % 3, outlets=1) for index, each in enumerate(self.hall.machines)
        }
        return Planner(self.table, equipment, ramp=self.ramp, protected_w=50_000)


def _timing(chance: random.Random) -> Timing:
    return Timing(
        rung_s={Stage.SOFT_OFF: 60.0, Stage.FORCE_OFF: 20.0, Stage.OUTLET_OFF: 15.0},
        command_s=5.0,
        poll_s=chance.choice((1.0, 1.0, 2.0)),
        backoff_s=3.0,
        retry_s=chance.choice((60.0, 300.0, 900.0)),
        settle_s=90.0,
    )
