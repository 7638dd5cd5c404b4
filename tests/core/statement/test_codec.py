"""Every kind of statement: each field missing, unknown, of a wrong type, out of range."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.makers import (
    SITE,
    declaration,
    evidence,
    lift,
    limit,
    nonce,
    operator_cast,
    permit,
    reading,
    restart,
    signer,
    status,
    suspension,
)
from grandpause.core import canonical
from grandpause.core.envelope import Envelope, Kind
from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.statement.codec import Statement, decode, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import StatementError

OPERATOR = operator_cast()
CAPS = Caps({CapKey("hall:h1", Unit.COMPUTE): 1, CapKey("site", Unit.SITE_WATTS): 2})

STATEMENTS: dict[str, Statement] = {
    "charter": OPERATOR.charter,
    "limit": limit(OPERATOR, scope=Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")),
    "lift": lift(OPERATOR, "ab" * 32),
    "suspension": lift(OPERATOR, suspends=(suspension(),)),
    "permit": permit(OPERATOR),
    "restart": replace(restart(OPERATOR, nonce(1)), caps=CAPS),
    "declaration": declaration(OPERATOR, {"controller-a": signer(50), "controller-b": signer(51)}),
    "status": status(OPERATOR, latch=CAPS, binds=("cd" * 32,)),
    "reading": reading(OPERATOR, channels={"a": 0, "b": 7}),
    "evidence": evidence(OPERATOR, allowed=CAPS, binds=("cd" * 32,)),
}
Path = tuple[str | int, ...]


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside a payload."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*at, name)
            yield from paths(inner, (*at, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*at, index)
            yield from paths(inner, (*at, index))


def payload(name: str) -> Any:
    return json.loads(encode(STATEMENTS[name]).payload)


def holder(value: Any, path: Path) -> Any:
    for each in path[:-1]:
        value = value[each]
    return value


def spelled(name: str, path: Path) -> str:
    text = str(STATEMENTS[name].kind)
    for each in path:
        text += f"[{each}]" if isinstance(each, int) else f".{each}"
    return text


def refusal_of(name: str, value: Any) -> StatementError:
    envelope = Envelope(kind=STATEMENTS[name].kind, payload=canonical.encode(value))
    with pytest.raises(StatementError) as refusal:
        decode(envelope)
    return refusal.value


ALL_FIELDS = [
    pytest.param(name, path, id=spelled(name, path))
    for name in STATEMENTS
    for path in paths(payload(name))
    if isinstance(path[-1], str)
]
OBJECTS = [
    pytest.param(name, path, id=spelled(name, path))
    for name in STATEMENTS
    for path in [(), *paths(payload(name))]
    if isinstance(holder([payload(name)], (0, *path, "x")), dict)
]


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_reads_back_as_it_was_written(name: str) -> None:
    envelope = encode(STATEMENTS[name])
    again = decode(envelope)
    assert again == STATEMENTS[name]
    assert encode(again) == envelope


@pytest.mark.parametrize(("name", "path"), ALL_FIELDS)
def test_a_missing_field_is_named(name: str, path: Path) -> None:
    value = payload(name)
    del holder(value, path)[path[-1]]
    refusal = refusal_of(name, value)
    assert (refusal.message, refusal.where) == ("missing field", spelled(name, path))


@pytest.mark.parametrize(("name", "path"), OBJECTS)
def test_an_unknown_field_is_named(name: str, path: Path) -> None:
    value = payload(name)
    holder([value], (0, *path, "x"))["zz-unknown"] = 1
    refusal = refusal_of(name, value)
    assert (refusal.message, refusal.where) == ("unknown field", spelled(name, (*path, "zz-unknown")))


@pytest.mark.parametrize(("name", "path"), ALL_FIELDS)
def test_a_field_of_a_wrong_type_is_named(name: str, path: Path) -> None:
    value = payload(name)
    old = holder(value, path)[path[-1]]
    holder(value, path)[path[-1]] = "text" if isinstance(old, int | list | dict) else 7
    assert refusal_of(name, value).where.startswith(spelled(name, path))


@pytest.mark.parametrize(("name", "path"), ALL_FIELDS)
def test_an_object_in_place_of_a_field_is_refused(name: str, path: Path) -> None:
    value = payload(name)
    old = holder(value, path)[path[-1]]
    holder(value, path)[path[-1]] = [] if isinstance(old, dict) else {}
    assert refusal_of(name, value).where.startswith(spelled(name, path))


TIMES = [
    each
    for each in ALL_FIELDS
    if str(holder(payload(str(each.values[0])), each.values[1])[each.values[1][-1]]).endswith("Z")  # type: ignore[arg-type,index]
]


def test_every_time_is_found() -> None:
    assert len(TIMES) >= 15


@pytest.mark.parametrize(("name", "path"), TIMES)
@pytest.mark.parametrize("wrong", ["2026-11-22T08:00:00+00:00", "2026-11-22", "2026-02-30T00:00:00Z", ""])
def test_a_wrong_time_is_named(name: str, path: Path, wrong: str) -> None:
    value = payload(name)
    holder(value, path)[path[-1]] = wrong
    assert refusal_of(name, value).where == spelled(name, path)


INTEGERS = [
    each
    for each in ALL_FIELDS
    if isinstance(holder(payload(str(each.values[0])), each.values[1])[each.values[1][-1]], int)  # type: ignore[arg-type,index]
]


@pytest.mark.parametrize(("name", "path"), INTEGERS)
def test_a_negative_number_is_named(name: str, path: Path) -> None:
    value = payload(name)
    holder(value, path)[path[-1]] = -1
    assert refusal_of(name, value).where.startswith(spelled(name, path)[: len(str(STATEMENTS[name].kind))])


@pytest.mark.parametrize(("name", "path"), INTEGERS)
def test_a_number_as_a_float_is_refused(name: str, path: Path) -> None:
    value = payload(name)
    number = holder(value, path)[path[-1]]
    holder(value, path)[path[-1]] = "@"
    text = canonical.encode(value).replace(b'"@"', b"%d.0" % number)
    with pytest.raises(StatementError, match="is no integer"):
        decode(Envelope(kind=STATEMENTS[name].kind, payload=text))


@pytest.mark.parametrize("kind", [Kind.REFUSAL, Kind.DRILL])
def test_a_draft_kind_is_not_read(kind: Kind) -> None:
    with pytest.raises(StatementError, match="are a draft"):
        decode(Envelope(kind=kind, payload=b"{}"))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_payload_that_is_not_canonical_is_refused(name: str) -> None:
    spaced = json.dumps(payload(name)).encode()
    with pytest.raises(StatementError, match="not canonical"):
        decode(Envelope(kind=STATEMENTS[name].kind, payload=spaced))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_truncated_payload_is_refused(name: str) -> None:
    whole = encode(STATEMENTS[name]).payload
    for length in range(0, len(whole), 7):
        with pytest.raises(StatementError):
            decode(Envelope(kind=STATEMENTS[name].kind, payload=whole[:length]))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_payload_under_another_type_is_refused(name: str) -> None:
    for kind in Kind:
        if kind is not STATEMENTS[name].kind:
            with pytest.raises(StatementError):
                decode(Envelope(kind=kind, payload=encode(STATEMENTS[name]).payload))
