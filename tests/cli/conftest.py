"""An operator's own files, made by the command line itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grandpause.cli.app import run

Say = Callable[..., dict[str, Any]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command with --json; return what it printed, after checking its exit code."""

    def ask(*arguments: object, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        found = run([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert found == code, printed
        value = json.loads(printed.out)
        assert isinstance(value, dict)
        assert value["schema"].startswith("grandpause.")
        return value

    return ask


@pytest.fixture
def desk(tmp_path: Path, say: Say) -> Path:
    """Keys of three members, and a charter that two of them signed."""
    for name in ("ada", "bo", "cy"):
        say("key", "new", tmp_path / f"{name}.pem")
    members = [f"--member={name}={tmp_path / name}.pub.json" for name in ("ada", "bo", "cy")]
    charter = tmp_path / "charter.json"
    say("init", "--title", "Our operator", *members, "--out", charter)
    for name in ("ada", "bo"):
        say("sign", charter, "--key", tmp_path / f"{name}.pem", "--yes")
    return tmp_path
