"""Reads every meter and asks every BMC: the IO of observing. What it brings goes into the observation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from grandpause.ports import Actuator, Claim, Meter, MeterRead


class Observer:
    """Asks the devices; judges nothing."""

    def __init__(self, *, meters: Mapping[str, Meter], bmcs: Actuator | None, within_s: float) -> None:
        self._meters = meters
        self._bmcs = bmcs
        self._within_s = within_s

    async def read_meters(self) -> dict[str, MeterRead]:
        """Read every meter once, all at the same time."""
        names = list(self._meters)
        reads = await asyncio.gather(*(self._meters[name].read(within_s=self._within_s) for name in names))
        return dict(zip(names, reads, strict=True))

    async def ask(
        self, elements: Sequence[str], *, at_once: int, heard: Callable[[str, Claim], None]
    ) -> None:
        """Ask every element for its power, ``at_once`` at a time; a hung BMC delays only its own slot."""
        if self._bmcs is None:
            return
        bmcs = self._bmcs
        gate = asyncio.Semaphore(at_once)

        async def one(element: str) -> None:
            async with gate:
                claim = await bmcs.claim(element, within_s=self._within_s)
            heard(element, claim)

        await asyncio.gather(*(one(each) for each in elements))
