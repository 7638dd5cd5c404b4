"""``doctor``: whether this machine can run a controller well."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import ssl
import sys
import tempfile
import time
from pathlib import Path

from grandpause.cli.output import console, say_json

_WANTED_FILES = 4_096
_LEAST_FREE = 2**30
_SLOW_SYNC_S = 0.05


def doctor(*, directory: Path = Path(), json: bool = False) -> int:
    """Check this machine: Python, TLS, open files, disk, how fast it syncs, and the clock.

    Parameters
    ----------
    directory
        Where the controller's state would lie.
    json
        Print JSON.
    """
    findings = [_python(), _tls(), _open_files(), _sqlite(), _disk(directory), _sync(directory), _clock()]
    failed = any(level == "fail" for level, _, _ in findings)
    if json:
        say_json(
            {
                "schema": "grandpause.doctor/1",
                "findings": [
                    {"level": level, "subject": subject, "message": message}
                    for level, subject, message in findings
                ],
            }
        )
    else:
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        for level, subject, message in findings:
            console().print(f"[{colours[level]}]{level:4}[/] {subject}: {message}", soft_wrap=True)
    return 1 if failed else 0


def _python() -> tuple[str, str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    return ("ok" if sys.version_info >= (3, 11) else "fail"), "python", version


def _tls() -> tuple[str, str, str]:
    return ("ok" if ssl.HAS_TLSv1_3 else "warn"), "tls", ssl.OPENSSL_VERSION


def _open_files() -> tuple[str, str, str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    level = "ok" if hard >= _WANTED_FILES else "warn"
    return (
        level,
        "open files",
        f"{soft} now, at most {hard}; a stop of 10,000 nodes needs about {_WANTED_FILES}",
    )


def _sqlite() -> tuple[str, str, str]:
    level = "ok" if sqlite3.sqlite_version_info >= (3, 37) else "fail"
    return level, "sqlite", f"{sqlite3.sqlite_version} (STRICT tables need 3.37)"


def _disk(directory: Path) -> tuple[str, str, str]:
    try:
        free = shutil.disk_usage(directory).free
    except OSError as cause:
        return "fail", "disk", f"{directory}: {cause.strerror}"
    return (
        ("ok" if free >= _LEAST_FREE else "warn"),
        "disk",
        f"{free // 2**20} MiB free at {directory.resolve()}",
    )


def _sync(directory: Path) -> tuple[str, str, str]:
    try:
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            began = time.perf_counter()
            file.write(b"0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took = time.perf_counter() - began
    except OSError as cause:
        return "fail", "sync", f"{directory}: {cause.strerror}"
    level = "ok" if took <= _SLOW_SYNC_S else "warn"
    return level, "sync", f"one fsync took {took * 1000:.1f} ms; every command waits for one"


def _clock() -> tuple[str, str, str]:
    synchronised = Path("/run/systemd/timesync/synchronized").exists()
    if synchronised:
        return "ok", "clock", "synchronised by the system"
    return "warn", "clock", "the system does not say that the clock is synchronised"
