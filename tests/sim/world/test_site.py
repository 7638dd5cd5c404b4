"""A simulated site: its controller's lives, what is left of a write that was cut, when people must hear."""

from __future__ import annotations

import pytest

from grandpause.core.model import CapKey, Caps, Stage, Unit
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.people import Posted
from grandpause.sim.world.settings import DAY_S, Fault
from grandpause.sim.world.site import SimSite
from grandpause.sim.world.watch import WATCHDOG_S
from grandpause.sim.world.world import World
from sim.world.small import HOUR_S, limited, on, passes, process_of, restarted, started, world_of_one

COMPUTE = CapKey("site", Unit.COMPUTE)
NOTHING = Caps({COMPUTE: 0})


def memory_of(site: SimSite) -> Caps:
    return process_of(site).controller.keeper.memory.latch


def arrives(world: World, site: SimSite, posted: Posted) -> None:
    """Let a statement come as the director's messages do: a power cut within its write is the world's."""
    world.posted[posted.name] = posted
    world.push(world.now_s, lambda at, _: process_of(at).receive(posted, 0), site, None)
    passes(world, 0.0)


def test_a_first_boot_is_unarmed_and_a_standby() -> None:
    _, site = world_of_one()
    assert site.ledger.standby
    assert site.ledger.armed, "its operator has armed it"
    assert process_of(site).controller.keeper.memory.standby == frozenset(site.hall.machines)


def test_when_the_power_fails_it_boots_again_and_remembers() -> None:
    world, site = started()
    limited(world, site, ceiling=0)
    before = process_of(site)
    site.power_fails()
    assert site.process is None
    assert not before.alive
    passes(world, 500.0)
    assert process_of(site) is not before
    assert memory_of(site) == NOTHING
    assert process_of(site).controller.decision.caps == NOTHING


def test_a_controller_that_stays_away_is_missed_after_the_watchdogs_time() -> None:
    world, site = started()
    site.disk.damaged = True
    limit = world.people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S)
    arrives(world, site, world.people.post(limit, ("ada", "bo"), whole=True))
    assert site.process is None
    assert site.broken, "nobody but its operator brings it back"
    missed = []
    for seconds in (WATCHDOG_S - 1, 2.0):
        passes(world, seconds)
        missed.append(site.silent)
    assert missed == [False, True]
    passes(world, float(DAY_S))
    assert site.process is None


@pytest.mark.parametrize(
    ("doom", "kept"),
    [
        (Fault.WRITE_KEPT, True),
        (Fault.WRITE_DROPPED, False),
        (Fault.WRITE_TORN, False),
        (Fault.DISK_FULL, False),
    ],
)
def test_a_limit_whose_write_was_cut_is_there_or_not_and_the_ledger_knows_which(
    doom: Fault, *, kept: bool
) -> None:
    world, site = started()
    site.disk.doom = doom
    limit = world.people.limit("limit", start=EPOCH_S, lasts_s=9 * HOUR_S)
    posted = world.people.post(limit, ("ada", "bo"), whole=True)
    arrives(world, site, posted)
    assert site.process is None
    assert posted.name not in site.ledger.heard, "it was not acknowledged"
    passes(world, 500.0)
    assert (posted.name in site.ledger.heard) is kept
    assert process_of(site).controller.decision.caps == (NOTHING if kept else Caps())
    arrives(world, site, posted)
    assert process_of(site).controller.decision.caps == NOTHING


@pytest.mark.parametrize("doom", [Fault.WRITE_KEPT, Fault.WRITE_DROPPED])
def test_an_arming_whose_write_was_cut_is_there_or_not_and_the_ledger_knows_which(doom: Fault) -> None:
    world, site = started()
    assert process_of(site).disarm()
    site.disk.doom = doom
    world.push(world.now_s, lambda at, _: process_of(at).arm(), site, None)
    passes(world, 500.0)
    armed = doom is Fault.WRITE_KEPT
    assert process_of(site).controller.keeper.memory.armed is armed
    assert site.ledger.armed is armed


