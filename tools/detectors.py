"""What can find a planted bug: each runs over a copy of the tree, as a process of that copy's code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIMIT_S: Final = 600.0
"""A bug must be found within this."""
SOAK_S: Final = 120
DETECTORS: Final[Mapping[str, float]] = {
    "model": 180.0,
    "soak": 200.0,
    "crash-images": 180.0,
    "tests": LIMIT_S,
}
"""In the order in which they hunt: how many seconds each may take."""
_DIRECTORY: Final[Mapping[str, str]] = {"model": "tests/model", "crash-images": "tests/crash"}
_SAID: Final = 300
_VIOLATED: Final = 1
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+::.*)$", re.MULTILINE)
"""A test that failed. A file that cannot even be imported has no ``::``, and has tested nothing."""
_WHOSE: Final = """
import multiprocessing, grandpause
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(grandpause.__file__, pool.apply(eval, ("__import__('grandpause').__file__",)), sep="\\n")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a detector said.

    Attributes:
        found: something is wrong with the tree; otherwise the detector could not do its work.
        said: in words.
    """

    detector: str
    found: bool
    said: str


def whose_code(tree: Path) -> None:
    """Make sure that the copy's code is what runs there, in processes that it starts, too."""
    with tempfile.TemporaryDirectory() as elsewhere:
        script = Path(elsewhere) / "whose.py"
        script.write_text(_WHOSE, encoding="utf-8")
        code, out = _run([sys.executable, str(script)], tree, limit_s=60)
    wanted = str(tree / "src" / "grandpause" / "__init__.py")
    assert code == 0, out
    assert out.split() == [wanted, wanted], out


def detect(name: str, tree: Path, tests: Sequence[str], *, workers: int, limit_s: float) -> Finding | None:
    """Run one detector; None if it found nothing.

    Args:
        tests: what the detector "tests" runs; nothing is found where there are none.
    """
    if name == "soak":
        return _soak(tree, workers=workers, limit_s=limit_s)
    paths = tests if name == "tests" else [_DIRECTORY[name]]
    if not paths:
        return None
    missing = [each for each in paths if not (tree / each.partition("::")[0]).exists()]
    if missing:
        return Finding(detector=name, found=False, said=f"there is no {', '.join(missing)}")
    line = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=short"]
    shared = ["-n", str(workers), "--dist", "loadgroup"] if workers > 1 else ["-n", "0"]
    code, out = _run([*line, *shared, *paths], tree, limit_s=limit_s)
    if code == 0:
        return None
    failed = _FAILED.search(out)
    said = failed[1] if failed else f"exit code {code}: {' '.join(out.split())[-_SAID:]}"
    return Finding(detector=name, found=failed is not None, said=said[:_SAID])


def _soak(tree: Path, *, workers: int, limit_s: float) -> Finding | None:
    line = [sys.executable, "-m", "grandpause", "sim", "soak", "--seconds", str(SOAK_S), "--fail-fast"]
    code, out = _run(
        [*line, "--json", "--shrink-seconds", "0", "--processes", str(workers)], tree, limit_s=limit_s
    )
    if code == 0:
        return None
    try:
        failure = json.loads(out[out.index("{") :])["failures"][0]
    except (ValueError, KeyError, IndexError):
        return Finding(detector="soak", found=False, said=f"exit code {code}: {out.strip()[-_SAID:]}")
    said = f"{failure['invariant']} (seed {failure['seed']}): {failure['text']}"
    return Finding(detector="soak", found=code == _VIOLATED, said=said[:_SAID])


def _run(line: Sequence[str], tree: Path, *, limit_s: float) -> tuple[int | None, str]:
    """Run a command with the copy's code; return exit code (None if it took too long) and output."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": str(_SAID),
    }
    process = subprocess.Popen(  # noqa: S603  (the same interpreter)
        line,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            out, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None, f"not ended after {limit_s:.0f} s"
        finally:
            # What it started is in its session, and must not run on into the next hunt.
            _end_session(process.pid)
    return process.returncode, out


def _end_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # everything has ended by itself
