"""A stop of the real controller with every file call written down, and what a power cut may make of it.

Devices are simulated servers; the controller is ``grandpause site run`` under strace. What it acknowledged is
in what it wrote: a statement moved to ``accepted/``, an answer to ``arm``, a status.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from crash.disk import Do, Image, Operation, lay_out
from crash.judging import Verdict
from crash.traced import laid_down, operations_in, traced
from grandpause.core.model import Unit
from grandpause.errors import GrandpauseError
from grandpause.sim.folder import SiteFolder
from grandpause.site.clock import SystemClock
from grandpause.site.control import Control
from grandpause.site.daemon import open_keeper
from grandpause.site.inbox import deliver
from grandpause.site.keeper import Keeper
from grandpause.site.sitefile import SiteFile
from grandpause.stores.sqlite import SqliteStore
from grandpause.verify.bundle import verify_bundle
from stories.rig import PROGRAM, comes_true, limit, restart, sealed, served

CEILING_PPM = 250_000
LIMIT_FILE, PENDING_FILE, BAD_FILE = "limit.json", "signed-by-one.json", "no-statement.json"
PLACES = ("", "accepted/", "pending/", "refused/")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStory:
    """What a controller did to its files.

    Attributes:
        operations: what lay there before, then every call.
        begin: how many operations lay down what was there before.
        statements: inbox file -> bytes.
    """

    operations: Sequence[Operation]
    begin: int
    statements: Mapping[str, bytes]
    site: SiteFile
    charter_id: str


async def tell_daemon_story(directory: Path) -> DaemonStory:
    """Run one stop from arming to a proven verdict, and end the controller."""
    async with served(directory / "site", nodes=4) as sim:
        folder = sim.folder
        _end_the_standby(folder, sim.site)
        statements = _fill_inbox(folder)
        before = [*laid_down(folder.path)]
        known = [each.file for each in before]
        log = directory / "calls.log"
        process = await asyncio.create_subprocess_exec(
            *traced(log, str(PROGRAM), "site", "run", str(folder.site_file)),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        state = sim.site.identity.state
        try:
            await comes_true((state / "status.json").exists, within_s=30)
            await asyncio.to_thread(Control(state / "control").request, "arm", within_s=20)
            evidence = state / "evidence" / "000001"
            await comes_true(lambda: evidence.exists() and _said(state).get("bundle", "") != "", within_s=40)
        finally:
            os.kill(int((state / "lock").read_text()), signal.SIGTERM)  # strace itself passes nothing on
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()[-2_000:]
        operations = operations_in(log, folder.path, known=known)
        return DaemonStory(
            operations=[*before, *operations],
            begin=len(before),
            statements=statements,
            site=sim.site,
            charter_id=folder.charter_id,
        )


def _said(state: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((state / "status.json").read_text())
    return found


def _keeper(site: SiteFile, store: SqliteStore) -> Keeper:
    return open_keeper(site, store, SystemClock())


def _end_the_standby(folder: SiteFolder, site: SiteFile) -> None:
    """Boot once before the story, and use a restart: the story begins unarmed, out of its standby."""
    store = SqliteStore(site.identity.state / "site.sqlite")
    keeper = _keeper(site, store)
    keeper.receive(sealed(folder, restart(folder, keeper.memory.nonce), "ada", "bo"))
    store.close()


def _fill_inbox(folder: SiteFolder) -> dict[str, bytes]:
    statements = {
        LIMIT_FILE: sealed(folder, limit(folder, CEILING_PPM), "ada", "bo"),
        PENDING_FILE: sealed(folder, limit(folder, 0), "cy"),
        BAD_FILE: b"no statement at all",
    }
    folder.inbox.mkdir()
    for name, data in statements.items():
        deliver(folder.inbox, name, data)
    return statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What the controller had said by some moment.

    Attributes:
        taken: inbox files that lie in ``accepted/`` or ``pending/``.
        armed: whether ``arm`` was answered.
        latch: what the last status named, for the site's compute.
        statuses: every status so far.
    """

    taken: frozenset[str] = frozenset()
    armed: bool = False
    latch: int | None = None
    statuses: frozenset[bytes] = frozenset()


def acknowledged(story: DaemonStory) -> list[Acknowledged]:
    """Return what was acknowledged after each operation."""
    now = Acknowledged()
    found = [now]
    written: dict[str, bytes] = {}
    for each in story.operations:
        if each.do in (Do.CREATE, Do.TRUNCATE):
            written[each.file] = b""
        elif each.do is Do.WRITE:
            written[each.file] = written.get(each.file, b"") + each.data
        elif each.do is Do.RENAME:
            now = _heard(now, each.target, written.get(each.file, b""))
        found.append(now)
    return found


