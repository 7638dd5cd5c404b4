"""How much a site may use now, as caps: the formula of design.md, part 1. (spec/ceiling.md)

    ceiling = min( base, every limit in force )        for each pinned charter, by (part, unit)
    allowed = min( ceiling of every pinned charter, latch )

Without a log a charter cannot ask for permits, so its base is what is rated: no cap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from grandpause.core.envelope import Kind
from grandpause.core.model import Caps, Interval, lowest
from grandpause.core.statement.acts import Lift, Limit
from grandpause.core.statement.charter import Charter, PowerRule, Returns
from grandpause.core.trust import Entry, TrustedSet

REPEAL_GRACE_S: Final = 7 * 86_400
"""A limit of a superseded version counts only if it starts at most this long after the next came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One limit that binds a site now, with the power that it uses."""

    name: str
    limit: Limit
    power: PowerRule

    @property
    def latches(self) -> bool:
        """Whether its cap stays, as latch, when the limit is over."""
        assert self.power.bounds is not None
        return self.power.bounds.returns is Returns.RESTART


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """One charter's ceiling for one site at one moment, and the limits that make it."""

    caps: Caps
    in_force: tuple[InForce, ...]


def ceiling(trusted: TrustedSet, *, site: str, now: Interval) -> Ceiling:
    """Return the ceiling that one charter sets for ``site`` at ``now``.

    Args:
        trusted: everything known under that charter.
        site: the site's id.
        now: that charter's time interval, in Unix seconds.
    """
    lifts = trusted.counting(Kind.LIFT)
    in_force = tuple(
        found
        for entry in trusted.counting(Kind.LIMIT)
        if (found := _in_force(trusted, entry, site, now)) is not None
        and not any(_ends(trusted, lift, found, now) for lift in lifts)
    )
    return Ceiling(caps=lowest(each.limit.caps for each in in_force), in_force=in_force)


def next_change(trusted: TrustedSet, *, site: str, now: Interval) -> int | None:
    """Return after how many seconds time alone may change the ceiling, at the soonest; None if never.

    Until then it is what it is now, unless a statement arrives or the clock is corrected.
    """
    waits = []
    for entry in trusted.counting(Kind.LIMIT):
        limit = entry.statement
        assert isinstance(limit, Limit)
        if limit.scope.reaches(site):
            waits += [limit.start - now.latest, limit.until + 1 - now.earliest]
    for entry in trusted.counting(Kind.LIFT):
        lift = entry.statement
        assert isinstance(lift, Lift)
        for each in lift.suspends:
            waits += [each.start - now.earliest, each.end + 1 - now.latest]
    return min((each for each in waits if each > 0), default=None)


def allowed(ceilings: Iterable[Ceiling], latch: Caps) -> Caps:
    """Return the lowest caps of every pinned charter and of the latch."""
    return lowest([*(each.caps for each in ceilings), latch])


def _in_force(trusted: TrustedSet, entry: Entry, site: str, now: Interval) -> InForce | None:
    limit = entry.statement
    assert isinstance(limit, Limit)
    if now.earliest > limit.until or now.latest < limit.start or not limit.scope.reaches(site):
        return None
    if _repealed(trusted, limit):
        return None
    return _under_its_power(trusted, entry, limit)


def _under_its_power(trusted: TrustedSet, entry: Entry, limit: Limit) -> InForce | None:
    """Return the limit with the power under which it counts; of two sides of a fork, the one that latches."""
    found: InForce | None = None
    for charter in trusted.charters(limit.under.version):
        power = charter.power(limit.under.power)
        if power is None or power.bounds is None:
            continue
        if charter.roster.satisfied(power.quorum, entry.signers) and (found is None or not found.latches):
            found = InForce(name=entry.name, limit=limit, power=power)
    return found


def _repealed(trusted: TrustedSet, limit: Limit) -> bool:
    """Whether it begins too long after the version that it names was superseded."""
    began = [
        entry.completed.latest
        for entry in trusted.counting(Kind.CHARTER)
        if isinstance(entry.statement, Charter)
        and entry.statement.version == limit.under.version + 1
        and entry.completed is not None
    ]
    return bool(began) and limit.start > max(began) + REPEAL_GRACE_S


def _superseded(trusted: TrustedSet, entry: Entry, lift: Lift) -> bool:
    """Whether it was complete only after a newer version was in force: a removed quorum lifts nothing."""
    return entry.completed is not None and any(
        isinstance(newer.statement, Charter)
        and newer.statement.version > lift.under.version
        and newer.completed is not None
        and newer.completed.latest < entry.completed.earliest
        for newer in trusted.counting(Kind.CHARTER)
    )


def _ends(trusted: TrustedSet, entry: Entry, found: InForce, now: Interval) -> bool:
    """Whether this lift ends (or suspends, now) the limit. Its power must reach the limit's whole scope."""
    lift = entry.statement
    assert isinstance(lift, Lift)
    if _superseded(trusted, entry, lift):
        return False
    powers = [charter.power(lift.under.power) for charter in trusted.charters(lift.under.version)]
    if not any(power is not None and power.scope.covers(found.limit.scope) for power in powers):
        return False
    if found.name in lift.ends:
        return True
    return any(
        each.power == found.limit.under.power and each.start <= now.earliest and now.latest <= each.end
        for each in lift.suspends
    )
