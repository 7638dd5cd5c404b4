"""Reads tables of a TOML file strictly: every key known, of the right type, and named when it is wrong."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from grandpause.core.fields import IDENTIFIER
from grandpause.errors import SiteFileError

_T = TypeVar("_T")
_MOST_BYTES = 16 * 2**20


def read_toml(path: Path) -> Table:
    """Return the root table of a TOML file. Raises SiteFileError."""
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise SiteFileError(f"cannot be read: {cause.strerror}", where=str(path)) from cause
    if len(data) > _MOST_BYTES:
        raise SiteFileError(f"more than {_MOST_BYTES} bytes", where=str(path))
    try:
        return Table(tomllib.loads(data.decode()), str(path))
    except UnicodeDecodeError as cause:
        raise SiteFileError(f"not UTF-8 at byte {cause.start}", where=str(path)) from cause
    except tomllib.TOMLDecodeError as cause:
        raise SiteFileError(f"not TOML: {cause}", where=str(path)) from cause


class Table:
    """One table. ``close`` refuses the keys that nobody asked for."""

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self._rest = dict(values)
        self._known: list[str] = []
        self.place = place

    def refuse(self, key: str, message: str, *, hint: str = "") -> NoReturn:
        """Raise SiteFileError for ``key``."""
        raise SiteFileError(message, where=f"{self.place}: {key}", hint=hint)

    def close(self) -> None:
        """Raise SiteFileError if a key is left that no one read."""
        if self._rest:
            key = min(self._rest)
            self.refuse(key, "unknown key", hint=f"known here: {', '.join(sorted(set(self._known)))}")

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        self._known.append(key)
        return key in self._rest

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string."""
        value = self._take(key, default)
        if not isinstance(value, str):
            self.refuse(key, "must be a string")
        return value

    def identifier(self, key: str) -> str:
        """Return an identifier: 1 to 64 of a-z 0-9 . _ -."""
        value = self.text(key)
        if IDENTIFIER.fullmatch(value) is None:
            self.refuse(key, f"{value!r} must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit")
        return value

    def integer(self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**53) -> int:
        """Return an integer within [least, most]."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, "must be an integer")
        if not least <= value <= most:
            self.refuse(key, f"must be from {least} to {most}, is {value}")
        return value

    def seconds(self, key: str, default: float | None = None) -> float:
        """Return a positive number of seconds."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**7:
            self.refuse(key, "must be a positive number of seconds")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.refuse(key, "must be true or false")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._take(key, default)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.refuse(key, "must be a list of strings")
        return tuple(value)

    def choice(self, key: str, options: tuple[str, ...], default: str | None = None) -> str:
        """Return one of ``options``."""
        value = self.text(key, default)
        if value not in options:
            self.refuse(key, f"{value!r} must be one of {', '.join(options)}")
        return value

    def within(self, key: str, read: Callable[[Table], _T], *, optional: bool = False) -> _T:
        """Return what ``read`` makes of the table ``key``; of an empty one if it is optional and absent."""
        value = self._take(key, {} if optional else None)
        if not isinstance(value, dict):
            self.refuse(key, "must be a table")
        inner = Table(value, f"{self.place}: {key}")
        result = read(inner)
        inner.close()
        return result

    def each(self, key: str, read: Callable[[Table], _T]) -> tuple[_T, ...]:
        """Return what ``read`` makes of every table of the array ``key``; nothing where it is absent."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, f"must be an array of tables ([[{key}]])")
        result = []
        for number, one in enumerate(value, start=1):
            inner = Table(one, f"{self.place}: {key} {number}")
            result.append(read(inner))
            inner.close()
        return tuple(result)

    def named(self, key: str, read: Callable[[str, Table], _T]) -> dict[str, _T]:
        """Return name -> what ``read`` makes of each table below ``key``; nothing where it is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.refuse(key, f"must hold tables ([{key}.NAME])")
        result = {}
        for name, one in value.items():
            if not isinstance(one, dict):
                self.refuse(f"{key}.{name}", "must be a table")
            inner = Table(one, f"{self.place}: {key}.{name}")
            result[name] = read(name, inner)
            inner.close()
        return result

    def _take(self, key: str, default: object) -> object:
        self._known.append(key)
        if key in self._rest:
            return self._rest.pop(key)
        if default is None:
            alike = difflib.get_close_matches(key, self._rest, n=1)
            self.refuse(key, "missing key", hint=f"is {alike[0]!r} a typing error?" if alike else "")
        return default
