from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.makers import (
    DAY,
    HOUR,
    NOW,
    SITE,
    T0,
    Cast,
    admitted,
    at,
    lift,
    limit,
    limit_power,
    name_of,
    nonce,
    operator_cast,
    successor,
    suspension,
)
from grandpause.core.ceiling import REPEAL_GRACE_S, allowed, ceiling, next_change
from grandpause.core.model import CapKey, Caps, Interval, Unit
from grandpause.core.statement.acts import Lift, Limit
from grandpause.core.statement.charter import Charter, Right
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.trust import Standing, TrustedSet

COMPUTE = CapKey("site", Unit.COMPUTE)
HERE = Scope(kind=ScopeKind.SITES, sites=(SITE,))
BY = ("m1", "m2")


def with_acts(cast: Cast, *acts: Limit | Lift) -> TrustedSet:
    trusted = cast.trusted()
    for act in acts:
        assert admitted(trusted, act, *cast.some(*BY)).standing is Standing.COUNTS
    return trusted


def caps(trusted: TrustedSet, now: Interval = NOW, site: str = SITE) -> Caps:
    return ceiling(trusted, site=site, now=now).caps


def test_without_a_limit_nothing_is_capped(operator: Cast) -> None:
    assert caps(operator.trusted()) == Caps()


def test_the_lowest_limit_in_force_holds_by_part_and_unit(operator: Cast) -> None:
    hall = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")
    trusted = with_acts(
        operator,
        limit(operator, ceiling=300_000),
        limit(operator, ceiling=100_000, nonce=nonce(2)),
        limit(operator, ceiling=0, scope=hall),
        limit(operator, ceiling=9_000, unit=Unit.SITE_WATTS),
    )
    found = ceiling(trusted, site=SITE, now=NOW)
    assert found.caps == Caps(
        {
            COMPUTE: 100_000,
            CapKey("hall:h1", Unit.COMPUTE): 0,
            CapKey("site", Unit.SITE_WATTS): 9_000,
        }
    )
    assert len(found.in_force) == 4
    assert all(each.latches for each in found.in_force)


def test_a_limit_for_other_sites_does_not_reach_this_one(operator: Cast) -> None:
    trusted = with_acts(operator, limit(operator, scope=HERE))
    assert caps(trusted)
    assert not caps(trusted, site="another")


@pytest.mark.parametrize(
    ("earliest", "latest", "binds"),
    [
        (T0 - 2, T0 - 1, False),
        (T0 - 5, T0, True),
        (T0, T0, True),
        (T0 + DAY, T0 + DAY, True),
        (T0 + DAY, T0 + 9 * DAY, True),
        (T0 + DAY + 1, T0 + 9 * DAY, False),
        (T0 - DAY, T0 + 9 * DAY, True),
    ],
)
def test_a_limit_binds_while_it_may_be_time_and_ends_when_it_must_be_over(
    operator: Cast, earliest: int, latest: int, *, binds: bool
) -> None:
    trusted = with_acts(operator, limit(operator))
    assert bool(caps(trusted, Interval(earliest=earliest, latest=latest))) is binds


def test_a_pending_limit_binds_nobody(operator: Cast) -> None:
    trusted = operator.trusted()
    admitted(trusted, limit(operator), *operator.some("m1"))
    assert not caps(trusted)


def test_a_lift_ends_the_limits_that_it_names_and_no_others(operator: Cast) -> None:
    first, second = limit(operator), limit(operator, ceiling=70_000, nonce=nonce(2))
    trusted = with_acts(operator, first, second, lift(operator, first))
    assert caps(trusted) == second.caps


def test_a_lift_may_come_before_the_limit_that_it_names(operator: Cast) -> None:
    trusted = with_acts(operator, lift(operator, limit(operator)), limit(operator))
    assert not caps(trusted)


def test_a_lift_that_is_pending_or_void_ends_nothing(operator: Cast) -> None:
    trusted = with_acts(operator, limit(operator))
    act = lift(operator, limit(operator))
    admitted(trusted, act, *operator.some("m1"))
    assert caps(trusted)
    admitted(trusted, act, *operator.some("m2"), now=at(act.void_after + 1))
    assert caps(trusted)


