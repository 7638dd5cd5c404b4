"""The engine's stand-in: what it performs, and that it leaves out nothing that would bring something new."""

from __future__ import annotations

from typing import Any

import pytest

from grandpause.core.model import Profile, Stage, VerdictWord
from grandpause.core.stop import EffectKey
from grandpause.sim.world.people import CURTAIL
from grandpause.sim.world.process import QUIET_SWEEPS, SWEEP_S, Process
from grandpause.sim.world.settings import Fault
from grandpause.sim.world.site import SimSite
from grandpause.sim.world.world import World
from sim.world.small import HOUR_S, limited, on, passes, process_of, started, world_of_one


def stages_of(site: SimSite) -> dict[str, set[Stage]]:
    """Return the stages of which each machine was told."""
    told: dict[str, set[Stage]] = {}
    for key in site.disk.commands:
        assert isinstance(key, EffectKey)
        told.setdefault(key.element, set()).add(key.stage)
    return told


def stop(**changes: Any) -> tuple[World, SimSite]:
    """Return a world under a limit to nothing that has just begun."""
    world, site = started()
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S, **changes)
    return world, site


def test_every_machine_is_asked_politely_once_and_goes() -> None:
    world, site = stop()
    passes(world, 2.0 * HOUR_S)
    assert on(site) == set()
    assert stages_of(site) == {each: {Stage.SOFT_OFF} for each in site.hall.machines}
    assert world.commands == len(site.hall.machines)


def test_under_an_adversarial_limit_no_host_is_told() -> None:
    world, site = stop(profile=Profile.ADVERSARIAL, category=0)
    passes(world, 2.0 * HOUR_S)
    assert on(site) == set()
    assert not any(Stage.SOFT_OFF in each for each in stages_of(site).values())


@pytest.mark.parametrize("ill", ["deaf", "hangs", "flickers", "lies"])
def test_a_machine_with_a_bad_bmc_is_cut_at_its_outlet_or_by_force(ill: str) -> None:
    world, site = started()
    machine = site.hall.machines["n003"]
    setattr(machine, ill, True)
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 3.0 * HOUR_S)
    assert on(site) == set()
    told = stages_of(site)[machine.id]
    assert (Stage.FORCE_OFF if ill == "deaf" else Stage.OUTLET_OFF) in told


def test_a_machine_that_cannot_be_cut_is_told_of_and_nothing_is_proven() -> None:
    world, site = started()
    machine = site.hall.machines["n003"]
    machine.lies = machine.welded = True
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 6.0 * HOUR_S)
    assert on(site) == {machine.id}
    assert site.unproven
    assert world.counts["proven"] == 0
    assert world.counts["late-but-alarmed"] >= 1


def test_a_cut_network_stops_nothing_for_ever() -> None:
    world, site = started()
    site.network.cut = True
    limited(world, site, ceiling=0, lasts_s=20 * HOUR_S)
    passes(world, 2.0 * HOUR_S)
    assert len(on(site)) == len(site.hall.machines)
    assert world.faults[Fault.PARTITION.value] > 0
    assert site.unproven
    site.network.cut = False
    passes(world, 2.0 * HOUR_S)
    assert on(site) == set()


def test_time_alone_begins_and_ends_a_limit() -> None:
    world, site = started()
    limited(world, site, power=CURTAIL, ceiling=500_000, lasts_s=2 * HOUR_S)
    passes(world, 2.0 * HOUR_S - 30)
    controller = process_of(site).controller
    assert controller.decision.caps
    passes(world, 60.0)
    assert not controller.decision.caps
    assert controller.stop.plan is None
    assert world.counts["trips"] == 2


def test_rounds_end_when_they_bring_nothing_new_and_begin_again_when_something_stirs() -> None:
    world, site = stop()
    passes(world, 2.0 * HOUR_S)
    process = process_of(site)
    assert site.proven
    quiet = world.trace.count
    passes(world, 10.0 * HOUR_S)
    assert world.trace.count - quiet <= QUIET_SWEEPS
    idle = world.idle_sweeps
    site.start(site.hall.machines["n001"])
    assert 10 * HOUR_S / SWEEP_S <= world.idle_sweeps - idle <= 12 * HOUR_S / SWEEP_S
    passes(world, 1.0 * HOUR_S)
    assert on(site) == set()
    assert process.controller.proof is not None
    assert process.controller.proof.word is VerdictWord.PROVEN


def test_of_rounds_that_were_left_out_the_readings_are_there() -> None:
    """Between them nothing changed, so they are read when the next round comes, dated as they would be."""
    world, site = stop()
    passes(world, 9.5 * HOUR_S)
    process = process_of(site)
    site.start(site.hall.machines["n001"])
    passes(world, SWEEP_S + 1)
    for meter, seen in process.controller.seen.history.items():
        dates = [each.at_s for each in seen]
        assert dates == sorted(set(dates)), meter
        assert dates[-1] - dates[-4] == pytest.approx(3 * SWEEP_S, abs=2)


def test_nothing_reaches_a_controller_that_is_gone() -> None:
    world, site = stop()
    old = process_of(site)
    site.power_fails()
    commands = world.commands
    for event in (old.look, old.tick, old.sweep):
        event(None, None)
    old.asked(0.0, None)
    old.stir()
    assert world.commands == commands
    assert site.process is None


def test_an_envelope_that_is_refused_is_not_acknowledged() -> None:
    world, site = world_of_one()
    limit = world.people.limit("limit", start=0, lasts_s=HOUR_S)
    posted = world.people.post(limit, ("mallory",), whole=True)
    process: Process = process_of(site)
    assert not process.receive(posted, 0)
    assert posted.name not in site.ledger.heard
    assert site.in_flight is None
