"""Runs ``grandpause site run`` with one system call made to fail by strace, and looks at what it left.

One simulated hall is served for all runs; each has a fresh copy of one armed site with a limit in its inbox.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from crash.daemon_story import CEILING_PPM, LIMIT_FILE
from crash.traced import strace
from grandpause.core.model import Act, Unit
from grandpause.sim.folder import SiteFolder
from grandpause.sim.plant import Plant
from grandpause.sim.serve import SimulatedSite
from grandpause.site.clock import SystemClock
from grandpause.site.daemon import open_keeper
from grandpause.site.inbox import deliver
from grandpause.site.sitefile import load_site_file
from grandpause.stores.sqlite import SqliteStore
from grandpause.verify.bundle import verify_bundle
from stories.rig import PROGRAM, comes_true, limit, restart, sealed, served

BUNDLE_FILES = (
    "declaration.json", "elements.json", "nodes.json", "readings/before.json", "readings/after.json",
    "charters/0001.json", "evidence.json",
)  # fmt: skip
_SYNC = re.compile(r"(?:fsync|fdatasync|pwrite64|ftruncate)\(\d+<(?P<file>[^>]+)>.*\) += (?P<result>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Which call fails, the how many-th, and how.

    Attributes:
        calls: names of system calls, with commas.
        effect: what strace injects: ``error=EIO``, or ``retval=0``, which skips the call and lies.
        when: the number of the call, or ``N+`` for it and all later ones.
        files: below the state directory; none: whatever file.
    """

    calls: str
    effect: str
    when: str
    files: tuple[str, ...] = ()

    def options(self, state: Path) -> list[str]:
        """Return strace's options."""
        paths = [word for each in self.files for word in ("-P", str(state / each))]
        return [*paths, "-e", f"inject={self.calls}:{self.effect}:when={self.when}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How a run ended, and what it left.

    Attributes:
        injected: how many calls failed.
        after_failure: files of the store that were synced or written after a failed sync of one of them.
        wrong: what is lost or raised, in words; empty: nothing.
    """

    code: int
    said: str
    injected: int
    after_failure: tuple[str, ...]
    taken: bool
    wrong: str


@dataclass(slots=True, kw_only=True)
class Bench:
    """One served hall, and the site folder that each run copies."""

    sim: SimulatedSite
    directory: Path
    runs: int = 0

    def fresh(self) -> SiteFolder:
        """Return a fresh copy of the site; every node is on."""
        self.runs += 1
        folder = SiteFolder(path=self.directory / f"run-{self.runs}")
        shutil.copytree(self.sim.folder.path, folder.path)
        _everything_on(self.sim.plant)
        return folder

    async def run(self, fault: Fault, *, kill: bool = False) -> Left:
        """Run a controller under a fault until its stop is proven or it ends; then see what it left.

        Args:
            kill: end it with SIGKILL, not with SIGTERM.
        """
        folder = self.fresh()
        state = folder.path / "state"
        log = folder.path / "calls.log"
        command = [
            strace(), "-f", "-y", "--seccomp-bpf", "-s", "32", "-e", "signal=none", "-o", str(log),
            "-e", "trace=fsync,fdatasync,pwrite64,ftruncate,write", *fault.options(state),
            str(PROGRAM), "site", "run", str(folder.site_file),
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        ended = asyncio.create_task(process.communicate())
        try:
            await comes_true(lambda: ended.done() or _proven(state), within_s=40)
        finally:
            if not ended.done():
                os.kill(int((state / "lock").read_text()), signal.SIGKILL if kill else signal.SIGTERM)
            _, said = await ended
        assert process.returncode is not None
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        left = Left(
            code=process.returncode,
            said=said.decode(),
            injected=sum("(INJECTED)" in line for line in lines),
            after_failure=tuple(_touched_after_a_failed_sync(lines)),
            taken=(folder.inbox / "accepted" / LIMIT_FILE).exists(),
            wrong=what_is_wrong(folder),
        )
        shutil.rmtree(folder.path)
        return left


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[Bench]:
    """Serve a hall; prepare a site that is armed, out of its standby, and finds a limit in its inbox."""
    async with served(directory / "site", nodes=3) as sim:
        folder = sim.folder
        store = SqliteStore(sim.site.identity.state / "site.sqlite")
        keeper = open_keeper(sim.site, store, SystemClock())
        keeper.arm()
        keeper.receive(sealed(folder, restart(folder, keeper.memory.nonce), "ada", "bo"))
        store.close()
        folder.inbox.mkdir()
        deliver(folder.inbox, LIMIT_FILE, sealed(folder, limit(folder, CEILING_PPM), "ada", "bo"))
        yield Bench(sim=sim, directory=directory)


def _everything_on(plant: Plant) -> None:
    now_s = time.monotonic()
    for node in plant.nodes.values():
        node.restores_power = True
        for outlet in node.outlets:
            plant.switch_outlet(outlet.unit.id, outlet.index, True, now_s)
        plant.command(node.id, Act.POWER_ON, now_s)


def _proven(state: Path) -> bool:
    try:
        return bool(json.loads((state / "status.json").read_text())["bundle"])
    except (FileNotFoundError, ValueError):
        return False


def _touched_after_a_failed_sync(lines: Sequence[str]) -> list[str]:
    """Return which files of the store were synced or written although a sync of one had failed."""
    failed = False
    found = []
    for line in lines:
        match = _SYNC.search(line)
        if match is None or ".sqlite" not in match["file"] or match["file"].endswith("-shm"):
            continue
        if failed:
            found.append(line.strip()[:200])
        failed = failed or ("sync(" in line and "(INJECTED)" in line and "= -1" in line)
    return found


def what_is_wrong(folder: SiteFolder) -> str:
    """Start as the next controller does; return what is lost or raised."""
    site = load_site_file(folder.site_file)
    taken = (folder.inbox / "accepted" / LIMIT_FILE).exists()
    if not taken and not (folder.inbox / LIMIT_FILE).exists():
        return "the limit is in no folder of the inbox"
    store = SqliteStore(site.identity.state / "site.sqlite")
    try:
        before = store.memory()
        keeper = open_keeper(site, store, SystemClock())
        allowed = keeper.decide().caps.get("site", Unit.COMPUTE)
        if not keeper.memory.armed:
            return "it is not armed any more"
        if before is None or before.standby is not None:
            return "the memory"
        if taken and (allowed is None or allowed > CEILING_PPM):
            return f"{allowed} is allowed although the limit was taken"
        for number in range(1, int(store.value("evidence_number") or b"0") + 1):
            verify_bundle(site.identity.state / "evidence" / f"{number:06}", charter_id=folder.charter_id)
    finally:
        store.close()
    return ""