@pytest.mark.parametrize(
    ("earliest", "latest", "binds"),
    [
        (T0 + HOUR, T0 + HOUR, False),
        (T0 + HOUR, T0 + 2 * HOUR, False),
        (T0 + HOUR - 1, T0 + HOUR, True),
        (T0 + 2 * HOUR, T0 + 2 * HOUR + 1, True),
        (T0, T0 + 3 * HOUR, True),
    ],
)
def test_a_suspension_raises_only_while_it_must_be_its_window(
    operator: Cast, earliest: int, latest: int, *, binds: bool
) -> None:
    window = suspension("limit", start=T0 + HOUR, end=T0 + 2 * HOUR)
    trusted = with_acts(operator, limit(operator), lift(operator, suspends=(window,)))
    assert bool(caps(trusted, Interval(earliest=earliest, latest=latest))) is binds


def test_a_suspension_spares_other_powers(operator: Cast) -> None:
    bounded = limit(operator, power="limit-bounded", ceiling=500_000)
    trusted = with_acts(operator, bounded, limit(operator), lift(operator, suspends=(suspension("limit"),)))
    assert caps(trusted) == bounded.caps


def narrow_lift(cast: Cast, scope: Scope) -> Charter:
    powers = tuple(
        replace(each, scope=scope) if each.right is Right.LIFT else each for each in cast.charter.powers
    )
    return replace(cast.charter, powers=powers)


def test_a_lift_ends_only_what_its_power_reaches_wholly(operator: Cast) -> None:
    cast = Cast(charter=narrow_lift(operator, HERE), people=operator.people)
    narrow, wide = limit(cast, scope=HERE), limit(cast, nonce=nonce(2), ceiling=90_000)
    trusted = with_acts(cast, narrow, wide, lift(cast, narrow, wide))
    assert caps(trusted) == wide.caps
    suspended = with_acts(cast, narrow, wide, lift(cast, suspends=(suspension(),)))
    assert caps(suspended) == wide.caps


def limit_from(cast: Cast, start: int, **changes: Any) -> Limit:
    return limit(cast, start=start, until=start + DAY, **changes)


@pytest.mark.parametrize(
    ("late_s", "binds"), [(0, True), (REPEAL_GRACE_S, True), (REPEAL_GRACE_S + 1, False)]
)
def test_a_limit_of_a_superseded_version_counts_if_it_begins_within_seven_days(
    operator: Cast, late_s: int, *, binds: bool
) -> None:
    """A repealed power or a removed key can annoy for a bounded time only."""
    second = successor(operator)
    act = limit_from(operator, T0 + HOUR + late_s)
    trusted = with_acts(operator, act)
    trusted.admit(second.data("m1", "m2"), now=at(T0 + HOUR))
    assert bool(caps(trusted, at(act.start))) is binds


def test_a_limit_that_began_before_the_next_version_holds_to_its_end(operator: Cast) -> None:
    act = limit(operator, until=T0 + 300 * DAY)
    trusted = with_acts(operator, act)
    trusted.admit(successor(operator).data("m1", "m2"), now=NOW)
    assert caps(trusted, at(act.until)) == act.caps


def test_a_limit_of_the_newest_version_is_not_repealed(operator: Cast) -> None:
    trusted = operator.trusted()
    trusted.admit(successor(operator).data("m1", "m2"), now=NOW)
    act = limit_from(operator, T0 + 100 * DAY)
    act = replace(act, under=replace(act.under, version=2))
    admitted(trusted, act, *operator.some(*BY))
    assert caps(trusted, at(act.start)) == act.caps


def test_a_lift_that_a_removed_quorum_completes_later_ends_nothing(operator: Cast) -> None:
    for later, ended in ((NOW, True), (at(T0 + HOUR), False)):
        trusted = operator.trusted()
        act = limit(operator)
        admitted(trusted, act, *operator.some(*BY))
        trusted.admit(successor(operator).data("m1", "m2"), now=NOW)
        end = lift(operator, act)
        assert admitted(trusted, end, *operator.some(*BY), now=later).standing is Standing.COUNTS
        assert (caps(trusted) == Caps()) is ended


def test_whether_a_limit_latches_is_its_powers(council: Cast) -> None:
    trusted = council.trusted()
    for power in ("watts-for-a-while", "limit"):
        admitted(trusted, limit(council, power=power), *council.some("b1", "b2", "b3"))
    found = ceiling(trusted, site=SITE, now=NOW)
    assert {each.power.id: each.latches for each in found.in_force} == {
        "watts-for-a-while": False,
        "limit": True,
    }


