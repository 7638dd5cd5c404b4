"""What every test may use. Only this file and benchmarks/ know where the real captures lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _data_directory() -> Path:
    named = os.environ.get("GRANDPAUSE_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real captures, traces and tables; the test is skipped, by name, without it."""
    directory = _data_directory()
    if not directory.is_dir():
        pytest.skip(f"no captures at {directory}; name their directory in GRANDPAUSE_DATA")
    return directory
