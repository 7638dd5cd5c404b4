"""Redfish off and confirmed over TLS: the driver against a bare aiohttp + uvloop loop without any checks.

One emulator process on one core, the controller on the other, each side in a fresh process against a fresh
emulator; pairs are interleaved and the medians of their ratios count. Bounds: issue 2.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from figures import Figure
from grandpause.drivers.redfish.client import pinning_context
from grandpause.sim.plant import Plant

HERE = Path(__file__).parent
PAIRS = 3
PAIRS_OF_A_SECOND = 7
"""Runs of a second are disturbed by anything else on the machine: more of them."""
WINDOW = 300
FLOOR = "bare aiohttp + uvloop, no checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one side brought: its own figures, and what the emulator counted."""

    seconds: float
    peak_mb: float
    requests: int
    handshakes: int

    @property
    def counts(self) -> str:
        """What was sent, in words."""
        return f"{self.requests} requests, {self.handshakes} handshakes"


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """Keep a process on one of the first two cores, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core]), *command] if len(cores) > 1 else list(command)


@contextmanager
def emulator(nodes: int, *options: str) -> Iterator[dict[str, Any]]:
    """Run simulated BMCs in a process of their own; yield what they say of themselves."""
    command = [sys.executable, "-m", "grandpause.sim.redfish", "--nodes", str(nodes), *options]
    with subprocess.Popen(on_core(1, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(60)


def counters(farm: dict[str, Any]) -> dict[str, int]:
    """Ask the emulator what it has counted; the question itself is one more handshake, taken off."""
    connection = http.client.HTTPSConnection(
        farm["first_address"], farm["port"], context=pinning_context(), timeout=30
    )
    connection.request("GET", "/sim/counters")
    counted: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return counted


def run_side(side: str, nodes: int, *options: str, healthy: int = 0) -> Run:
    """Run one side against a fresh emulator.

    Raises:
        RuntimeError: a node did not go off, so nothing was measured.
    """
    command = [sys.executable, str(HERE / "redfish_side.py"), side, "--healthy", str(healthy)]
    with emulator(nodes, *options) as farm:
        done = subprocess.run(
            on_core(0, command), input=json.dumps(farm) + "\n", capture_output=True, text=True, check=True
        )
        result = json.loads(done.stdout)
        counted = counters(farm)
    if result["off"] != (healthy or nodes):
        raise RuntimeError(f"{side}: {result['off']} of {nodes} nodes are off: {done.stderr[-500:]}")
    return Run(
        seconds=result["seconds"],
        peak_mb=result["peak_mb"],
        requests=result.get("requests", counted["requests"]),
        handshakes=result.get("handshakes", counted["connections"] - 1),
    )


def against_floor(nodes: int, sides: Sequence[str], *, pairs: int) -> Iterator[Figure]:
    """Compare sides with the floor, in interleaved rounds."""
    bounds = {"cold": (0.8, 120.0), "warm": (0.15, 350.0)}
    rounds = [
        {side: run_side(side, nodes, "--off-s", "0") for side in ("floor", *sides)} for _ in range(pairs)
    ]
    floor = rounds[0]["floor"]
    for side in sides:
        runs = [each[side] for each in rounds]
        most_ratio, most_mb = bounds[side]
        note = (
            f"ours {runs[0].counts}; floor {floor.counts}, {median(r['floor'].seconds for r in rounds):.2f} s"
        )
        yield Figure(
            bench=f"redfish_stop.{side}.{nodes}",
            value=round(median(run.seconds for run in runs), 3),
            unit="s",
            against=FLOOR,
            ratio=round(median(each[side].seconds / each["floor"].seconds for each in rounds), 3),
            bound=most_ratio,
            note=note,
        )
        yield Figure(
            bench=f"redfish_stop.{side}.{nodes}.peak",
            value=round(max(run.peak_mb for run in runs), 1),
            unit="MB",
            bound=most_mb,
            note=f"floor {max(r['floor'].peak_mb for r in rounds):.1f} MB",
        )


def slow_nodes() -> Iterator[Figure]:
    """1,000 nodes that take 100 ms to answer and 3 s to go off."""
    runs = [run_side("cold", 1_000, "--off-s", "3", "--reply-s", "0.1") for _ in range(PAIRS)]
    yield Figure(
        bench="redfish_stop.latency.1000",
        value=round(median(run.seconds for run in runs), 3),
        unit="s",
        bound=5.0,
        note=f"100 ms replies, 3 s to go off; {runs[0].counts}",
    )


def hanging_node() -> Iterator[Figure]:
    """How much later 999 nodes are off because one accepts TLS and never answers, and 300 of 1,000 so."""
    nodes = 1_000
    names = list(Plant.hall(nodes=nodes).nodes)
    options = ("--off-s", "0", "--reply-s", "0.1")
    for hanging, most_s in ((1, None), (WINDOW, 1.5)):
        healthy = nodes - hanging
        faults = [option for name in names[healthy:] for option in ("--fault", f"{name}=hangs")]
        rounds = [
            (
                run_side("cold", nodes, *options, healthy=healthy),
                run_side("cold", nodes, *options, *faults, healthy=healthy),
            )
            for _ in range(PAIRS)
        ]
        slot_s = median(well.seconds * WINDOW / well.requests for well, _ in rounds)
        yield Figure(
            bench=f"redfish_stop.hanging.{hanging}_of_{nodes}",
            value=round(median(ill.seconds - well.seconds for well, ill in rounds), 3),
            unit="s",
            bound=round(slot_s if most_s is None else most_s, 3),
            note=f"delay of the others; a slot is held {slot_s:.3f} s a request; without hanging "
            f"{median(well.seconds for well, _ in rounds):.2f} s",
        )


def run() -> Iterator[Figure]:
    """Measure everything; about six minutes."""
    yield from against_floor(1_000, ("cold",), pairs=PAIRS_OF_A_SECOND)
    yield from slow_nodes()
    yield from hanging_node()
    yield from against_floor(10_000, ("cold", "warm"), pairs=PAIRS)
