"""A site that nobody serves, a clock that moves only when a test says so, and a watch on sockets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grandpause.sim.folder import SiteFolder
from stories.rig import unserved

_WATCHED = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen")
_seen: list[str] = []
_watching = [False]


def _hear(event: str, _arguments: object) -> None:
    if _watching[0] and event in _WATCHED:
        _seen.append(event)


sys.addaudithook(_hear)  # cannot be taken back: it hears only while a test watches


@contextmanager
def _nothing_is_reached() -> Iterator[None]:
    _seen.clear()
    _watching[0] = True
    try:
        yield
    finally:
        _watching[0] = False
    assert _seen == []


@pytest.fixture
def untouched_world() -> Iterator[None]:
    """Fail the test if it reaches for the network or starts a process."""
    with _nothing_is_reached():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    """The folder of a site of four nodes whose addresses nobody serves."""
    return unserved(tmp_path / "site")
