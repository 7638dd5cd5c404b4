"""Readings that are none, and totals that must not shrink, over agents whose objects the test changes."""

from __future__ import annotations

from typing import Any

import pytest
from pysnmp.proto import rfc1902

from devices.snmp.conftest import FixedClock
from devices.snmp.wire import READ, Shelf, agent_with, integer
from grandpause.drivers.snmp import Address, Community, Identities, Peer, SnmpClient, SnmpMeter
from grandpause.errors import SiteFileError
from grandpause.ports import Sample

DEVICE_POWER = "1.3.6.1.4.1.318.1.1.26.4.3.1.5"
OUTLET_POWER = "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7"
LINE_POWER = "1.3.6.1.2.1.33.1.4.4.1.4"
INLET = "1.3.6.1.4.1.13742.6.5.2.3.1.4.1.1.5"
INLET_DIGITS = "1.3.6.1.4.1.13742.6.3.3.4.1.7.1.1.5"
INLET_UNIT = "1.3.6.1.4.1.13742.6.3.3.4.1.6.1.1.5"
INLET_AVAILABLE = "1.3.6.1.4.1.13742.6.5.2.3.1.2.1.1.5"


def _device(object_id: str, values: dict[str, Any]) -> Shelf:
    system = {
        "1.3.6.1.2.1.1.1.0": rfc1902.OctetString("a device"),
        "1.3.6.1.2.1.1.2.0": rfc1902.ObjectIdentifier(tuple(map(int, object_id.split(".")))),
    }
    return Shelf(system | values)


def _rpdu2(values: dict[str, Any]) -> Shelf:
    return _device("1.3.6.1.4.1.318.1.3.4.6", values)


def _ups(values: dict[str, Any]) -> Shelf:
    return _device("1.3.6.1.2.1.33", {"1.3.6.1.2.1.33.1.4.1.0": integer(3)} | values)


def _px3(**values: int) -> Shelf:
    named = {"inlet": INLET, "digits": INLET_DIGITS, "unit": INLET_UNIT, "available": INLET_AVAILABLE}
    return _device("1.3.6.1.4.1.13742.6", {named[name]: integer(value) for name, value in values.items()})


class Reader:
    """Reads devices as the site does, by the shipped profiles."""

    def __init__(self, client: SnmpClient, identities: Identities, clock: FixedClock) -> None:
        self._client = client
        self._identities = identities
        self._clock = clock

    def meter(self, address: Address, *channels: str) -> SnmpMeter:
        peer = Peer(address=address, credential=Community(name=READ))
        return SnmpMeter(
            self._client, self._identities, meter="m1", peer=peer, channels=channels, clock=self._clock
        )

    async def once(self, shelf: Shelf, channel: str = "total") -> Sample:
        async with agent_with(shelf) as (_, address):
            read = await self.meter(address, channel).read(within_s=2)
        assert len(read.samples) == 1
        assert read.envelope is None
        return read.samples[0]


@pytest.fixture
def reader(client: SnmpClient, identities: Identities, clock: FixedClock) -> Reader:
    return Reader(client, identities, clock)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (integer(-1), "not measured: -1"),
        (integer(-(2**31)), "not measured"),
        (integer(2**31 - 1), "absurd"),
        (rfc1902.OctetString("121"), "no number"),
        (rfc1902.Counter32(121), "no number"),
        (rfc1902.TimeTicks(121), "no number"),
        (None, "no whole set of rows"),
    ],
)
async def test_what_is_no_power_is_no_value_and_never_zero(value: Any, reason: str, reader: Reader) -> None:
    sample = await reader.once(_rpdu2({f"{DEVICE_POWER}.1": value}))
    assert sample.watts is None
    assert reason in sample.detail


async def test_a_measured_zero_is_zero(reader: Reader) -> None:
    assert await reader.once(_rpdu2({f"{DEVICE_POWER}.1": integer(0)})) == Sample(
        meter="m1", channel="total", watts=0, at_s=1_795_000_000
    )


async def test_a_chain_of_units_is_added_up(reader: Reader) -> None:
    values = {f"{DEVICE_POWER}.{unit}": integer(100 * unit) for unit in (1, 2, 3)}
    assert (await reader.once(_rpdu2(values))).watts == 6000


@pytest.mark.parametrize(
    ("there", "watts"), [((1, 2, 3), 600), ((1, 2), 300), ((1,), 100), ((1, 3), None), ((2, 3), None)]
)
async def test_lines_are_added_up_only_as_a_whole_set(
    there: tuple[int, ...], watts: int | None, reader: Reader
) -> None:
    values = {f"{LINE_POWER}.{line}": integer(100 * line) for line in there}
    assert (await reader.once(_ups(values))).watts == watts


