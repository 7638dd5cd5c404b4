"""What the commands print: for people in words and colour, for scripts as JSON with a schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grandpause.errors import GrandpauseError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

ERROR_SCHEMA = "grandpause.error/1"


def console(*, stderr: bool = False) -> Console:
    """Return a console for people. Colour goes away by itself where the output is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say_json(value: Mapping[str, Any]) -> None:
    """Print one JSON value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def fail(error: GrandpauseError, *, as_json: bool) -> int:
    """Print an error for people or scripts; return its exit code."""
    if as_json:
        say_json(
            {
                "schema": ERROR_SCHEMA,
                "code": error.code,
                "where": error.where,
                "message": error.message,
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
        )
    place = f"{error.where}: " if error.where else ""
    sys.stderr.write(f"grandpause: {place}{error.message}\n")
    if error.hint:
        sys.stderr.write(f"  hint: {error.hint}\n")
    return error.exit_code


def read_file(path: Path) -> bytes:
    """Return a small file's bytes. Raises UsageError."""
    try:
        with path.open("rb") as file:
            return file.read(2**20)
    except OSError as cause:
        raise UsageError(f"cannot be read: {cause.strerror}", where=str(path)) from cause


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet. Raises UsageError."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as cause:
        raise UsageError("exists already", where=str(path), hint="choose another name with --out") from cause
    except OSError as cause:
        raise UsageError(f"cannot be written: {cause.strerror}", where=str(path)) from cause


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file's content, whole or not at all. Raises UsageError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as cause:
        raise UsageError(f"cannot be written: {cause.strerror}", where=str(path)) from cause
