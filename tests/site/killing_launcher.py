"""Runs the real controller on in-memory devices and kills its process at one chosen step.

A step is one write of the store, or one command to a device; the kill (SIGKILL, to itself) comes just
before or just after the chosen one. Controller, inbox, store and evidence are the real ones on the real
disk; only devices and clock are not: the devices are a plant in memory, and time runs ``SPEED`` times as
fast. What devices were told, and what the store acknowledged, is written to ``world.jsonl``, which is the
memory of the world and outlives the kill: the next run finds the nodes as the last one left them.

One job a line on stdin: {"folder": PATH, "at": N, "side": "before" | "after" | "never"}; one answer a line:
{"signal": 9 or 0, "code": exit code}. Each job runs in a process of its own, forked from this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import grandpause.site.daemon as daemon_module
from grandpause.core.memory import Memory
from grandpause.core.model import Act, Power, Reply, VerdictWord
from grandpause.core.statement.facts import Reading
from grandpause.core.stop import EffectKey
from grandpause.core.trust import decode_only
from grandpause.ports import Answer, Claim, Clock, Finding, JournalLine, MeterRead, Sample, StoredStatement
from grandpause.sim.folder import UTILITY_KEY, SiteFolder
from grandpause.sim.gateway import MeterGateway
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.site.daemon import SiteDaemon
from grandpause.site.sitefile import SiteFile, load_site_file
from grandpause.site.wiring import Devices
from grandpause.stores.sqlite import SqliteStore
from stories.rig import limit, post, restart

SPEED = 20
NODES = 6
CEILING_PPM = 340_000
"""Two of six nodes may stay on."""
LIMIT_FILE = "limit.json"
LONGEST_S = 400
"""Simulated seconds after which a run that proves nothing is given up."""


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


class _FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are as short as the clock's."""

    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        return time.monotonic() * SPEED


class Fuse:
    """Counts the steps of a run, and kills the process at one of them."""

    def __init__(self, at: int, side: str) -> None:
        self._at = at
        self._side = side
        self._count = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        self._count += 1
        self._burn("before")
        yield
        self._burn("after")

    def _burn(self, side: str) -> None:
        if self._count == self._at and side == self._side:
            os.kill(os.getpid(), signal.SIGKILL)


class World:
    """What really happened so far, in order; each line is written at once, whole."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, **line: object) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


class KillingStore(SqliteStore):
    """The real store; every write is a step."""

    fuse: Fuse
    world: World

    def commit(
        self,
        *,
        statements: Sequence[StoredStatement] = (),
        memory: Memory | None = None,
        values: Mapping[str, bytes] | None = None,
        journal: Sequence[JournalLine] = (),
    ) -> None:
        with self.fuse.step():
            super().commit(statements=statements, memory=memory, values=values, journal=journal)
            if memory is not None:
                latch = {f"{key.part} {key.unit}": value for key, value in memory.latch}
                self.world.note(kept=latch, armed=memory.armed, nonce=memory.nonce)

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        with self.fuse.step():
            super().record_effects(keys, at_s=at_s)


class PlantSwitches:
    """BMCs and outlets of a plant in memory (``ports.Actuator``); every command is a step."""

    def __init__(self, plant: Plant, clock: Clock, fuse: Fuse, world: World, *, outlets: bool) -> None:
        self._plant = plant
        self._clock = clock
        self._fuse = fuse
        self._world = world
        self._outlets = outlets

    async def command(self, element: str, act: Act, *, within_s: float) -> Answer:
        with self._fuse.step():
            self._world.note(sent=element, act=str(act))
            reply = self._plant.command(element, act, self._clock.monotonic_s())
        return Answer(reply=reply)

    async def claim(self, element: str, *, within_s: float) -> Claim:
        if self._outlets:
            live = any(each.on for each in self._plant.node(element).outlets)
            return Claim(power=Power.ON if live else Power.OFF, reply=Reply.ACCEPTED)
        power = self._plant.claimed(element, self._clock.monotonic_s())
        reply = Reply.UNREACHABLE if power is Power.UNKNOWN else Reply.ACCEPTED
        return Claim(power=power, reply=reply)

    async def check(self, element: str, *, within_s: float) -> Sequence[Finding]:
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
        return []

    async def close(self) -> None:
        """Nothing is open."""


class FeedMeter:
    """The meter of a feed; its readings are signed by the utility's key (``ports.Meter``)."""

    def __init__(self, gateway: MeterGateway, meter: str) -> None:
        self._gateway = gateway
        self._meter = meter

    async def read(self, *, within_s: float) -> MeterRead:
        data = self._gateway.reading(self._meter)
        _, reading = decode_only(data)
        assert isinstance(reading, Reading)
        sample = Sample(
            meter=self._meter, channel="total", watts=reading.channels["total"], at_s=reading.at
        )
        return MeterRead(samples=(sample,), envelope=data)

    async def check(self, *, within_s: float) -> Sequence[Finding]:
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
    plant.node("r01n05").bmc.ignores_graceful()
    plant.node("r01n06").bmc.lies()
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


