"""The command line: one file a verb group; heavy parts are imported when their verb runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code (design.md, part 9)."""
    from grandpause.cli.app import run

    sys.exit(run(sys.argv[1:]))
