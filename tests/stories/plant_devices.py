"""A hall in memory behind the product's ports, a clock that runs fast, and a fuse that kills the process."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grandpause.core.model import Act, Power, Reply
from grandpause.core.statement.facts import Reading
from grandpause.core.trust import decode_only
from grandpause.ports import Answer, Claim, Clock, Finding, MeterRead, Sample
from grandpause.sim.folder import UTILITY_KEY, SiteFolder
from grandpause.sim.gateway import MeterGateway
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.site.sitefile import SiteFile
from grandpause.site.wiring import Devices

SPEED = 20
NODES = 6
IGNORES_SOFT_OFF, LIES = "r01n05", "r01n06"


class FastClock:
    """Wall and boot-time clock that run ``SPEED`` times as fast as the machine's."""

    def __init__(self, begin_s: float) -> None:
        self._begin_s = begin_s

    def wall_s(self) -> int:
        return int(self._begin_s + (time.time() - self._begin_s) * SPEED)

    def monotonic_s(self) -> float:
        return time.monotonic() * SPEED


class _FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / SPEED)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are as short as the clock's."""

    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        return time.monotonic() * SPEED


class World:
    """What really happened so far, in order; each line is written at once, whole."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, **line: object) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Fuse:
    """Counts the steps of a run, and kills the process at one of them."""

    def __init__(self, at: int, side: str, world: World) -> None:
        self._at = at
        self._world = world
        self._side = side
        self._count = 0

    @contextmanager
    def step(self, kind: str) -> Iterator[None]:
        self._count += 1
        self._burn("before", kind)
        yield
        self._burn("after", kind)

    def _burn(self, side: str, kind: str) -> None:
        if self._count == self._at and side == self._side:
            self._world.note(dying=kind)
            os.kill(os.getpid(), signal.SIGKILL)


class PlantSwitches:
    """BMCs and outlets of a plant in memory (``ports.Actuator``); every command is a step."""

    def __init__(self, plant: Plant, clock: Clock, fuse: Fuse, world: World, *, outlets: bool) -> None:
        self._plant = plant
        self._clock = clock
        self._fuse = fuse
        self._world = world
        self._outlets = outlets

    async def command(self, element: str, act: Act, *, within_s: float) -> Answer:
        del within_s  # memory answers at once
        with self._fuse.step("command"):
            self._world.note(sent=element, act=str(act))
            reply = self._plant.command(element, act, self._clock.monotonic_s())
        return Answer(reply=reply)

    async def claim(self, element: str, *, within_s: float) -> Claim:
        del within_s
        if self._outlets:
            live = any(each.on for each in self._plant.node(element).outlets)
            return Claim(power=Power.ON if live else Power.OFF, reply=Reply.ACCEPTED)
        power = self._plant.claimed(element, self._clock.monotonic_s())
        reply = Reply.UNREACHABLE if power is Power.UNKNOWN else Reply.ACCEPTED
        return Claim(power=power, reply=reply)

    async def check(self, element: str, *, within_s: float) -> Sequence[Finding]:
        del element, within_s
        return []

    async def close(self) -> None:
        """Nothing is open."""


class UnitMeter:
    """The meter of a row power unit, outlet by outlet (``ports.Meter``)."""

    def __init__(self, plant: Plant, clock: Clock, meter: str, channels: Sequence[str]) -> None:
        self._plant = plant
        self._clock = clock
        self._meter = meter
        self._channels = channels

    async def read(self, *, within_s: float) -> MeterRead:
        del within_s
        now_s = self._clock.monotonic_s()
        shown = {each: self._plant.outlet_watts(self._meter, int(each) - 1, now_s) for each in self._channels}
        return MeterRead(
            samples=tuple(
                Sample(
                    meter=self._meter,
                    channel=channel,
                    watts=None if watts is None else round(watts),
                    at_s=self._clock.wall_s(),
                )
                for channel, watts in shown.items()
            )
        )

    async def check(self, *, within_s: float) -> Sequence[Finding]:
        del within_s
        return []

    async def close(self) -> None:
        """Nothing is open."""


class FeedMeter:
    """The meter of a feed; its readings are signed by the utility's key (``ports.Meter``)."""

    def __init__(self, gateway: MeterGateway, meter: str) -> None:
        self._gateway = gateway
        self._meter = meter

    async def read(self, *, within_s: float) -> MeterRead:
        del within_s
        data = self._gateway.reading(self._meter)
        _, reading = decode_only(data)
        assert isinstance(reading, Reading)
        sample = Sample(meter=self._meter, channel="total", watts=reading.channels["total"], at_s=reading.at)
        return MeterRead(samples=(sample,), envelope=data)

    async def check(self, *, within_s: float) -> Sequence[Finding]:
        del within_s
        return []

    async def close(self) -> None:
        """Nothing is open."""


def hall() -> Plant:
    """Return the hall that every run stops: one node ignores the soft off, one lies about its power."""
    plant = Plant.hall(
        nodes=NODES,
        seed=5,
        timing=Timing(soft_off_s=(0.5, 1.5), force_off_s=(0.2, 0.5), power_on_s=(0.5, 1.0)),
    )
    plant.node(IGNORES_SOFT_OFF).bmc.ignores_graceful()
    plant.node(LIES).bmc.lies()
    return plant


def devices_of(site: SiteFile, folder: SiteFolder, clock: Clock, fuse: Fuse, world: World) -> Devices:
    """Return the hall's devices in memory; the nodes are as the world remembers them."""
    plant = hall()
    now_s = clock.monotonic_s()
    for line in (folder.path / "world.jsonl").read_text().splitlines():
        said = json.loads(line)
        if "sent" in said:
            plant.command(said["sent"], Act(said["act"]), now_s - 100)
    plant.advance(now_s)
    gateway = MeterGateway(
        plant,
        charter=folder.charter_id,
        site=site.identity.site,
        signer=folder.signer(UTILITY_KEY),
        clock=clock.monotonic_s,
        wall_s=clock.wall_s,
    )
    meters = {
        row.id: FeedMeter(gateway, row.id) if row.signed else UnitMeter(plant, clock, row.id, [*row.channels])
        for row in site.table.meters
    }
    return Devices(
        bmcs=PlantSwitches(plant, clock, fuse, world, outlets=False),
        outlets=PlantSwitches(plant, clock, fuse, world, outlets=True),
        meters=dict(meters),
    )
