"""The words of the reference model: charters, powers and acts as plain values. No rule stands here.

A quorum is the id of a key, or (threshold, quorums). A scope is a set of parts, so what reaches more is the
larger set. A moment is (order of arrival or index in a log, earliest, latest); times are Unix seconds. Each
act is one object, compared by identity, as a statement is one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

FOREVER: Final = 2**53
"""After every moment that is written, and before never."""
Quorum: TypeAlias = "str | tuple[int, tuple[Quorum, ...]]"
Scope: TypeAlias = frozenset[str]
Moment: TypeAlias = tuple[float, float, float]
Cap: TypeAlias = tuple[tuple[Scope, str], int]
"""((where at the site, unit), the most that it may use)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """A named right.

    Attributes:
        least: the lowest ceiling, by unit; a unit that is absent may not be used.
        longest: the longest ``until - start``, seconds.
        latches: whether what it limits returns by restart only.
    """

    quorum: Quorum
    scope: Scope
    least: Mapping[str, int] = field(default_factory=dict)
    longest: int = 0
    latches: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Charter:
    """One version of the rules.

    Attributes:
        name: its own; ``charter``: that of version 1.
        powers: by kind of act and id.
        void: a version complete only later never counts.
        lapse: the share of compute without a permit; None where the charter asks for none.
        until: when it ends permits; ``grace`` comes on top; ``fresh``: the greatest age of a tree head.
    """

    name: str
    charter: str
    version: int
    previous: str | None
    powers: Mapping[tuple[str, str], Power]
    void: float
    power: str = "charter"
    log: bool = False
    lapse: int | None = None
    lapse_latches: bool = False
    grace: int = 0
    fresh: int = 0
    until: float = 0

    kind: ClassVar[str] = "charter"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """Lowers ``scope`` to ``value`` in ``unit`` from ``start`` until ``until``."""

    name: str
    charter: str
    version: int
    power: str
    scope: Scope
    unit: str
    value: int
    start: int
    until: int

    kind: ClassVar[str] = "limit"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lift:
    """Ends what has one of these names (limits, or a power whose limits are suspended from start to end)."""

    name: str
    charter: str
    version: int
    power: str
    ends: frozenset[str]
    void: float
    start: float = 0
    end: float = FOREVER

    kind: ClassVar[str] = "lift"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Permit:
    """Allows ``value`` of the compute from ``start`` until ``until``; ``head``: size of the tree seen."""

    name: str
    charter: str
    version: int
    power: str
    value: int
    start: int
    until: int
    head: int
    void: float = FOREVER

    kind: ClassVar[str] = "permit"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Restart:
    """Raises the latch of ``site`` to ``caps``, or lets it be disarmed."""

    name: str
    charter: str
    version: int
    power: str
    site: Scope
    nonce: int
    caps: frozenset[Cap]
    void: float
    disarms: bool = False

    kind: ClassVar[str] = "restart"


Act: TypeAlias = Limit | Lift | Permit | Restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One arrival of an act, with the keys whose signatures on it are valid."""

    act: Charter | Act
    keys: frozenset[str]
    moment: Moment
