"""The charter: bodies, groups, powers, and how time and return work. (spec/charter.md)"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grandpause.core.calendar import format_time
from grandpause.core.canonical import Value
from grandpause.core.envelope import Kind
from grandpause.core.fields import Fields
from grandpause.core.keys import PublicKey
from grandpause.core.model import Profile, Unit
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.statement.scope import Scope
from grandpause.errors import StatementError

FORMAT: Final = 1
LONGEST_S: Final = 2 * 366 * 86_400
"""No power may limit for longer than two years."""


class Right(StrEnum):
    """What a power is a right to do."""

    LIMIT = "limit"
    LIFT = "lift"
    PERMIT = "permit"
    RESTART = "restart"
    CHARTER = "charter"
    DECLARATION = "declaration"


class Returns(StrEnum):
    """How power comes back after a limit: only by a restart, or by the limit's own end."""

    RESTART = "restart"
    ITSELF = "itself"


class Ramp(StrEnum):
    """Whether a limit keeps to the site's ramp or may override it, downwards only."""

    KEEP = "keep"
    OVERRIDE = "override"


class Waiver(StrEnum):
    """Weak points that a charter may have only if it names them."""

    BODY_BLOCKS = "one-body-can-block-return"
    BODY_ALONE = "one-body-can-return-alone"
    CHARTER_MINORITY = "charter-quorum-of-half-the-bodies-or-fewer"
    NO_LOG = "no-log-returns-can-be-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitBounds:
    """What a power to limit is bounded by.

    Attributes:
        least: the lowest ceiling allowed, by unit; a unit that is absent may not be used.
        profiles: allowed profiles.
        categories: allowed stop categories (IEC 60204-1).
        longest_s: longest ``until - from``.
        returns: by restart (the limit latches) or by itself.
        ramp: whether a limit may override the site's ramp.
    """

    least: tuple[tuple[Unit, int], ...]
    profiles: tuple[Profile, ...]
    categories: tuple[int, ...]
    longest_s: int
    returns: Returns
    ramp: Ramp

    @property
    def bounded(self) -> bool:
        """Whether the power cannot go to zero in some unit."""
        return any(value > 0 for _, value in self.least)

    def least_for(self, unit: Unit) -> int | None:
        """Return the lowest ceiling in ``unit``, or None if the unit is not allowed."""
        return next((value for each, value in self.least if each is unit), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerRule:
    """A named right: which act, whose quorum, which scope, what bounds."""

    id: str
    right: Right
    quorum: str
    scope: Scope
    bounds: LimitBounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """The signed rules, one version of a chain.

    Attributes:
        previous: name of the version before; empty for version 1.
        expires: ends permits only.
        void_after: a version that is first dated later than this never counts.
        clock_error_s: for a charter without a log: the stated error of the wall clock.
        scope_rule: (id, version) of the rule that says which sites are in scope.
        waives: the weak points that this charter names.
    """

    version: int
    previous: str
    title: str
    expires: int
    void_after: int
    roster: Roster
    powers: tuple[PowerRule, ...]
    clock_error_s: int
    scope_rule: tuple[str, int]
    waives: tuple[Waiver, ...]

    kind = Kind.CHARTER

    def __post_init__(self) -> None:
        if (self.version == 1) != (not self.previous):
            raise StatementError("version 1 alone has no previous version", where="charter.previous")
        ids = [power.id for power in self.powers]
        if len(set(ids)) != len(ids):
            raise StatementError("one id occurs twice", where="charter.powers")
        for power in self.powers:
            self._check_power(power)
        for right in (Right.LIMIT, Right.LIFT, Right.RESTART, Right.CHARTER, Right.DECLARATION):
            if not self.powers_to(right):
                raise StatementError(f"no power to {right}", where="charter.powers")
        if len(self.powers_to(Right.CHARTER)) != 1 or len(self.powers_to(Right.RESTART)) != 1:
            raise StatementError("exactly one power to charter and one to restart", where="charter.powers")
        if self.powers_to(Right.PERMIT):
            raise StatementError("permits need a log, and this charter has none", where="charter.powers")
        self._check_weak_points()

    @property
    def has_log(self) -> bool:
        """Whether returns are logged. Without a log, every screen says that they can be secret."""
        return False

    def power(self, power_id: str) -> PowerRule | None:
        """Return the power of this id."""
        return next((each for each in self.powers if each.id == power_id), None)

    def powers_to(self, right: Right) -> tuple[PowerRule, ...]:
        """Return every power to ``right``."""
        return tuple(each for each in self.powers if each.right is right)

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            "format": FORMAT,
            "version": self.version,
            "previous": self.previous,
            "title": self.title,
            "expires": format_time(self.expires),
            "void_after": format_time(self.void_after),
            "bodies": [_body_value(body) for body in self.roster.bodies],
            "groups": [
                {"id": each.id, "threshold": each.threshold, "of": list(each.of)}
                for each in self.roster.groups
            ],
            "powers": [_power_value(power) for power in self.powers],
            "log": {"kind": "none", "clock_error_s": self.clock_error_s},
            "scope_rule": {"id": self.scope_rule[0], "version": self.scope_rule[1]},
            "waives": [str(each) for each in self.waives],
        }

    def _check_power(self, power: PowerRule) -> None:
        place = f"charter.powers.{power.id}"
        if not self.roster.has_group(power.quorum):
            raise StatementError(f"the quorum {power.quorum!r} is no group", where=place)
        if (power.right is Right.LIMIT) != (power.bounds is not None):
            raise StatementError("a power to limit, and only that, has bounds", where=place)
        if (
            power.bounds
            and power.bounds.bounded
            and (Profile.ADVERSARIAL in power.bounds.profiles or 0 in power.bounds.categories)
        ):
            raise StatementError(
                "a bounded power has neither the adversarial profile nor category 0", where=place
            )

    def _check_weak_points(self) -> None:
        found = weak_points(self.roster, self.powers)
        for point in found:
            if point not in self.waives:
                raise StatementError(f"must waive {point} by name, or mend it", where="charter.waives")
        for point in self.waives:
            if point not in found:
                raise StatementError(f"waives {point}, which it does not have", where="charter.waives")