def _heard(now: Acknowledged, target: str, data: bytes) -> Acknowledged:
    place, _, name = target.rpartition("/")
    if place in ("inbox/accepted", "inbox/pending"):
        return replace(now, taken=now.taken | {name})
    if target.endswith(".answer"):
        return replace(now, armed=now.armed or json.loads(data)["ok"])
    if target == "state/status.json":
        latch = [each["value"] for each in json.loads(data)["latch"] if each["unit"] == str(Unit.COMPUTE)]
        return replace(now, latch=min(latch) if latch else now.latch, statuses=now.statuses | {data})
    return now


@dataclass(slots=True)
class DaemonJudge:
    """Judges the images of one story."""

    story: DaemonStory
    directory: Path
    _acknowledged: list[Acknowledged] = field(default_factory=list)
    _known: dict[object, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._acknowledged = acknowledged(self.story)

    def judge(self, image: Image) -> Verdict:
        """Lay an image out, and start on it as the next controller does."""
        before = self._acknowledged[image.done]
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        lay_out(
            {name: data for name, data in image.files.items() if name.startswith(("state", "inbox"))},
            self.directory,
        )
        store_files = {name: data for name, data in image.files.items() if ".sqlite" in name}
        bundles = {name: data for name, data in image.files.items() if name.startswith("state/evidence/0")}
        key = _digest(store_files), _digest(bundles), before.taken, before.armed, before.latch
        if key not in self._known:
            self._known[key] = self._of_the_store(before)
        first, _, then = self._known[key].partition("|")
        lost = first or self._of_the_inbox(image) or _of_the_status(image, before)
        return Verdict(lost=lost, raised=then)

    def _of_the_store(self, before: Acknowledged) -> str:
        """Return what is lost, and after a bar what is raised."""
        try:
            store = SqliteStore(self.directory / "state" / "site.sqlite")
        except GrandpauseError as error:
            return f"the store does not open: {error}"
        try:
            stored = {each.data for each in store.statements()}
            gone = [each for each in before.taken if self.story.statements[each] not in stored]
            if gone:
                return f"{gone} were taken and are not stored"
            bundles = self._of_the_evidence(store)
            if bundles:
                return bundles
            keeper = _keeper(self.story.site, store)
            if before.armed and not keeper.memory.armed:
                return "armed"
            latch = keeper.memory.latch.get("site", Unit.COMPUTE)
            if before.latch is not None and (latch is None or latch > before.latch):
                return f"the latch is {latch}, the status said {before.latch}|the latch"
            allowed = keeper.decide().caps.get("site", Unit.COMPUTE)
            if LIMIT_FILE in before.taken and (allowed is None or allowed > CEILING_PPM):
                return f"|{allowed} is allowed"
        except GrandpauseError as error:
            return f"the next start fails: {error}"
        finally:
            store.close()
        return ""

    def _of_the_evidence(self, store: SqliteStore) -> str:
        """Every bundle under its final name must be whole, and every one that the store names be there."""
        evidence = self.directory / "state" / "evidence"
        named = int(store.value("evidence_number") or b"0")
        there = {each.name for each in evidence.glob("?" * 6)} if evidence.exists() else set()
        missing = {f"{number:06}" for number in range(1, named + 1)} - there
        if missing:
            return f"the store names the bundles {missing}, which are not there"
        for each in sorted(there):
            try:
                verified = verify_bundle(evidence / each, charter_id=self.story.charter_id)
            except GrandpauseError as error:
                return f"half a bundle: {error}"
            if int(each) == named and verified.name.encode() != store.value("evidence_name"):
                return f"the bundle {each} is another than the one that the store names"
        return ""

    def _of_the_inbox(self, image: Image) -> str:
        for name, data in self.story.statements.items():
            if not any(image.files.get(f"inbox/{place}{name}") == data for place in PLACES):
                return f"{name} is in no folder of the inbox"
        return ""


def _of_the_status(image: Image, before: Acknowledged) -> str:
    """A status that was cut off must not be taken for one."""
    data = image.files.get("state/status.json")
    if data is None or data in before.statuses:
        return ""
    try:
        json.loads(data)
    except ValueError:
        return ""
    return "a status that was never said"


def _digest(files: Mapping[str, bytes]) -> bytes:
    every = sha256()
    for name in sorted(files):
        every.update(f"{name}\n{len(files[name])}\n".encode() + files[name])
    return every.digest()
