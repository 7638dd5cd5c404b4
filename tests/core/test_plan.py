from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from core.makers import SITE, T0, Cast, limit, limit_power, name_of, nonce
from core.tables import element
from grandpause.core.ceiling import Ceiling, InForce
from grandpause.core.elements import Element, ElementTable
from grandpause.core.memory import Memory
from grandpause.core.model import CapKey, Caps, Profile, Stage, Unit
from grandpause.core.plan import LADDERS, Equipment, Order, Plan, Planner, order_of
from grandpause.core.ramp import RampRule
from grandpause.core.statement.acts import Limit
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.scope import Scope, ScopeKind

COMPUTE = CapKey("site", Unit.COMPUTE)
IT_WATTS = CapKey("site", Unit.IT_WATTS)
SITE_WATTS = CapKey("site", Unit.SITE_WATTS)
NO_RAMP = RampRule()


def order(caps: Mapping[CapKey, int], **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "caps": Caps(caps),
        "statements": ("ab" * 32,),
        "profile": Profile.COOPERATIVE,
        "category": 1,
        "complete_by": None,
        "ramp_override": False,
    }
    return Order(**(fields | changes))


def nodes(count: int, **changes: Any) -> list[Element]:
    return [element(f"n{index}", **changes) for index in range(1, count + 1)]


def planner(
    elements: Sequence[Element],
    *,
    equipment: Mapping[str, Equipment] | None = None,
    ramp: RampRule = NO_RAMP,
    protected_w: int = 0,
) -> Planner:
    table = ElementTable(tuple(elements), ())
    given = equipment or {}
    default = Equipment(outlets=1)
    full = {each.id: given.get(each.id, default) for each in elements}
    return Planner(table, full, ramp=ramp, protected_w=protected_w)


@pytest.mark.parametrize(
    ("ppm", "kept"), [(0, 0), (1, 0), (99_999, 0), (100_000, 1), (199_999, 1), (500_000, 5), (1_000_000, 10)]
)
def test_a_share_is_rounded_down_to_whole_nodes(ppm: int, kept: int) -> None:
    plan = planner(nodes(10)).plan(order({COMPUTE: ppm}))
    assert len(plan.keep) == kept
    assert len(plan.cut) == 10 - kept
    assert plan.target_w == kept * 6_500 + (10 - kept) * 50


def test_five_percent_of_256_nodes_are_12_whole_nodes() -> None:
    assert len(planner(nodes(256)).plan(order({COMPUTE: 50_000})).keep) == 12


def test_what_stays_on_is_chosen_by_priority_and_what_matters_least_goes_first() -> None:
    equipment = {f"n{index}": Equipment(priority=index, outlets=1) for index in range(1, 6)}
    plan = planner(nodes(5), equipment=equipment).plan(order({COMPUTE: 400_000}))
    assert plan.keep == {"n5", "n4"}
    assert [each.element for each in plan.cut] == ["n1", "n2", "n3"]


def test_a_smaller_node_takes_the_room_that_a_greater_one_cannot() -> None:
    elements = [element("big", compute=80), element("small", compute=8), element("rest", compute=112)]
    equipment = {"big": Equipment(priority=2), "small": Equipment(priority=1)}
    assert planner(elements, equipment=equipment).plan(order({COMPUTE: 100_000})).keep == {"small"}


def test_without_caps_everything_may_stay_on() -> None:
    plan = planner(nodes(3)).plan(order({}))
    assert (len(plan.keep), plan.cut, plan.last_slot_s) == (3, (), 0.0)


def test_a_hall_or_tenant_is_capped_alone() -> None:
    elements = [*nodes(4), element("m1", hall="h2"), element("m2", hall="h2", tenant="t1")]
    plan = planner(elements).plan(order({CapKey("hall:h2", Unit.COMPUTE): 0}))
    assert plan.keep == {"n1", "n2", "n3", "n4"}
    plan = planner(elements).plan(order({CapKey("tenant:t1", Unit.COMPUTE): 0}))
    assert plan.keep == {"n1", "n2", "n3", "n4", "m1"}


def test_a_part_that_the_site_does_not_have_is_named() -> None:
    plan = planner(nodes(2)).plan(order({CapKey("hall:h9", Unit.COMPUTE): 0}))
    assert plan.unknown_parts == ("hall:h9",)
    assert len(plan.keep) == 2


def test_caps_of_several_parts_and_units_all_hold() -> None:
    elements = [*nodes(4), *(element(f"m{index}", hall="h2") for index in range(1, 5))]
    caps = {
        COMPUTE: 750_000,
        CapKey("hall:h2", Unit.COMPUTE): 250_000,
        IT_WATTS: 3 * 6_500 + 5 * 50,
    }
    plan = planner(elements).plan(order(caps))
    assert len(plan.keep) == 3
    assert sum(each.startswith("m") for each in plan.keep) <= 1