def weak_points(roster: Roster, powers: Sequence[PowerRule]) -> tuple[Waiver, ...]:
    """Return what a charter must waive by name. (design.md, part 6, "Charter")"""
    bodies = [body.id for body in roster.bodies]

    def quorums(*rights: Right) -> set[str]:
        return {power.quorum for power in powers if power.right in rights}

    found = []
    returning = quorums(Right.LIFT, Right.CHARTER)
    if any(roster.can_block(group, body) for group in returning for body in bodies):
        found.append(Waiver.BODY_BLOCKS)
    alone = quorums(Right.LIFT, Right.PERMIT)
    if any(roster.can_alone(group, body) for group in alone for body in bodies):
        found.append(Waiver.BODY_ALONE)
    if any(2 * roster.fewest_bodies(group) <= len(bodies) for group in quorums(Right.CHARTER)):
        found.append(Waiver.CHARTER_MINORITY)
    found.append(Waiver.NO_LOG)
    return tuple(found)


def read_charter(fields: Fields) -> Charter:
    """Read a charter's payload. Raises StatementError naming the field."""
    if fields.integer("format", least=1) != FORMAT:
        fields.refuse("format", f"this version reads format {FORMAT} only: update before you go on")
    return Charter(
        version=fields.integer("version", least=1, most=10_000),
        previous=fields.hexadecimal("previous", size=32, empty=True),
        title=fields.text("title", most=200),
        expires=fields.time("expires"),
        void_after=fields.time("void_after"),
        roster=Roster(
            fields.each("bodies", _read_body, most=16),
            fields.each("groups", _read_group, most=100),
        ),
        powers=fields.each("powers", _read_power, most=100),
        clock_error_s=fields.within("log", _read_log),
        scope_rule=fields.within("scope_rule", _read_scope_rule),
        waives=fields.choices("waives", Waiver),
    )


