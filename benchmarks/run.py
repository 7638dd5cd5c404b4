"""Run benchmarks: ``python benchmarks/run.py [NAME ...]``; without a name, all of them.

A benchmark is a module in this folder with ``run() -> Iterator[Figure]``. Exit code 1 if a bound is not
kept, 2 if there is no such benchmark.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from figures import Figure, print_figures  # noqa: E402  (found beside this file)

Run = Callable[[], Iterator[Figure]]


def benchmarks() -> dict[str, Path]:
    """Return the modules of this folder that define ``run``, by name."""
    found = sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)
    return {path.stem: path for path in found if "\ndef run(" in path.read_text()}


def main() -> int:
    known = benchmarks()
    wanted = sys.argv[1:] or list(known)
    missing = [name for name in wanted if name not in known]
    if missing:
        print(f"no benchmark {', '.join(missing)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    kept = True
    for name in wanted:
        run: Run = importlib.import_module(name).run
        kept = print_figures(run()) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
