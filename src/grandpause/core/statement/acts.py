"""The acts: limit, lift, permit, restart. (spec/limit.md, spec/lift.md, spec/permit.md, spec/restart.md)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grandpause.core.calendar import format_time
from grandpause.core.canonical import Value
from grandpause.core.envelope import Kind
from grandpause.core.fields import Fields
from grandpause.core.model import FULL_PPM, CapKey, Caps, Profile, Unit
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.scope import Scope
from grandpause.errors import StatementError

NONCE_BYTES: Final = 16
MAX_LIFTED: Final = 500
LONGEST_SUSPENSION_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """What every act names: its charter, that charter's version, and the power it uses."""

    charter: str
    version: int
    power: str

    def to_value(self) -> dict[str, Value]:
        """Return the three fields."""
        return {"charter": self.charter, "version": self.version, "power": self.power}

    @classmethod
    def read(cls, fields: Fields) -> Under:
        """Read the three fields."""
        return cls(
            charter=fields.hexadecimal("charter", size=32),
            version=fields.integer("version", least=1, most=10_000),
            power=fields.identifier("power"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Lowers what its scope may use, from ``start`` until ``until``.

    Attributes:
        ceiling: the most that the scope may use, in ``unit``.
        category: stop category in the sense of IEC 60204-1 (0, 1 or 2).
        complete_by: when the ceiling is to be reached; later than that is an alarm.
    """

    under: Under
    scope: Scope
    unit: Unit
    ceiling: int
    profile: Profile
    category: int
    start: int
    until: int
    complete_by: int
    ramp: Ramp
    reason: str
    legal_basis: str
    appeal: str
    nonce: str

    kind = Kind.LIMIT

    def __post_init__(self) -> None:
        if self.until <= self.start:
            raise StatementError("must be later than from", where="limit.until")
        if not self.start <= self.complete_by <= self.until:
            raise StatementError("must lie between from and until", where="limit.complete_by")
        if self.unit is Unit.COMPUTE and self.ceiling > FULL_PPM:
            raise StatementError(f"at most {FULL_PPM} parts per million", where="limit.ceiling")

    @property
    def caps(self) -> Caps:
        """The one cap that this limit sets while it is in force."""
        return Caps({CapKey(self.scope.part, self.unit): self.ceiling})

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            **self.under.to_value(),
            "scope": self.scope.to_value(),
            "unit": str(self.unit),
            "ceiling": self.ceiling,
            "profile": str(self.profile),
            "category": self.category,
            "from": format_time(self.start),
            "until": format_time(self.until),
            "complete_by": format_time(self.complete_by),
            "ramp": str(self.ramp),
            "reason": self.reason,
            "legal_basis": self.legal_basis,
            "appeal": self.appeal,
            "nonce": self.nonce,
        }

    @classmethod
    def read(cls, fields: Fields) -> Limit:
        """Read a limit's payload. Raises StatementError naming the field."""
        return cls(
            under=Under.read(fields),
            scope=fields.within("scope", Scope.read),
            unit=fields.choice("unit", Unit),
            ceiling=fields.integer("ceiling"),
            profile=fields.choice("profile", Profile),
            category=fields.integer("category", most=2),
            start=fields.time("from"),
            until=fields.time("until"),
            complete_by=fields.time("complete_by"),
            ramp=fields.choice("ramp", Ramp),
            reason=fields.text("reason"),
            legal_basis=fields.text("legal_basis"),
            appeal=fields.text("appeal"),
            nonce=fields.hexadecimal("nonce", size=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """One power that may not limit within a window of at most 30 days."""

    power: str
    start: int
    end: int

    def __post_init__(self) -> None:
        if not self.start < self.end <= self.start + LONGEST_SUSPENSION_S:
            raise StatementError("the window must be from 1 second to 30 days", where="lift.suspends")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Ends the limits that it names, or suspends one power for a window. It never starts anything."""

    under: Under
    ends: tuple[str, ...]
    suspends: tuple[Suspension, ...]
    void_after: int
    reason: str
    nonce: str

    kind = Kind.LIFT

    def __post_init__(self) -> None:
        if bool(self.ends) == bool(self.suspends) or len(self.suspends) > 1:
            raise StatementError("names either limits to end or one power to suspend", where="lift.ends")

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            **self.under.to_value(),
            "ends": list(self.ends),
            "suspends": [
                {"power": each.power, "start": format_time(each.start), "end": format_time(each.end)}
                for each in self.suspends
            ],
            "void_after": format_time(self.void_after),
            "reason": self.reason,
            "nonce": self.nonce,
        }

    @classmethod
    def read(cls, fields: Fields) -> Lift:
        """Read a lift's payload. Raises StatementError naming the field."""
        lift = cls(
            under=Under.read(fields),
            ends=fields.digests("ends"),
            suspends=fields.each("suspends", _read_suspension, most=1),
            void_after=fields.time("void_after"),
            reason=fields.text("reason"),
            nonce=fields.hexadecimal("nonce", size=NONCE_BYTES),
        )
        if len(lift.ends) > MAX_LIFTED:
            fields.refuse("ends", f"more than {MAX_LIFTED} names")
        return lift


def _read_suspension(fields: Fields) -> Suspension:
    return Suspension(power=fields.identifier("power"), start=fields.time("start"), end=fields.time("end"))


class RestartPurpose(StrEnum):
    """What the restart quorum allows: to raise the latch, or to disarm while something binds."""

    RAISE = "raise"
    DISARM = "disarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Raises one site's latch to ``caps`` and ends its standby; used once, at once, never above the ceiling.

    Attributes:
        nonces: controller id -> the nonce that it showed; new at every boot and every latching limit.
        caps: what the latch is afterwards (before it is clamped to the ceiling).
    """

    under: Under
    site: str
    purpose: RestartPurpose
    nonces: Mapping[str, str]
    caps: Caps
    void_after: int
    reason: str

    kind = Kind.RESTART

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            **self.under.to_value(),
            "site": self.site,
            "purpose": str(self.purpose),
            "nonces": [{"controller": each, "nonce": nonce} for each, nonce in sorted(self.nonces.items())],
            "caps": caps_value(self.caps),
            "void_after": format_time(self.void_after),
            "reason": self.reason,
        }

    @classmethod
    def read(cls, fields: Fields) -> Restart:
        """Read a restart's payload. Raises StatementError naming the field."""
        under = Under.read(fields)
        site = fields.identifier("site")
        purpose = fields.choice("purpose", RestartPurpose)
        nonces = fields.each("nonces", _read_nonce, most=8)
        if not nonces or [each for each, _ in nonces] != sorted({each for each, _ in nonces}):
            fields.refuse("nonces", "needs each controller once, sorted")
        return cls(
            under=under,
            site=site,
            purpose=purpose,
            nonces=dict(nonces),
            caps=read_caps(fields, "caps"),
            void_after=fields.time("void_after"),
            reason=fields.text("reason"),
        )


def _read_nonce(fields: Fields) -> tuple[str, str]:
    return fields.identifier("controller"), fields.hexadecimal("nonce", size=NONCE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """An expiring permission to run, for all sites of a charter. A draft: it needs a log to count."""

    under: Under
    unit: Unit
    ceiling: int
    not_before: int
    expires: int
    head_size: int
    head_root: str

    kind = Kind.PERMIT

    def __post_init__(self) -> None:
        if self.expires <= self.not_before:
            raise StatementError("must be later than not_before", where="permit.expires")

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            **self.under.to_value(),
            "unit": str(self.unit),
            "ceiling": self.ceiling,
            "not_before": format_time(self.not_before),
            "expires": format_time(self.expires),
            "head": {"size": self.head_size, "root": self.head_root},
        }

    @classmethod
    def read(cls, fields: Fields) -> Permit:
        """Read a permit's payload. Raises StatementError naming the field."""
        head = fields.within("head", lambda at: (at.integer("size"), at.hexadecimal("root", size=32)))
        return cls(
            under=Under.read(fields),
            unit=fields.choice("unit", Unit),
            ceiling=fields.integer("ceiling"),
            not_before=fields.time("not_before"),
            expires=fields.time("expires"),
            head_size=head[0],
            head_root=head[1],
        )


def caps_value(caps: Caps) -> list[Value]:
    """Return caps as they are written in statements: sorted by part, then unit."""
    return [{"part": key.part, "unit": str(key.unit), "value": value} for key, value in caps]


def read_caps(fields: Fields, name: str) -> Caps:
    """Read caps from the array ``name``. Raises StatementError for a key twice or out of order."""
    pairs = fields.each(name, _read_cap, most=1_000)
    keys = [key for key, _ in pairs]
    if keys != sorted(set(keys)):
        fields.refuse(name, "must be sorted by part and unit, each once")
    return Caps(dict(pairs))


def _read_cap(fields: Fields) -> tuple[CapKey, int]:
    key = CapKey(fields.text("part", most=100), fields.choice("unit", Unit))
    return key, fields.integer("value")
