"""kill -9 after and before every write and every command of a stop: the latch and the ceiling survive."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grandpause.core.memory import Memory
from grandpause.core.model import Stage, Unit
from grandpause.core.statement.acts import Limit
from grandpause.core.stop import ACT_OF, EffectKey
from grandpause.core.trust import decode_only
from grandpause.sim.folder import SiteFolder
from grandpause.stores.sqlite import SqliteStore
from grandpause.verify.bundle import verify_bundle
from stories.killing_launcher import CEILING_PPM, LIMIT_FILE
from stories.plant_devices import IGNORES_SOFT_OFF, LIES, NODES, hall
from stories.rig import unserved

SIGKILL = 9
WORKERS = 3
ACTS = {str(act): act for act in ACT_OF.values()}
CUT = {"r01n03", "r01n04", IGNORES_SOFT_OFF, LIES}
TIMES: Mapping[str, Mapping[str, int | float]] = {
    "timing": {
        "soft_off_s": 4,
        "force_off_s": 3,
        "outlet_off_s": 5,
        "command_s": 3,
        "poll_s": 0.5,
        "backoff_s": 0.5,
        "retry_s": 5,
        "settle_s": 2,
    },
    "periods": {"meters_s": 1, "status_s": 3, "window_s": 6},
}


class Launcher:
    """The launcher's process, and the one way to give it a job."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, folder: SiteFolder, *, at: int, side: str) -> bool:
        """Run the controller; tell whether it was killed. Any other end but a good one fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"folder": str(folder.path), "at": at, "side": side}
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        async with asyncio.timeout(60):
            answer = json.loads(await self._process.stdout.readline())
        assert answer in ({"signal": SIGKILL, "code": -1}, {"signal": 0, "code": 0}), (at, side, answer)
        return bool(answer["signal"] == SIGKILL)


@asynccontextmanager
async def launcher() -> AsyncIterator[Launcher]:
    """Start a launcher; end it with the block."""
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("killing_launcher.py")),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert process.stdin is not None
    try:
        yield Launcher(process)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass(slots=True, kw_only=True)
class Kept:
    """What a store holds after the process is dead."""

    memory: Memory | None
    effects: Sequence[tuple[EffectKey, int]]
    limits: int

    @property
    def latch(self) -> int | None:
        return None if self.memory is None else self.memory.latch.get("site", Unit.COMPUTE)


@dataclass(slots=True)
class Tally:
    """What the enumeration met on its way."""

    kills: Counter[str] = field(default_factory=Counter)
    stages: set[Stage] = field(default_factory=set)
    acknowledged: int = 0


def kept_by(folder: SiteFolder) -> Kept:
    """Open the dead controller's store as its next start does."""
    store = SqliteStore(folder.path / "state" / "site.sqlite")
    try:
        statements = [decode_only(each.data)[1] for each in store.statements()]
        limits = sum(isinstance(each, Limit) for each in statements)
        return Kept(memory=store.memory(), effects=store.effects(), limits=limits)
    finally:
        store.close()


def world_of(folder: SiteFolder) -> list[dict[str, Any]]:
    """Return what really happened, in order."""
    return [json.loads(line) for line in (folder.path / "world.jsonl").read_text().splitlines()]


def check_after_the_kill(folder: SiteFolder, where: str, tally: Tally) -> Kept:
    """What the dead process leaves on disk must bind as much as what it had said before."""
    kept = kept_by(folder)
    world = world_of(folder)
    acknowledged = (folder.inbox / "accepted" / LIMIT_FILE).exists()
    tally.acknowledged += acknowledged
    if acknowledged:
        assert kept.limits == 1, where
    if kept.limits:
        assert kept.latch == CEILING_PPM, where
    said = [line["kept"].get(f"site {Unit.COMPUTE}") for line in world if "kept" in line]
    lowest = min((each for each in said if each is not None), default=None)
    if lowest is not None:
        assert kept.latch is not None, where
        assert kept.latch <= lowest, where
    sent = Counter((line["sent"], line["act"]) for line in world if "sent" in line)
    recorded = Counter((key.element, str(ACT_OF[key.stage])) for key, _ in kept.effects)
    assert sent <= recorded, f"{where}: a command left before its key was on disk"
    tally.stages |= {key.stage for key, _ in kept.effects}
    return kept


def check_after_the_next_start(folder: SiteFolder, before: Kept, where: str) -> None:
    """The next start ends the stop: the ceiling kept, the nodes off, under a new nonce."""
    kept = kept_by(folder)
    assert kept.memory is not None
    assert kept.memory.armed
    assert kept.latch == CEILING_PPM, where
    assert before.memory is None or kept.memory.nonce != before.memory.nonce, where
    plant = hall()
    for line in world_of(folder):
        if "sent" in line:
            plant.command(line["sent"], ACTS[line["act"]], 0.0)
    assert set(plant.nodes_on(100.0)) == set(plant.nodes) - CUT, where
    previous = ""
    for bundle in sorted((folder.path / "state" / "evidence").glob("?" * 6)):
        verified = verify_bundle(bundle, charter_id=folder.charter_id)
        assert verified.evidence.number == int(bundle.name), where
        assert verified.evidence.previous == previous, where
        previous = verified.name
    assert str(verified.verdict) == "proven", where


async def test_a_kill_at_any_step_of_a_stop_loses_no_latch_and_raises_no_ceiling(tmp_path: Path) -> None:
    template = unserved(tmp_path / "template", nodes=NODES, settings=TIMES)
    tally = Tally()
    steps = {"before": 0, "after": 0}

    async def work() -> None:
        async with launcher() as runs:
            for side in steps:
                while await one(runs, side):
                    pass

    ended: set[str] = set()

    async def one(runs: Launcher, side: str) -> bool:
        if side in ended:
            return False
        steps[side] += 1
        at = steps[side]
        where = f"killed {side} step {at}"
        folder = SiteFolder(path=tmp_path / f"{side}-{at}")
        shutil.copytree(template.path, folder.path)
        if not await runs.run(folder, at=at, side=side):
            ended.add(side)
            return False
        died_at = world_of(folder)[-1]["dying"]
        tally.kills[f"{side} a {died_at}"] += 1
        before = check_after_the_kill(folder, where, tally)
        assert not await runs.run(folder, at=0, side=side), where
        check_after_the_next_start(folder, before, where)
        return True

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    assert tally.stages == {Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF}
    kinds = ("commit", "effects", "command")
    assert set(tally.kills) == {f"{side} a {kind}" for side in steps for kind in kinds}
    assert all(tally.kills[f"{side} a command"] >= len(CUT) for side in steps), tally
    assert tally.acknowledged >= len(CUT), tally
