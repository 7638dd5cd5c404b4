"""The checks are made where it matters: a world that is tampered with, or lied to, ends in a violation.

Each test breaks something that the world's own faults never break, under the production controller.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from grandpause.core.model import Act, CapKey, Caps, Profile, Stage, Unit, VerdictWord
from grandpause.core.stop import Command, EffectKey
from grandpause.sim.world import invariants
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.hall import Machine
from grandpause.sim.world.invariants import Violated
from grandpause.sim.world.people import CURTAIL, GRID
from grandpause.sim.world.site import SimSite
from grandpause.sim.world.world import World, run_world
from sim.world.small import (
    HOUR_S,
    limited,
    on,
    passes,
    process_of,
    receives,
    restarted,
    settings,
    started,
    world_of_one,
)

COMPUTE = CapKey("site", Unit.COMPUTE)


def test_a_limit_brings_an_untouched_world_down_and_is_proven() -> None:
    world, site = started()
    limited(world, site, ceiling=250_000, lasts_s=9 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    assert len(on(site)) == 2
    assert world.counts["proven"] == 1
    assert world.counts["trips"] == 2, "the standby was one, too"
    proof = process_of(site).controller.proof
    assert proof is not None
    assert proof.word is VerdictWord.PROVEN


def test_a_limit_that_the_controller_lost_from_memory_is_noticed() -> None:
    world, site = started()
    limit = world.people.limit(CURTAIL, start=EPOCH_S, lasts_s=HOUR_S)
    posted = world.people.post(limit, ("ada", "bo"), whole=True)
    site.ledger.hear(posted, ("ada", "bo"), world.now_s, clock_right=True)
    with pytest.raises(Violated, match=r"no_ceiling_raised: no cap allowed, and limit"):
        process_of(site).decided()


def test_a_cap_that_nobody_asked_for_is_noticed() -> None:
    world, site = started()
    posted = limited(world, site, power=CURTAIL, ceiling=400_000)
    del site.ledger.done[posted.name]
    site.ledger.limits.clear()
    with pytest.raises(Violated, match="nothing_without_a_quorum: site compute_ppm is capped at 400000"):
        process_of(site).decided()


def test_a_latch_that_somebody_takes_off_the_disk_is_noticed_at_the_next_boot() -> None:
    world, site = started()
    limited(world, site, ceiling=0)
    passes(world, 2.0 * HOUR_S)
    site.power_fails()
    memory = site.disk.content.memory
    assert memory is not None
    assert memory.latch == Caps({COMPUTE: 0})
    site.disk.content.memory = replace(memory, latch=Caps())
    with pytest.raises(Violated, match="latch_never_lost: no cap remembered"):
        passes(world, 600)


def test_a_standby_that_somebody_takes_off_the_disk_is_noticed() -> None:
    world, site = world_of_one()
    site.power_fails()
    assert site.disk.content.memory is not None
    site.disk.content.memory = replace(site.disk.content.memory, standby=None)
    with pytest.raises(Violated, match="standby_stands"):
        passes(world, 600)


def test_a_statement_that_is_gone_from_the_disk_is_noticed() -> None:
    world, site = started()
    posted = limited(world, site)
    site.power_fails()
    stored = site.disk.content.statements
    [key] = [each for each in stored if each[1] == posted.pieces[0][0]]
    del stored[key]
    with pytest.raises(Violated, match=f"nothing_acknowledged_lost: statement {posted.name[:8]}"):
        passes(world, 600)


def test_a_disarming_that_nobody_asked_for_is_noticed() -> None:
    world, site = started()
    site.power_fails()
    assert site.disk.content.memory is not None
    site.disk.content.memory = replace(site.disk.content.memory, armed=False)
    with pytest.raises(Violated, match="nothing_acknowledged_lost: armed: False, it was True"):
        passes(world, 600)


def test_a_restart_that_was_forgotten_and_is_used_again_is_noticed() -> None:
    world, site = started()
    site.power_fails()
    memory = site.disk.content.memory
    assert memory is not None
    assert len(memory.used) == 1
    site.disk.content.memory = replace(memory, used=frozenset())
    with pytest.raises(Violated, match=r"nothing_acknowledged_lost: restart .* usable again"):
        passes(world, 600)


def test_a_restart_of_one_person_is_noticed() -> None:
    world, site = world_of_one()
    posted = restarted(world, site)
    memory = process_of(site).controller.keeper.memory
    assert posted.name in memory.used
    site.ledger.used.clear()
    site.ledger.done.pop(posted.name)
    site.ledger.heard[posted.name] = frozenset({"ada"})
    with pytest.raises(Violated, match=r"restart_by_the_right_people: .*signed by \['ada'\] only"):
        process_of(site).decided()


def command(element: str = "n001", stage: Stage = Stage.FORCE_OFF) -> Command:
    return Command(EffectKey("ab" * 32, element, stage, 1), Act.FORCE_OFF, 5.0)


def test_what_is_sent_is_looked_at_on_its_way() -> None:
    world, site = started()
    process = process_of(site)
    with pytest.raises(Violated, match="deny_list_untouched: force_off to pump-1"):
        process.perform([command("pump-1")])
    with pytest.raises(Violated, match="recorded_before_sent"):
        process._send(command())
    site.ledger.armed = False
    with pytest.raises(Violated, match="unarmed_sends_nothing"):
        process.perform([command()])
    site.ledger.armed = True
    limited(world, site, profile=Profile.ADVERSARIAL, category=0)
    with pytest.raises(Violated, match="hosts_told_nothing: soft off to n001"):
        process.perform([command(stage=Stage.SOFT_OFF)])


def test_machines_that_fall_faster_than_the_ramp_are_noticed() -> None:
    worlds = (started(seed=seed) for seed in range(1, 30))
    world, site = next(each for each in worlds if each[1].ramp.watts_per_minute == 60_000)
    passes(world, 4.0 * HOUR_S)

    def fall(machines: list[Machine]) -> None:
        for machine in machines:
            site.hall.turn(machine, on=False, by_command=True)
            site.hall.turn(machine, on=True)

    machines = list(site.hall.machines.values())
    fall(machines[:4])
    passes(world, 61.0)
    fall(machines[:4])
    with pytest.raises(Violated, match=r"ramp_kept: .* fell within a minute, 60000 W may"):
        fall(2 * machines)


def test_machines_that_stay_on_while_nobody_is_told_are_noticed() -> None:
    world, site = started()
    site.hall.machines["n001"].hangs = True
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    process_of(site).alive = False  # it hangs, too, and its supervisor does not see it
    assert not site.unproven
    with pytest.raises(Violated, match="down_or_alarmed: above its caps for"):
        passes(world, 6.0 * HOUR_S)


def stopped_under_two_lying_paths() -> tuple[World, SimSite]:
    """Return a site that is proven to be off, and whose meters and BMCs say so for ever."""
    world, site = started()
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    for box in site.hall.boxes:
        box.fault = "stuck"
    for machine in site.hall.machines.values():
        machine.lies = True
    machine = site.hall.machines["n001"]
    site.start(machine)
    machine.told_off = True
    return world, site


def looks_again_and_again(world: World, site: SimSite) -> None:
    for _ in range(10):
        passes(world, 60.0)
        site.stir()


def test_a_proof_that_is_not_true_is_noticed() -> None:
    """Both paths lie in the same way: what the world's own faults never do."""
    world, site = stopped_under_two_lying_paths()
    with pytest.raises(Violated, match="proven_is_true: proven, and above the caps for"):
        looks_again_and_again(world, site)


