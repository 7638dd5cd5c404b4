"""What code ran, and where: enough to run it again, and nothing that names a machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grandpause

_PACKAGE = Path(grandpause.__file__).resolve().parent
_ROOT = _PACKAGE.parents[1]


def origin() -> Mapping[str, Any]:
    """Return commit, digest of the source, Python and machine, as they stand in a document."""
    return {
        "commit": commit(),
        "source": source_digest(),
        "python": platform.python_version(),
        "machine": {"cpus": os.cpu_count() or 1, "architecture": platform.machine()},
    }


def commit() -> str:
    """Return what git calls this checkout (``-dirty`` if changed), or the version where there is none."""
    if not (_ROOT / ".git").exists():
        return grandpause.__version__
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607  (the user's own git)
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return grandpause.__version__
    return done.stdout.strip() or grandpause.__version__


def source_digest(package: Path = _PACKAGE) -> str:
    """Return SHA-256 over every module of the package: the same digest means the same code."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
