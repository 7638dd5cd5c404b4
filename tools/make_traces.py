"""Writes tests/sim/soak/traces.json: what three worlds' traces are, so that a test can run them again.

``python tools/make_traces.py`` after a change that is meant to change what worlds do; ``--check`` only
compares. Exit code 1 if they differ, or if one of the worlds violates anything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from grandpause.sim.world.settings import Settings
from grandpause.sim.world.world import run_world

FILE: Final = Path(__file__).resolve().parents[1] / "tests" / "sim" / "soak" / "traces.json"
SCHEMA: Final = "grandpause.traces/1"
SEEDS: Final = (1, 2, 3)


def main() -> int:
    """Write the file, or compare it."""
    reports = [run_world(Settings.draw(seed)) for seed in SEEDS]
    traces = [{"seed": each.seed, "trace": each.trace} for each in reports]
    value: dict[str, Any] = {"schema": SCHEMA, "traces": traces}
    text = json.dumps(value, indent=2) + "\n"
    ill = [each.seed for each in reports if each.violations]
    for seed in ill:
        print(f"seed {seed}: violated; see grandpause sim replay-seed {seed}")
    same = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
    if "--check" in sys.argv[1:]:
        print("the same traces" if same else "other traces")
        return int(bool(ill) or not same)
    if not ill:
        FILE.write_text(text, encoding="utf-8")
        print("no change" if same else f"{FILE.name} written")
    return int(bool(ill))


if __name__ == "__main__":
    sys.exit(main())
