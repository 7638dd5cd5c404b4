"""Canonical JSON (RFC 8785), narrowed to strings, integers, arrays and objects. (spec/envelope.md 1)

One value has exactly one encoding; bytes that are not that encoding are refused.
"""

from __future__ import annotations

import json
from typing import NoReturn, TypeAlias

from grandpause.errors import StatementError

Value: TypeAlias = "str | int | list[Value] | dict[str, Value]"

MAX_BYTES = 65_535
"""A log entry's length has 16 bits (C2SP tlog-tiles), so nothing signed may be longer."""

MAX_INTEGER = 2**53 - 1
"""Above it, readers that use IEEE 754 doubles disagree about the value (RFC 8785, 3.2.2.3)."""

_MAX_DEPTH = 16


def encode(value: Value) -> bytes:
    """Return the one encoding of ``value`` as UTF-8.

    Raises:
        StatementError: a float, boolean, null, too large an integer, too deep a nesting or a lone
            surrogate; the message names the field.
    """
    ordered = _ordered(value, "", 0)
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    try:
        return text.encode()
    except UnicodeEncodeError as cause:
        raise StatementError("a string holds half of a surrogate pair") from cause


def decode(data: bytes, *, limit: int = MAX_BYTES) -> Value:
    """Return the value that ``data`` encodes.

    Args:
        data: the bytes as they came.
        limit: the most bytes accepted.

    Raises:
        StatementError: too long, not UTF-8, not JSON, duplicate names, or not canonical.
    """
    if len(data) > limit:
        raise StatementError(f"{len(data)} bytes, more than the {limit} allowed")
    try:
        value: Value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_integer,
        )
    except UnicodeDecodeError as cause:
        raise StatementError(f"not UTF-8 at byte {cause.start}") from cause
    except json.JSONDecodeError as cause:
        raise StatementError(f"not JSON: {cause.msg} at character {cause.pos}") from cause
    except RecursionError as cause:
        raise StatementError("nested too deeply") from cause
    again = encode(value)
    if again != data:
        raise StatementError(
            f"not canonical JSON (RFC 8785): differs from byte {_first_difference(again, data)}"
        )
    return value


def _ordered(value: object, place: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise StatementError("nested too deeply", where=place)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, float):
        raise StatementError("only strings, integers, arrays and objects are allowed", where=place)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise StatementError("integer beyond 2^53 - 1", where=place)
        return value
    if isinstance(value, list | tuple):
        return [_ordered(each, f"{place}[{index}]", depth + 1) for index, each in enumerate(value)]
    if isinstance(value, dict):
        # RFC 8785, 3.2.3: names are sorted by UTF-16 code units.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _ordered(value[name], f"{place}.{name}".lstrip("."), depth + 1) for name in names}
    raise StatementError(f"a {type(value).__name__} has no canonical form", where=place)


def _unique(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise StatementError("the name occurs twice in one object", where=twice)
    return result


def _no_float(text: str) -> NoReturn:
    raise StatementError(f"the number {text[:24]} is no integer")


def _integer(text: str) -> int:
    if len(text) > len(str(MAX_INTEGER)) + 1:
        raise StatementError("integer beyond 2^53 - 1")
    return int(text)


def _first_difference(one: bytes, other: bytes) -> int:
    return next(
        (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
