"""The n-th sync, write or status of a real controller fails, lies or finds the disk full.

FAULT_SWEEP=full takes every n up to 200, or up to the last call that a stop makes; else it is a share.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest

from crash.crash_images import fast_directory
from crash.daemon_story import LIMIT_FILE
from crash.faulted import BUNDLE_FILES, Bench, Fault, Left, bench, what_is_wrong

FULL = os.environ.get("FAULT_SWEEP") == "full"
MOST = 200
SYNCS = "fsync,fdatasync"
OUR_FAULT = 5
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2_400 if FULL else 120)]


@pytest.fixture
async def hall() -> AsyncIterator[Bench]:
    """A served hall and an armed site."""
    with fast_directory() as directory:
        async with bench(directory) as made:
            yield made


async def sweep(hall: Bench, calls: str, effect: str, share: Iterable[int]) -> dict[int, Left]:
    """Run once for each number, as long as there is a call of that number; every run must end well."""
    found: dict[int, Left] = {}
    for number in range(1, MOST + 1) if FULL else share:
        fault = Fault(calls=calls, effect=effect, when=str(number))
        left = await hall.run(fault)
        check(fault, left)
        if not left.injected:
            break
        found[number] = left
    counted = Counter(left.code for left in found.values())
    print(f"{calls} {effect}: {len(found)} calls met; exit codes {dict(counted)}")  # noqa: T201  for -s
    return found


def check(fault: Fault, left: Left) -> None:
    """Nothing acknowledged is lost, nothing is raised, no sync is tried again, and the end is a clear one."""
    where = f"{fault}: exit {left.code}, {left.said[-500:]}"
    assert not left.wrong, f"{where}: {left.wrong}"
    assert not left.after_failure, f"{where}: {left.after_failure[:3]}"
    assert left.code in (0, OUR_FAULT), where
    assert "Traceback" not in left.said, where
    if left.code == OUR_FAULT:
        last = left.said.strip().splitlines()[-1]
        assert last.startswith(("grandpause: ", "  hint: ")), where
        assert "/state" in left.said, f"{where}: the file at fault is not named"


async def test_a_failed_sync_ends_the_controller_and_is_never_tried_again(hall: Bench) -> None:
    found = await sweep(hall, SYNCS, "error=EIO", (1, 2, 5, 6, 14))
    assert all(left.code == OUR_FAULT for left in found.values()), "a sync that fails always matters"
    assert {left.taken for left in found.values()} == {True, False}


async def test_a_full_disk_ends_the_controller_at_whichever_write(hall: Bench) -> None:
    found = await sweep(hall, "pwrite64", "error=ENOSPC", (1, 30, 44, 58))
    assert OUR_FAULT in {left.code for left in found.values()}
    assert {left.taken for left in found.values()} == {True, False}


async def test_a_write_that_fails_with_an_io_error_ends_the_controller(hall: Bench) -> None:
    found = await sweep(hall, "pwrite64", "error=EIO", (20, 50))
    assert OUR_FAULT in {left.code for left in found.values()}


async def test_a_bundle_or_lock_that_cannot_be_written_ends_the_controller_and_a_status_does_not(
    hall: Bench,
) -> None:
    part = [f"evidence/000001.part/{each}" for each in BUNDLE_FILES]
    for file in ["lock", *(part if FULL else part[:1]), "status.part"]:
        fault = Fault(calls="write", effect="error=ENOSPC", when="1", files=(file,))
        left = await hall.run(fault)
        check(fault, left)
        assert left.injected == 1, file
        assert left.code == (0 if file == "status.part" else OUR_FAULT), f"{file}: {left.said}"


async def test_after_lying_syncs_and_a_kill_the_next_start_finds_everything(hall: Bench) -> None:
    """A kill leaves the page cache: this shows only that no answer of a sync is needed to read it again.

    What a lying disk loses at a power cut, it loses; the crash images show that they would find it.
    """
    for when in ("1+", "4", "6+") if FULL else ("1+",):
        fault = Fault(calls=SYNCS, effect="retval=0", when=when)
        left = await hall.run(fault, kill=True)
        assert left.injected, fault
        assert not left.wrong, f"{fault}: {left.wrong}"
        assert left.taken


async def test_a_controller_that_meets_no_fault_ends_well(hall: Bench) -> None:
    left = await hall.run(Fault(calls="fsync", effect="error=EIO", when="199"))
    assert (left.code, left.injected, left.taken, left.wrong) == (0, 0, True, "")


async def test_the_bench_notices_a_limit_that_was_taken_and_is_not_kept(hall: Bench) -> None:
    folder = hall.fresh()
    assert what_is_wrong(folder) == ""
    (folder.inbox / "accepted").mkdir()
    (folder.inbox / LIMIT_FILE).rename(folder.inbox / "accepted" / LIMIT_FILE)
    assert what_is_wrong(folder) == "None is allowed although the limit was taken"
    (folder.inbox / "accepted" / LIMIT_FILE).unlink()
    assert what_is_wrong(folder) == "the limit is in no folder of the inbox"
