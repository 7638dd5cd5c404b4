"""Each way a simulated BMC misbehaves, over the real protocol, with aiohttp as the client."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from grandpause.core.model import Act, Power
from grandpause.sim.redfish import serve_bmcs

if TYPE_CHECKING:
    from grandpause.sim.plant import Plant
    from grandpause.sim.redfish import BmcFarm
    from sim.conftest import Connect, HandClock

NODE = "r01n03"
RESET = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"
SYSTEM = "/redfish/v1/Systems/1"


async def test_a_good_bmc_switches_its_own_node_and_no_other(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    async with connect(farm, NODE) as client:
        assert await client.power_state() == "On"
        assert await client.reset("ForceOff") == 204
        assert await client.power_state() == "On"
        clock.passes(1.0)
        assert await client.power_state() == "Off"
    assert set(plant.nodes) - set(plant.nodes_on(clock())) == {NODE}
    assert farm.commands == [(NODE, "ForceOff")]


async def test_every_node_answers_at_its_own_address_on_one_port(farm: BmcFarm, connect: Connect) -> None:
    addresses = [farm.address(node_id) for node_id in ("r01n01", "r02n04")]
    assert addresses[0][0] != addresses[1][0]
    assert addresses[0][1] == addresses[1][1] == farm.port
    for node_id in ("r01n01", "r02n04"):
        async with connect(farm, node_id) as client:
            assert (await client.get(SYSTEM))[1]["HostName"] == node_id


async def test_an_address_without_a_bmc_is_reset(plant: Plant, clock: HandClock) -> None:
    farm = await serve_bmcs(plant, clock=clock, tls=False)
    try:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(f"http://127.99.0.1:{farm.port}/redfish")
    finally:
        await farm.close()


@pytest.mark.parametrize("acts", [False, True])
async def test_a_hanging_bmc_accepts_tls_and_never_answers(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect, *, acts: bool
) -> None:
    plant.node(NODE).bmc.hangs(acts=acts)
    async with connect(farm, NODE, timeout_s=0.3) as client:
        with pytest.raises(TimeoutError):
            await client.reset("ForceOff")
    assert farm.counters["connections"] == 1
    assert plant.power(NODE, clock.passes(10.0)) is (Power.OFF if acts else Power.ON)


async def test_a_hanging_bmc_holds_up_no_other(plant: Plant, farm: BmcFarm, connect: Connect) -> None:
    plant.node(NODE).bmc.hangs()
    async with connect(farm, NODE, timeout_s=0.5) as hanging, connect(farm, "r01n01") as good:
        waiting = asyncio.create_task(hanging.reset("ForceOff"))
        assert await good.reset("ForceOff") == 204
        with pytest.raises(TimeoutError):
            await waiting


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_failing_bmc_answers_its_status_and_obeys_nothing(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect, status: int
) -> None:
    plant.node(NODE).bmc.answers(status)
    async with connect(farm, NODE) as client:
        assert await client.reset("ForceOff") == status
        assert (await client.get(SYSTEM))[0] == status
    assert plant.power(NODE, clock.passes(10.0)) is Power.ON
    assert farm.commands == []


async def test_a_bmc_may_answer_500_and_obey_all_the_same(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    plant.node(NODE).bmc.answers(500, acts=True)
    async with connect(farm, NODE) as client:
        assert await client.reset("ForceOff") == 500
    assert plant.power(NODE, clock.passes(10.0)) is Power.OFF


async def test_a_dropping_bmc_closes_the_connection_without_an_answer(
    plant: Plant, farm: BmcFarm, connect: Connect
) -> None:
    plant.node(NODE).bmc.drops()
    async with connect(farm, NODE) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.reset("ForceOff")
    assert farm.counters["dropped"] >= 1


async def test_a_slow_bmc_takes_its_time(plant: Plant, farm: BmcFarm, connect: Connect) -> None:
    plant.node(NODE).bmc.slow(0.2)
    async with connect(farm, NODE) as client:
        began = time.monotonic()
        assert await client.reset("ForceOff") == 204
        assert time.monotonic() - began >= 0.2


async def test_a_flickering_bmc_goes_round_its_answers(plant: Plant, farm: BmcFarm, connect: Connect) -> None:
    plant.node(NODE).bmc.flickers(503, 401, None)
    async with connect(farm, NODE) as client:
        statuses = [(await client.get(SYSTEM))[0] for _ in range(6)]
    assert statuses == [503, 401, 200, 503, 401, 200]


async def test_a_liar_answers_204_says_off_and_stays_on(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    plant.node(NODE).bmc.lies()
    async with connect(farm, NODE) as client:
        assert await client.reset("ForceOff") == 204
        assert await client.power_state() == "Off"
        _, metrics = await client.get("/redfish/v1/Chassis/1/EnvironmentMetrics")
    assert metrics["PowerWatts"] == {
        "DataSourceUri": "/redfish/v1/Chassis/1/Sensors/TotalPower",
        "Reading": plant.node(NODE).machine.standby_w,
    }
    assert plant.power(NODE, clock.passes(60.0)) is Power.ON


async def test_an_open_liar_answers_204_and_says_on(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    plant.node(NODE).bmc.lies_openly()
    async with connect(farm, NODE) as client:
        assert await client.reset("ForceOff") == 204
        clock.passes(60.0)
        assert await client.power_state() == "On"


@pytest.mark.parametrize("by_action_info", [False, True])
async def test_only_offered_reset_types_are_taken(
    plant: Plant, farm: BmcFarm, connect: Connect, *, by_action_info: bool
) -> None:
    bmc = plant.node(NODE).bmc
    bmc.offers_reset_types(["On", "ForceOff"])
    if by_action_info:
        bmc.offers_by_action_info()
    async with connect(farm, NODE) as client:
        assert await client.reset("GracefulShutdown") == 400
        _, system = await client.get(SYSTEM)
        actions = system["Actions"]
        assert isinstance(actions, dict)
        action = actions["#ComputerSystem.Reset"]
        assert action["target"] == RESET
        if by_action_info:
            assert "ResetType@Redfish.AllowableValues" not in action
            _, info = await client.get(action["@Redfish.ActionInfo"])
            parameters = info["Parameters"]
            assert isinstance(parameters, list)
            assert parameters[0]["AllowableValues"] == ["On", "ForceOff"]
        else:
            assert action["ResetType@Redfish.AllowableValues"] == ["On", "ForceOff"]


async def test_without_standby_power_the_bmc_is_gone_until_it_has_booted_again(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    plant.command(NODE, Act.OUTLET_OFF, clock())
    async with connect(farm, NODE) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.power_state()
        plant.command(NODE, Act.OUTLET_ON, clock.passes(5.0))
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.power_state()
        clock.passes(20.0)
        assert await client.power_state() == "Off"


async def test_a_bmc_that_dies_under_an_open_connection_drops_it(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    async with connect(farm, NODE) as client:
        assert await client.power_state() == "On"
        plant.command(NODE, Act.OUTLET_OFF, clock())
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.power_state()


async def test_dropping_the_connections_of_one_bmc_leaves_the_others(farm: BmcFarm, connect: Connect) -> None:
    async with connect(farm, NODE) as one, connect(farm, "r01n01") as other:
        await one.power_state()
        await other.power_state()
        farm.drop_connections(NODE)
        assert await other.power_state() == "On"
        assert await one.power_state() == "On"
    assert farm.counters["connections"] == 3


@pytest.mark.parametrize("fault", ["hangs", "drops", "lies", "lies_openly", "ignores_graceful"])
async def test_a_bmc_recovers_from_every_fault(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect, fault: str
) -> None:
    bmc = plant.node(NODE).bmc
    getattr(bmc, fault)()
    bmc.recovers()
    async with connect(farm, NODE) as client:
        assert await client.reset("GracefulShutdown") == 204
        clock.passes(6.0)
        assert await client.power_state() == "Off"


async def test_requests_and_connections_are_counted_and_shown(farm: BmcFarm, connect: Connect) -> None:
    async with connect(farm, NODE) as client:
        await client.power_state()
        await client.reset("On")
        status, counters = await client.get("/sim/counters")
    assert status == 200
    assert counters == {"connections": 1, "requests": 2, "200": 1, "204": 1}
