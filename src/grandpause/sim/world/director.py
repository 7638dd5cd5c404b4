"""What happens in a world, and when: demands, repairs, crimes, accidents. All of it drawn from the seed.

Each activity is one method that does its thing and comes again after a random time. The director knows
nothing of invariants; it only makes trouble that can happen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from grandpause.core.model import Caps, Profile, Unit
from grandpause.core.statement.acts import Limit, Restart, RestartPurpose
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.sim.world.accidents import Accidents
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.people import (
    BOUNDED,
    CURTAIL,
    EVERYWHERE,
    GRID,
    LIFT_HALL,
    OUTSIDERS,
    STAFF,
    UTILITY,
    Posted,
    Statement,
)
from grandpause.sim.world.settings import DAY_S, Fault

if TYPE_CHECKING:
    from grandpause.sim.world.process import Process
    from grandpause.sim.world.site import SimSite
    from grandpause.sim.world.world import World

HOUR_S: Final = 3_600
HALF: Final = 0.5
_LAST: Final = "the last demand"


class Director:
    """Draws what happens next.

    Attributes:
        healing_s: how long everything has to settle once all is healed.
    """

    healing_s: Final = 5 * HOUR_S

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._accidents = Accidents(world)
        self._healed = False
        self._limits: list[Posted] = []
        # What each site has not had yet: (name, piece) -> the statement.
        self._owed: dict[str, dict[tuple[str, int], Posted]] = {each.id: {} for each in world.sites}
        self._lost: set[str] = set()
        self._asked: dict[str, float] = {}

    def begin(self) -> None:
        """Put every activity on the agenda."""
        world = self._world
        for site in world.sites:
            world.push(10.0, self.tend, site, None)
            world.push(self._soon(4 * HOUR_S), self.poll, site, None)
            if Fault.GRID_CALL in world.settings.faults:
                world.push(self._soon(12 * DAY_S), self.grid_call, site, None)
        world.push(self._soon(2 * DAY_S), self.demand, None, None)
        world.push(self._soon(15 * DAY_S), self.new_charter, None, None)
        world.push(self._soon(5 * DAY_S), self.crime, None, None)
        self._accidents.begin()

    def heal(self) -> None:
        """Mend everything, then demand one last time of every site."""
        self._healed = True
        self._lost.clear()
        self._accidents.heal()
        world = self._world
        for site in world.sites:
            for hour in (1.2, 1.5):
                world.push(world.now_s + hour * HOUR_S, self.tend, site, None)
                world.push(world.now_s + (hour + 0.1) * HOUR_S, self.poll, site, None)
            world.push(world.now_s + 2.5 * HOUR_S, self.poll, site, None)
        world.push(world.now_s + 2 * HOUR_S, self.demand, _LAST, None)

    def told_all(self, site: SimSite) -> bool:
        """Tell whether a site was told everything that was ever posted."""
        return not self._owed[site.id]

    # People.

    def demand(self, which: object, _b: object) -> None:
        """Somebody wants less to be used: of all sites, one, or one hall; by two, or within bounds by one."""
        if self._healed and which != _LAST:
            return  # drawn before everything healed: it would leave the last stop no time
        chance, world = self._chance, self._world
        now = self._unix()
        kind = chance.random()
        changes: dict[str, object] = {}
        if Fault.OVERRIDE in world.settings.faults and chance.random() < 0.3:
            changes["ramp"] = Ramp.OVERRIDE
            world.struck(Fault.OVERRIDE)
        if kind < 0.2 and world.people.chain[-1].power(BOUNDED) is not None:
            power, signers = BOUNDED, self._signers(1)
            changes |= {"ceiling": chance.randrange(500_000, 1_000_000, 50_000), "ramp": Ramp.KEEP}
        elif kind < HALF:
            power, signers = CURTAIL, self._signers(2)
            changes |= self._ceiling()
        else:
            power, signers = "limit", self._signers(2)
            changes |= self._ceiling()
            changes["category"] = chance.choice((0, 1, 1))
            if chance.random() < 0.3:
                changes["profile"] = Profile.ADVERSARIAL
        changes["scope"] = self._scope()
        start = now + int(chance.choice((0, 0, 0, 600, 7_200)))
        lasts = int(chance.choice((HOUR_S, 6 * HOUR_S, DAY_S, 2 * DAY_S)))
        limit = world.people.limit(power, start=start, lasts_s=lasts, version=None, **changes)
        limit_posted = self._post(limit, signers)
        if limit_posted is not None:
            self._limits.append(limit_posted)
            if chance.random() < 0.3 and not self._healed:
                world.push(world.now_s + chance.uniform(3, 60), self.harder, limit_posted, None)
            if chance.random() < 0.6:
                world.push(world.now_s + self._soon_after(lasts), self.lift, limit_posted, None)
        if not self._healed:
            world.push(self._soon(6 * DAY_S), self.demand, None, None)

    def harder(self, limited: Posted, _b: object) -> None:
        """While machines are still on their way down, a harder limit of the same reach follows."""
        limit = limited.statement
        assert isinstance(limit, Limit)
        harder = self._chance.choice(({"profile": Profile.ADVERSARIAL}, {"category": 0}))
        again = self._world.people.limit(
            "limit", start=self._unix(), lasts_s=HOUR_S, scope=limit.scope, **harder
        )
        self._post(again, self._signers(2))

    def lift(self, limited: Posted, _b: object) -> None:
        """The people end a limit before its time; some of them refuse, some are late."""
        world = self._world
        if self._chance.random() < 0.2:
            power = limited.statement.under.power if isinstance(limited.statement, Limit) else "limit"
            lift = world.people.suspension(power, now=self._unix(), lasts_s=3 * HOUR_S)
        else:
            power = LIFT_HALL if self._chance.random() < 0.2 else "lift"
            lift = world.people.lift([limited.name], now=self._unix(), power=power)
        if self._post(lift, self._signers(2)) is not None:
            world.count("lifts")

    def grid_call(self, site: SimSite, _b: object) -> None:
        """The grid operator takes watts for some hours."""
        if self._healed:
            return
        chance, world = self._chance, self._world
        world.struck(Fault.GRID_CALL)
        limit = world.people.limit(
            GRID,
            start=self._unix() + 600,
            lasts_s=int(chance.uniform(0.5, 5) * HOUR_S),
            unit=Unit.IT_WATTS,
            ceiling=chance.randrange(60_000, 500_000, 1_000),
            scope=Scope(kind=ScopeKind.SITES, sites=(site.id,)),
            ramp=chance.choice((Ramp.KEEP, Ramp.OVERRIDE)),
        )
        posted = self._post(limit, (chance.choice(UTILITY),))
        if posted is not None and chance.random() < 0.3:
            # The call is over earlier; now and then the wrong people say so.
            grid = chance.random() < 0.7
            lift = world.people.lift([posted.name], now=self._unix(), grid=grid)
            self._post(lift, UTILITY[:2] if grid else self._signers(2))
        if not self._healed:
            world.push(self._soon(14 * DAY_S), self.grid_call, site, None)

    def new_charter(self, _a: object, _b: object) -> None:
        """Somebody leaves, somebody comes; now and then the power of one alone goes."""
        chance, world = self._chance, self._world
        people = world.people
        old = people.members[-1]
        leaving = chance.choice(old)
        members = tuple(sorted({*old, *STAFF} - {leaving}))[:4]
        charter = people.successor(members, bounded=chance.random() < 0.8, now=self._unix())
        staying = [each for each in old if each in members]
        signers = tuple(staying[:2])
        if Fault.TRICKED in world.settings.faults and chance.random() < 0.1:
            # Two people are tricked into signing another successor of the same version: a fork.
            world.struck(Fault.TRICKED)
            self._post(people.successor(members, bounded=True, now=self._unix()), signers)
        posted = self._post(charter, signers)
        if posted is not None and posted.complete(posted.signers):
            people.agree(posted, charter, members)
            world.count("charters")
        if not self._healed:
            world.push(self._soon(30 * DAY_S), self.new_charter, None, None)

    def crime(self, _a: object, _b: object) -> None:
        """One person alone, or an outsider, tries what takes more; or old bytes are sent again."""
        chance, world = self._chance, self._world
        people = world.people
        rogue = chance.choice((*people.members[-1], *OUTSIDERS, "uma"))
        site = chance.choice(world.sites)
        now = self._unix()
        attempts: list[Statement] = [
            people.restart(site.id, site.nonce, Caps(), now=now, purpose=RestartPurpose.RAISE),
            people.restart(site.id, site.nonce, Caps(), now=now, purpose=RestartPurpose.DISARM),
            people.limit("limit", start=now, lasts_s=DAY_S),
            people.limit(CURTAIL, start=now, lasts_s=DAY_S),
            people.successor(tuple(dict.fromkeys((rogue, *STAFF)))[:4], bounded=True, now=now),
            people.lift([each.name for each in self._limits[-5:]] or ["0" * 64], now=now),
            people.lift([each.name for each in self._limits[-5:]] or ["0" * 64], now=now, grid=True),
        ]
        if Fault.ROGUE in world.settings.faults:
            world.struck(Fault.ROGUE)
            self._post(chance.choice(attempts), (rogue,))
            # New members who make themselves the charter's; and old ones who limit under what was repealed.
            band = tuple(dict.fromkeys((rogue, *OUTSIDERS, *UTILITY)))[:4]
            self._post(people.successor(band, bounded=True, now=now), band[:2])
            if people.version > 1:
                repealed = people.limit("limit", start=now, lasts_s=DAY_S, version=people.version - 1)
                self._post(repealed, tuple(sorted(people.members_of(people.version - 1)))[:2])
        if Fault.TRICKED in world.settings.faults:
            # Somebody signs what he believes to be harmless, and the rogue takes it to another site.
            world.struck(Fault.TRICKED)
            other = chance.choice(world.sites)
            tricked = people.restart(other.id, site.nonce, Caps(), now=now, purpose=RestartPurpose.RAISE)
            self._post(tricked, tuple(dict.fromkeys((rogue, *people.members[-1][:2]))), everywhere=True)
        if Fault.DUPLICATE in world.settings.faults and world.posted:
            world.struck(Fault.DUPLICATE)
            names = list(world.posted)
            for each in world.sites:
                old = world.posted[chance.choice(names)]
                self._send(each, old, chance.randrange(len(old.pieces)), 5.0)
        if not self._healed:
            world.push(self._soon(10 * DAY_S), self.crime, None, None)

    # Operators.

    def tend(self, site: SimSite, _b: object) -> None:
        """The site's operator comes by: arms, mends, restarts what may run again, starts machines."""
        world, chance = self._world, self._chance
        # A clock that was far ahead leaves dates on the disk that nothing takes back: set it up anew.
        if site.broken or (site.ledger.doubtful and site.clock_right):
            world.count("reinstallations")
            site.loses_state(None)
            self.forget(site)
        elif site.process is not None:
            self._tend(site)
        if not self._healed:
            gap = HOUR_S if site.process is None or not site.ledger.armed else 8 * HOUR_S
            world.push(world.now_s + chance.uniform(0.3, 1.7) * gap, self.tend, site, None)

    def _tend(self, site: SimSite) -> None:
        world, chance = self._world, self._chance
        process = site.process
        assert process is not None
        faults = frozenset[Fault]() if self._healed else world.settings.faults
        if not site.ledger.armed:
            process.arm()
        memory = process.controller.keeper.memory
        ceiling = process.controller.decision.ceiling
        held = bool(memory.latch) or memory.standby is not None
        early = Fault.EARLY_RESTART in faults and chance.random() < 0.2
        if early:
            world.struck(Fault.EARLY_RESTART)
        # One restart for a nonce; another one if it did not come through within half a day.
        asked = self._asked.get(memory.nonce, -math.inf)
        if held and (early or not ceiling) and world.now_s > asked + 12 * HOUR_S:
            self._asked[memory.nonce] = world.now_s
            caps = Caps() if chance.random() < 0.9 else memory.latch
            restart = world.people.restart(
                site.id, memory.nonce, caps, now=self._unix(), purpose=RestartPurpose.RAISE
            )
            self._post(restart, self._signers(2))
        if Fault.DISARM in faults and chance.random() < 0.1:
            world.struck(Fault.DISARM)
            self._disarm(site, process)
        if early or not process.controller.decision.binds:
            down = [each for each in site.hall.machines.values() if not each.on]
            for machine in down if not early else chance.sample(down, len(down) // 4):
                site.start(machine)

    def _disarm(self, site: SimSite, process: Process) -> None:
        """Try to disarm, with or without a permission; then try the same permission once more."""
        world, chance = self._world, self._chance
        memory = process.controller.keeper.memory
        if chance.random() < HALF:
            permission = world.people.restart(
                site.id, memory.nonce, Caps(), now=self._unix(), purpose=RestartPurpose.DISARM
            )
            self._post(permission, self._signers(2))
        if process.alive and process.disarm():
            world.count("disarmed")
            if chance.random() < HALF:
                process.arm()
                if process.alive and process.disarm():
                    world.count("disarmed")

    def poll(self, site: SimSite, _b: object) -> None:
        """The site's feed looks for what it has not had yet; a lost message is only late."""
        world = self._world
        for (_, piece), posted in self._owed[site.id].items():
            self._send(site, posted, piece, 1.0)
        if not self._healed:
            world.push(world.now_s + 4 * HOUR_S, self.poll, site, None)

    def deliver(self, site: SimSite, item: tuple[Posted, int]) -> None:
        """An envelope arrives at a site."""
        self._world.messages += 1
        posted, piece = item
        process = site.process
        if process is None:
            return
        process.receive(posted, piece)
        self._owed[site.id].pop((posted.name, piece), None)

    def forget(self, site: SimSite) -> None:
        """A site lost what it was told."""
        for posted in self._world.posted.values():
            self._owe(posted, [site])

    def _post(
        self, statement: Statement, signers: tuple[str, ...], *, everywhere: bool = False
    ) -> Posted | None:
        """Post a statement and send it to whom it concerns; None if too few were willing."""
        world, chance = self._world, self._chance
        faults = world.settings.faults
        if Fault.REFUSING in faults and len(signers) > 1 and chance.random() < 0.08:
            world.struck(Fault.REFUSING)
            signers = signers[:-1]
        if Fault.LOST_KEY in faults and not self._healed and chance.random() < 0.02:
            world.struck(Fault.LOST_KEY)
            self._lost = {chance.choice(STAFF)}
        signers = tuple(each for each in signers if each not in self._lost)
        if not signers:
            return None
        posted = world.people.post(statement, signers, whole=chance.random() < HALF)
        world.posted[posted.name] = posted
        self._owe(posted, world.sites)
        late = Fault.LATE in faults and not self._healed
        for site in world.sites if everywhere else self._addressees(posted):
            for piece in range(len(posted.pieces)):
                delay_s = chance.uniform(0.5, 30)
                if late and chance.random() < 0.15:
                    world.struck(Fault.LATE)
                    delay_s += chance.uniform(0.1, 10) * HOUR_S
                self._send(site, posted, piece, delay_s)
        return posted

    def _owe(self, posted: Posted, sites: list[SimSite]) -> None:
        for site in self._addressees(posted):
            if site in sites:
                for piece in range(len(posted.pieces)):
                    self._owed[site.id][posted.name, piece] = posted

    def _addressees(self, posted: Posted) -> list[SimSite]:
        """Return whom it is sent to: a restart is of use to its own site alone."""
        statement = posted.statement
        named = statement.site if isinstance(statement, Restart) else None
        return [each for each in self._world.sites if named in (None, each.id)]

    def _send(self, site: SimSite, posted: Posted, piece: int, delay_s: float) -> None:
        """Send one envelope to one site, over a public network that loses, delays and repeats."""
        world, chance = self._world, self._chance
        faults = world.settings.faults
        if Fault.LOSS in faults and not self._healed and chance.random() < 0.1:
            world.struck(Fault.LOSS)
            return
        if site.network.cut:
            return
        world.push(world.now_s + delay_s, self.deliver, site, (posted, piece))

    def _signers(self, count: int) -> tuple[str, ...]:
        willing = [each for each in self._world.people.members[-1] if each not in self._lost]
        return tuple(self._chance.sample(willing, min(count, len(willing))))

    def _ceiling(self) -> dict[str, object]:
        chance = self._chance
        if chance.random() < 0.7:
            return {"ceiling": chance.choice((0, 0, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000))}
        return {"unit": Unit.IT_WATTS, "ceiling": chance.randrange(5_000, 400_000, 1_000)}

    def _scope(self) -> Scope:
        chance = self._chance
        draw = chance.random()
        if draw < HALF or self._healed:
            return EVERYWHERE
        site = chance.choice(self._world.sites).id
        if draw < 0.8:
            return Scope(kind=ScopeKind.SITES, sites=(site,))
        return Scope(kind=ScopeKind.HALL, sites=(site,), name=chance.choice(("h1", "h2")))

    def _unix(self) -> int:
        return int(EPOCH_S + self._world.now_s)

    def _soon(self, mean_s: float) -> float:
        return self._world.now_s - math.log(1.0 - self._chance.random()) * mean_s

    def _soon_after(self, mean_s: float) -> float:
        return -math.log(1.0 - self._chance.random()) * mean_s * HALF
