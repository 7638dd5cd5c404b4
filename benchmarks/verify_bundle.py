"""``verify`` of evidence bundles: the demo's, and one of a site of 10,000 nodes, as whole processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from big_bundle import write_big_bundle
from figures import Figure

RUNS = 5


def seconds(bundle: str, charter: str) -> float:
    """Return the median wall seconds of ``grandpause verify``. Raises CalledProcessError unless proven."""
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "grandpause", "verify", bundle, "--charter", charter],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        taken.append(time.perf_counter() - begun)
    return median(taken)


def run() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, "-m", "grandpause", "demo", "--json", "--directory", f"{directory}/demo"],
            check=True,
            stdout=subprocess.PIPE,
        )
        demo = json.loads(done.stdout)
        yield Figure(
            bench="verify_bundle.demo",
            value=round(seconds(demo["bundle"], demo["charter"]), 3),
            unit="s",
            bound=1.0,
            note="256 nodes",
        )
        bundle, charter = write_big_bundle(Path(directory) / "big", nodes=10_000)
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        yield Figure(
            bench="verify_bundle.10000",
            value=round(seconds(str(bundle), str(charter)), 3),
            unit="s",
            bound=5.0,
            note=f"10,000 nodes, 1,250 power units, {size / 1e6:.1f} MB",
        )
