"""A controller that is stopped (SIGSTOP) for longer than its deadlines, and the watchdog that it feeds."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from crash.daemon_story import CEILING_PPM, LIMIT_FILE
from grandpause.sim.folder import SiteFolder
from grandpause.sim.serve import SimulatedSite
from grandpause.site.clock import SystemClock
from grandpause.site.daemon import open_keeper
from grandpause.site.watchdog import feed_watchdog
from grandpause.stores.sqlite import SqliteStore
from stories.rig import PROGRAM, QUICK, comes_true, limit, post, restart, sealed, served, unserved

STOPPED_S = 7.0
"""Longer than every stage's time, and than the limit's own deadline."""
STEP_S = 1.5
PACED: Mapping[str, Mapping[str, int | float]] = {
    **QUICK,
    "ramp": {"watts_per_step": 12_000, "step_s": STEP_S},
}
"""A node may drop about 10 kW: one in each step."""


@asynccontextmanager
async def controller(
    folder: SiteFolder, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the controller until the block ends; then end it, stopped or not."""
    log = folder.path / "run.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM), "site", "run", str(folder.site_file), stderr=errors,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        await process.wait()
    assert process.returncode == 0, log.read_text()[-2_000:]


def said(folder: SiteFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder.path / "state" / "status.json").read_text())
    return found


def arm_and_start(sim: SimulatedSite) -> None:
    store = SqliteStore(sim.site.identity.state / "site.sqlite")
    keeper = open_keeper(sim.site, store, SystemClock())
    keeper.arm()
    keeper.receive(sealed(sim.folder, restart(sim.folder, keeper.memory.nonce), "ada", "bo"))
    store.close()


async def first_commands(sim: SimulatedSite, first: dict[str, float]) -> None:
    """Note when each node was first told anything."""
    while True:
        for node, _ in sim.bmcs.commands:
            first.setdefault(node, time.monotonic())
        await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_controller_stopped_beyond_its_deadlines_goes_on_where_the_nodes_are(tmp_path: Path) -> None:
    async with served(tmp_path / "site", nodes=8, faults=["r01n05=ignore-soft"], settings=PACED) as sim:
        folder = sim.folder
        arm_and_start(sim)
        first: dict[str, float] = {}
        watch = asyncio.create_task(first_commands(sim, first))
        async with controller(folder) as process:
            await comes_true((folder.path / "state" / "status.json").exists)
            post(folder, LIMIT_FILE, limit(folder, CEILING_PPM, complete_s=4), "ada", "bo")
            await comes_true(lambda: len(first) >= 2)
            process.send_signal(signal.SIGSTOP)
            stopped_s = time.monotonic()
            await asyncio.sleep(0.3)
            told = len(sim.bmcs.commands)
            await asyncio.sleep(STOPPED_S)
            assert len(sim.bmcs.commands) == told, "it is stopped"
            assert said(folder)["verdict"] != "proven"
            process.send_signal(signal.SIGCONT)
            woken_s = time.monotonic()
            await comes_true(lambda: said(folder)["verdict"] == "proven", within_s=40)
            assert [each["value"] for each in said(folder)["allowed"]] == [CEILING_PPM]
            assert len(list(sim.plant.nodes_on(time.monotonic()))) == 2
        watch.cancel()
        later = sorted(each for each in first.values() if each > stopped_s)
        assert len(later) >= 3, first
        assert later[0] >= woken_s
        gaps = [after - before for before, after in itertools.pairwise(later)]
        assert min(gaps) > STEP_S * 0.7, f"the slots that passed came in a burst: {gaps}"
        alarms = (folder.path / "run.log").read_text()
        assert "ALARM deadline" in alarms, "the deadline passed while it was stopped, and it says so"


@asynccontextmanager
async def systemd(directory: Path) -> AsyncIterator[tuple[dict[str, str], list[str]]]:
    """Listen as systemd does; give the environment that it sets, and what it was told."""
    heard: list[str] = []
    address = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(address))

        async def listen() -> None:
            while True:
                heard.append((await asyncio.get_running_loop().sock_recv(listener, 100)).decode())

        task = asyncio.create_task(listen())
        try:
            yield {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1000000"}, heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_watchdog_is_fed_by_a_controller_that_runs_and_not_by_a_stopped_one(tmp_path: Path) -> None:
    folder = unserved(tmp_path / "site", nodes=2)
    async with systemd(tmp_path) as (environment, heard), controller(folder, environment) as process:
        await comes_true(lambda: heard.count("WATCHDOG=1") >= 3)
        assert heard[0] == "READY=1"
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.3)
        before = len(heard)
        await asyncio.sleep(2.0)
        assert len(heard) == before, "a stopped controller feeds nothing"
        process.send_signal(signal.SIGCONT)
        await comes_true(lambda: len(heard) >= before + 3)
    assert "ALARM late" in (folder.path / "run.log").read_text()


async def test_a_loop_that_is_blocked_feeds_nothing_and_says_so(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    async with systemd(tmp_path) as (environment, heard):
        feeding = asyncio.create_task(
            feed_watchdog(environment, tell=lambda code, text: told.append((code, text)))
        )
        await comes_true(lambda: heard.count("WATCHDOG=1") >= 2)
        before = len(heard)
        time.sleep(1.5)  # noqa: ASYNC251  what blocks a loop is what is tested
        await asyncio.sleep(0.1)
        assert len(heard) == before, "it came too late to be fed"
        assert [code for code, _ in told] == ["late"]
        await comes_true(lambda: len(heard) > before)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "1000"}, {"NOTIFY_SOCKET": ""}],
    ids=["nothing set", "no socket", "an empty one"],
)
async def test_without_systemd_nothing_is_fed(environment: dict[str, str]) -> None:
    async with asyncio.timeout(1):
        await feed_watchdog(environment, tell=lambda _code, text: pytest.fail(text))


@pytest.mark.parametrize(
    "change",
    [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}],
    ids=["another process is meant", "no time", "no number"],
)
async def test_a_watchdog_that_is_not_ours_is_not_fed(change: dict[str, str], tmp_path: Path) -> None:
    async with systemd(tmp_path) as (environment, heard), asyncio.timeout(2):
        await feed_watchdog({**environment, **change}, tell=lambda _code, text: pytest.fail(text))
        await comes_true(lambda: heard == ["READY=1"])


async def test_a_socket_that_nobody_reads_is_told_of_and_ends_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    await feed_watchdog({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, tell=lambda code, _: told.append(code))
    assert told == ["watchdog"]
