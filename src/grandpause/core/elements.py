"""The elements table: what a site consists of and which meters cover it. (spec/elements.md)

It is declared by digest, since a hall has more elements than a statement has bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from grandpause.core import canonical
from grandpause.core.canonical import Value
from grandpause.core.fields import Fields
from grandpause.core.model import SITE_PART
from grandpause.core.statement.facts import MAX_WATTS, FileDigest
from grandpause.errors import StatementError

MAX_TABLE_BYTES: Final = 64 * 2**20
SCHEMA: Final = "grandpause.elements/1"


class Measures(StrEnum):
    """What a meter path sums up to."""

    IT = "it"
    SITE = "site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One node as it is rated.

    Attributes:
        hall, tenant: parts of the site that caps may name; tenant may be empty.
        rated_w: the most that it draws.
        idle_w: the least that it draws while it is on.
        off_w: the most that it draws while it is off (its BMC and fans on standby).
        compute: rated dense BF16 compute in TFLOP/s.
        other_parts: parts to which another declaration counts it, while a cap binds; never encoded.
    """

    id: str
    hall: str
    tenant: str
    rated_w: int
    idle_w: int
    off_w: int
    compute: int
    other_parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.off_w < self.idle_w <= self.rated_w:
            raise StatementError("needs off_w < idle_w <= rated_w", where=f"elements.{self.id}")

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the site that it belongs to, as caps name them."""
        parts = [SITE_PART, f"hall:{self.hall}"]
        if self.tenant:
            parts.append(f"tenant:{self.tenant}")
        return (*parts, *(each for each in self.other_parts if each not in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRow:
    """One meter device and what each of its channels covers.

    Attributes:
        path: meters of one path are summed; two paths must agree.
        owner: the body of the charter that owns it.
        signed: whether its readings must be signed by the owner's key.
        resolution_w: smallest step of a channel's value.
        channels: channel -> ids of the elements that draw through it.
    """

    id: str
    path: str
    owner: str
    signed: bool
    measures: Measures
    resolution_w: int
    channels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ElementTable:
    """All elements and meters of a site; checked as a whole.

    Raises:
        StatementError: an id twice, a meter that covers an unknown element, no element at all.
    """

    elements: tuple[Element, ...]
    meters: tuple[MeterRow, ...]
    by_id: Mapping[str, Element] = field(init=False, compare=False, repr=False)
    rated: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """Part -> rated compute in TFLOP/s that a share is taken of; filled in where it is not given."""
    _encoded: bytes = field(default=b"", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        by_id = {each.id: each for each in self.elements}
        if not by_id or len(by_id) != len(self.elements):
            raise StatementError("needs at least one element, each once", where="elements")
        if len({each.id for each in self.meters}) != len(self.meters):
            raise StatementError("one id occurs twice", where="meters")
        measures: dict[str, Measures] = {}
        for meter in self.meters:
            if measures.setdefault(meter.path, meter.measures) is not meter.measures:
                raise StatementError(
                    f"path {meter.path} measures one thing by one meter and another by the next",
                    where=f"meters.{meter.id}.measures",
                )
            for channel, covered in meter.channels.items():
                unknown = next((each for each in covered if each not in by_id), None)
                if unknown is not None:
                    raise StatementError(
                        f"covers the unknown element {unknown}", where=f"meters.{meter.id}.{channel}"
                    )
        object.__setattr__(self, "by_id", by_id)
        object.__setattr__(self, "rated", {**_rated(self.elements), **self.rated})

    def to_bytes(self) -> bytes:
        """Return the table's one encoding; worked out once, since a hall has thousands of elements."""
        if not self._encoded:
            value: dict[str, Value] = {
                "schema": SCHEMA,
                "elements": [_element_value(each) for each in self.elements],
                "meters": [_meter_value(each) for each in self.meters],
            }
            object.__setattr__(self, "_encoded", canonical.encode(value))
        return self._encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> ElementTable:
        """Read a table. Raises StatementError naming the field."""
        fields = Fields(canonical.decode(data, limit=MAX_TABLE_BYTES), "table")
        if fields.text("schema", most=100) != SCHEMA:
            fields.refuse("schema", f"must be {SCHEMA}")
        table = cls(
            fields.each("elements", _read_element, most=200_000),
            fields.each("meters", _read_meter, most=50_000),
        )
        fields.close()
        return table


