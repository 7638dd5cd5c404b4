from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.makers import (
    DAY,
    T0,
    Cast,
    lift,
    limit,
    nonce,
    permit,
    restart,
    suspension,
)
from grandpause.core import canonical
from grandpause.core.envelope import Envelope
from grandpause.core.model import FULL_PPM, CapKey, Caps, Profile, Unit
from grandpause.core.statement.acts import MAX_LIFTED
from grandpause.core.statement.codec import Statement, decode, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import StatementError


def changed(statement: Statement, **fields: Any) -> Envelope:
    """Return the statement's envelope with these fields of the payload replaced."""
    value = canonical.decode(encode(statement).payload)
    assert isinstance(value, dict)
    return Envelope(kind=statement.kind, payload=canonical.encode(value | fields))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"until": T0}, "limit.until"),
        ({"until": T0 - 1}, "limit.until"),
        ({"complete_by": T0 - 1}, "limit.complete_by"),
        ({"complete_by": T0 + DAY + 1}, "limit.complete_by"),
        ({"ceiling": FULL_PPM + 1}, "limit.ceiling"),
    ],
)
def test_a_limit_that_contradicts_itself_cannot_be_made(
    operator: Cast, fields: dict[str, Any], where: str
) -> None:
    with pytest.raises(StatementError) as refusal:
        replace(limit(operator), **fields)
    assert refusal.value.where == where


def test_a_limit_in_watts_may_be_any_number(operator: Cast) -> None:
    assert limit(operator, unit=Unit.SITE_WATTS, ceiling=75_000_000).ceiling == 75_000_000


@pytest.mark.parametrize("missing", ["from", "until"])
def test_a_limit_without_a_beginning_or_an_end_is_refused(operator: Cast, missing: str) -> None:
    value = canonical.decode(encode(limit(operator)).payload)
    assert isinstance(value, dict)
    del value[missing]
    bad = Envelope(kind=limit(operator).kind, payload=canonical.encode(value))
    with pytest.raises(StatementError, match="missing field") as refusal:
        decode(bad)
    assert refusal.value.where == f"limit.{missing}"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"category": 3}, "limit.category"),
        ({"profile": "brutal"}, "limit.profile"),
        ({"unit": "percent"}, "limit.unit"),
        ({"ramp": "jump"}, "limit.ramp"),
        ({"version": 0}, "limit.version"),
        ({"version": 10_001}, "limit.version"),
        ({"charter": "ab"}, "limit.charter"),
        ({"nonce": "00"}, "limit.nonce"),
        ({"reason": ""}, "limit.reason"),
        ({"reason": "x" * 2_001}, "limit.reason"),
    ],
)
def test_a_limit_with_a_field_out_of_range_is_refused(
    operator: Cast, fields: dict[str, Any], where: str
) -> None:
    with pytest.raises(StatementError) as refusal:
        decode(changed(limit(operator), **fields))
    assert refusal.value.where == where


def test_a_limit_caps_the_part_that_it_names(operator: Cast) -> None:
    hall = Scope(kind=ScopeKind.HALL, sites=("a",), name="h1")
    assert limit(operator, scope=hall).caps == Caps({CapKey("hall:h1", Unit.COMPUTE): 50_000})
    assert limit(operator).caps == Caps({CapKey("site", Unit.COMPUTE): 50_000})
    assert limit(operator, profile=Profile.ADVERSARIAL).caps == limit(operator).caps


def test_a_lift_names_limits_or_suspends_one_power_and_never_both_or_neither(operator: Cast) -> None:
    window = suspension()
    for ends, suspends in ((("ab" * 32,), (window,)), ((), ()), ((), (window, window))):
        with pytest.raises(StatementError, match="names either limits to end or one power to suspend"):
            lift(operator, *ends, suspends=suspends)


@pytest.mark.parametrize(("start", "end"), [(T0, T0), (T0, T0 - 1), (T0, T0 + 30 * DAY + 1)])
def test_a_suspension_lasts_from_a_second_to_30_days(start: int, end: int) -> None:
    with pytest.raises(StatementError, match="1 second to 30 days"):
        suspension(start=start, end=end)


def test_the_longest_and_the_shortest_suspension_are_good() -> None:
    assert suspension(end=T0 + 30 * DAY).end == T0 + 30 * DAY
    assert suspension(end=T0 + 1).end == T0 + 1


def test_a_lift_of_more_names_than_an_envelope_takes_is_refused(operator: Cast) -> None:
    names = [f"{index:064x}" for index in range(MAX_LIFTED + 1)]
    most = lift(operator, *names[:-1])
    assert decode(encode(most)) == most
    with pytest.raises(StatementError, match="more than 500 names") as refusal:
        decode(encode(lift(operator, *names)))
    assert refusal.value.where == "lift.ends"


def test_a_lift_of_one_name_twice_is_refused(operator: Cast) -> None:
    with pytest.raises(StatementError, match="one name twice"):
        decode(encode(lift(operator, "ab" * 32, "ab" * 32)))


@pytest.mark.parametrize(
    "nonces",
    [
        [],
        [{"controller": "b", "nonce": nonce(1)}, {"controller": "a", "nonce": nonce(2)}],
        [{"controller": "a", "nonce": nonce(1)}, {"controller": "a", "nonce": nonce(2)}],
    ],
)
def test_a_restart_names_each_controller_once_and_sorted(operator: Cast, nonces: list[Any]) -> None:
    with pytest.raises(StatementError, match="needs each controller once, sorted") as refusal:
        decode(changed(restart(operator, nonce(1)), nonces=nonces))
    assert refusal.value.where == "restart.nonces"


@pytest.mark.parametrize(
    "caps",
    [
        [
            {"part": "site", "unit": "it_watts", "value": 1},
            {"part": "hall:a", "unit": "it_watts", "value": 1},
        ],
        [{"part": "site", "unit": "it_watts", "value": 1}, {"part": "site", "unit": "it_watts", "value": 2}],
        [
            {"part": "site", "unit": "site_watts", "value": 1},
            {"part": "site", "unit": "it_watts", "value": 2},
        ],
    ],
)
def test_caps_are_sorted_and_each_once(operator: Cast, caps: list[Any]) -> None:
    with pytest.raises(StatementError, match="sorted by part and unit, each once") as refusal:
        decode(changed(restart(operator, nonce(1)), caps=caps))
    assert refusal.value.where == "restart.caps"


def test_a_permit_expires_after_it_begins(operator: Cast) -> None:
    with pytest.raises(StatementError, match="later than not_before"):
        permit(operator, expires=T0)