def _read_log(fields: Fields) -> int:
    if fields.identifier("kind") != "none":
        fields.refuse("kind", "only charters without a log (none) are read by this version: spec/charter.md")
    return fields.integer("clock_error_s", most=3_600)


def _read_scope_rule(fields: Fields) -> tuple[str, int]:
    return fields.identifier("id"), fields.integer("version", least=1)


def _read_body(fields: Fields) -> Body:
    return Body(
        id=fields.identifier("id"),
        label=fields.text("label", most=100),
        threshold=fields.integer("threshold", least=1, most=100),
        members=fields.each("members", _read_member, most=100),
    )


def _read_member(fields: Fields) -> Member:
    return Member(
        id=fields.identifier("id"),
        label=fields.text("label", most=100),
        keys=fields.each("keys", read_key, most=10),
    )


def read_key(fields: Fields) -> PublicKey:
    """Read a public key from the fields "alg" and "key". Raises StatementError for a second spelling too."""
    algorithm = fields.identifier("alg")
    text = fields.text("key", most=4_000)
    try:
        public = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fields.refuse("key", "not base64")
    if base64.b64encode(public).decode() != text:
        fields.refuse("key", "not canonical base64")
    try:
        return PublicKey(algorithm=algorithm, public=public)
    except StatementError as cause:
        fields.refuse("key", cause.message)


def _read_group(fields: Fields) -> Group:
    return Group(
        id=fields.identifier("id"),
        threshold=fields.integer("threshold", least=1, most=100),
        of=fields.identifiers("of"),
    )


def _read_power(fields: Fields) -> PowerRule:
    right = fields.choice("act", Right)
    return PowerRule(
        id=fields.identifier("id"),
        right=right,
        quorum=fields.identifier("quorum"),
        scope=fields.within("scope", Scope.read),
        bounds=fields.within("bounds", _read_bounds) if right is Right.LIMIT else None,
    )


def _read_bounds(fields: Fields) -> LimitBounds:
    least = fields.each("least", _read_least, most=len(Unit))
    if not least or len({unit for unit, _ in least}) != len(least):
        fields.refuse("least", "needs each allowed unit once")
    categories = fields.array("categories", most=3)
    for category in categories:
        if category not in (0, 1, 2):
            fields.refuse("categories", "stop categories are 0, 1 and 2")
    return LimitBounds(
        least=least,
        profiles=fields.choices("profiles", Profile),
        categories=tuple(each for each in categories if isinstance(each, int)),
        longest_s=fields.integer("longest_s", least=60, most=LONGEST_S),
        returns=fields.choice("returns", Returns),
        ramp=fields.choice("ramp", Ramp),
    )


def _read_least(fields: Fields) -> tuple[Unit, int]:
    return fields.choice("unit", Unit), fields.integer("value")


def _body_value(body: Body) -> Value:
    return {
        "id": body.id,
        "label": body.label,
        "threshold": body.threshold,
        "members": [
            {
                "id": member.id,
                "label": member.label,
                "keys": [
                    {"alg": key.algorithm, "key": base64.b64encode(key.public).decode()}
                    for key in member.keys
                ],
            }
            for member in body.members
        ],
    }


def _power_value(power: PowerRule) -> Value:
    value: dict[str, Value] = {
        "id": power.id,
        "act": str(power.right),
        "quorum": power.quorum,
        "scope": power.scope.to_value(),
    }
    if power.bounds is not None:
        value["bounds"] = {
            "least": [{"unit": str(unit), "value": least} for unit, least in power.bounds.least],
            "profiles": [str(each) for each in power.bounds.profiles],
            "categories": list(power.bounds.categories),
            "longest_s": power.bounds.longest_s,
            "returns": str(power.bounds.returns),
            "ramp": str(power.bounds.ramp),
        }
    return value
