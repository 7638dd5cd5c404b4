"""What is known of one brand's SNMP objects, as values; the data lies in ``drivers/profiles/*.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from grandpause.drivers.snmp.values import Outlet
from grandpause.errors import SiteFileError

FIRST_OUTLET = 1


class Maturity(StrEnum):
    """How far a profile can be relied on.

    Experimental: from documents, no capture of these objects. Beta: seen in a capture. Stable: used on a
    real device by us.
    """

    EXPERIMENTAL = "experimental"
    BETA = "beta"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An object that must be there before a device counts as one of this profile.

    Attributes:
        oid: the object.
        starts_with: what its text begins with; None where its presence is enough.
    """

    oid: str
    starts_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One INTEGER to be written into an outlet's row of a column."""

    column: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateColumn:
    """Where an outlet's position stands; a value that is in neither list is "unknown"."""

    column: str
    off: tuple[int, ...]
    on: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """How the rows of an outlet table are numbered.

    Attributes:
        pattern: "{outlet}", or with "{unit}" where several units answer behind one agent.
        first_unit: the unit that is meant where none is named.
    """

    pattern: str
    first_unit: int

    def row(self, outlet: int, unit: int | None) -> str:
        """Return the row of an outlet; raise SiteFileError for a unit where the device knows none."""
        if unit is not None and "{unit}" not in self.pattern:
            raise SiteFileError(f"this device knows no units, unit {unit} was named", where="unit")
        return self.pattern.format(outlet=outlet, unit=self.first_unit if unit is None else unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How outlets are switched, each by its own row; nothing that reaches another outlet is written."""

    maturity: Maturity
    index: Index
    off: Write
    on: Write
    state: StateColumn

    def off_object(self, outlet: Outlet) -> tuple[str, int]:
        """Return the object and the value that switch this outlet off."""
        return f"{self.off.column}.{self.index.row(outlet.number, outlet.unit)}", self.off.value

    def on_object(self, outlet: Outlet) -> tuple[str, int]:
        """Return the object and the value that switch this outlet on."""
        return f"{self.on.column}.{self.index.row(outlet.number, outlet.unit)}", self.on.value

    def state_object(self, outlet: Outlet) -> str:
        """Return the object that holds this outlet's position."""
        return f"{self.state.column}.{self.index.row(outlet.number, outlet.unit)}"

    @property
    def first_state_object(self) -> str:
        """The position of the first outlet: a device without it is not controlled by this profile."""
        return f"{self.state.column}.{self.index.row(FIRST_OUTLET, None)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """An object beside a reading that says whether the reading counts (its unit, its availability).

    Attributes:
        column: the guard's column; its row is that of the reading.
        values: what it has to be.
        may_be_absent: whether firmware without the object is accepted.
    """

    column: str
    values: tuple[int, ...]
    may_be_absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A column of real power.

    Attributes:
        column: the column; only real power, never volt-amperes, nor amperes times nominal volts.
        watts_a_count: what one count is worth.
        digits_column: where the number of decimal digits stands; None where there is none.
        guards: what else has to hold.
        maximum_w: a higher value is absurd and counts as none.
        resolution_w: the smallest step of a reading, at least 1.
    """

    column: str
    watts_a_count: Fraction
    digits_column: str | None
    guards: tuple[Guard, ...]
    maximum_w: int
    resolution_w: int

    def objects(self, row: str) -> Iterator[str]:
        """Yield the objects that a reading of this row takes."""
        yield f"{self.column}.{row}"
        if self.digits_column is not None:
            yield f"{self.digits_column}.{row}"
        for guard in self.guards:
            yield f"{guard.column}.{row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How a device's whole power is read: the sum of one of several sets of rows.

    Attributes:
        gauge: the column.
        row_sets: which rows may stand together; the rows that are there have to be exactly one of these
            sets, since a row left out would read as fewer watts.
    """

    gauge: Gauge
    row_sets: tuple[tuple[str, ...], ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Every row of any set, once."""
        return tuple(dict.fromkeys(row for rows in self.row_sets for row in rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletGauge:
    """How an outlet's power is read."""

    gauge: Gauge
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """What a device measures.

    Attributes:
        totals: ways to read the whole, best first; empty where there is none.
        outlet: how to read one outlet; None where outlets are not metered.
        at_once: how many objects one request may ask for.
    """

    maturity: Maturity
    totals: tuple[Total, ...]
    outlet: OutletGauge | None
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One family of devices.

    Attributes:
        name: stable, lower case.
        brand: for people.
        mib: the document that the objects come from.
        rank: of two profiles that fit one device, the lower rank is taken.
        seen_on: walks or firmware on which it was checked.
        quirks: for people.
        object_ids: prefixes of sysObjectID.
        probes: all of which must hold.
        control: how outlets are switched; None for a device that is only metered.
        metering: what is measured; None for a device that is only switched.
    """

    name: str
    brand: str
    mib: str
    rank: int
    seen_on: tuple[str, ...]
    quirks: tuple[str, ...]
    object_ids: tuple[str, ...]
    probes: tuple[Probe, ...]
    control: Control | None
    metering: Metering | None

    def fits(self, object_id: str) -> bool:
        """Tell whether a sysObjectID lies under one of the prefixes."""
        return any(object_id == prefix or object_id.startswith(f"{prefix}.") for prefix in self.object_ids)
