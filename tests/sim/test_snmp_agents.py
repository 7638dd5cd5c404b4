"""The simulated power units and feed meters, asked by the production driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.snmp import (
    Address,
    Community,
    Identities,
    Outlet,
    Peer,
    SnmpClient,
    SnmpMeter,
    SnmpOutlets,
    shipped_profiles,
)
from grandpause.errors import UsageError
from grandpause.sim.plant import Plant
from grandpause.sim.snmp import SnmpFarm, serve_units

NODES = 32
A_ROW = 16
COMMAND = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 4, 1, 5)


class Time:
    """Simulated time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def wall_s(self) -> int:
        return 1_795_000_000 + int(self.now_s)

    def monotonic_s(self) -> float:
        return self.now_s


class Site:
    """A small hall, its agents, and the production driver in front of them."""

    def __init__(self, plant: Plant, farm: SnmpFarm, client: SnmpClient, now: Time) -> None:
        self.plant = plant
        self.farm = farm
        self.client = client
        self.now = now
        self.identities = Identities(client, shipped_profiles())
        self.outlets = SnmpOutlets(
            client,
            self.identities,
            {
                node.id: [
                    Outlet(peer=self.peer(outlet.unit.id, farm.write_community), number=outlet.index + 1)
                    for outlet in node.outlets
                ]
                for node in plant.nodes.values()
            },
        )

    def peer(self, name: str, community: str) -> Peer:
        host, port = self.farm.address(name)
        return Peer(address=Address(host=host, port=port), credential=Community(name=community))

    def meter(self, name: str, *channels: str) -> SnmpMeter:
        peer = self.peer(name, self.farm.read_community)
        return SnmpMeter(
            self.client, self.identities, meter=name, peer=peer, channels=channels, clock=self.now
        )

    async def watts(self, name: str, channel: str = "total") -> int | None:
        read = await self.meter(name, channel).read(within_s=2)
        return read.samples[0].watts


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    now = Time()
    plant = Plant.hall(nodes=NODES, nodes_per_row=A_ROW)
    farm = await serve_units(plant, clock=now)
    client = await SnmpClient.open()
    yield Site(plant, farm, client, now)
    await client.close()
    await farm.close()


async def test_every_unit_and_feed_answers_at_an_address_of_its_own_on_one_port(site: Site) -> None:
    names = [*site.plant.units, *site.plant.feeds]
    addresses = [site.farm.address(name) for name in names]
    assert len({host for host, _ in addresses}) == len(names) == 6
    assert {port for _, port in addresses} == {site.farm.port}
    identities = [
        await site.identities.of(site.peer(name, site.farm.read_community), within_s=2) for name in names
    ]
    assert [str(identity) for identity in identities] == ["apc-rpdu2"] * 4 + ["ups-rfc1628"] * 2
    assert all("imulated" in identity.description for identity in identities)
    with pytest.raises(UsageError):
        site.farm.address("row99a")


async def test_the_meters_show_what_the_plant_draws(site: Site) -> None:
    now_s = site.now()
    units = {name: await site.watts(name) for name in site.plant.units}
    feeds = {name: await site.watts(name) for name in site.plant.feeds}

    for name, watts in units.items():
        displayed = site.plant.unit_watts(name, now_s)
        assert displayed is not None
        assert watts == pytest.approx(displayed, abs=5)
    for name, watts in feeds.items():
        displayed = site.plant.feed_watts(name, now_s)
        assert displayed is not None
        assert watts == round(displayed)
    outlet = await site.watts("row01a", "3")
    assert outlet == round(site.plant.outlet_watts("row01a", 2, now_s) or 0.0)
    total = sum(watts for watts in units.values() if watts is not None)
    assert total == pytest.approx(site.plant.true_site_watts(now_s), rel=0.01)


async def test_switching_a_node_off_takes_its_outlets_and_no_other(site: Site) -> None:
    before = [(unit, index) for unit in site.plant.units for index in range(A_ROW)]
    assert all(site.plant.outlet_on(unit, index) for unit, index in before)

    answer = await site.outlets.command("r02n05", Act.OUTLET_OFF, within_s=2)
    claim = await site.outlets.claim("r02n05", within_s=2)

    assert answer.reply is Reply.ACCEPTED
    assert claim.power is Power.OFF
    off = {(unit, index) for unit, index in before if not site.plant.outlet_on(unit, index)}
    assert off == {("row02a", 4), ("row02b", 4)}
    assert site.plant.power("r02n05", site.now()) is Power.OFF
    oid = ".".join(map(str, (*COMMAND, 5)))
    assert site.farm.sets == {"row02a": {oid: 1}, "row02b": {oid: 1}}
    site.now.now_s += 1
    assert await site.watts("row02a", "5") == 0
    assert (await site.outlets.command("r02n05", Act.OUTLET_ON, within_s=2)).reply is Reply.ACCEPTED
    assert (await site.outlets.claim("r02n05", within_s=2)).power is Power.ON


