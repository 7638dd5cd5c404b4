"""Every file of a real controller's stop: bundles, inbox, answers, status, and the store beside them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crash.crash_images import fast_directory
from crash.daemon_story import DaemonJudge, DaemonStory, acknowledged, tell_daemon_story
from crash.disk import Do, Operation, images
from crash.judging import sync_points, worst
from crash.traced import strace

MOST_AT_A_POINT, STRIDE = 16, 4
pytestmark = pytest.mark.xdist_group("crash-plain-files")  # one story for all


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A fast directory."""
    strace()
    with fast_directory() as made:
        yield made


@pytest.fixture(scope="module")
def story(directory: Path) -> DaemonStory:
    """One stop, from arming to its bundle."""
    return asyncio.run(tell_daemon_story(directory))


def faults(story: DaemonStory, directory: Path) -> tuple[int, Counter[str], str]:
    """Return how many images were judged, what is wrong with them, and the first few in words."""
    judge = DaemonJudge(story=story, directory=directory / "image")
    number = 0
    bad = []
    for image in images(
        story.operations, most_at_a_point=MOST_AT_A_POINT, seed=1, begin=story.begin, stride=STRIDE
    ):
        number += 1
        verdict = judge.judge(image)
        if verdict.lost or verdict.raised:
            bad.append((image, verdict))
    return number, Counter((each.lost or each.raised).split(":")[0] for _, each in bad), worst(bad)


def test_the_story_tells_of_every_file_that_a_controller_writes(story: DaemonStory) -> None:
    moved = {each.target for each in story.operations if each.do is Do.RENAME}
    assert {"inbox/accepted/limit.json", "inbox/pending/signed-by-one.json"} <= moved
    assert {"inbox/refused/no-statement.json", "state/evidence/000001", "state/status.json"} <= moved
    assert any(each.endswith(".answer") for each in moved)
    last = acknowledged(story)[-1]
    assert last.armed
    assert last.latch is not None
    assert last.taken == {"limit.json", "signed-by-one.json"}


def test_no_power_cut_leaves_half_a_bundle_or_loses_a_statement(story: DaemonStory, directory: Path) -> None:
    number, found, text = faults(story, directory)
    assert not found, f"{found}\n{text}"
    assert number > 500


def _a_directory(operation: Operation) -> bool:
    return operation.do is Do.SYNC and "." not in operation.file


@pytest.mark.parametrize(
    ("unsynced", "expected"),
    [
        pytest.param(_a_directory, "the store names the bundles", id="directories"),
        pytest.param(lambda each: each.path == "evidence", "half a bundle", id="bundles"),
        pytest.param(lambda each: each.path == "store", "were taken and are not stored", id="store"),
    ],
)
def test_a_sync_that_is_left_out_is_found_out(
    unsynced: Callable[[Operation], bool], expected: str, story: DaemonStory, directory: Path
) -> None:
    less = [each for each in story.operations if not (each.do is Do.SYNC and unsynced(each))]
    number, found, _ = faults(replace(story, operations=less), directory)
    assert sum(found.values()) > number // 50
    assert any(expected in each for each in found), found


def test_each_file_of_a_bundle_is_synced_before_its_name_counts(story: DaemonStory) -> None:
    points = sync_points(story.operations[story.begin :])
    files = {file for (path, file, kinds) in points if path == "evidence" and kinds == "write"}
    written = {each.file for each in story.operations if each.do is Do.WRITE and each.path == "evidence"}
    assert files == written
    assert len(files) > 8


def test_the_shim_is_right_that_sqlite_syncs_the_directory_of_a_new_log(story: DaemonStory) -> None:
    """The images of the store alone take it from SQLite's documentation; here it is seen."""
    log = "state/site.sqlite-wal"
    steps = [
        each
        for each in story.operations[story.begin :]
        if (each.file == log and each.do is not Do.TRUNCATE) or (each.do is Do.SYNC and each.file == "state")
    ]
    assert [each.do for each in steps[:4]] == [Do.CREATE, Do.WRITE, Do.SYNC, Do.SYNC]
    assert [each.file for each in steps[:4]] == [log, log, log, "state"]
    assert steps[4].do is Do.WRITE, "no page is in the log before"
