from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.makers import (
    DAY,
    EVERYWHERE,
    HOUR,
    SITE,
    T0,
    Cast,
    declaration,
    lift,
    limit,
    limit_power,
    nonce,
    restart,
    signer,
    under,
)
from grandpause.core.model import Profile, Unit
from grandpause.core.powers import power_used
from grandpause.core.statement.charter import Charter, Ramp, Right
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import TrustError

HERE = Scope(kind=ScopeKind.SITES, sites=(SITE,))
HALL = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")


def with_power(cast: Cast, name: str, **changes: Any) -> Charter:
    """Return the charter with one power's bounds or scope changed."""
    scope = changes.pop("scope", EVERYWHERE)
    power = limit_power(name, "any-two", scope=scope, **changes)
    others = [each for each in cast.charter.powers if each.id != name]
    return replace(cast.charter, powers=(*others, power))


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"power": "nothing"}, "limit.power", "has no power 'nothing'"),
        ({"power": "lift"}, "limit.power", "'lift' is a power to lift, not to limit"),
        ({"power": "limit-bounded", "ceiling": 499_999}, "limit.ceiling", "lower than the 500000 ppm"),
        ({"power": "limit-bounded", "unit": Unit.SITE_WATTS}, "limit.unit", "may not limit site_watts"),
        (
            {"power": "limit-bounded", "ceiling": 500_000, "until": T0 + 72 * HOUR + 1},
            "limit.until",
            "longer than the 259200 s",
        ),
        ({"until": T0 + 730 * DAY + 1}, "limit.until", "longer than"),
        (
            {"power": "limit-bounded", "ceiling": 500_000, "profile": Profile.ADVERSARIAL},
            "limit.profile",
            "does not allow adversarial",
        ),
        (
            {"power": "limit-bounded", "ceiling": 500_000, "category": 0},
            "limit.category",
            "does not allow 0",
        ),
        (
            {"power": "limit-bounded", "ceiling": 500_000, "ramp": Ramp.OVERRIDE},
            "limit.ramp",
            "may not override the ramp",
        ),
    ],
)
def test_a_limit_beyond_its_power_is_refused_whole(
    operator: Cast, changes: dict[str, Any], where: str, message: str
) -> None:
    with pytest.raises(TrustError, match=message) as refusal:
        power_used(operator.charter, limit(operator, **changes))
    assert refusal.value.where == where


def test_a_limit_at_the_very_bounds_of_its_power_is_good(operator: Cast) -> None:
    at_bounds = limit(operator, power="limit-bounded", ceiling=500_000, until=T0 + 72 * HOUR)
    assert power_used(operator.charter, at_bounds).id == "limit-bounded"
    assert power_used(operator.charter, limit(operator, until=T0 + 730 * DAY)).id == "limit"


def test_the_least_ceiling_in_watts_is_named_in_watts(operator: Cast) -> None:
    charter = with_power(
        operator,
        "limit",
        least=((Unit.SITE_WATTS, 10_000),),
        profiles=(Profile.COOPERATIVE,),
        categories=(1,),
    )
    with pytest.raises(TrustError, match="9999 is lower than the 10000 W"):
        power_used(charter, limit(operator, unit=Unit.SITE_WATTS, ceiling=9_999))


@pytest.mark.parametrize(
    ("power_scope", "scope", "reaches"),
    [
        (EVERYWHERE, EVERYWHERE, True),
        (EVERYWHERE, HALL, True),
        (HERE, HERE, True),
        (HERE, HALL, True),
        (HERE, EVERYWHERE, False),
        (HERE, Scope(kind=ScopeKind.SITES, sites=(SITE, "another")), False),
        (HALL, HALL, True),
        (HALL, HERE, False),
        (HALL, replace(HALL, name="h2"), False),
        (HALL, replace(HALL, kind=ScopeKind.TENANT), False),
        (HALL, replace(HALL, sites=("another",)), False),
    ],
)
def test_a_limit_must_keep_within_its_powers_scope(
    operator: Cast, power_scope: Scope, scope: Scope, *, reaches: bool
) -> None:
    charter = with_power(operator, "limit", scope=power_scope)
    if reaches:
        assert power_used(charter, limit(operator, scope=scope)).scope == power_scope
        return
    with pytest.raises(TrustError, match="does not reach all of this scope") as refusal:
        power_used(charter, limit(operator, scope=scope))
    assert refusal.value.where == "limit.scope"


def test_a_restart_and_a_declaration_must_be_for_a_site_within_reach(operator: Cast) -> None:
    powers = tuple(
        replace(each, scope=HERE) if each.right in {Right.RESTART, Right.DECLARATION} else each
        for each in operator.charter.powers
    )
    charter = replace(operator.charter, powers=powers)
    here = restart(operator, nonce(1))
    declared = declaration(operator, {"controller-a": signer(50)})
    assert power_used(charter, here).id == "restart"
    assert power_used(charter, declared).id == "declare"
    for act in (replace(here, site="another"), replace(declared, site="another")):
        with pytest.raises(TrustError, match="does not reach all of site another") as refusal:
            power_used(charter, act)
        assert refusal.value.where == f"{act.kind}.site"


@pytest.mark.parametrize("wrong", ["limit", "limit-bounded", "lift", "charter", "declare"])
def test_an_act_may_use_a_power_to_its_own_act_only(operator: Cast, wrong: str) -> None:
    act = replace(restart(operator, nonce(1)), under=under(operator, wrong))
    with pytest.raises(TrustError, match="not to restart"):
        power_used(operator.charter, act)


def test_a_lift_uses_a_power_to_lift(operator: Cast) -> None:
    assert power_used(operator.charter, lift(operator, "ab" * 32)).right is Right.LIFT
