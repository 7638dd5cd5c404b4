from __future__ import annotations

from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from core.makers import (
    DAY,
    EVERYWHERE,
    SITE,
    T0,
    Cast,
    charter_of,
    council_cast,
    limit_power,
    member,
    operator_cast,
    signer,
)
from grandpause.core import canonical
from grandpause.core.envelope import Envelope, Kind
from grandpause.core.model import Profile, Unit
from grandpause.core.quorum import Body, Group, Roster
from grandpause.core.statement.charter import (
    LONGEST_S,
    Charter,
    PowerRule,
    Returns,
    Right,
    Waiver,
    weak_points,
)
from grandpause.core.statement.codec import decode, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import StatementError

OPERATOR = operator_cast()


def payload() -> Any:
    return canonical.decode(encode(OPERATOR.charter).payload)


def refusal_of(value: Any) -> StatementError:
    with pytest.raises(StatementError) as refusal:
        decode(Envelope(kind=Kind.CHARTER, payload=canonical.encode(value)))
    return refusal.value


def without(right: Right) -> tuple[PowerRule, ...]:
    return tuple(each for each in OPERATOR.charter.powers if each.right is not right)


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"version": 2}, "charter.previous", "version 1 alone has no previous"),
        ({"previous": "ab" * 32}, "charter.previous", "version 1 alone has no previous"),
        ({"powers": (*OPERATOR.charter.powers, OPERATOR.charter.powers[0])}, "charter.powers", "one id"),
        ({"powers": without(Right.LIMIT)}, "charter.powers", "no power to limit"),
        ({"powers": without(Right.LIFT)}, "charter.powers", "no power to lift"),
        ({"powers": without(Right.RESTART)}, "charter.powers", "no power to restart"),
        ({"powers": without(Right.CHARTER)}, "charter.powers", "no power to charter"),
        ({"powers": without(Right.DECLARATION)}, "charter.powers", "no power to declaration"),
    ],
)
def test_a_charter_that_lacks_what_it_needs_cannot_be_made(
    changes: dict[str, Any], where: str, message: str
) -> None:
    with pytest.raises(StatementError, match=message) as refusal:
        replace(OPERATOR.charter, **changes)
    assert refusal.value.where == where


def extra(name: str, right: Right, quorum: str = "any-two") -> PowerRule:
    return PowerRule(id=name, right=right, quorum=quorum, scope=EVERYWHERE)


@pytest.mark.parametrize(
    ("power", "message"),
    [
        (extra("more", Right.CHARTER), "exactly one power to charter"),
        (extra("more", Right.RESTART), "exactly one power to charter and one to restart"),
        (extra("more", Right.PERMIT), "permits need a log"),
        (extra("more", Right.LIFT, "operator"), "the quorum 'operator' is no group"),
        (extra("more", Right.LIFT, "nobody"), "the quorum 'nobody' is no group"),
        (extra("more", Right.LIMIT), "a power to limit, and only that, has bounds"),
        (replace(limit_power("more", "any-two"), right=Right.LIFT), "a power to limit, and only that"),
        (
            limit_power("more", "any-two", least=((Unit.COMPUTE, 1),), categories=(1,)),
            "bounded power has neither",
        ),
        (
            limit_power("more", "any-two", least=((Unit.COMPUTE, 1),), profiles=(Profile.COOPERATIVE,)),
            "bounded power has neither",
        ),
    ],
)
def test_a_charter_with_a_power_that_cannot_be_is_refused(power: PowerRule, message: str) -> None:
    with pytest.raises(StatementError, match=message):
        replace(OPERATOR.charter, powers=(*OPERATOR.charter.powers, power))


def powers_with(lift: str, charter: str, restart: str = "two") -> tuple[PowerRule, ...]:
    return (
        limit_power("limit", "one"),
        extra("lift", Right.LIFT, lift),
        extra("restart", Right.RESTART, restart),
        extra("charter", Right.CHARTER, charter),
        extra("declare", Right.DECLARATION, "two"),
    )


def three_bodies() -> Roster:
    """Return three bodies, and groups of one, two, three, and of one body that cannot be left out."""
    bodies = tuple(
        Body(id=f"b{index}", label="x", threshold=1, members=(member(f"m{index}", signer(index)),))
        for index in (1, 2, 3)
    )
    names = tuple(each.id for each in bodies)
    return Roster(
        bodies,
        (
            Group(id="one", threshold=1, of=names),
            Group(id="two", threshold=2, of=names),
            Group(id="three", threshold=3, of=names),
            Group(id="others", threshold=1, of=("b2", "b3")),
            Group(id="b1-and-another", threshold=2, of=("b1", "others")),
        ),
    )


@pytest.mark.parametrize(
    ("lift", "charter", "points"),
    [
        ("two", "two", set()),
        ("three", "two", {Waiver.BODY_BLOCKS}),
        ("two", "three", {Waiver.BODY_BLOCKS}),
        ("b1-and-another", "two", {Waiver.BODY_BLOCKS}),
        ("one", "two", {Waiver.BODY_ALONE}),
        ("two", "one", {Waiver.CHARTER_MINORITY}),
        ("one", "one", {Waiver.BODY_ALONE, Waiver.CHARTER_MINORITY}),
    ],
)
def test_every_weak_point_must_be_waived_by_name(lift: str, charter: str, points: set[Waiver]) -> None:
    roster, powers = three_bodies(), powers_with(lift, charter)
    wanted = points | {Waiver.NO_LOG}
    assert set(weak_points(roster, powers)) == wanted
    good = charter_of(roster, powers)
    for point in wanted:
        with pytest.raises(StatementError, match=f"must waive {point} by name"):
            replace(good, waives=tuple(wanted - {point}))
    for point in set(Waiver) - wanted:
        with pytest.raises(StatementError, match=f"waives {point}, which it does not have"):
            replace(good, waives=(*good.waives, point))


