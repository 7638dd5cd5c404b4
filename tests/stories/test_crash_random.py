"""kill -9 of ``grandpause site run`` at a hundred moments of its life, over the real protocols."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grandpause.core.model import Act, Unit
from grandpause.sim.serve import SimulatedSite
from grandpause.site.control import Control
from grandpause.stores.sqlite import SqliteStore
from stories.rig import PROGRAM, limit, post, restart, served

SEED = 20261122
KILLS = 100
WORKERS = 4
CEILING_PPM = 250_000
"""Two of eight nodes may stay on."""
LIMIT_FILE = "limit.json"
STUBBORN = "r01n07"
"""Its BMC obeys nothing, and says so: only its outlets take it down."""
AIMED = (
    "unarmed", "armed", "limit", "soft off", "force off", "outlet off", "prove", "hold", "hold", "prove",
)  # fmt: skip
"""Where each worker kills first; all its other kills come at random moments of a stop."""
STATES = {"unarmed", "armed", "soft off", "force off", "outlet off", "prove", "hold"}
LATEST_S = 3.0
PATIENCE_S = 8.0


@dataclass(slots=True)
class Life:
    """One site from its first boot on, and what its controllers have promised so far."""

    sim: SimulatedSite
    chance: random.Random
    kills: Counter[str]
    nonces: set[str] = field(default_factory=set)
    armed: bool = False
    limited: bool = False

    @property
    def state(self) -> Path:
        return self.sim.site.identity.state

    @property
    def log(self) -> Path:
        """What the last controller wrote to standard error."""
        return self.sim.folder.path / "run.log"

    def status(self) -> dict[str, Any] | None:
        """What the running controller last said; None before it said anything."""
        path = self.state / "status.json"
        return json.loads(path.read_text()) if path.exists() else None

    def everything_on(self) -> None:
        """Let somebody switch every node on again."""
        plant, now_s = self.sim.plant, time.monotonic()
        for node in plant.nodes.values():
            node.restores_power = True
            for outlet in node.outlets:
                plant.switch_outlet(outlet.unit.id, outlet.index, True, now_s)
            plant.command(node.id, Act.POWER_ON, now_s)

    async def start(self) -> asyncio.subprocess.Process:
        """Start the controller; what the last one said is forgotten first."""
        (self.state / "status.json").unlink(missing_ok=True)
        with self.log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                str(PROGRAM), "site", "run", str(self.sim.folder.site_file), stderr=log
            )

    async def until(self, true: Callable[[dict[str, Any]], bool], *, must: bool = True) -> None:
        """Wait until the controller says something of itself."""
        deadline = time.monotonic() + PATIENCE_S
        while (said := self.status()) is None or not true(said):
            if time.monotonic() > deadline:
                assert not must, said
                return
            await asyncio.sleep(0.03)

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """Kill the controller; note in which state it was, as it last said, and check what it left."""
        assert process.returncode is None, self.log.read_text()[-2_000:]
        process.kill()
        await process.wait()
        said = self.status()
        if said is None:
            self.kills["starting"] += 1
        else:
            assert said["nonce"] not in self.nonces, "a boot without a new nonce"
            self.nonces.add(said["nonce"])
            self.check_said(said)
            self.kills["unarmed" if not said["armed"] else said["stage"] or "armed"] += 1
        self.check_kept()

    def check_said(self, said: dict[str, Any]) -> None:
        """A started controller binds as its dead predecessor did."""
        self.armed |= said["armed"]
        assert said["armed"] == self.armed
        if self.limited:
            for caps in (said["latch"], said["allowed"]):
                assert [each["value"] for each in caps] == [CEILING_PPM]

    def check_kept(self) -> None:
        """What was acknowledged is on disk."""
        self.limited |= (self.sim.folder.inbox / "accepted" / LIMIT_FILE).exists()
        path = self.state / "site.sqlite"
        if not path.exists():
            return
        store = SqliteStore(path)
        try:
            memory = store.memory()
        finally:
            store.close()
        if self.armed:
            assert memory is not None
            assert memory.armed
        if self.limited:
            assert memory is not None
            assert memory.latch.get("site", Unit.COMPUTE) == CEILING_PPM

    async def killed_while(self, aim: str) -> None:
        """Start the controller, bring it where it is to die, and kill it."""
        moment_s = self.chance.uniform(0.0, 0.5)
        if aim in {"soft off", "force off", "outlet off", "random"}:
            self.everything_on()
        for outlet in self.sim.plant.node(STUBBORN).outlets:
            outlet.welded = aim == "outlet off"
        process = await self.start()
        try:
            if aim == "random":
                moment_s = self.chance.uniform(0.0, LATEST_S)
            elif aim in {"unarmed", "armed"}:
                await self.until(lambda _: True)
            if aim == "armed":
                await asyncio.to_thread(Control(self.state / "control").request, "arm")
                self.armed = True
                await self.until(lambda said: said["armed"])
            elif aim == "limit":
                await self.until(lambda said: said["armed"])
                said = self.status()
                assert said is not None
                post(self.sim.folder, "start.json", restart(self.sim.folder, said["nonce"]), "ada", "bo")
                await self.until(lambda said: not said["standby"])
                post(self.sim.folder, LIMIT_FILE, limit(self.sim.folder, CEILING_PPM), "ada", "bo")
                moment_s /= 4
            elif aim in STATES:
                await self.until(lambda said: said["stage"] == aim, must=False)
            await asyncio.sleep(moment_s)
        finally:
            await self.kill(process)

    async def ends_well(self) -> None:
        """The last start brings every node down but those that may stay on, and proves it."""
        self.everything_on()
        process = await self.start()
        try:
            await self.until(lambda said: said["verdict"] == "proven" and said["stage"] == "hold")
        finally:
            process.terminate()
            await process.wait()
        assert process.returncode == 0
        assert len(list(self.sim.plant.nodes_on(time.monotonic()))) == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hundred_kills_lose_no_latch_and_raise_no_ceiling(tmp_path: Path) -> None:
    kills: Counter[str] = Counter()

    async def work(number: int) -> None:
        chance = random.Random(SEED + number)
        faults = ["r01n05=ignore-soft", f"{STUBBORN}=lie-openly"]
        async with served(tmp_path / str(number), faults=faults) as sim:
            life = Life(sim=sim, chance=chance, kills=kills)
            aims = [*AIMED, *["random"] * (KILLS // WORKERS - len(AIMED))]
            for aim in aims:
                await life.killed_while(aim)
            await life.ends_well()
            assert life.limited
            shutil.rmtree(sim.site.identity.state)

    await asyncio.gather(*(work(number) for number in range(WORKERS)))
    print(f"seed {SEED}; kills by state: {dict(kills)}")  # noqa: T201  shown with -s, and after a failure
    assert sum(kills.values()) == KILLS, f"seed {SEED}: {kills}"
    assert set(kills) >= STATES, f"seed {SEED}: {kills}"