def digest_of(path: str, data: bytes) -> FileDigest:
    """Return path, SHA-256 and length of a file's bytes."""
    return FileDigest(path=path, sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def while_bound(before: ElementTable, current: ElementTable) -> ElementTable:
    """Return the table to judge by while a cap binds: nobody gains by a new declaration.

    ``before`` was in force when the cap began to bind. An element in both counts at the higher watts and
    compute, and to the parts of both; one that left stays. A share is taken of the lower rated total. The
    meters are the current ones and, for elements that left, those of ``before``.
    """
    merged = dict(before.by_id)
    for new in current.elements:
        old = merged.get(new.id)
        merged[new.id] = new if old is None else _heavier(old, new)
    left = before.by_id.keys() - current.by_id.keys()
    meters = {
        each.id: each
        for each in before.meters
        if any(name in left for covered in each.channels.values() for name in covered)
    } | {each.id: each for each in current.meters}
    rated = {part: min(before.rated.get(part, total), total) for part, total in current.rated.items()}
    return ElementTable(
        tuple(merged[each] for each in sorted(merged)),
        tuple(meters[each] for each in sorted(meters)),
        rated={**before.rated, **rated},
    )


def startable(before: ElementTable, current: ElementTable) -> frozenset[str]:
    """Return the elements that may be started while a cap binds: those in both declarations."""
    return frozenset(before.by_id) & frozenset(current.by_id)


def _heavier(one: Element, other: Element) -> Element:
    return Element(
        id=one.id,
        hall=one.hall,
        tenant=one.tenant,
        rated_w=max(one.rated_w, other.rated_w),
        idle_w=min(one.idle_w, other.idle_w),
        off_w=min(one.off_w, other.off_w),
        compute=max(one.compute, other.compute),
        other_parts=tuple(dict.fromkeys((*one.parts, *other.parts))),
    )


def _rated(elements: tuple[Element, ...]) -> dict[str, int]:
    rated: dict[str, int] = {}
    for each in elements:
        for part in each.parts:
            rated[part] = rated.get(part, 0) + each.compute
    return rated


def _element_value(element: Element) -> Value:
    return {
        "id": element.id,
        "hall": element.hall,
        "tenant": element.tenant,
        "rated_w": element.rated_w,
        "idle_w": element.idle_w,
        "off_w": element.off_w,
        "compute": element.compute,
    }


def _meter_value(meter: MeterRow) -> Value:
    return {
        "id": meter.id,
        "path": meter.path,
        "owner": meter.owner,
        "signed": int(meter.signed),
        "measures": str(meter.measures),
        "resolution_w": meter.resolution_w,
        "channels": [{"id": each, "elements": list(covered)} for each, covered in meter.channels.items()],
    }


def _read_element(fields: Fields) -> Element:
    return Element(
        id=fields.identifier("id"),
        hall=fields.identifier("hall"),
        tenant=fields.text("tenant", most=64, empty=True),
        rated_w=fields.integer("rated_w", most=MAX_WATTS),
        idle_w=fields.integer("idle_w", most=MAX_WATTS),
        off_w=fields.integer("off_w", most=MAX_WATTS),
        compute=fields.integer("compute"),
    )


def _read_meter(fields: Fields) -> MeterRow:
    channels = fields.each(
        "channels", lambda at: (at.identifier("id"), at.identifiers("elements")), most=10_000
    )
    if len({each for each, _ in channels}) != len(channels):
        fields.refuse("channels", "holds one id twice")
    return MeterRow(
        id=fields.identifier("id"),
        path=fields.identifier("path"),
        owner=fields.identifier("owner"),
        signed=bool(fields.integer("signed", most=1)),
        measures=fields.choice("measures", Measures),
        resolution_w=fields.integer("resolution_w", most=1_000_000),
        channels=dict(channels),
    )