async def test_a_welded_outlet_accepts_and_its_unit_goes_on_saying_on(site: Site) -> None:
    site.plant.unit("row01a").welds(2)
    answer = await site.outlets.command("r01n03", Act.OUTLET_OFF, within_s=2)
    claim = await site.outlets.claim("r01n03", within_s=2)
    site.now.now_s += 1

    assert (answer.reply, claim.power) == (Reply.ACCEPTED, Power.ON)
    assert (await site.watts("row01a", "3") or 0) > 100


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda meter: meter.gives_nan(), "not measured"),
        (lambda meter: meter.goes_silent(), "no whole set of rows"),
    ],
)
async def test_a_meter_that_shows_no_number_gives_no_value(
    fault: Callable[[Any], None], reason: str, site: Site
) -> None:
    for name in ("row01a", "feed-a"):
        fault(site.plant.meter(name))
        read = await site.meter(name, "total").read(within_s=2)
        assert read.samples[0].watts is None
        assert reason in read.samples[0].detail


async def test_a_stuck_a_zero_and_a_swapped_meter_are_passed_on_as_shown(site: Site) -> None:
    assert (await site.outlets.command("r01n01", Act.OUTLET_OFF, within_s=2)).reply is Reply.ACCEPTED
    site.now.now_s += 1
    low, high = await site.watts("row01a"), await site.watts("row02a")
    assert low is not None
    assert high is not None
    assert low < high
    site.plant.meter("row01a").swaps_with(site.plant.meter("row02a"))
    assert [await site.watts("row01a"), await site.watts("row02a")] == [high, low]
    site.plant.meter("row01a").recovers()
    site.plant.meter("row01a").zeroes()
    assert await site.watts("row01a") == 0
    site.plant.meter("row01a").recovers()
    site.plant.meter("row01a").sticks()
    stuck = await site.watts("row01a")
    await site.outlets.command("r01n02", Act.OUTLET_OFF, within_s=2)
    site.now.now_s += 60
    assert await site.watts("row01a") == stuck


async def test_an_agent_hangs_refuses_and_recovers(site: Site) -> None:
    agent = site.farm.agent("row01a")
    await site.outlets.prepare(within_s=2)
    agent.hangs()
    assert (await site.outlets.command("r01n01", Act.OUTLET_OFF, within_s=0.2)).reply is Reply.TIMED_OUT
    assert site.plant.outlet_on("row01a", 0)
    agent.refuses()
    assert (await site.outlets.command("r01n01", Act.OUTLET_OFF, within_s=2)).reply is Reply.REFUSED
    assert site.plant.outlet_on("row01a", 0)
    agent.recovers()
    assert (await site.outlets.command("r01n01", Act.OUTLET_OFF, within_s=2)).reply is Reply.ACCEPTED
    assert not site.plant.outlet_on("row01a", 0)


async def test_a_sweep_over_a_hall_costs_well_under_half_a_core() -> None:
    now = Time()
    plant = Plant.hall(nodes=256, nodes_per_row=A_ROW)
    farm = await serve_units(plant, clock=now)
    client = await SnmpClient.open()
    site = Site(plant, farm, client, now)
    channels = ("total", *map(str, range(1, A_ROW + 1)))
    meters = [site.meter(unit, *channels) for unit in plant.units]
    meters += [site.meter(feed, "total") for feed in plant.feeds]
    await asyncio.gather(*(meter.read(within_s=5) for meter in meters))

    spent_s = []
    for _ in range(3):
        began = time.process_time()
        reads = await asyncio.gather(*(meter.read(within_s=5) for meter in meters))
        spent_s.append(time.process_time() - began)
    await client.close()
    await farm.close()

    assert len(reads) == 34
    assert all(sample.watts is not None for read in reads for sample in read.samples)
    # Both sides in one process: measured 0.12 s; a sweep a second must stay well under half a core.
    assert min(spent_s) < 0.4
