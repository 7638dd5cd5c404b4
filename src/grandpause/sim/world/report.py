"""What came of one simulated world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something that must never happen, and did.

    Attributes:
        invariant: the name of the function that found it.
        at_s: seconds since the world began.
        event: number of the event at which it was found.
        text: what was found, for people.
    """

    invariant: str
    site: str
    at_s: float
    event: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldReport:
    """One world, from its beginning to its end or its first violation.

    Attributes:
        trace: SHA-256 over every event, in hex: the same seed gives the same trace.
        site_s: simulated seconds, summed over the sites.
        events: kind -> count of what happened: commands, messages, readings that changed, faults, deadlines.
        idle_sweeps: looks at a site where nothing had changed; counted apart, since they cost nothing.
        counts: what came of it: demands, trips, lifts, restarts, proven, alarmed, spurious, excused, ...
        faults: fault class -> how often it struck.
        violations: empty, or the first one.
        words: the last events in words, oldest first; only where they were asked for.
        cpu_s: CPU seconds that it took.
    """

    seed: int
    trace: str
    site_s: float
    events: Mapping[str, int]
    idle_sweeps: int
    counts: Mapping[str, int]
    faults: Mapping[str, int]
    violations: tuple[Violation, ...]
    words: tuple[str, ...]
    cpu_s: float
