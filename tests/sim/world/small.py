"""Small worlds, and people who sign what a test says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from grandpause.core.model import Caps
from grandpause.core.statement.acts import RestartPurpose
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.hall import Hall, Machine
from grandpause.sim.world.ledger import Ledger
from grandpause.sim.world.people import People, Posted, Statement
from grandpause.sim.world.process import Process
from grandpause.sim.world.settings import Fault, Settings
from grandpause.sim.world.signatures import SignatureTable
from grandpause.sim.world.site import SimSite
from grandpause.sim.world.world import World

SITE = "site-1"
HOUR_S = 3_600
NONCE = f"{7:032x}"


def settings(*faults: Fault, seed: int = 1, sites: int = 1, elements: int = 8, days: float = 2.0) -> Settings:
    """Return the settings of a small world with these faults alone."""
    return Settings(seed=seed, faults=frozenset(faults), sites=sites, elements=elements, days=days)


def world_of_one(*faults: Fault, seed: int = 1, elements: int = 8) -> tuple[World, SimSite]:
    """Return a world in which nothing happens but what the test does, and its only site, booted and armed."""
    world = World(settings(*faults, seed=seed, elements=elements), words=True)
    [site] = world.sites
    site.boot()
    assert site.process is not None
    site.process.arm()
    return world, site


def process_of(site: SimSite) -> Process:
    assert site.process is not None
    return site.process


def receives(world: World, site: SimSite, statement: Statement, *signers: str) -> Posted:
    """Let the controller take a statement, here and now."""
    posted = world.people.post(statement, signers, whole=True)
    world.posted[posted.name] = posted
    process_of(site).receive(posted, 0)
    return posted


def limited(
    world: World, site: SimSite, *, power: str = "limit", lasts_s: int = HOUR_S, **changes: Any
) -> Posted:
    start = int(EPOCH_S + world.now_s)
    limit = world.people.limit(power, start=start, lasts_s=lasts_s, **changes)
    return receives(world, site, limit, "ada", "bo")


def restarted(world: World, site: SimSite, *, caps: Caps | None = None) -> Posted:
    """Let two people end the standby, or raise the latch."""
    now = int(EPOCH_S + world.now_s)
    restart = world.people.restart(site.id, site.nonce, caps or Caps(), now=now, purpose=RestartPurpose.RAISE)
    return receives(world, site, restart, "ada", "bo")


def started(**changes: int) -> tuple[World, SimSite]:
    """Return a world of one site that is armed and out of its first standby."""
    world, site = world_of_one(**changes)
    restarted(world, site)
    assert not site.ledger.standby
    return world, site


def on(site: SimSite) -> set[str]:
    return {each.id for each in site.hall.machines.values() if each.on}


def passes(world: World, seconds: float) -> None:
    world._happen(world.now_s + seconds)


def people() -> People:
    """Return people whose signatures nobody checks."""
    return People(random.Random(1), SignatureTable())


def hall(*, elements: int = 8, drops: list[tuple[Machine, int]] | None = None, seed: int = 1) -> Hall:
    """Return a hall; what a command takes down is written into ``drops``."""

    def dropped(machine: Machine, watts: int) -> None:
        if drops is not None:
            drops.append((machine, watts))

    return Hall(elements=elements, halls=2, chance=random.Random(seed), dropped=dropped)


@dataclass
class Desk:
    """One site's ledger, and people who post at it. Times are seconds since the world began."""

    people: People = field(default_factory=people)
    ledger: Ledger = field(default_factory=lambda: Ledger(SITE))

    def post(self, statement: Statement, *signers: str) -> Posted:
        return self.people.post(statement, signers, whole=True)

    def hears(self, statement: Statement, *signers: str, at_s: float = 0.0, right: bool = True) -> Posted:
        """Let the site acknowledge a statement of these signers."""
        posted = self.post(statement, *signers)
        self.ledger.hear(posted, signers, at_s, clock_right=right)
        return posted

    def limited(
        self,
        *signers: str,
        power: str = "limit",
        start_s: float = 0.0,
        lasts_s: int = HOUR_S,
        at_s: float = 0.0,
        **changes: Any,
    ) -> Posted:
        """Let the site acknowledge a limit (by two, if nobody is named)."""
        start = int(EPOCH_S + start_s)
        limit = self.people.limit(power, start=start, lasts_s=lasts_s, **changes)
        return self.hears(limit, *(signers or ("ada", "bo")), at_s=at_s)

    def succeeded(self, *signers: str, at_s: float, without: str = "di", bounded: bool = True) -> Posted:
        """Let the site acknowledge the next version: somebody is out, Eve is in."""
        old = self.people.members[-1]
        members = tuple(sorted({*old, "eve"} - {without}))[:4]
        charter = self.people.successor(members, bounded=bounded, now=int(EPOCH_S + at_s))
        posted = self.hears(charter, *(signers or ("ada", "bo")), at_s=at_s)
        self.people.agree(posted, charter, members)
        return posted

    def must(self, at_s: float) -> set[str]:
        return {posted.name for posted, _ in self.ledger.must_bind(at_s)}

    def may(self, at_s: float) -> set[str]:
        return {posted.name for posted, _ in self.ledger.may_bind(at_s)}
