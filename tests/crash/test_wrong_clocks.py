"""Wall clocks that jump by hours to years, under a running controller and across its restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import makers
from core.makers import DAY, HOUR, T0, Cast, limit_power, operator_cast, sealed
from crash.workload import HandClock, check
from grandpause.core.model import Unit
from grandpause.core.statement.charter import Returns
from grandpause.core.timekeeping import DRIFT_PPM, TimeKeeper
from grandpause.core.trust import Standing
from grandpause.ports import Store
from grandpause.sim.folder import SiteFolder
from grandpause.site.keeper import Keeper
from grandpause.stores.memory import MemoryStore
from stories.rig import PROGRAM, comes_true, limit, post, unserved

JUMPS_S = [-400 * DAY, -DAY, -HOUR, HOUR, DAY, 10 * 366 * DAY]
ERROR_S = 5
CEILING_PPM = 250_000


def self_returning() -> Cast:
    """Return a charter whose limits are not latched: what the clock says is all that holds them."""
    curtail = limit_power("curtail", "any-two", returns=Returns.ITSELF)
    return operator_cast(powers=(*operator_cast().charter.powers, curtail))


def booted(store: Store, cast: Cast, clock: HandClock, *, boot_id: str) -> Keeper:
    return Keeper.boot(
        site=makers.SITE,
        controller=makers.CONTROLLER,
        store=store,
        clock=clock,
        fresh_nonce=lambda: os.urandom(16).hex(),
        charters=[(cast.id, [cast.data()])],
        elements=["n1"],
        check=check,
        boot_id=boot_id,
    )


def compute(keeper: Keeper) -> int | None:
    return keeper.decide().caps.get("site", Unit.COMPUTE)


@pytest.fixture
def limited() -> tuple[Store, Cast, HandClock]:
    """A site under a limit of one day that nothing latches."""
    store, cast, clock = MemoryStore(), self_returning(), HandClock()
    keeper = booted(store, cast, clock, boot_id="boot-1")
    curtail = makers.limit(cast, power="curtail", ceiling=CEILING_PPM, start=T0 - 60, until=T0 + DAY)
    assert keeper.receive(sealed(curtail, *cast.some("m1", "m2"))).standing is Standing.COUNTS
    assert compute(keeper) == CEILING_PPM
    return store, cast, clock


@pytest.mark.parametrize("jump_s", JUMPS_S)
def test_a_clock_set_while_the_controller_was_down_ends_no_limit(
    jump_s: int, limited: tuple[Store, Cast, HandClock]
) -> None:
    store, cast, clock = limited
    clock.passes(HOUR)
    clock.wall += jump_s
    again = booted(store, cast, clock, boot_id="boot-1")
    assert compute(again) == CEILING_PPM
    assert again.clock_stepped
    clock.passes(22 * HOUR)
    assert compute(again) == CEILING_PPM
    clock.passes(2 * HOUR)
    assert compute(again) is None, "it ends when its day has passed by the boot-time clock"


@pytest.mark.parametrize("jump_s", JUMPS_S)
def test_many_restarts_believe_a_jumping_clock_no_more_than_one(
    jump_s: int, limited: tuple[Store, Cast, HandClock]
) -> None:
    store, cast, clock = limited
    for _ in range(5):
        clock.wall += jump_s
        clock.passes(HOUR)
        assert compute(booted(store, cast, clock, boot_id="boot-1")) == CEILING_PPM


def test_a_restart_under_a_clock_that_is_right_is_no_step(limited: tuple[Store, Cast, HandClock]) -> None:
    store, cast, clock = limited
    clock.passes(3 * HOUR)
    again = booted(store, cast, clock, boot_id="boot-1")
    assert not again.clock_stepped
    clock.passes(22 * HOUR)
    assert compute(again) is None


def test_a_clock_that_is_ahead_at_a_restart_voids_and_begins_early_and_raises_nothing(
    limited: tuple[Store, Cast, HandClock],
) -> None:
    store, cast, clock = limited
    clock.wall += 2 * DAY
    again = booted(store, cast, clock, boot_id="boot-1")
    again.arm()
    late = makers.restart(cast, again.memory.nonce, void_after=T0 + DAY)
    assert again.receive(sealed(late, *cast.some("m1", "m2"))).standing is Standing.VOID
    later = makers.limit(cast, power="curtail", ceiling=100_000, start=T0 + DAY, until=T0 + 3 * DAY)
    again.receive(sealed(later, *cast.some("m1", "m2")))
    assert compute(again) == 100_000


@pytest.mark.parametrize(
    "boot_id", ["boot-2", ""], ids=["the machine booted again", "nothing names the boot"]
)
def test_another_boot_of_the_machine_looks_at_the_clock_anew(
    boot_id: str, limited: tuple[Store, Cast, HandClock]
) -> None:
    store, cast, clock = limited
    clock.wall += 2 * DAY
    clock.boot = 3.0
    again = booted(store, cast, clock, boot_id=boot_id)
    assert not again.clock_stepped
    assert compute(again) is None


def test_a_boot_time_clock_that_went_back_is_another_boot(limited: tuple[Store, Cast, HandClock]) -> None:
    store, cast, clock = limited
    clock.boot -= 500
    clock.wall += HOUR
    assert not booted(store, cast, clock, boot_id="boot-1").clock_stepped


@pytest.mark.parametrize("jump_s", JUMPS_S)
def test_a_resumed_interval_holds_the_true_time_and_never_ends_earlier(jump_s: int) -> None:
    first = TimeKeeper(error_s=ERROR_S)
    first.observe(wall_s=T0, monotonic_s=100.0)
    anchor = (float(T0), 100.0)
    assert first.anchor == anchor
    passed = 10 * DAY
    second = TimeKeeper(error_s=ERROR_S)
    second.resume(anchor, wall_s=T0 + passed + jump_s, monotonic_s=100.0 + passed)
    found = second.observe(wall_s=T0 + passed + jump_s, monotonic_s=100.0 + passed)
    doubt = ERROR_S + passed * DRIFT_PPM // 1_000_000
    assert second.stepped
    assert found.earliest == T0 + passed - doubt - (passed * DRIFT_PPM % 1_000_000 > 0)
    assert found.latest >= T0 + passed
    assert found.latest <= T0 + passed + doubt + 2 + max(0, jump_s)


def _library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("no libfaketime: install the package of that name")
    return found[0]


@asynccontextmanager
async def controller_under(clock: Path, folder: SiteFolder) -> AsyncIterator[None]:
    """Run ``grandpause site run`` under a wall clock that a file sets, and the real boot-time clock."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    status = folder.path / "state" / "status.json"
    status.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM), "site", "run", str(folder.site_file), env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await comes_true(lambda: status.exists() or process.returncode is not None)
        assert process.returncode is None, (await process.communicate())[1]
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
    assert await process.wait() == 0, said
    (folder.path / "said.txt").write_bytes(said)