def test_every_charter_is_evaluated_alone_and_the_lowest_caps_hold(operator: Cast, council: Cast) -> None:
    ours = with_acts(operator, limit(operator, ceiling=200_000))
    grid = council.trusted()
    watts = limit(council, power="watts-for-a-while", unit=Unit.SITE_WATTS, ceiling=5_000)
    admitted(grid, watts, *council.some("b1", "b2"))
    ceilings = [ceiling(each, site=SITE, now=NOW) for each in (ours, grid)]
    latch = Caps({COMPUTE: 150_000})
    assert allowed(ceilings, latch) == Caps({COMPUTE: 150_000, CapKey("site", Unit.SITE_WATTS): 5_000})
    assert allowed([], latch) == latch


def test_a_lift_touches_its_own_charter_only(operator: Cast) -> None:
    other = operator_cast(title="The same people, another charter")
    act = limit(operator)
    trusted, elsewhere = with_acts(operator, act), with_acts(other, limit(other), lift(other, act))
    assert caps(trusted) == act.caps
    assert caps(elsewhere) == limit(other).caps


def test_more_doubt_never_raises(operator: Cast) -> None:
    window = suspension("limit", start=T0 + HOUR, end=T0 + 2 * HOUR)
    act = limit(operator)
    trusted = with_acts(operator, act, lift(operator, suspends=(window,)))
    for moment in range(T0 - 2 * HOUR, T0 + DAY + 3 * HOUR, HOUR // 2):
        sharp = caps(trusted, at(moment))
        for error_s in (1, HOUR, DAY):
            assert not caps(trusted, at(moment, error_s=error_s)).exceeds(sharp)


def test_a_power_that_only_one_site_pins_does_not_bind_elsewhere(operator: Cast) -> None:
    powers = (*operator.charter.powers, limit_power("here", "any-two", scope=HERE))
    cast = Cast(charter=replace(operator.charter, powers=powers), people=operator.people)
    act = limit(cast, power="here", scope=HERE)
    trusted = with_acts(cast, act)
    assert caps(trusted) == act.caps
    assert not caps(trusted, site="another")
    assert ceiling(trusted, site=SITE, now=NOW).in_force[0].name == name_of(act)


# When time alone may change it.


def wait(trusted: TrustedSet, moment: int, *, error_s: int = 0) -> int | None:
    return next_change(trusted, site=SITE, now=at(moment, error_s=error_s))


def test_without_anything_to_come_time_changes_nothing(operator: Cast) -> None:
    assert wait(operator.trusted(), T0) is None
    over = with_acts(operator, limit(operator, until=T0 + HOUR))
    assert wait(over, T0 + HOUR + 1) is None
    elsewhere = Scope(kind=ScopeKind.SITES, sites=("another",))
    assert wait(with_acts(operator, limit(operator, scope=elsewhere)), T0 - HOUR) is None
    pending = operator.trusted()
    admitted(pending, limit(operator), *operator.some("m1"))
    assert wait(pending, T0 - HOUR) is None


def test_doubt_brings_a_beginning_near_and_puts_an_end_off(operator: Cast) -> None:
    trusted = with_acts(operator, limit(operator, until=T0 + HOUR))
    assert wait(trusted, T0 - 600) == 600
    assert wait(trusted, T0 - 600, error_s=5) == 595
    assert wait(trusted, T0) == HOUR + 1
    assert wait(trusted, T0, error_s=5) == HOUR + 6


@pytest.mark.parametrize("error_s", [0, 7, 90])
def test_until_then_it_is_what_it_is_and_then_it_may_be_another(operator: Cast, error_s: int) -> None:
    """Every change of the caps comes at a moment that was foretold, and none between two of them."""
    trusted = with_acts(
        operator,
        limit(operator, start=T0 + 300, until=T0 + 1_500, ceiling=90_000),
        limit(operator, start=T0 + 100, until=T0 + 700, ceiling=10_000, nonce=nonce(3)),
        lift(operator, suspends=(suspension("limit", start=T0 + 400, end=T0 + 600),)),
    )
    moment, changes = T0 - 1_000, 0
    while (step := wait(trusted, moment, error_s=error_s)) is not None:
        before = caps(trusted, at(moment, error_s=error_s))
        for between in range(moment, moment + step):
            assert caps(trusted, at(between, error_s=error_s)) == before
        moment += step
        changes += caps(trusted, at(moment, error_s=error_s)) != before
    assert changes == 5
    assert moment > T0 + 1_500