async def be_the_operator(daemon: SiteDaemon, folder: SiteFolder, clock: Clock) -> None:
    """Do what of arming, starting and limiting was not done before the last kill."""
    engine = daemon.engine
    if not engine.decision.memory.armed:
        engine.arm()
    while engine.decision.memory.standby is not None:
        now_s = clock.wall_s()
        again = restart(folder, engine.keeper.memory.nonce, void_after=now_s + 86_400)
        post(folder, f"restart-{secrets.token_hex(4)}.json", again, "ada", "bo")
        await asyncio.sleep(10)
    known = [folder.inbox / LIMIT_FILE, folder.inbox / "accepted" / LIMIT_FILE]
    if not any(each.exists() for each in known):
        post(folder, LIMIT_FILE, limit(folder, CEILING_PPM, start=clock.wall_s()), "ada", "bo")


async def run(folder: SiteFolder, at: int, side: str, begin_s: float) -> None:
    """Run the controller until its stop is proven, unless it is killed before."""
    clock = FastClock(begin_s)
    fuse = Fuse(at, side)
    world = World(folder.path / "world.jsonl")
    site = load_site_file(folder.site_file)

    async def open_devices(site: SiteFile, clock: Clock, *, outlets: bool = True) -> Devices:
        return devices_of(site, folder, clock, fuse, world)

    KillingStore.fuse, KillingStore.world = fuse, world
    with (
        mock.patch.object(daemon_module, "SqliteStore", KillingStore),
        mock.patch.object(daemon_module, "open_devices", open_devices),
    ):
        async with SiteDaemon(site, clock=clock) as daemon, asyncio.timeout(LONGEST_S):
            work = asyncio.create_task(daemon.run())
            acts = asyncio.create_task(be_the_operator(daemon, folder, clock))
            while daemon.bundle is None or daemon.engine.proof is None:
                if work.done():
                    work.result()
                await asyncio.sleep(0.5)
            world.note(ended=daemon.engine.proof.word == VerdictWord.PROVEN, bundle=daemon.bundle.name)
            for task in (work, acts):
                task.cancel()
            await asyncio.gather(work, acts, return_exceptions=True)


def child(job: Mapping[str, object], begin_s: float) -> int:
    """Run one job; return the exit code."""
    try:
        with asyncio.Runner(loop_factory=_FastLoop) as runner:
            runner.run(run(SiteFolder(path=Path(str(job["folder"]))), int(str(job["at"])), str(job["side"]), begin_s))
    except Exception:  # noqa: BLE001  the parent must hear of it
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    begin_s = time.time()
    with suppress(KeyboardInterrupt):
        for line in sys.stdin:
            process = os.fork()
            if process == 0:
                code = child(json.loads(line), begin_s)
                sys.stderr.flush()
                os._exit(code)
            _, status = os.waitpid(process, 0)
            killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
            sys.stdout.write(json.dumps({"signal": killed, "code": code}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