def set_to(clock: Path, jump_s: int) -> None:
    """Set the wall clock that the controller sees, whole or not at all."""
    part = clock.with_suffix(".part")
    part.write_text(f"{jump_s:+d}\n")
    part.replace(clock)


def said(folder: SiteFolder) -> dict[str, Any]:
    """Return the last status."""
    found: dict[str, Any] = json.loads((folder.path / "state" / "status.json").read_text())
    return found


def stepped_by(folder: SiteFolder, jump_s: int) -> bool:
    """Tell whether the last status was written under the clock that was set, and says that it stepped."""
    status = said(folder)
    return bool(status["clock_stepped"]) and abs(int(status["at_s"]) - time.time() - jump_s) < 30


def ceilings(folder: SiteFolder) -> list[int]:
    return [each["value"] for each in said(folder)["allowed"] if each["unit"] == str(Unit.COMPUTE)]


@pytest.mark.slow
async def test_a_real_controller_keeps_its_limit_under_every_jump_and_says_so(tmp_path: Path) -> None:
    """It is not armed: no latch holds the ceiling, the limit's own time does."""
    folder = unserved(tmp_path / "site", nodes=2)
    clock = tmp_path / "clock"
    set_to(clock, 0)
    async with controller_under(clock, folder):
        post(folder, "limit.json", limit(folder, CEILING_PPM), "ada", "bo")
        await comes_true(lambda: ceilings(folder) == [CEILING_PPM])
        assert not said(folder)["clock_stepped"]
        for jump_s in JUMPS_S:
            set_to(clock, jump_s)
            await comes_true(partial(stepped_by, folder, jump_s))
            assert ceilings(folder) == [CEILING_PPM], f"running, {jump_s} s"
    assert b"clock" in (folder.path / "said.txt").read_bytes(), "no alarm names it"
    for jump_s in (JUMPS_S[0], JUMPS_S[-1]):
        set_to(clock, jump_s)
        async with controller_under(clock, folder):
            assert ceilings(folder) == [CEILING_PPM], f"restarted, {jump_s} s"
            assert stepped_by(folder, jump_s), f"restarted, {jump_s} s"
    set_to(clock, 0)
    async with controller_under(clock, folder):
        assert ceilings(folder) == [CEILING_PPM]
        assert not said(folder)["clock_stepped"], "the clock is right again"
