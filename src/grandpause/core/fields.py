"""Reads the fields of a decoded object strictly: every field known, of the right type, in range.

``Fields`` is the one way in which statement classes take values out of JSON, so that every refusal
names its field in the same form ("limit.scope.sites[2]").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NoReturn, TypeVar

from grandpause.core.calendar import parse_time
from grandpause.core.canonical import MAX_INTEGER, Value
from grandpause.errors import StatementError

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAX_TEXT = 2_000


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is a SHA-256 as statements write it: 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


class Fields:
    """One object on its way to becoming a value. ``close`` refuses what nobody asked for."""

    __slots__ = ("_place", "_rest")

    def __init__(self, value: Value, place: str) -> None:
        """Take ``value``, which lies at ``place``.

        Raises:
            StatementError: it is no object.
        """
        self._place = place
        if not isinstance(value, dict):
            raise StatementError("must be an object", where=place)
        self._rest = dict(value)

    def close(self) -> None:
        """Raise StatementError if a field is left that no one read."""
        if self._rest:
            raise StatementError("unknown field", where=f"{self._place}.{min(self._rest)}")

    def refuse(self, name: str, message: str) -> NoReturn:
        """Raise StatementError for field ``name``."""
        raise StatementError(message, where=f"{self._place}.{name}")

    def take(self, name: str) -> Value:
        """Return the field as it is. Raises StatementError if it is missing."""
        if name not in self._rest:
            self.refuse(name, "missing field")
        return self._rest.pop(name)

    def text(self, name: str, *, most: int = MAX_TEXT, empty: bool = False) -> str:
        """Return a text for people, of at most ``most`` characters."""
        value = self.take(name)
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
        if not value.strip() and not empty:
            self.refuse(name, "must not be empty")
        if len(value) > most:
            self.refuse(name, f"longer than {most} characters")
        return value

    def identifier(self, name: str) -> str:
        """Return an identifier: lower-case letters, digits, dot, dash, underline; at most 64."""
        return self._identifier(self.take(name), name)

    def identifiers(self, name: str) -> tuple[str, ...]:
        """Return a list of distinct identifiers."""
        values = self.array(name)
        result = tuple(self._identifier(each, f"{name}[{index}]") for index, each in enumerate(values))
        if len(set(result)) != len(result):
            self.refuse(name, "holds one identifier twice")
        return result

    def integer(self, name: str, *, least: int = 0, most: int = MAX_INTEGER) -> int:
        """Return an integer within [least, most]."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(name, "must be an integer")
        if not least <= value <= most:
            self.refuse(name, f"must be from {least} to {most}, is {value}")
        return value

    def time(self, name: str) -> int:
        """Return an RFC 3339 UTC time as Unix seconds."""
        value = self.take(name)
        if not isinstance(value, str):
            self.refuse(name, "must be a time of the form 2026-11-22T08:00:00Z")
        try:
            return parse_time(value)
        except StatementError as cause:
            self.refuse(name, cause.message)

    def choice(self, name: str, kind: type[_E]) -> _E:
        """Return a member of the enumeration ``kind``."""
        return self._choice(self.take(name), name, kind)

    def choices(self, name: str, kind: type[_E]) -> tuple[_E, ...]:
        """Return a list of distinct members of ``kind``."""
        values = self.array(name)
        result = tuple(self._choice(each, f"{name}[{index}]", kind) for index, each in enumerate(values))
        if len(set(result)) != len(result):
            self.refuse(name, "holds one value twice")
        return result

    def hexadecimal(self, name: str, *, size: int, empty: bool = False) -> str:
        """Return ``size`` bytes written as lower-case hexadecimal digits (or an empty string)."""
        return self._hexadecimal(self.take(name), name, size, empty=empty)

    def digests(self, name: str) -> tuple[str, ...]:
        """Return a list of distinct SHA-256 names."""
        values = self.array(name)
        result = tuple(
            self._hexadecimal(each, f"{name}[{index}]", 32, empty=False) for index, each in enumerate(values)
        )
        if len(set(result)) != len(result):
            self.refuse(name, "holds one name twice")
        return result

    def array(self, name: str, *, most: int = 10_000) -> list[Value]:
        """Return a list of at most ``most`` values."""
        value = self.take(name)
        if not isinstance(value, list):
            self.refuse(name, "must be an array")
        if len(value) > most:
            self.refuse(name, f"more than {most} items")
        return value

    def within(self, name: str, read: Callable[[Fields], _T]) -> _T:
        """Return what ``read`` makes of the object in field ``name``."""
        inner = Fields(self.take(name), f"{self._place}.{name}")
        result = read(inner)
        inner.close()
        return result

    def each(self, name: str, read: Callable[[Fields], _T], *, most: int = 10_000) -> tuple[_T, ...]:
        """Return what ``read`` makes of every object of the array ``name``."""
        result = []
        for index, value in enumerate(self.array(name, most=most)):
            inner = Fields(value, f"{self._place}.{name}[{index}]")
            result.append(read(inner))
            inner.close()
        return tuple(result)

    def _identifier(self, value: Value, name: str) -> str:
        if not isinstance(value, str) or IDENTIFIER.fullmatch(value) is None:
            self.refuse(name, "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit")
        return value

    def _choice(self, value: Value, name: str, kind: type[_E]) -> _E:
        for member in kind:
            if member.value == value:
                return member
        self.refuse(name, f"must be one of {', '.join(kind)}")

    def _hexadecimal(self, value: Value, name: str, size: int, *, empty: bool) -> str:
        lengths = (2 * size, 0) if empty else (2 * size,)
        if isinstance(value, str) and len(value) in lengths and _HEX.fullmatch(value) is not None:
            return value
        self.refuse(name, f"must be {size} bytes as lower-case hexadecimal digits")
