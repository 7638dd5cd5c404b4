"""Reads a meter through a gateway that signs its readings: one GET, one envelope. (spec/reading.md)

The driver believes nothing: who signed is judged by ``core.trust``. Maturity: experimental.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Sequence

from grandpause.core.canonical import MAX_BYTES
from grandpause.core.statement.facts import Reading
from grandpause.core.trust import decode_only
from grandpause.errors import StatementError
from grandpause.ports import Clock, Finding, MeterRead, Sample

_OK = 200


class GatewayMeter:
    """The Meter (ports.py) of one signing gateway.

    Args:
        meter: the meter's id in the site file.
        channels: the channels that the site file names.
        clock: dates samples that have no value; a reading carries its own time.
    """

    def __init__(
        self, *, meter: str, host: str, port: int, path: str, channels: Sequence[str], clock: Clock
    ) -> None:
        self._meter = meter
        self._host = host
        self._port = port
        self._path = path
        self._channels = tuple(channels)
        self._clock = clock

    async def read(self, *, within_s: float) -> MeterRead:
        """Fetch one signed reading; every channel without a value says why."""
        try:
            async with asyncio.timeout(within_s):
                data = await asyncio.to_thread(self._fetch, within_s)
            _, statement = decode_only(data)
        except (TimeoutError, OSError, http.client.HTTPException, StatementError) as problem:
            return self._nothing(f"{type(problem).__name__}: {problem}")
        if not isinstance(statement, Reading) or statement.meter != self._meter:
            return self._nothing("the gateway answered with another statement")
        return MeterRead(
            samples=tuple(
                Sample(
                    meter=self._meter,
                    channel=each,
                    watts=statement.channels.get(each),
                    at_s=statement.at,
                    detail="" if each in statement.channels else "the reading leaves this channel out",
                )
                for each in self._channels
            ),
            envelope=data,
        )

    async def check(self, *, within_s: float) -> Sequence[Finding]:
        """Say whether the gateway answers with a reading that has every channel."""
        read = await self.read(within_s=within_s)
        problem = next((each.detail for each in read.samples if each.watts is None), "")
        if problem:
            return [
                Finding(
                    level="fail",
                    subject=self._meter,
                    message=problem,
                    mend="check address, port and location of the gateway, and its clock",
                )
            ]
        age = self._clock.wall_s() - read.samples[0].at_s
        return [Finding(level="ok", subject=self._meter, message=f"answers; its reading is {age} s old")]

    async def close(self) -> None:
        """Close nothing: every reading is a connection of its own."""

    def _fetch(self, within_s: float) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=within_s)
        try:
            connection.request("GET", self._path)
            response = connection.getresponse()
            if response.status != _OK:
                raise http.client.HTTPException(f"HTTP {response.status}")
            data = response.read(MAX_BYTES + 1)
        finally:
            connection.close()
        if len(data) > MAX_BYTES:
            raise http.client.HTTPException(f"more than {MAX_BYTES} bytes")
        return data

    def _nothing(self, why: str) -> MeterRead:
        now = self._clock.wall_s()
        return MeterRead(
            samples=tuple(
                Sample(meter=self._meter, channel=each, watts=None, at_s=now, detail=why)
                for each in self._channels
            )
        )