@pytest.mark.parametrize(
    ("cap", "kept", "floor"),
    [
        (4 * 50, 0, False),
        (4 * 50 - 1, 0, True),
        (4 * 50 + 6_450, 1, False),
        (4 * 50 + 6_449, 0, False),
        (4 * 6_500, 4, False),
    ],
)
def test_a_cap_in_watts_counts_what_is_drawn_while_off(cap: int, kept: int, *, floor: bool) -> None:
    plan = planner(nodes(4)).plan(order({IT_WATTS: cap}))
    assert (len(plan.keep), plan.floor_reached) == (kept, floor)
    assert plan.target_w <= cap or floor


@pytest.mark.parametrize(
    ("cap", "kept", "floor"), [(1_000 + 200, 0, False), (1_199, 0, True), (1_000 + 6_650, 1, False)]
)
def test_a_cap_on_the_site_counts_the_protected_loads_too(cap: int, kept: int, *, floor: bool) -> None:
    plan = planner(nodes(4), protected_w=1_000).plan(order({SITE_WATTS: cap}))
    assert (len(plan.keep), plan.floor_reached) == (kept, floor)


def test_a_protected_load_is_no_element_and_so_in_no_plan() -> None:
    plan = planner(nodes(2), protected_w=1_000_000).plan(order({SITE_WATTS: 0}))
    assert {each.element for each in plan.cut} | plan.keep == {"n1", "n2"}
    assert plan.floor_reached


def test_in_a_standby_only_what_was_on_or_unknown_may_stay_on() -> None:
    plan = planner(nodes(4)).plan(order({}), standby=frozenset({"n1", "n2"}))
    assert plan.keep == {"n1", "n2"}
    both = planner(nodes(4)).plan(order({COMPUTE: 500_000}), standby=frozenset({"n2", "n4"}))
    assert both.keep == {"n2"}


def test_what_is_off_already_is_the_last_to_be_given_a_place() -> None:
    plan = planner(nodes(4)).plan(order({COMPUTE: 500_000}), known_off=frozenset({"n1", "n2"}))
    assert plan.keep == {"n3", "n4"}


def test_a_node_that_nothing_can_be_sent_to_is_named() -> None:
    equipment = {"n1": Equipment(has_bmc=False), "n2": Equipment(has_bmc=False, outlets=2)}
    plan = planner(nodes(3), equipment=equipment).plan(order({COMPUTE: 0}))
    ladders = {each.element: each.ladder for each in plan.cut}
    assert plan.blocked == ("n1",)
    assert ladders["n2"] == (Stage.OUTLET_OFF,)
    assert ladders["n3"] == (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF)


SOFT, HARD = (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF), (Stage.FORCE_OFF, Stage.OUTLET_OFF)


@pytest.mark.parametrize(
    ("profile", "category", "ladder"),
    [
        (Profile.COOPERATIVE, 0, HARD),
        (Profile.COOPERATIVE, 1, SOFT),
        (Profile.COOPERATIVE, 2, SOFT),
        (Profile.ADVERSARIAL, 0, HARD),
        (Profile.ADVERSARIAL, 1, HARD),
        (Profile.ADVERSARIAL, 2, HARD),
    ],
)
def test_every_profile_and_category_has_its_ladder(
    profile: Profile, category: int, ladder: tuple[Stage, ...]
) -> None:
    plan = planner(nodes(1)).plan(order({COMPUTE: 0}, profile=profile, category=category))
    assert plan.cut[0].ladder == ladder
    assert set(LADDERS) == set(product(Profile, (0, 1, 2)))


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("category", [0, 1, 2])
@pytest.mark.parametrize(("has_bmc", "outlets"), [(True, 0), (True, 2), (False, 2), (False, 0)])
def test_a_ladder_holds_only_what_the_node_has(
    profile: Profile, category: int, *, has_bmc: bool, outlets: int
) -> None:
    equipment = {"n1": Equipment(has_bmc=has_bmc, outlets=outlets)}
    plan = planner(nodes(1), equipment=equipment).plan(
        order({COMPUTE: 0}, profile=profile, category=category)
    )
    expected = [
        each for each in LADDERS[profile, category] if (outlets if each is Stage.OUTLET_OFF else has_bmc)
    ]
    assert list(plan.cut[0].ladder) == expected


def steepest(plan: Plan, elements: Sequence[Element]) -> tuple[int, int]:
    """Return the most watts that drop at one moment, and within any 60 s."""
    by_id = {each.id: each for each in elements}
    drops = [(each.slot_s, by_id[each.element].rated_w - by_id[each.element].off_w) for each in plan.cut]
    at_once = max(sum(watts for slot, watts in drops if slot == moment) for moment, _ in drops)
    a_minute = max(sum(watts for slot, watts in drops if moment <= slot < moment + 60) for moment, _ in drops)
    return at_once, a_minute


