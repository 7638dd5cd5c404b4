"""The whole controller over Redfish (limit in the inbox to every node claimed off) against the bare floor.

Beyond the driver alone (redfish_stop) this counts signatures, latch, plan, every command's key on disk with
synchronous=FULL, and the conductor. The bounds are those of the issue for the stop path.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from figures import Figure
from redfish_stop import FLOOR, Run, counters, emulator, on_core, run_side

HERE = Path(__file__).parent
PAIRS = 3
BOUNDS = {"cold": (0.8, 120.0), "warm": (0.15, 350.0)}


def run_controller(side: str, nodes: int) -> Run:
    """Run the controller against a fresh emulator.

    Raises:
        RuntimeError: a node did not go off, so nothing was measured.
    """
    command = [sys.executable, str(HERE / "controller_side.py"), side]
    with emulator(nodes, "--off-s", "0") as farm:
        done = subprocess.run(
            on_core(0, command), input=json.dumps(farm) + "\n", capture_output=True, text=True, check=True
        )
        counted = counters(farm)
    result = json.loads(done.stdout)
    if result["off"] != nodes:
        raise RuntimeError(f"{side}: {result['off']} of {nodes} nodes are off: {done.stderr[-500:]}")
    return Run(
        seconds=result["seconds"],
        peak_mb=result["peak_mb"],
        requests=counted["requests"],
        handshakes=counted["connections"] - 1,
    )


def run() -> Iterator[Figure]:
    for nodes, sides in ((1_000, ("cold",)), (10_000, ("cold", "warm"))):
        rounds = [
            {"floor": run_side("floor", nodes, "--off-s", "0")}
            | {side: run_controller(side, nodes) for side in sides}
            for _ in range(PAIRS)
        ]
        floor = rounds[0]["floor"]
        for side in sides:
            runs = [each[side] for each in rounds]
            yield Figure(
                bench=f"controller_stop.{side}.{nodes}",
                value=round(median(each.seconds for each in runs), 3),
                unit="s",
                against=FLOOR,
                ratio=round(median(each[side].seconds / each["floor"].seconds for each in rounds), 3),
                bound=BOUNDS[side][0],
                note=f"ours {runs[0].counts} (status polling included); floor {floor.counts},"
                f" {median(each['floor'].seconds for each in rounds):.2f} s",
            )
            yield Figure(
                bench=f"controller_stop.{side}.{nodes}.peak",
                value=round(max(each.peak_mb for each in runs), 1),
                unit="MB",
                bound=BOUNDS[side][1],
                note=f"floor {max(each['floor'].peak_mb for each in rounds):.1f} MB",
            )
