"""Lint of the tree itself: no long file, no vague name, no machine's path, no package registry's host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LONGEST = 500
VAGUE = {"utils", "helpers", "manager", "base", "common", "misc"}
REGISTRIES = ("python" + "hosted", "pypi" + r"\.(?:org|python)", "deb" + r"\.debian", "registry" + r"\.npm")
"""Written in parts, so that this file does not hold what it looks for."""
FORBIDDEN = re.compile(
    "|".join((*REGISTRIES, r"--(?:extra-)?index-url\s+http", r"(?<![\w.])/(?:work|farm|root)/"))
)
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".in", ".yml", ".json", ""}


def problems(root: Path) -> list[str]:
    """Return what is wrong, one line each."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = []
    for name in listed:
        path = root / name
        if not path.is_file() or path.suffix not in TEXT or name == "tools/check_tree.py":
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if path.suffix == ".py" and lines > LONGEST:
            found.append(f"{name}: {lines} lines, more than {LONGEST}")
        if path.stem in VAGUE:
            found.append(f"{name}: a vague name")
        for match in FORBIDDEN.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{name}:{line}: {match.group(0)!r} does not belong into the repository")
    return found


def main() -> int:
    """Print the problems; return 1 if there are any."""
    found = problems(Path(__file__).resolve().parents[1])
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
