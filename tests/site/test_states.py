"""What the controller does, and does not do, in every state; over the real protocols."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from grandpause.core.model import Act, Stage, Unit, VerdictWord
from grandpause.sim.serve import SimulatedSite
from stories.rig import Controller, lift, limit, post, restart, running, served


def on(sim: SimulatedSite) -> set[str]:
    """The nodes that are really on."""
    return set(sim.plant.nodes_on(time.monotonic()))


def switch(sim: SimulatedSite, node: str, act: Act) -> None:
    """Let somebody press a node's button."""
    sim.plant.command(node, act, time.monotonic())


def all_outlets_closed(sim: SimulatedSite) -> bool:
    return all(outlet.on for unit in sim.plant.units.values() for outlet in unit.outlets)


def proven(controller: Controller) -> bool:
    proof = controller.daemon.engine.controller.proof
    assert proof is not None
    return proof.word is VerdictWord.PROVEN


async def stopped(controller: Controller, sim: SimulatedSite, ceiling: int) -> str:
    """Bring the site down until the proof stands; return the limit's name."""
    name = post(sim.folder, "limit.json", limit(sim.folder, ceiling), "ada", "bo")
    await controller.stopped()
    await controller.until(lambda: controller.daemon.engine.controller.stop.stage is Stage.HOLD)
    return name


async def test_an_unarmed_site_plans_and_reads_and_sends_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4, faults=["r01n03=lie"]) as sim, running(sim.site) as controller:
        engine = controller.daemon.engine
        post(sim.folder, "limit.json", limit(sim.folder, 0), "ada", "bo")
        await controller.until(lambda: controller.compute_ppm == 0)
        await controller.until(
            lambda: engine.controller.proof is not None and len(engine.controller.proof.path_watts) == 2
        )
        await asyncio.sleep(2.5)
        assert engine.controller.plan is not None
        assert len(engine.controller.plan.cut) == 4
        assert sim.bmcs.commands == []
        assert all_outlets_closed(sim)
        assert on(sim) == {"r01n01", "r01n02", "r01n03", "r01n04"}
        assert not engine.controller.decision.memory.latch
        engine.arm()
        await controller.stopped()
        assert on(sim) == set()


async def test_in_a_standby_what_comes_on_is_cut_and_what_is_on_may_stay(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim:
        switch(sim, "r01n02", Act.FORCE_OFF)
        await asyncio.sleep(0.4)
        assert on(sim) == {"r01n01", "r01n03", "r01n04"}
        async with running(sim.site) as controller:
            engine = controller.daemon.engine
            engine.arm()
            await controller.until(lambda: "r01n02" not in (engine.controller.keeper.memory.standby or ()))
            assert sim.bmcs.commands == []
            switch(sim, "r01n02", Act.POWER_ON)
            await controller.until(lambda: "r01n02" in on(sim))
            await controller.until(lambda: "r01n02" not in on(sim))
            assert on(sim) == {"r01n01", "r01n03", "r01n04"}
            assert ("came-back", "r01n02: came back on while it must be off") in controller.alarms
            assert {node for node, _ in sim.bmcs.commands} == {"r01n02"}


async def test_in_the_hold_a_node_that_comes_back_is_cut_again_and_alarmed(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim, running(sim.site) as controller:
        await controller.armed_and_started(sim.folder)
        await stopped(controller, sim, 250_000)
        assert on(sim) == {"r01n01"}
        sent = len(sim.bmcs.commands)
        switch(sim, "r01n04", Act.POWER_ON)
        await controller.until(lambda: "r01n04" in on(sim))
        await controller.until(lambda: on(sim) == {"r01n01"})
        assert ("came-back", "r01n04: came back on while it must be off") in controller.alarms
        assert ("r01n04", "GracefulShutdown") not in sim.bmcs.commands[sent:], "it had its chance"
        await controller.until(lambda: proven(controller))


async def test_a_lift_frees_nothing_before_a_restart_and_nothing_is_started_after_it(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim, running(sim.site) as controller:
        engine = controller.daemon.engine
        await controller.armed_and_started(sim.folder)
        name = await stopped(controller, sim, 250_000)
        post(sim.folder, "lift.json", lift(sim.folder, name), "ada", "bo")
        await controller.until(lambda: engine.controller.decision.in_force == ())
        assert controller.compute_ppm == 250_000
        switch(sim, "r01n02", Act.POWER_ON)
        await controller.until(lambda: "r01n02" in on(sim))
        await controller.until(lambda: on(sim) == {"r01n01"})
        again = restart(sim.folder, engine.controller.keeper.memory.nonce)
        post(sim.folder, "restart.json", again, "bo", "cy")
        await controller.until(lambda: controller.compute_ppm is None)
        assert engine.controller.stop.plan is None
        switch(sim, "r01n02", Act.POWER_ON)
        await controller.until(lambda: "r01n02" in on(sim))
        sent = len(sim.bmcs.commands)
        await asyncio.sleep(2)
        assert on(sim) == {"r01n01", "r01n02"}, "what was off stays off until somebody starts it"
        assert len(sim.bmcs.commands) == sent


async def test_a_quorum_less_one_moves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim, running(sim.site) as controller:
        await controller.armed_and_started(sim.folder)
        act = limit(sim.folder, 0)
        post(sim.folder, "one.json", act, "cy")
        await controller.until((sim.folder.inbox / "pending" / "one.json").exists)
        await asyncio.sleep(2)
        assert sim.bmcs.commands == []
        assert len(on(sim)) == 4
        assert controller.compute_ppm is None


async def test_one_signer_s_bounded_limit_takes_half_and_two_take_the_rest(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim, running(sim.site) as controller:
        await controller.armed_and_started(sim.folder)
        post(sim.folder, "low.json", limit(sim.folder, 499_999, power="limit-bounded"), "cy")
        await controller.until((sim.folder.inbox / "refused" / "low.json").exists)
        post(sim.folder, "half.json", limit(sim.folder, 500_000, power="limit-bounded"), "cy")
        first = await controller.stopped()
        assert len(on(sim)) == 2
        post(sim.folder, "rest.json", limit(sim.folder, 0), "ada", "bo")
        await controller.until(lambda: controller.daemon.bundle not in (None, first))
        assert on(sim) == set()


async def test_a_watts_limit_is_kept_by_what_the_meters_show(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4) as sim, running(sim.site) as controller:
        await controller.armed_and_started(sim.folder)
        post(sim.folder, "watts.json", limit(sim.folder, 12_000, unit=Unit.IT_WATTS), "ada", "bo")
        await controller.stopped()
        proof = controller.daemon.engine.controller.proof
        assert proof is not None
        assert proof.word is VerdictWord.PROVEN
        assert all(0 < watts <= 12_000 for watts in proof.path_watts.values())
        assert len(on(sim)) == 1


async def test_a_controller_without_its_meters_proves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4, faults=["meter2=silent"]) as sim, running(sim.site) as controller:
        await controller.armed_and_started(sim.folder)
        post(sim.folder, "limit.json", limit(sim.folder, 0), "ada", "bo")
        await controller.stopped()
        assert on(sim) == set()
        assert proven(controller) is False
        for feed in sim.plant.feeds:
            sim.plant.meter(feed).recovers()
        await controller.stopped()
        assert proven(controller), "a later proof replaces an earlier not proven"