def test_a_charter_quorum_of_exactly_half_the_bodies_is_a_weak_point() -> None:
    four = council_cast(4).charter
    half = tuple(
        replace(each, quorum="any-2") if each.right is Right.CHARTER else each for each in four.powers
    )
    assert Waiver.CHARTER_MINORITY in weak_points(four.roster, half)
    assert Waiver.CHARTER_MINORITY not in weak_points(four.roster, four.powers)


def test_a_charter_of_the_largest_size_is_judged_in_a_moment() -> None:
    """Anyone can put one before the door, unsigned; a limit must not wait behind it."""
    bodies = tuple(
        Body(
            id=f"b{index}",
            label="x",
            threshold=10,
            members=tuple(
                member(f"m{index}-{each}", signer(2_000 + 20 * index + each)) for each in range(20)
            ),
        )
        for index in range(16)
    )
    roster = Roster(bodies, (Group(id="two", threshold=16, of=tuple(each.id for each in bodies)),))
    powers = tuple(replace(each, quorum="two") for each in powers_with("two", "two"))
    began_s = process_time()
    assert Waiver.BODY_BLOCKS in weak_points(roster, powers)
    assert process_time() - began_s < 0.25
    assert roster.fewest_bodies("two") == 16


def test_five_independent_bodies_need_to_waive_nothing_but_the_log(council: Cast) -> None:
    assert council.charter.waives == (Waiver.NO_LOG,)


def test_powers_are_found_by_id_and_by_right() -> None:
    charter = OPERATOR.charter
    assert charter.power("nothing") is None
    assert [each.id for each in charter.powers_to(Right.LIMIT)] == ["limit-bounded", "limit"]
    bounds = charter.powers_to(Right.LIMIT)[0].bounds
    assert bounds is not None
    assert bounds.bounded
    assert bounds.least_for(Unit.COMPUTE) == 500_000
    assert bounds.least_for(Unit.SITE_WATTS) is None


def test_a_charter_of_a_later_format_asks_for_an_update() -> None:
    refusal = refusal_of(payload() | {"format": 2})
    assert "update before you go on" in refusal.message
    assert refusal.where == "charter.format"


def test_a_charter_with_a_log_is_not_read_by_this_version() -> None:
    refusal = refusal_of(payload() | {"log": {"kind": "tlog", "clock_error_s": 5}})
    assert refusal.where == "charter.log.kind"
    assert refusal_of(payload() | {"log": {"kind": "none", "clock_error_s": 3_601}}).where.endswith("error_s")


def bounds_of(value: Any) -> Any:
    return next(each for each in value["powers"] if each["id"] == "limit")["bounds"]


@pytest.mark.parametrize(
    ("field", "wrong", "where"),
    [
        ("least", [], "least"),
        ("least", [{"unit": "compute_ppm", "value": 0}] * 2, "least"),
        ("categories", [3], "categories"),
        ("categories", ["1"], "categories"),
        ("categories", [0, 1, 2, 0], "categories"),
        ("profiles", ["cooperative", "cooperative"], "profiles"),
        ("longest_s", 59, "longest_s"),
        ("longest_s", LONGEST_S + 1, "longest_s"),
        ("returns", "soon", "returns"),
    ],
)
def test_wrong_bounds_are_refused_by_the_field(field: str, wrong: Any, where: str) -> None:
    value = payload()
    bounds_of(value)[field] = wrong
    assert f".bounds.{where}" in refusal_of(value).where


def first_key(value: Any) -> Any:
    return value["bodies"][0]["members"][0]["keys"][0]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("AQ", "not base64"),
        ("A!Q=", "not base64"),
        ("AR==", "not canonical base64"),
        ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "low-order"),
        ("7v///////////////////////////////////////38=", "non-canonical"),
        ("AQ==", "has 32 bytes, not 1"),
    ],
)
def test_a_key_that_must_not_be_used_never_enters_a_charter(key: str, message: str) -> None:
    value = payload()
    first_key(value)["key"] = key
    refusal = refusal_of(value)
    assert message in refusal.message
    assert refusal.where == "charter.bodies[0].members[0].keys[0].key"


def test_an_unknown_algorithm_is_refused_by_its_name() -> None:
    value = payload()
    first_key(value)["alg"] = "rsa"
    assert "unknown signature algorithm 'rsa'" in refusal_of(value).message


def test_one_key_under_two_members_is_refused() -> None:
    value = payload()
    value["bodies"][0]["members"][1]["keys"] = value["bodies"][0]["members"][0]["keys"]
    assert "public key occurs twice" in refusal_of(value).message


def test_a_power_may_be_bounded_to_one_site() -> None:
    here = Scope(kind=ScopeKind.SITES, sites=(SITE,))
    power = limit_power("here", "any-two", scope=here, returns=Returns.ITSELF, longest_s=DAY)
    charter = replace(OPERATOR.charter, powers=(*OPERATOR.charter.powers, power))
    assert decode(encode(charter)) == charter
    assert isinstance(charter, Charter)
    assert charter.void_after > T0