@pytest.mark.parametrize("gone", [1, 2, 3])
async def test_a_line_that_vanishes_leaves_no_total_rather_than_a_smaller_one(
    gone: int, reader: Reader
) -> None:
    shelf = _ups({f"{LINE_POWER}.{line}": integer(100) for line in (1, 2, 3)})
    async with agent_with(shelf) as (_, address):
        meter = reader.meter(address, "total")
        before = await meter.read(within_s=2)
        shelf.values[f"{LINE_POWER}.{gone}"] = None
        after = await meter.read(within_s=2)
        shelf.values[f"{LINE_POWER}.{gone}"] = integer(50)
        again = await meter.read(within_s=2)

    assert [read.samples[0].watts for read in (before, after, again)] == [300, None, 250]


@pytest.mark.parametrize(
    ("values", "watts", "reason"),
    [
        ({"inlet": 16_654, "digits": 1, "unit": 3, "available": 1}, 1665, ""),
        ({"inlet": 1_665, "digits": 0}, 1665, ""),
        ({"inlet": 1_665, "digits": 0, "unit": 4, "available": 1}, None, "no watts"),
        ({"inlet": 0, "digits": 0, "unit": 3, "available": 2}, None, "not available"),
        ({"inlet": 1_665, "unit": 3, "available": 1}, None, "no unit"),
        ({"inlet": 1_665, "digits": 70, "unit": 3, "available": 1}, None, "no unit"),
    ],
)
async def test_a_value_without_its_unit_or_its_availability_is_none(
    values: dict[str, int], watts: int | None, reason: str, reader: Reader
) -> None:
    sample = await reader.once(_px3(**values))
    assert sample.watts == watts
    assert reason in sample.detail


async def test_total_and_outlets_come_by_few_requests_and_say_their_step(reader: Reader) -> None:
    outlets = [str(number) for number in range(1, 41)]
    values = {f"{OUTLET_POWER}.{outlet}": integer(int(outlet)) for outlet in outlets}
    shelf = _rpdu2({f"{DEVICE_POWER}.1": integer(82)} | values)
    async with agent_with(shelf) as (agent, address):
        meter = reader.meter(address, "total", *outlets)
        assert meter.resolution_of("total") is None
        first = await meter.read(within_s=2)
        asked_before = agent.gets
        second = await meter.read(within_s=2)
        asked = agent.gets - asked_before

    assert first == second
    assert [sample.watts for sample in first.samples] == [820, *range(1, 41)]
    assert asked == 2
    assert [meter.resolution_of(channel) for channel in ("total", "7")] == [10, 1]
    assert meter.resolution_w == 10


async def test_a_channel_that_the_device_does_not_meter_is_missing_with_a_reason(reader: Reader) -> None:
    line = {f"{LINE_POWER}.1": integer(5)}
    assert "not metered" in (await reader.once(_ups(line), "1")).detail
    power = {f"{DEVICE_POWER}.1": integer(5)}
    by_unit = await reader.once(_rpdu2(power), "2.1")
    assert (by_unit.watts, "not known by this number" in by_unit.detail) == (None, True)
    missing = await reader.once(_rpdu2(power), "3")
    assert (missing.watts, "NoSuchInstance" in missing.detail) == (None, True)


async def test_preflight_warns_of_a_zero_and_fails_on_a_missing_value(reader: Reader) -> None:
    shelf = _rpdu2({f"{DEVICE_POWER}.1": integer(0), f"{OUTLET_POWER}.1": integer(9)})
    async with agent_with(shelf) as (agent, address):
        findings = await reader.meter(address, "total", "1", "2").check(within_s=2)
        assert agent.sets.total() == 0

    assert [finding.level for finding in findings] == ["ok", "ok", "warn", "ok", "fail"]
    assert all(finding.mend for finding in findings if finding.level != "ok")


async def test_preflight_fails_on_a_device_that_is_only_switched(reader: Reader) -> None:
    spdu = _device("1.3.6.1.4.1.318.1.3.4.2", {"1.3.6.1.4.1.318.1.1.4.4.2.1.3.1": integer(1)})
    async with agent_with(spdu) as (_, address):
        findings = await reader.meter(address, "total").check(within_s=2)
    assert [finding.level for finding in findings] == ["ok", "fail"]
    assert "no real power" in findings[-1].message


@pytest.mark.parametrize("channels", [[], ["total", "total"], ["Total"], ["1.2.3"], ["-1"], [""], ["1."]])
async def test_a_channel_that_is_none_is_refused_when_it_is_named(
    channels: list[str], reader: Reader
) -> None:
    with pytest.raises(SiteFileError, match="m1"):
        reader.meter(Address(host="127.0.0.1"), *channels)
