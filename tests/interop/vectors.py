"""Reads spec/vectors as a stranger would: what the files say, as the values that the code takes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grandpause.core.canonical import Value
from grandpause.core.fields import Fields
from grandpause.core.memory import Memory
from grandpause.core.model import Caps, Interval
from grandpause.core.statement.acts import caps_value, read_caps

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
VECTORS = SPEC / "vectors"

Json = dict[str, Any]


def vectors(name: str) -> Json:
    """Return the content of one file, after a look at its schema."""
    value: Json = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    assert value["schema"] == f"grandpause.vectors.{name}/1"
    return value


def cases(name: str, field: str = "cases") -> list[Json]:
    """Return the cases of one file."""
    found: list[Json] = vectors(name)[field]
    assert found
    return found


def label(case: Json) -> str:
    """Return a case's name, for pytest."""
    return str(case["id"])


def data_of(case: Json) -> bytes:
    """Return the bytes of an envelope, which may be no UTF-8."""
    if "envelope_base64" in case:
        return base64.b64decode(case["envelope_base64"])
    return str(case["envelope"]).encode()


def interval(pair: Sequence[int]) -> Interval:
    """Return [earliest, latest]."""
    return Interval(earliest=pair[0], latest=pair[1])


def caps(value: Value) -> Caps:
    """Return caps that are written as in statements."""
    return read_caps(Fields({"caps": value}, "vector"), "caps")


def memory(value: Mapping[str, Any]) -> Memory:
    """Return a memory."""
    standby = value["standby"]
    return Memory(
        nonce=value["nonce"],
        latch=caps(value["latch"]),
        latched=frozenset(value["latched"]),
        standby=None if standby is None else frozenset(standby),
        used=frozenset(value["used"]),
        armed=value["armed"],
        adversarial=value["adversarial"],
        category=value["category"],
    )


def caps_json(value: Caps) -> list[Value]:
    """Return caps as the vectors write them."""
    return caps_value(value)
