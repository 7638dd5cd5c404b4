"""Catches core code that touches the world: files, sockets, clocks, threads.

An audit hook cannot be removed, so one is installed once and sleeps outside ``watched``. The interpreter
audits no reading of a clock (and, before 3.12, no start of a thread), so these are wrapped meanwhile.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, ModuleType
from unittest.mock import patch

import grandpause.core

CORE = "grandpause.core"
CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "clock_gettime")
_WORLDLY = ("open", "socket.", "subprocess.", "os.", "sqlite3.", "shutil.", "tempfile.")

_caught: list[str] | None = None
_installed = False

# Loading a module opens its file; afterwards nothing may.
CORE_MODULES: tuple[ModuleType, ...] = tuple(
    importlib.import_module(each.name) for each in pkgutil.walk_packages(grandpause.core.__path__, f"{CORE}.")
)

# So does the first use of a codec; RFC 8785 sorts names by UTF-16.
"".encode("utf-16-be")


class Impure(AssertionError):
    """Core code touched the world."""


@contextmanager
def watched() -> Iterator[list[str]]:
    """Watch core code; the list yielded fills with what it did, and should stay empty."""
    global _caught, _installed  # noqa: PLW0603
    if not _installed:
        sys.addaudithook(_heard)
        _installed = True
    before, _caught = _caught, []
    clocks = {name: _wrapped(f"time.{name}", getattr(time, name)) for name in CLOCKS}
    start = _wrapped("threading.Thread.start", threading.Thread.start)
    try:
        with ExitStack() as patches:
            for name, clock in clocks.items():
                patches.enter_context(patch.object(time, name, clock))
            patches.enter_context(patch.object(threading.Thread, "start", start))
            yield _caught
    finally:
        _caught = before


def _heard(event: str, args: object) -> None:
    if _caught is not None and event.startswith(_WORLDLY) and _core_is_running():
        _caught.append(event)
        raise Impure(f"core code caused the audit event {event} {args}")


def _wrapped(name: str, original: Callable[..., object]) -> Callable[..., object]:
    def call(*args: object) -> object:
        if _caught is not None and _core_is_running():
            _caught.append(name)
            raise Impure(f"core code called {name}")
        return original(*args)

    return call


def _core_is_running() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(CORE):
            return True
        frame = frame.f_back
    return False
