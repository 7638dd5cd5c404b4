"""The words of the field as values: units, time, caps, node states, outcomes, verdicts.

Units are in the type or the name: watts and parts per million are integers, times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from grandpause.errors import OwnFault

Watts = NewType("Watts", int)
Ppm = NewType("Ppm", int)
"""Parts per million of rated compute; integers only, rounded down."""

FULL_PPM = 1_000_000


class Unit(StrEnum):
    """What a ceiling is counted in."""

    COMPUTE = "compute_ppm"
    """Share of the rated dense BF16 compute in scope, in parts per million."""
    IT_WATTS = "it_watts"
    SITE_WATTS = "site_watts"


class Profile(StrEnum):
    """Whether the workload is told and helps, or is told nothing."""

    COOPERATIVE = "cooperative"
    ADVERSARIAL = "adversarial"


class Stage(StrEnum):
    """The stages of a stop, in their order (design.md, part 7)."""

    ISOLATE = "isolate"
    NOTIFY = "notify"
    TRAINING_CHECKPOINT = "training checkpoint"
    DRAIN = "drain"
    CAP = "cap"
    SOFT_OFF = "soft off"
    FORCE_OFF = "force off"
    OUTLET_OFF = "outlet off"
    FEED_OPEN = "feed open"
    PROVE = "prove"
    HOLD = "hold"


class Act(StrEnum):
    """What a driver can be told to do to one element."""

    SOFT_OFF = "soft_off"
    FORCE_OFF = "force_off"
    OUTLET_OFF = "outlet_off"
    POWER_ON = "power_on"
    OUTLET_ON = "outlet_on"


class Power(StrEnum):
    """What a device says of itself: a claim, never a result."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Reply(StrEnum):
    """How a device answered one command. "Accepted" says that it heard, not that it obeyed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"


class NodeState(StrEnum):
    """What is known of a node's power."""

    ON = "on"
    OFF_METERED = "off_metered"
    OFF_CLAIMED = "off_claimed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """Why we believe it; the second axis beside the node's state."""

    CONFIRMED_BY_METER = "confirmed_by_meter"
    CONFIRMED_BY_BMC = "confirmed_by_bmc"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


class VerdictWord(StrEnum):
    """The only three words for a result."""

    PROVEN = "proven"
    NOT_PROVEN = "not proven"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The present moment as [earliest, latest], in Unix seconds: clock error is explicit.

    More doubt (a wider interval) never raises a ceiling.
    """

    earliest: int
    latest: int

    def __post_init__(self) -> None:
        if self.latest < self.earliest:
            raise OwnFault(f"time interval ends before it begins: [{self.earliest}, {self.latest}]")

    @classmethod
    def around(cls, now: int, *, error_s: int) -> Interval:
        """Return [now - error_s, now + error_s]."""
        return cls(earliest=now - error_s, latest=now + error_s)


@dataclass(frozen=True, slots=True, order=True)
class CapKey:
    """What a cap is on: a part of the site ("site", "hall:NAME" or "tenant:NAME") and a unit."""

    part: str
    unit: Unit


SITE_PART = "site"


@dataclass(frozen=True, slots=True)
class Caps:
    """A map (part, unit) -> value. A key that is absent is not capped (rated).

    ``lowered`` is the pointwise minimum, so caps form a meet-semilattice: order and repetition
    of statements cannot matter.
    """

    entries: Mapping[CapKey, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.entries.items():
            if value < 0:
                raise OwnFault(f"negative cap {value} on {key.part} {key.unit}")

    def __iter__(self) -> Iterator[tuple[CapKey, int]]:
        return iter(sorted(self.entries.items()))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def get(self, part: str, unit: Unit) -> int | None:
        """Return the cap, or None where none binds."""
        return self.entries.get(CapKey(part, unit))

    def lowered(self, other: Caps) -> Caps:
        """Return the lower of the two, key by key."""
        merged = dict(self.entries)
        for key, value in other.entries.items():
            merged[key] = min(value, merged.get(key, value))
        return Caps(merged)

    def exceeds(self, other: Caps) -> bool:
        """Tell whether these caps allow more than ``other`` anywhere."""
        return any(
            key not in self.entries or self.entries[key] > value for key, value in other.entries.items()
        )


def lowest(caps: Iterable[Caps]) -> Caps:
    """Return the pointwise minimum of any number of caps; no caps at all for none."""
    result = Caps()
    for each in caps:
        result = result.lowered(each)
    return result
