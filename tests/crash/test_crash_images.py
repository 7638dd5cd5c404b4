"""Every power cut that the model of the disk allows, at every operation of every write path of the store."""

from __future__ import annotations

import random

import pytest

from crash.crash_images import Count, Share, fast_directory, judge_share, story_of
from crash.disk import Disk, Do, Operation, images
from crash.judging import sync_points

STRIDE = 17
"""The share of the enumeration that every run of the tests takes; ``crash_images.py`` takes all of it."""
WRITE_PATHS = {
    "make the store and boot",
    "bring an old store to this format",
    "open and boot again",
    "arm",
    "disarm",
    "seen off in a standby",
    "time passes",
    "receive a declaration",
    "receive a limit that returns by itself",
    "receive a bounded limit of one",
    "receive a limit below its quorum",
    "receive the signature that completes it",
    "receive a lift",
    "receive a restart that ends a standby",
    "receive a restart that raises the latch",
    "receive a restart that was used",
    "receive a permission to disarm",
    "receive the next version of a charter",
    "record commands",
    "journal of alarms",
    "what BMCs were seen to offer",
    "name of the evidence",
}


@pytest.mark.parametrize("seed", [1, 2], ids=["from a new store", "from a store of the old format"])
def test_no_power_cut_loses_what_was_acknowledged_or_raises_a_ceiling(seed: int) -> None:
    count = judge_share(Share(seed=seed, stride=STRIDE, first=seed))
    assert (count.lost, count.raised) == (0, 0), count.text
    assert count.images > 1_000


def test_every_write_path_syncs_what_it_acknowledges() -> None:
    synced: set[str] = set()
    with fast_directory() as directory:
        for seed in (1, 2):
            points = sync_points(story_of(seed, directory / str(seed)).operations)
            synced |= {path for path, file, kinds in points if file.endswith("-wal") and "write" in kinds}
    assert synced - {"an old store"} == WRITE_PATHS


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(Share(seed=1, rounds=1, stride=15, synchronous="NORMAL"), id="synchronous NORMAL"),
        pytest.param(Share(seed=1, rounds=1, stride=25, lies=True), id="a disk that lies about its syncs"),
    ],
)
def test_a_store_that_does_not_sync_is_found_out(share: Share) -> None:
    count: Count = judge_share(share)
    assert count.lost > 100, "the harness must be able to fail"
    assert count.raised > 10


def test_an_unsynced_write_may_be_kept_dropped_or_torn_and_a_synced_one_may_not() -> None:
    name = "file"
    operations = [
        Operation(do=Do.CREATE, file=name),
        Operation(do=Do.SYNC_DIRECTORY, file=""),
        Operation(do=Do.WRITE, file=name, data=b"a" * 1_024),
        Operation(do=Do.SYNC, file=name),
        Operation(do=Do.WRITE, file=name, offset=512, data=b"b" * 1_024),
    ]
    left = {
        each.done: {
            one.files.get(name)
            for one in images(operations, most_at_a_point=50, seed=1)
            if one.done == each.done
        }
        for each in images(operations, most_at_a_point=50, seed=1)
    }
    a, b = b"a" * 512, b"b" * 512
    assert left[1] == {None, b""}
    assert left[2] == {b""}
    assert left[3] == {b"", a, a + a}
    assert left[4] == {a + a}
    assert left[5] == {a + a, a + b, a + b + b}


def test_a_name_is_certain_only_after_its_directory_was_synced() -> None:
    disk = Disk()
    for each in (
        Operation(do=Do.MAKE_DIRECTORY, file="new.part"),
        Operation(do=Do.CREATE, file="new.part/one"),
        Operation(do=Do.WRITE, file="new.part/one", data=b"x"),
        Operation(do=Do.SYNC, file="new.part/one"),
        Operation(do=Do.RENAME, file="new.part", target="new"),
        Operation(do=Do.SYNC_DIRECTORY, file=""),
    ):
        disk.does(each)
    [everything, nothing] = disk.choices(50, random.Random(1))
    assert disk.image(everything) == {"new/": b"", "new/one": b"x"}
    assert disk.image(nothing) == {"new/": b""}, "the directory itself was never synced"