@pytest.mark.parametrize(
    ("minute", "step"),
    [(None, 20_000), (50_000, None), (50_000, 20_000), (6_450, 6_450), (100_000, 100_000), (13_000, 50_000)],
)
@pytest.mark.parametrize("step_s", [0.5, 1.0, 7.0, 90.0])
def test_the_plan_never_drops_more_than_the_ramp_in_any_minute_or_step(
    minute: int | None, step: int | None, step_s: float
) -> None:
    elements = [*nodes(60), *(element(f"m{index}", rated_w=3_000) for index in range(1, 20))]
    ramp = RampRule(watts_per_minute=minute, watts_per_step=step, step_s=step_s)
    plan = planner(elements, ramp=ramp).plan(order({COMPUTE: 0}))
    at_once, a_minute = steepest(plan, elements)
    assert at_once <= (step or at_once)
    assert a_minute <= (minute or a_minute)
    assert len(plan.cut) == 79
    assert [each.slot_s for each in plan.cut] == sorted(each.slot_s for each in plan.cut)
    assert plan.last_slot_s == plan.cut[-1].slot_s > 0
    assert plan.ramp_broken == ()


def test_a_ramp_is_used_up_and_not_stretched() -> None:
    plan = planner(nodes(20), ramp=RampRule(watts_per_minute=5 * 6_450)).plan(order({COMPUTE: 0}))
    assert sorted({each.slot_s for each in plan.cut}) == [0.0, 60.0, 120.0, 180.0]
    stepped = planner(nodes(20), ramp=RampRule(watts_per_step=5 * 6_450, step_s=2.0)).plan(
        order({COMPUTE: 0})
    )
    assert sorted({each.slot_s for each in stepped.cut}) == [0.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize("ramp", [RampRule(watts_per_step=6_000), RampRule(watts_per_minute=6_000)])
def test_a_single_node_above_the_ramp_is_named_and_still_cut(ramp: RampRule) -> None:
    elements = [element("big"), element("small", rated_w=3_000)]
    plan = planner(elements, ramp=ramp).plan(order({COMPUTE: 0}))
    assert plan.ramp_broken == ("big",)
    assert {each.element for each in plan.cut} == {"big", "small"}


def test_a_signed_override_drops_all_at_once() -> None:
    ramp = RampRule(watts_per_minute=6_450, watts_per_step=6_450)
    plan = planner(nodes(9), ramp=ramp).plan(order({COMPUTE: 0}, ramp_override=True))
    assert {each.slot_s for each in plan.cut} == {0.0}


def in_force(act: Limit) -> InForce:
    return InForce(name=name_of(act), limit=act, power=limit_power("limit", "q"))


def ceiling_of(*acts: Limit) -> Ceiling:
    return Ceiling(caps=Caps(), in_force=tuple(map(in_force, acts)))


def test_an_order_names_its_limits_and_takes_the_earliest_deadline(operator: Cast) -> None:
    first = limit(operator, complete_by=T0 + 900)
    second = limit(operator, complete_by=T0 + 300, nonce=nonce(5), ramp=Ramp.OVERRIDE)
    found = order_of([ceiling_of(first), ceiling_of(second)], Memory(nonce=nonce(1)), Caps({COMPUTE: 1}))
    assert found.statements == tuple(sorted((name_of(first), name_of(second))))
    assert (found.complete_by, found.ramp_override, found.caps) == (T0 + 300, True, Caps({COMPUTE: 1}))
    assert (found.profile, found.category) == (Profile.COOPERATIVE, 1)


def test_an_order_from_the_latch_alone_has_no_deadline() -> None:
    memory = Memory(nonce=nonce(1), latch=Caps({COMPUTE: 5}))
    found = order_of([], memory, memory.latch)
    assert (found.statements, found.complete_by, found.category, found.ramp_override) == ((), None, 2, False)


def test_one_adversarial_limit_or_its_latch_makes_the_whole_plan_adversarial(operator: Cast) -> None:
    hall = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")
    hard = limit(operator, profile=Profile.ADVERSARIAL, category=0, scope=hall)
    soft = limit(operator, category=2)
    memory = Memory(nonce=nonce(1))
    assert order_of([ceiling_of(soft)], memory, Caps()).profile is Profile.COOPERATIVE
    both = order_of([ceiling_of(soft, hard)], memory, Caps())
    assert (both.profile, both.category) == (Profile.ADVERSARIAL, 0)
    latched = replace(memory, adversarial=True, category=0)
    after = order_of([ceiling_of(soft)], latched, Caps())
    assert (after.profile, after.category) == (Profile.ADVERSARIAL, 0)


def test_ten_thousand_nodes_are_planned_by_halls_rows_and_ramp() -> None:
    elements = [element(f"n{index:05}", hall=f"h{index // 2_500}") for index in range(10_000)]
    caps = {COMPUTE: 100_000, CapKey("hall:h1", Unit.COMPUTE): 0, SITE_WATTS: 5_000_000}
    ramp = RampRule(watts_per_minute=20_000_000, watts_per_step=2_000_000)
    plan = planner(elements, ramp=ramp).plan(order(caps))
    assert plan.target_w <= 5_000_000
    assert len(plan.keep) + len(plan.cut) == 10_000
    assert not any(2_500 <= int(each[1:]) < 5_000 for each in plan.keep)
