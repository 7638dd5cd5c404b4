"""Enumerates crash images of every write path of the controller's store, judges each, prints a report.

Then those of all files of one real controller's stop, which strace writes down.

Run it from the repository's root:  PYTHONPATH=tests python -m crash.crash_images --images 100000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crash.daemon_story import DaemonJudge, tell_daemon_story
from crash.disk import Image, count_images, images
from crash.judging import Judge, Verdict, sync_points, worst
from crash.workload import Story, tell_story

SCHEMA = "grandpause.crash-images/1"
MOST_AT_A_POINT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of the enumeration: every ``stride``-th image of one story, from ``first`` on."""

    seed: int
    stride: int = 1
    first: int = 0
    synchronous: str = "FULL"
    lies: bool = False
    rounds: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one share brought."""

    images: int
    lost: int
    raised: int
    text: str


@contextmanager
def fast_directory() -> Iterator[Path]:
    """Make a directory, in memory where that is possible: an image is a few syncs. Remove it afterwards."""
    memory = Path("/dev/shm")
    made = tempfile.mkdtemp(prefix="crash-images-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made)


def story_of(seed: int, directory: Path, *, synchronous: str = "FULL", rounds: int = 3) -> Story:
    """Run the workload of one seed: every second one begins with a store of the old format."""
    return tell_story(
        directory / "story", synchronous=synchronous, rounds=rounds, seed=seed, old_format=seed % 2 == 0
    )


def judge_share(share: Share) -> Count:
    """Judge one share."""
    with fast_directory() as directory:
        story = story_of(share.seed, directory, synchronous=share.synchronous, rounds=share.rounds)
        (directory / "image").mkdir()
        judge = Judge(story=story, directory=directory / "image")
        number = 0
        bad: list[tuple[Image, Verdict]] = []
        for image in images(
            story.operations,
            most_at_a_point=MOST_AT_A_POINT,
            seed=share.seed,
            stride=share.stride,
            first=share.first,
            lies=share.lies,
        ):
            verdict = judge.judge(image)
            number += 1
            if verdict.lost or verdict.raised:
                bad.append((image, verdict))
        return _counted(number, bad)


def stories_for(least: int) -> tuple[dict[int, int], Counter[tuple[str, str, str]]]:
    """Return seed -> images of as many stories as make up ``least``, and all their sync points."""
    found: dict[int, int] = {}
    points: Counter[tuple[str, str, str]] = Counter()
    with fast_directory() as directory:
        while sum(found.values()) < least:
            seed = len(found) + 1
            story = story_of(seed, directory / str(seed))
            found[seed] = count_images(story.operations, most_at_a_point=MOST_AT_A_POINT, seed=seed)
            points += sync_points(story.operations)
    return found, points


def judge_daemon() -> tuple[Count, Counter[tuple[str, str, str]]]:
    """Judge the images of all files of a real controller's stop; none where there is no strace."""
    if shutil.which("strace") is None:
        return _counted(0, []), Counter()
    with fast_directory() as directory:
        story = asyncio.run(tell_daemon_story(directory))
        judge = DaemonJudge(story=story, directory=directory / "image")
        number = 0
        bad = []
        for image in images(story.operations, most_at_a_point=MOST_AT_A_POINT, seed=1, begin=story.begin):
            verdict = judge.judge(image)
            number += 1
            if verdict.lost or verdict.raised:
                bad.append((image, verdict))
        return _counted(number, bad), sync_points(story.operations[story.begin :])


def run(least: int, *, processes: int) -> dict[str, object]:
    """Judge at least so many images of the store, and those of one real stop; return the report."""
    found, points = stories_for(least)
    shares = [Share(seed=seed, stride=processes, first=first) for seed in found for first in range(processes)]
    with multiprocessing.Pool(processes) as pool:
        counts = pool.map(judge_share, shares, chunksize=1)
    of_daemon, more_points = judge_daemon()
    counts.append(of_daemon)
    points += more_points
    return {
        "schema": SCHEMA,
        "images": sum(each.images for each in counts),
        "of_a_real_stop": of_daemon.images,
        "seeds": [*found],
        "sync_points": [
            {"path": path, "file": file, "after": after, "count": count}
            for (path, file, after), count in sorted(points.items())
        ],
        "lost": sum(each.lost for each in counts),
        "raised": sum(each.raised for each in counts),
        "examples": [each.text for each in counts if each.text],
    }


def _counted(number: int, bad: Sequence[tuple[Image, Verdict]]) -> Count:
    return Count(
        images=number,
        lost=sum(bool(each.lost) for _, each in bad),
        raised=sum(bool(each.raised) for _, each in bad),
        text=worst(bad) if bad else "",
    )


def main() -> int:
    """Run; exit code 1 if anything was lost or raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="at least so many")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    report = run(arguments.images, processes=arguments.processes)
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return int(bool(report["lost"] or report["raised"]))


if __name__ == "__main__":
    sys.exit(main())
