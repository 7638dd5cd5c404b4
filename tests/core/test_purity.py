"""The watch itself: it must catch what it is there for."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from core.purity import CORE_MODULES, Impure, watched
from grandpause.core.fields import Fields

FORBIDDEN = {
    "time", "datetime", "random", "secrets", "socket", "asyncio", "os", "io", "pathlib", "threading",
    "logging", "sqlite3", "subprocess", "ssl", "urllib", "http", "_thread", "_socket", "_io", "posix",
}  # fmt: skip


def _open_a_file(_: Fields) -> None:
    Path(__file__).open().close()


def _open_a_socket(_: Fields) -> None:
    socket.socket().close()


def _start_a_thread(_: Fields) -> None:
    threading.Thread(target=print).start()


def _read_a_clock(_: Fields) -> None:
    time.time()


@pytest.mark.parametrize("touch", [_open_a_file, _open_a_socket, _start_a_thread, _read_a_clock])
def test_core_code_that_touches_the_world_is_caught(touch: Callable[[Fields], None]) -> None:
    with watched() as caught, pytest.raises(Impure):
        Fields({"inner": {}}, "here").within("inner", touch)
    assert len(caught) == 1


def test_test_code_may_touch_the_world() -> None:
    with watched() as caught:
        for touch in (_open_a_file, _open_a_socket, _read_a_clock):
            touch(Fields({}, "here"))
    assert caught == []


def test_no_core_module_holds_a_clock_a_file_or_randomness() -> None:
    assert len(CORE_MODULES) > 20
    for module in CORE_MODULES:
        for name, value in vars(module).items():
            if name.startswith("__"):
                continue
            origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
            assert str(origin).split(".")[0] not in FORBIDDEN, f"{module.__name__}.{name} is from {origin}"


def test_every_core_module_but_the_packages_has_a_test_file_of_its_name() -> None:
    here = Path(__file__).parent
    for module in CORE_MODULES:
        parts = module.__name__.removeprefix("grandpause.core.").split(".")
        if not hasattr(module, "__path__"):
            assert (here.joinpath(*parts[:-1]) / f"test_{parts[-1]}.py").exists(), module.__name__


def test_the_core_imports_no_third_party_package_but_cryptography() -> None:
    allowed = sys.stdlib_module_names | {"grandpause", "cryptography"}
    for module in CORE_MODULES:
        for value in vars(module).values():
            origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(origin, str):
                assert origin.split(".")[0] in allowed, f"{module.__name__} holds something of {origin}"
