"""Who makes trouble, and that nobody is told nothing: the director and the accidents."""

from __future__ import annotations

from collections import Counter

import pytest

from grandpause.core.statement.acts import Lift, Limit
from grandpause.core.statement.charter import Charter
from grandpause.sim.world.people import GRID
from grandpause.sim.world.settings import DAY_S, Fault
from grandpause.sim.world.world import World
from sim.world.small import settings

ACCIDENTS = (
    Fault.CLOCK_JUMP,
    Fault.BOOT,
    Fault.BIT_FLIP,
    Fault.REINSTALL,
    Fault.WRITE_TORN,
    Fault.HANG,
    Fault.LIE,
    Fault.METER_STUCK,
    Fault.METER_NAN,
    Fault.PLUG,
)
"""Of every sort one that comes by itself; what people do may still be under way."""


def run(*faults: Fault, seed: int = 2, days: float = 60.0, sites: int = 2) -> World:
    world = World(settings(*faults, seed=seed, sites=sites, days=days), words=True)
    assert world.run().violations == ()
    return world


def kinds(world: World) -> Counter[str]:
    return Counter(type(each.statement).__name__ for each in world.posted.values())


def test_people_demand_lift_restart_and_follow_each_other() -> None:
    world = run(days=200.0)
    made = kinds(world)
    assert set(made) == {"Limit", "Lift", "Restart", "Charter"}
    assert min(made.values()) >= 2
    assert world.people.version > 1
    powers = {
        each.statement.under.power for each in world.posted.values() if isinstance(each.statement, Limit)
    }
    assert len(powers) == 3
    assert GRID not in powers


def test_without_criminals_nothing_is_posted_that_too_few_signed() -> None:
    world = run()
    assert all(each.complete(each.signers) for each in world.posted.values())


@pytest.mark.parametrize("fault", [Fault.ROGUE, Fault.REFUSING, Fault.LOST_KEY])
def test_criminals_refusers_and_lost_keys_leave_statements_that_never_count(fault: Fault) -> None:
    world = run(fault, days=500.0)
    short = [each for each in world.posted.values() if not each.complete(each.signers)]
    assert short
    for site in world.sites:
        assert not {each.name for each in short} & set(site.ledger.done)


def test_who_is_tricked_makes_forks() -> None:
    forks = 0
    for seed in range(1, 20):
        world = run(Fault.TRICKED, seed=seed, days=60.0, sites=1)
        forks += any(site.ledger.forked for site in world.sites)
        if forks:
            break
    assert forks > 0


def test_the_grid_calls_each_site_for_itself_and_only_the_utility_signs() -> None:
    world = run(Fault.GRID_CALL)
    calls = [
        each
        for each in world.posted.values()
        if isinstance(each.statement, Limit) and each.statement.under.power == GRID
    ]
    assert {each.statement.scope.sites for each in calls if isinstance(each.statement, Limit)} == {
        ("site-1",),
        ("site-2",),
    }
    assert all(each.signers <= {"uma", "vic", "wu"} for each in calls)
    assert len(calls) == world.faults[Fault.GRID_CALL.value]


def test_in_the_end_every_site_was_told_everything_that_concerns_it() -> None:
    world = run(Fault.LOSS, Fault.LATE, Fault.DUPLICATE, Fault.PARTITION)
    assert all(world.director.told_all(site) for site in world.sites)
    for posted in world.posted.values():
        statement = posted.statement
        for site in world.sites:
            if isinstance(statement, Charter | Limit | Lift) and posted.complete(posted.signers):
                assert posted.name in site.ledger.heard


def test_a_message_that_was_lost_is_owed_until_it_arrives() -> None:
    world = World(settings(sites=1), words=False)
    [site] = world.sites
    site.boot()
    site.network.cut = True
    world.director.demand(None, None)
    assert not world.director.told_all(site)
    site.network.cut = False
    world.director.poll(site, None)
    world._happen(120.0)
    assert world.director.told_all(site)
    world.director.forget(site)
    assert not world.director.told_all(site)


def test_healing_mends_everything_and_nothing_breaks_any_more() -> None:
    world = World(settings(*Fault, seed=5, sites=2, elements=32, days=30.0), words=False)
    report = world.run()
    struck = sum(report.faults.values())
    assert struck > 100
    for site in world.sites:
        assert not site.network.cut
        assert not site.disk.damaged
        assert abs(site.clock.off_s) <= 10
        assert all(not each.fault for each in site.hall.boxes)
        for machine in site.hall.machines.values():
            ills = (machine.hangs, machine.flickers, machine.lies, machine.deaf, machine.welded)
            assert not any(ills), machine.id
    before = {each: world.faults[each.value] for each in ACCIDENTS}
    assert all(before[each] for each in (Fault.BOOT, Fault.HANG, Fault.METER_STUCK))
    world._happen(world.now_s + 20 * DAY_S)
    assert {each: world.faults[each.value] for each in ACCIDENTS} == before


def test_only_one_path_lies_at_a_time() -> None:
    """Against two paths that lie in the same way nothing here can help, so no world has them."""
    world = World(
        settings(Fault.METER_STUCK, Fault.METER_ZERO, Fault.METER_SWAPPED, elements=32, days=60.0),
        words=False,
    )
    [site] = world.sites
    seen = Counter[int]()

    def looks(_a: object, _b: object) -> None:
        lying = {each.id[:3] for each in site.hall.boxes if each.fault in {"stuck", "zero", "swapped"}}
        seen[len(lying)] += 1
        world.push(world.now_s + 600.0, looks, None, None)

    world.push(600.0, looks, None, None)
    world.run()
    assert seen[1] > 10
    assert set(seen) <= {0, 1}