def test_a_proof_that_is_not_true_is_noticed_without_another_look_too() -> None:
    world, _ = stopped_under_two_lying_paths()
    with pytest.raises(Violated, match="proven_is_withdrawn: told to be proven, and otherwise for"):
        passes(world, 6.0 * HOUR_S)


def test_a_proof_that_nobody_takes_back_is_noticed() -> None:
    world, site = started()
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    process_of(site).alive = False
    site.start(site.hall.machines["n001"])
    with pytest.raises(Violated, match="proven_is_withdrawn: told to be proven, and otherwise for"):
        passes(world, 6.0 * HOUR_S)


def test_a_machine_at_the_end_of_its_ladder_of_which_nobody_was_told_is_noticed() -> None:
    world, site = started()
    machine = site.hall.machines["n003"]
    machine.lies = machine.welded = True
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    site.named.clear()
    with pytest.raises(Violated, match="residuals_are_named: n003 came to the end of its ladder, untold"):
        looks_again_and_again(world, site)


def test_a_disarming_that_nobody_permitted_is_noticed() -> None:
    _, site = started()
    process = process_of(site)
    assert not site.ledger.latch
    site.ledger.latch = {COMPUTE: 0}
    with pytest.raises(Violated, match="disarmed_by_the_right_people: something binds"):
        process.disarm()


def test_a_charter_that_was_not_agreed_on_is_noticed() -> None:
    world, site = started()
    members = world.people.members[0]
    charter = world.people.successor(members, bounded=True, now=EPOCH_S)
    receives(world, site, charter, "ada", "bo")
    [done] = [name for name, (posted, _) in site.ledger.done.items() if posted.statement == charter]
    del site.ledger.done[done]
    trusted = process_of(site).controller.keeper.charters[0]
    with pytest.raises(Violated, match="charters_by_the_right_people: version 2"):
        invariants.charters_by_the_right_people(trusted, site.ledger)


def test_a_site_that_is_down_when_all_is_healed_is_noticed() -> None:
    world, site = started()
    process_of(site)
    site.process = None
    with pytest.raises(Violated, match="proven_or_alarmed: all is healed, and the controller is down"):
        world._end()


def test_a_last_stop_that_is_neither_proven_nor_alarmed_is_noticed() -> None:
    world, site = started()
    limited(world, site, ceiling=0)
    assert not site.unproven
    with pytest.raises(Violated, match="proven_or_alarmed: all is healed, the verdict is"):
        world._end()


def test_two_sites_that_know_the_same_and_hold_another_are_noticed() -> None:
    world = World(settings(sites=2), words=False)
    for site in world.sites:
        site.boot()
    one, other = world.sites
    call = world.people.limit(GRID, start=EPOCH_S, lasts_s=HOUR_S)
    posted = receives(world, one, call, "uma")
    with pytest.raises(Violated, match="sites_agree: site-1 says site compute_ppm 0, site-2 says no cap"):
        world._end()
    process_of(other).receive(posted, 0)
    world._end()


def test_a_violation_ends_the_world_and_is_reported_with_where_when_and_the_last_events() -> None:
    world = World(settings(days=3.0), words=True)
    [site] = world.sites

    def loses_its_latch(_a: object, _b: object) -> None:
        site.ledger.latch = {COMPUTE: 0}
        process_of(site).decided()

    world.push(86_400.0, loses_its_latch, site, None)
    report = world.run()
    [violation] = report.violations
    assert violation.invariant == "latch_never_lost"
    assert (violation.site, violation.at_s) == ("site-1", 86_400.0)
    assert violation.event > 0
    assert 0 < len(report.words) <= 50
    assert report.site_s == 86_400.0
    assert run_world(settings(days=3.0)).violations == ()
