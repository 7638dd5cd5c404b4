"""Runs the real controller on in-memory devices and kills its process at one chosen step.

A step is one write of the store, or one command to a device; the kill (SIGKILL, to itself) comes just
before or just after the chosen one. Controller, inbox, store and evidence are the real ones on the real
disk; devices and clock are those of ``plant_devices``. What devices were told, and what the store
acknowledged, is written to ``world.jsonl``, which outlives the kill: the next run finds the nodes as the
last one left them.

One job a line on stdin: {"folder": PATH, "at": N, "side": "before" | "after"}, where N = 0 never kills;
one answer a line: {"signal": 9 or 0, "code": exit code}. Each job runs in a process forked from this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

import grandpause.site.daemon as daemon_module
from grandpause.core.memory import Memory
from grandpause.core.stop import EffectKey
from grandpause.ports import Clock, JournalLine, StoredStatement
from grandpause.sim.folder import SiteFolder
from grandpause.site.daemon import SiteDaemon
from grandpause.site.sitefile import SiteFile, load_site_file
from grandpause.site.wiring import Devices
from grandpause.stores.sqlite import SqliteStore
from stories.plant_devices import FastClock, FastLoop, Fuse, World, devices_of
from stories.rig import DAY_S, limit, post, restart

CEILING_PPM = 340_000
"""Two of six nodes may stay on."""
LIMIT_FILE = "limit.json"
LONGEST_S = 400
"""Simulated seconds after which a run that proves nothing is given up."""


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
        with self.fuse.step("commit"):
            super().commit(statements=statements, memory=memory, values=values, journal=journal)
            if memory is not None:
                latch = {f"{key.part} {key.unit}": value for key, value in memory.latch}
                self.world.note(kept=latch, armed=memory.armed, nonce=memory.nonce)

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        with self.fuse.step("effects"):
            super().record_effects(keys, at_s=at_s)


async def be_the_operator(daemon: SiteDaemon, folder: SiteFolder, clock: Clock) -> None:
    """Do what of arming, starting and limiting was not done before the last kill."""
    engine = daemon.engine
    if not engine.controller.decision.memory.armed:
        engine.arm()
    while engine.controller.decision.memory.standby is not None:
        now_s = clock.wall_s()
        again = restart(folder, engine.controller.keeper.memory.nonce, void_after=now_s + DAY_S)
        post(folder, f"restart-{secrets.token_hex(4)}.json", again, "ada", "bo")
        await asyncio.sleep(10)
    known = [folder.inbox / LIMIT_FILE, folder.inbox / "accepted" / LIMIT_FILE]
    if not any(each.exists() for each in known):
        post(folder, LIMIT_FILE, limit(folder, CEILING_PPM, start=clock.wall_s()), "ada", "bo")


async def run(folder: SiteFolder, at: int, side: str, begin_s: float) -> None:
    """Run the controller until its stop is proven, unless it is killed before."""
    clock = FastClock(begin_s)
    world = World(folder.path / "world.jsonl")
    fuse = Fuse(at, side, world)
    site = load_site_file(folder.site_file)

    async def open_devices(site: SiteFile, clock: Clock, **_options: object) -> Devices:
        return devices_of(site, folder, clock, fuse, world)

    KillingStore.fuse, KillingStore.world = fuse, world
    with (
        mock.patch.object(daemon_module, "SqliteStore", KillingStore),
        mock.patch.object(daemon_module, "open_devices", open_devices),
    ):
        async with SiteDaemon(site, clock=clock) as daemon, asyncio.timeout(LONGEST_S):
            work = asyncio.create_task(daemon.run())
            acts = asyncio.create_task(be_the_operator(daemon, folder, clock))
            while daemon.bundle is None or daemon.engine.controller.proof is None:
                if work.done():
                    work.result()
                await asyncio.sleep(0.5)
            world.note(ended=str(daemon.engine.controller.proof.word), bundle=daemon.bundle.name)
            for task in (work, acts):
                task.cancel()
            await asyncio.gather(work, acts, return_exceptions=True)


def child(job: Mapping[str, object], begin_s: float) -> int:
    """Run one job; return the exit code."""
    try:
        with asyncio.Runner(loop_factory=FastLoop) as runner:
            folder = SiteFolder(path=Path(str(job["folder"])))
            runner.run(run(folder, int(str(job["at"])), str(job["side"]), begin_s))
    except Exception:  # noqa: BLE001  the parent must hear of it
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    begin_s = time.time()
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
