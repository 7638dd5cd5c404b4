"""Whether an act keeps within the power that it uses. A pure look at charter and act, without time.

An act beyond its power is refused whole and never clamped. (spec/charter.md 4)
"""

from __future__ import annotations

from grandpause.core.model import Unit
from grandpause.core.statement.acts import Lift, Limit, Permit, Restart
from grandpause.core.statement.charter import Charter, LimitBounds, PowerRule, Ramp, Right
from grandpause.core.statement.codec import Act
from grandpause.core.statement.facts import Declaration
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import TrustError

_RIGHT_OF = {
    Limit: Right.LIMIT,
    Lift: Right.LIFT,
    Permit: Right.PERMIT,
    Restart: Right.RESTART,
    Declaration: Right.DECLARATION,
}


def power_used(charter: Charter, act: Act) -> PowerRule:
    """Return the power that ``act`` uses under ``charter``, after checking its bounds.

    Raises:
        TrustError: no such power, a power to something else, or the act goes beyond it; the error
            names the field.
    """
    place = f"{act.kind}.power"
    power = charter.power(act.under.power)
    if power is None:
        raise TrustError(f"charter version {charter.version} has no power {act.under.power!r}", where=place)
    if power.right is not _RIGHT_OF[type(act)]:
        raise TrustError(f"{power.id!r} is a power to {power.right}, not to {act.kind}", where=place)
    if isinstance(act, Limit):
        assert power.bounds is not None
        _check_limit(act, power, power.bounds)
    elif isinstance(act, Restart | Declaration) and not power.scope.covers(_whole(act.site)):
        # The power over one hall is none over the latch of the whole site.
        raise TrustError(f"{power.id!r} does not reach all of site {act.site}", where=f"{act.kind}.site")
    return power


def _whole(site: str) -> Scope:
    return Scope(kind=ScopeKind.SITES, sites=(site,))


def _check_limit(limit: Limit, power: PowerRule, bounds: LimitBounds) -> None:
    least = bounds.least_for(limit.unit)
    if least is None:
        raise TrustError(f"{power.id!r} may not limit {limit.unit}", where="limit.unit")
    if limit.ceiling < least:
        raise TrustError(
            f"{limit.ceiling} is lower than the {least} {_unit_word(limit.unit)} that {power.id!r} allows",
            where="limit.ceiling",
        )
    if limit.until - limit.start > bounds.longest_s:
        raise TrustError(
            f"lasts {limit.until - limit.start} s, longer than the {bounds.longest_s} s of {power.id!r}",
            where="limit.until",
        )
    if limit.profile not in bounds.profiles:
        raise TrustError(f"{power.id!r} does not allow {limit.profile}", where="limit.profile")
    if limit.category not in bounds.categories:
        raise TrustError(f"{power.id!r} does not allow {limit.category}", where="limit.category")
    if limit.ramp is Ramp.OVERRIDE and bounds.ramp is not Ramp.OVERRIDE:
        raise TrustError(f"{power.id!r} may not override the ramp", where="limit.ramp")
    if not power.scope.covers(limit.scope):
        raise TrustError(f"{power.id!r} does not reach all of this scope", where="limit.scope")


def _unit_word(unit: Unit) -> str:
    return "ppm" if unit is Unit.COMPUTE else "W"
