"""A controller without its IO on a bench: the test is its engine, its machines and its meters.

The machines and meters are those of the World, and so are the people; what happens is what a test does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from grandpause.core.model import Caps, Power, Reply, Stage
from grandpause.core.plan import Equipment, Planner
from grandpause.core.proving import Prover
from grandpause.core.ramp import RampRule
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.stop import Alarm, Answered, Claimed, Command, Question, Tick, Timing
from grandpause.core.trust import Admission
from grandpause.ports import Claim
from grandpause.sim.world.clock import EPOCH_S, MachineClock
from grandpause.sim.world.disk import Disk
from grandpause.sim.world.hall import Hall
from grandpause.sim.world.people import People, Statement
from grandpause.sim.world.signatures import SignatureTable
from grandpause.site.controller import SENT_LATELY_S, Controller, Ended, Move, Started, VerdictDue
from grandpause.site.keeper import Keeper
from sim.world.small import HOUR_S, SITE

WINDOW_S = 60
METERS_S = 10.0
TIMING = Timing(
    rung_s={Stage.SOFT_OFF: 60.0, Stage.FORCE_OFF: 20.0, Stage.OUTLET_OFF: 15.0},
    command_s=5.0,
    poll_s=2.0,
    retry_s=60.0,
    settle_s=15.0,
)
LADDER_S = sum(TIMING.rung_s.values())


class Bench:
    """One controller, and all that it sees.

    Attributes:
        deaf: machines that accept every command and stay on.
        blind: whether no meter is read any more.
        told: everything that the controller wanted done or told, in its order.
    """

    def __init__(self, *, elements: int = 4, ramp: RampRule | None = None) -> None:
        self.now_s = 0.0
        self.clock = MachineClock(self)
        self.disk = Disk()
        self.table = SignatureTable()
        self.people = People(random.Random(1), self.table)
        self.hall = Hall(elements=elements, halls=2, chance=random.Random(1), dropped=lambda *_: None)
        self.deaf: set[str] = set()
        self.blind = False
        self.told: list[Move] = []
        self._ramp = ramp or RampRule()
        self._nonces = 0
        self.controller = self.boots()

    def boots(self) -> Controller:
        """Start the controller (again); it looks at what holds, and obeys."""
        elements = self.hall.table({})
        self.keeper = Keeper.boot(
            site=SITE,
            controller="controller-a",
            store=self.disk,
            clock=self.clock,
            fresh_nonce=self._nonce,
            charters=self.people.files(),
            elements=self.hall.machines,
            check=self.table.check,
        )
        self.controller = Controller(
            keeper=self.keeper,
            planner=Planner(
                elements,
                {each: Equipment(priority=0, outlets=1) for each in self.hall.machines},
                ramp=self._ramp,
                protected_w=0,
            ),
            prover=Prover(elements),
            clock=self.clock,
            timing=TIMING,
            window_s=WINDOW_S,
            operator="operator",
            sent=self.disk.effects(since_s=self.clock.wall_s() - SENT_LATELY_S),
        )
        self.perform(self.controller.obey())
        return self.controller

    def receives(self, statement: Statement, *signers: str) -> Admission:
        """Let the controller take a statement of these people (two of the staff, if nobody is named)."""
        posted = self.people.post(statement, signers or ("ada", "bo"), whole=True)
        admission, moves = self.controller.receive(posted.pieces[0][0])
        self.perform(moves)
        return admission

    def limited(self, *, power: str = "limit", lasts_s: int = 9 * HOUR_S, **changes: Any) -> Admission:
        """Let it take a limit that begins now, by the true time."""
        signers = ("uma",) if power == "grid-call" else ()
        return self.receives(self.people.limit(power, start=self.unix, lasts_s=lasts_s, **changes), *signers)

    @property
    def unix(self) -> int:
        """The true time in Unix seconds."""
        return int(EPOCH_S + self.now_s)

    def perform(self, moves: Iterable[Move]) -> None:
        """Do what the controller wants, at once: every machine that is not deaf goes off."""
        for move in moves:
            self.told.append(move)
            if isinstance(move, Command):
                self.disk.record_effects([move.key], at_s=self.clock.wall_s())
                machine = self.hall.machines[move.key.element]
                if machine.id not in self.deaf:
                    self.hall.turn(machine, on=False, by_command=True)
                self.perform(self.controller.feed(Answered(move.key, Reply.ACCEPTED)))
            elif isinstance(move, Question):
                on = self.hall.machines[move.element].on
                power = Power.ON if on else Power.OFF
                if move.outlet:
                    self.perform(self.controller.feed(Claimed(move.element, power)))
                else:
                    self.hears(move.element, power)

    def hears(self, element: str, power: Power) -> None:
        """Let a machine's BMC say something of itself."""
        claim = Claim(power=power, reply=Reply.ACCEPTED)
        self.perform(self.controller.heard(element, claim))

    def passes(self, seconds: float) -> None:
        """Let time pass: deadlines come, limits begin and end, meters are read."""
        until = self.now_s + seconds
        next_read = self.now_s + METERS_S
        while True:
            wake = self.controller.wake_s
            due = until if wake is None else max(self.clock.true_s(wake), self.now_s)
            if due >= min(next_read, until):
                if next_read > until:
                    break
                self.now_s = next_read
                next_read += METERS_S
                self.perform(self.controller.obey())
                self.rounds()
            else:
                self.now_s = due
                self.perform(self.controller.feed(Tick()))
        self.now_s = until

    def rounds(self) -> None:
        """Read every meter once, and judge."""
        if not self.blind:
            for box in self.hall.boxes:
                box.look(self.clock.wall_s())
                self.controller.read(box.id, box.read())
        self.perform(self.controller.judge())

    def forgets(self) -> None:
        """Begin the list of what was told anew."""
        self.told.clear()

    @property
    def alarms(self) -> Sequence[Alarm]:
        return [each for each in self.told if isinstance(each, Alarm)]

    @property
    def codes(self) -> list[str]:
        return [each.code for each in self.alarms]

    @property
    def commanded(self) -> set[str]:
        """The machines that were told anything."""
        return {each.key.element for each in self.told if isinstance(each, Command)}

    @property
    def verdicts(self) -> list[str]:
        return [str(each.proof.word) for each in self.told if isinstance(each, VerdictDue)]

    @property
    def phases(self) -> list[str]:
        """Which stops began and ended."""
        return [type(each).__name__ for each in self.told if isinstance(each, Started | Ended)]

    def _nonce(self) -> str:
        self._nonces += 1
        return f"{self._nonces:032x}"


def started(*, elements: int = 4, ramp: RampRule | None = None) -> Bench:
    """Return a bench whose controller is armed and out of its first standby."""
    bench = Bench(elements=elements, ramp=ramp)
    bench.perform(bench.controller.arm())
    restart = bench.people.restart(
        SITE, bench.keeper.memory.nonce, Caps(), now=bench.unix, purpose=RestartPurpose.RAISE
    )
    bench.receives(restart)
    assert bench.keeper.memory.standby is None
    bench.passes(100.0)
    bench.forgets()
    return bench
