"""Reads profiles from TOML, strictly: an unknown key or a wrong type is refused, naming file and field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import resources
from importlib.resources.abc import Traversable
from math import ceil
from typing import Any, TypeVar

from grandpause.drivers.snmp.profile import (
    Control,
    Gauge,
    Guard,
    Index,
    Maturity,
    Metering,
    OutletGauge,
    Probe,
    Profile,
    StateColumn,
    Total,
    Write,
)
from grandpause.errors import FormError

OBJECT_IDENTIFIER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
INDEX_PATTERN = re.compile(r"(?:(?:[0-9]+|\{unit\})\.)*\{outlet\}(?:\.[0-9]+)*")
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SCALE = re.compile(r"[0-9]+(?:\.[0-9]+)?")
DEFAULT_AT_ONCE = 24
"""Objects a request: 24 answers fit an Ethernet frame, and every card of the captures takes as many."""

_Value = TypeVar("_Value")


class Table:
    """One table of a profile file, which knows where it stands and which of its keys nobody has read."""

    def __init__(self, where: str, content: Mapping[str, Any]) -> None:
        self.where = where
        self._content = dict(content)

    def wrong(self, key: str, message: str) -> FormError:
        """Return the error for one field."""
        return FormError(message, where=f"{self.where}{key}")

    def take(self, key: str, kind: type[_Value], default: _Value | None = None) -> _Value:
        """Take a field; raise FormError where it is missing without a default, or of another type."""
        if key not in self._content:
            if default is None:
                raise self.wrong(key, "is missing")
            return default
        value = self._content.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, f"is not of type {kind.__name__}: {value!r}")
        return value

    def has(self, key: str) -> bool:
        """Tell whether a field is there and not read yet."""
        return key in self._content

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """Take a text that is not empty and fits ``pattern``."""
        value = self.take(key, str)
        if not value or (pattern is not None and not pattern.fullmatch(value)):
            raise self.wrong(key, f"is not well formed: {value!r}")
        return value

    def oid(self, key: str) -> str:
        """Take a numeric object identifier without a leading dot."""
        return self.text(key, OBJECT_IDENTIFIER)

    def every(self, key: str, kind: type[_Value], *, default: Sequence[_Value] | None = None) -> list[_Value]:
        """Take a list of one type; raise FormError where it is empty but has no default."""
        values = self.take(key, list, None if default is None else list(default))
        if not values and default is None:
            raise self.wrong(key, "is empty")
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.wrong(key, f"holds something that is not of type {kind.__name__}: {value!r}")
        return values

    def table(self, key: str) -> Table:
        """Take a table."""
        return Table(f"{self.where}{key}.", self.take(key, dict))

    def tables(self, key: str) -> list[Table]:
        """Take a list of tables; none at all is an empty list."""
        rows = self.every(key, dict, default=[])
        return [Table(f"{self.where}{key}[{number}].", row) for number, row in enumerate(rows, 1)]

    def end(self) -> None:
        """Raise FormError for a key that nobody has read."""
        for key in self._content:
            raise self.wrong(key, "is not known here")


def shipped_profiles() -> tuple[Profile, ...]:
    """Return the profiles that come with Grandpause."""
    return load_profiles(resources.files("grandpause.drivers") / "profiles")


def load_profiles(directory: Traversable) -> tuple[Profile, ...]:
    """Read every ``*.toml`` of a directory, by rank.

    Raises:
        FormError: a file is no TOML, or a field is unknown, missing or wrong; two profiles share a name.
    """
    files = sorted(
        (file for file in directory.iterdir() if file.name.endswith(".toml")), key=lambda f: f.name
    )
    profiles: dict[str, Profile] = {}
    for file in files:
        profile = parse_profile(file.read_bytes(), file=file.name)
        if profile.name in profiles:
            raise FormError(f"a second profile named {profile.name!r}", where=f"{file.name}: name")
        profiles[profile.name] = profile
    return tuple(sorted(profiles.values(), key=lambda profile: (profile.rank, profile.name)))


def parse_profile(data: bytes, *, file: str) -> Profile:
    """Read one profile; ``file`` is what an error names. Raises FormError."""
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormError(f"is no TOML: {error}", where=file) from error
    table = Table(f"{file}: ", content)
    identify = table.table("identify")
    profile = Profile(
        name=table.text("name", NAME),
        brand=table.text("brand"),
        mib=table.text("mib"),
        rank=table.take("rank", int),
        seen_on=tuple(table.every("seen_on", str, default=[])),
        quirks=tuple(table.every("quirks", str, default=[])),
        object_ids=_object_ids(identify),
        probes=tuple(_probe(row) for row in identify.tables("probe")),
        control=_control(table.table("control")) if table.has("control") else None,
        metering=_metering(table.table("metering")) if table.has("metering") else None,
    )
    identify.end()
    table.end()
    _check_whole(profile, table)
    return profile


def _check_whole(profile: Profile, table: Table) -> None:
    if profile.control is None and profile.metering is None:
        raise table.wrong("control", "is missing, and so is metering: nothing to do for this device")
    parts = [part.maturity for part in (profile.control, profile.metering) if part is not None]
    if not profile.seen_on and any(part is not Maturity.EXPERIMENTAL for part in parts):
        raise table.wrong("seen_on", "is empty: a profile seen on nothing is experimental")


def _object_ids(identify: Table) -> tuple[str, ...]:
    prefixes = identify.every("object_id", str)
    for prefix in prefixes:
        if not OBJECT_IDENTIFIER.fullmatch(prefix):
            raise identify.wrong("object_id", f"is no object identifier: {prefix!r}")
    return tuple(prefixes)


def _probe(row: Table) -> Probe:
    probe = Probe(oid=row.oid("oid"), starts_with=row.text("starts_with") if row.has("starts_with") else None)
    row.end()
    return probe


def _maturity(table: Table) -> Maturity:
    word = table.take("maturity", str)
    try:
        return Maturity(word)
    except ValueError:
        known = ", ".join(Maturity)
        raise table.wrong("maturity", f"is {word!r}; known are {known}") from None


def _index(table: Table) -> Index:
    index = Index(pattern=table.text("index", INDEX_PATTERN), first_unit=table.take("first_unit", int, -1))
    if ("{unit}" in index.pattern) != (index.first_unit >= 0):
        raise table.wrong("first_unit", "goes together with {unit} in the index")
    return index


def _control(table: Table) -> Control:
    if (kind := table.text("type")) != "INTEGER":
        raise table.wrong("type", f"is {kind!r}; only INTEGER can be written")
    control = Control(
        maturity=_maturity(table),
        index=_index(table),
        off=_write(table.table("off")),
        on=_write(table.table("on")),
        state=_state(table.table("state")),
    )
    if control.off == control.on:
        raise table.wrong("on", "is the same as off")
    table.end()
    return control


def _write(row: Table) -> Write:
    write = Write(column=row.oid("column"), value=row.take("value", int))
    row.end()
    return write


def _state(row: Table) -> StateColumn:
    state = StateColumn(
        column=row.oid("column"), off=tuple(row.every("off", int)), on=tuple(row.every("on", int))
    )
    if set(state.off) & set(state.on):
        raise row.wrong("on", "shares a value with off")
    row.end()
    return state


def _metering(table: Table) -> Metering:
    metering = Metering(
        maturity=_maturity(table),
        totals=tuple(_total(row) for row in table.tables("total")),
        outlet=_outlet_gauge(table.table("outlet")) if table.has("outlet") else None,
        at_once=table.take("at_once", int, DEFAULT_AT_ONCE),
    )
    if not metering.totals and metering.outlet is None:
        raise table.wrong("total", "is missing, and so is outlet: nothing is metered")
    if metering.at_once < 1:
        raise table.wrong("at_once", "must be at least 1")
    table.end()
    return metering


def _total(row: Table) -> Total:
    sets = row.every("rows", list)
    for rows in sets:
        if not rows or not all(isinstance(name, str) and re.fullmatch(r"[0-9.]+", name) for name in rows):
            raise row.wrong("rows", f"holds a set that is no list of rows: {rows!r}")
    total = Total(gauge=_gauge(row), row_sets=tuple(tuple(rows) for rows in sets))
    row.end()
    return total


def _outlet_gauge(row: Table) -> OutletGauge:
    gauge = OutletGauge(index=_index(row), gauge=_gauge(row))
    row.end()
    return gauge


def _gauge(row: Table) -> Gauge:
    worth = Fraction(row.text("watts_a_count", SCALE))
    if worth <= 0:
        raise row.wrong("watts_a_count", "must be more than 0")
    gauge = Gauge(
        column=row.oid("column"),
        watts_a_count=worth,
        digits_column=row.oid("digits_column") if row.has("digits_column") else None,
        guards=tuple(_guard(each) for each in row.tables("guard")),
        maximum_w=row.take("maximum_w", int),
        resolution_w=row.take("resolution_w", int, max(1, ceil(worth))),
    )
    if gauge.maximum_w <= 0 or gauge.resolution_w <= 0:
        raise row.wrong("maximum_w", "and resolution_w must be more than 0")
    return gauge


def _guard(row: Table) -> Guard:
    guard = Guard(
        column=row.oid("column"),
        values=tuple(row.every("values", int)),
        may_be_absent=row.take("may_be_absent", bool),
    )
    row.end()
    return guard