def test_disarming_while_something_binds_takes_the_people() -> None:
    world, site = started()
    limited(world, site, ceiling=0)
    assert not process_of(site).disarm()
    assert site.ledger.armed


def test_a_reinstalled_controller_is_an_unarmed_standby_again_and_starts_nothing() -> None:
    world, site = started()
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    assert on(site) == set()
    site.loses_state(None)
    assert world.counts["excused-losses-of-state"] == 1
    passes(world, 2.0 * HOUR_S)
    memory = process_of(site).controller.keeper.memory
    assert not memory.armed
    assert memory.standby is not None
    assert on(site) == set()


def test_an_old_image_brings_back_what_was_then_and_its_restart_may_not_be_used_again() -> None:
    world, site = world_of_one()
    site.keep_image()
    used = restarted(world, site)
    limited(world, site, ceiling=0)
    site.loses_state(site.images[0])
    passes(world, 5_000.0)
    memory = process_of(site).controller.keeper.memory
    assert (memory.latch, memory.used) == (Caps(), frozenset())
    assert memory.standby is not None
    assert used.name in site.ledger.used
    process_of(site).receive(used, 0)
    assert process_of(site).controller.keeper.memory.standby is not None, "its nonce is another boot's"


def test_a_damaged_disk_gives_no_image() -> None:
    _, site = started()
    site.disk.damaged = True
    site.keep_image()
    assert not site.images


def test_after_a_boot_under_a_clock_that_is_behind_nothing_is_taken_for_early() -> None:
    world, site = started()
    limit = limited(world, site, ceiling=0, lasts_s=9 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    site.power_fails()
    site.clock.off_s = -400.0 * DAY_S
    passes(world, 500.0)
    assert not site.clock_honest
    assert site.clock_safe, "it is seen to be wrong"
    keeper = process_of(site).controller.keeper
    assert keeper.clock_stepped
    assert limit.name in {each.name for each in process_of(site).controller.decision.in_force}


def test_a_clock_that_is_ahead_at_a_boot_is_believed_and_only_the_latch_is_sure() -> None:
    world, site = started()
    limited(world, site, ceiling=0, lasts_s=9 * HOUR_S)
    site.power_fails()
    site.clock.off_s = 9.0 * DAY_S
    passes(world, 500.0)
    assert not site.clock_safe
    assert site.ledger.doubtful
    assert process_of(site).controller.decision.in_force == ()
    assert process_of(site).controller.decision.caps == NOTHING


def test_a_machine_that_is_told_softly_takes_its_time_and_a_deaf_one_stays() -> None:
    world, site = started()
    polite, deaf, liar, forced = list(site.hall.machines.values())[:4]
    deaf.deaf = True
    liar.lies = True
    for machine in (polite, deaf, liar):
        site.obey(machine, Stage.SOFT_OFF)
    site.obey(forced, Stage.FORCE_OFF)
    passes(world, 3.9)
    assert polite.on
    passes(world, 60.0)
    assert {each.id for each in (polite, deaf, liar, forced)} & on(site) == {deaf.id, liar.id}


def test_what_was_on_its_way_down_and_is_started_again_is_not_taken_down_by_the_old_command() -> None:
    world, site = started()
    machine = site.hall.machines["n001"]
    site.obey(machine, Stage.SOFT_OFF)
    site.hall.turn(machine, on=False)
    site.start(machine)
    passes(world, 120.0)
    assert machine.on


def test_the_time_counts_from_when_the_machines_begin_to_use_too_much_until_they_do_no_more() -> None:
    world, site = started()
    since: list[float | None] = []

    def note(seconds: float) -> None:
        since.append(site.exceeding_s)
        passes(world, seconds)

    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    note(2.0 * HOUR_S)
    note(0.0)
    site.start(site.hall.machines["n001"])
    note(2.0 * HOUR_S)
    note(0.0)
    assert since == [0.0, None, 2.0 * HOUR_S, None]
    assert on(site) == set()
