"""How soon the command line is there, and how much disk the core set takes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from figures import Figure

RUNS = 9
ROOT = Path(__file__).resolve().parents[1]


def cpu_s(command: Sequence[str]) -> float:
    """Return the user and system seconds of a finished command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def installed_mb() -> float:
    """Install the locked core set and the package into a new environment; return its MB (10^6 bytes)."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "venv"
        python = home / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/core.txt")], check=True)
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--no-index", str(ROOT)], check=True)
        return (
            sum(os.lstat(Path(folder) / name).st_size for folder, _, names in os.walk(home) for name in names)
            / 1e6
        )


def run() -> Iterator[Figure]:
    bare = median(cpu_s([sys.executable, "-c", "pass"]) for _ in range(RUNS))
    loaded = median(
        cpu_s([sys.executable, "-c", "from grandpause.cli.app import make_app; make_app()"])
        for _ in range(RUNS)
    )
    yield Figure(
        bench="start_up.import",
        value=round(loaded, 3),
        unit="s",
        bound=0.150,
        note=f"CPU; an empty Python {bare:.3f} s of it",
    )
    helped = median(cpu_s([sys.executable, "-m", "grandpause", "--help"]) for _ in range(RUNS))
    yield Figure(bench="start_up.help", value=round(helped, 3), unit="s", bound=0.300, note="CPU")
    yield Figure(bench="start_up.install", value=round(installed_mb(), 1), unit="MB", bound=200.0)
