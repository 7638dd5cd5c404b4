"""Reads the real power of one device, in total and by outlet, in as few requests as fit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grandpause.drivers.snmp.client import SnmpClient
from grandpause.drivers.snmp.identity import Identities, identity_findings, maturity_finding
from grandpause.drivers.snmp.profile import Gauge, Metering, Total
from grandpause.drivers.snmp.readings import Reading, present_rows, read_row, read_sum, whole_watts
from grandpause.drivers.snmp.values import Binding, Peer
from grandpause.errors import DeviceError, SiteFileError
from grandpause.ports import Clock, Finding, MeterRead, Sample

TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """How the total of this device is read, once it has been read: these rows and no others.

    A row that vanishes later leaves the total without a value; it never makes it smaller.
    """

    gauge: Gauge
    rows: tuple[str, ...]


class SnmpMeter:
    """The Meter (ports.py) of one SNMP device. Every request only reads.

    Args:
        client: an open client; it is shared, and not closed here.
        identities: what devices turned out to be; shared with the outlets.
        meter: the meter's id in the site file.
        peer: the device and what to ask it with.
        channels: "total", or an outlet's number as text ("7", or "1.7" for outlet 7 of unit 1).
        clock: dates the samples, at the moment the last answer came.

    Raises:
        SiteFileError: no channel, a channel twice, or one that is neither "total" nor an outlet.
    """

    def __init__(
        self,
        client: SnmpClient,
        identities: Identities,
        *,
        meter: str,
        peer: Peer,
        channels: Sequence[str],
        clock: Clock,
    ) -> None:
        if not channels or len(set(channels)) != len(channels):
            raise SiteFileError("no channel, or one channel twice", where=meter)
        self._client = client
        self._identities = identities
        self._meter = meter
        self._peer = peer
        self._places = {channel: _place(channel, meter) for channel in channels}
        self._clock = clock
        self._settled: _Settled | None = None
        self._resolutions: dict[str, int] = {}
        client.enrol(peer)

    @property
    def resolution_w(self) -> int | None:
        """The coarsest step, in watts, of the channels read so far; None before the first reading."""
        return max(self._resolutions.values(), default=None)

    def resolution_of(self, channel: str) -> int | None:
        """The step of one channel in watts; None before its first reading."""
        return self._resolutions.get(channel)

    async def read(self, *, within_s: float) -> MeterRead:
        """Read every channel once; a channel without a usable value says why."""
        readings = await self._read(within_s)
        at_s = self._clock.wall_s()
        return MeterRead(
            samples=tuple(self._sample(channel, reading, at_s) for channel, reading in readings.items())
        )

    async def check(self, *, within_s: float) -> Sequence[Finding]:
        """Say whether the device answers, is known, and gives plausible watts on every channel."""
        deadline = asyncio.get_running_loop().time() + within_s
        try:
            identity = await self._identities.of(self._peer, within_s=within_s)
        except DeviceError as error:
            mend = error.hint or "check the management network and the credentials"
            return [Finding(level="fail", subject=self._meter, message=error.message, mend=mend)]
        findings = identity_findings(self._meter, identity)
        if identity.profile is None:
            return findings
        if identity.metered_by is None or identity.metering is None:
            message = f"{identity} measures no real power that is known"
            mend = "use another meter as the second path"
            return [*findings, Finding(level="fail", subject=self._meter, message=message, mend=mend)]
        maturity = identity.metering.maturity
        findings.append(maturity_finding(self._meter, "metering", identity.metered_by, maturity))
        readings = await self._read(deadline - asyncio.get_running_loop().time())
        return [*findings, *(self._value_finding(*each) for each in readings.items())]

    async def close(self) -> None:
        """Do nothing: the client is shared, and whoever opened it closes it."""

    async def _read(self, within_s: float) -> dict[str, Reading]:
        deadline = asyncio.get_running_loop().time() + within_s
        try:
            identity = await self._identities.of(self._peer, within_s=within_s)
            if identity.metering is None:
                return self._nothing(f"metering is not known: {identity}")
            answers = await self._answers(identity.metering, deadline)
        except DeviceError as error:
            return self._nothing(str(error))
        return {channel: self._reading(channel, identity.metering, answers) for channel in self._places}

    async def _answers(self, metering: Metering, deadline: float) -> Mapping[str, Binding]:
        loop = asyncio.get_running_loop()
        objects = list(dict.fromkeys(self._objects(metering)))
        requests = [
            self._client.get(
                self._peer, objects[first : first + metering.at_once], within_s=deadline - loop.time()
            )
            for first in range(0, len(objects), metering.at_once)
        ]
        answers: dict[str, Binding] = {}
        for each in await asyncio.gather(*requests):
            answers.update(each)
        return answers

    def _objects(self, metering: Metering) -> list[str]:
        objects: list[str] = []
        for place in self._places.values():
            if place is None:
                for gauge, rows in self._total_rows(metering):
                    objects += [name for row in rows for name in gauge.objects(row)]
            elif (row := _row(place, metering)) is not None and metering.outlet is not None:
                objects += metering.outlet.gauge.objects(row)
        return objects

    def _total_rows(self, metering: Metering) -> list[tuple[Gauge, tuple[str, ...]]]:
        if self._settled is not None:
            return [(self._settled.gauge, self._settled.rows)]
        return [(total.gauge, total.rows) for total in metering.totals]

    def _reading(self, channel: str, metering: Metering, answers: Mapping[str, Binding]) -> Reading:
        place = self._places[channel]
        if place is None:
            return self._total(metering, answers)
        row = _row(place, metering)
        if row is None or metering.outlet is None:
            return Reading(watts=None, why_not="its outlets are not metered, or not known by this number")
        self._resolutions[channel] = metering.outlet.gauge.resolution_w
        return read_row(metering.outlet.gauge, row, answers)

    def _total(self, metering: Metering, answers: Mapping[str, Binding]) -> Reading:
        if self._settled is not None:
            return read_sum(self._settled.gauge, self._settled.rows, answers)
        why_not = "its total is not metered"
        for total in metering.totals:
            reading = self._settle(total, answers)
            if reading.watts is not None:
                return reading
            why_not = reading.why_not
        return Reading(watts=None, why_not=why_not)

    def _settle(self, total: Total, answers: Mapping[str, Binding]) -> Reading:
        rows = present_rows(total, answers)
        if rows is None:
            return Reading(watts=None, why_not=f"no whole set of rows at {total.gauge.column}")
        reading = read_sum(total.gauge, rows, answers)
        if reading.watts is not None:
            self._settled = _Settled(gauge=total.gauge, rows=rows)
            self._resolutions[TOTAL] = total.gauge.resolution_w
        return reading

    def _nothing(self, why_not: str) -> dict[str, Reading]:
        return dict.fromkeys(self._places, Reading(watts=None, why_not=why_not))

    def _sample(self, channel: str, reading: Reading, at_s: int) -> Sample:
        watts = None if reading.watts is None else whole_watts(reading.watts)
        return Sample(meter=self._meter, channel=channel, watts=watts, at_s=at_s, detail=reading.why_not)

    def _value_finding(self, channel: str, reading: Reading) -> Finding:
        subject = f"{self._meter} {channel}"
        if reading.watts is None:
            mend = "compare the channel with the device's own display"
            return Finding(level="fail", subject=subject, message=f"no value: {reading.why_not}", mend=mend)
        step = self._resolutions[channel]
        message = f"{whole_watts(reading.watts)} W in steps of {step} W"
        if reading.watts == 0:
            mend = "a meter on a live feed shows more than 0: check what is plugged in"
            return Finding(level="warn", subject=subject, message=message, mend=mend)
        return Finding(level="ok", subject=subject, message=message)


def _place(channel: str, meter: str) -> tuple[int | None, int] | None:
    """Return (unit, outlet) of a channel; None for the total. Raises SiteFileError for anything else."""
    if channel == TOTAL:
        return None
    unit, dot, outlet = channel.rpartition(".")
    if not (outlet.isascii() and outlet.isdecimal()) or (dot and not (unit.isascii() and unit.isdecimal())):
        raise SiteFileError(f"no channel: {channel!r}", where=meter, hint='"total", "7", or "1.7"')
    return (int(unit) if dot else None), int(outlet)


def _row(place: tuple[int | None, int], metering: Metering) -> str | None:
    """Return the row of an outlet; None where this device meters none by that number."""
    if metering.outlet is None:
        return None
    unit, outlet = place
    try:
        return metering.outlet.index.row(outlet, unit)
    except SiteFileError:
        return None
