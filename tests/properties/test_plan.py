from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from core.tables import element
from core.virtual import plan_of
from grandpause.core.elements import Element, ElementTable
from grandpause.core.model import FULL_PPM, CapKey, Caps, Profile, Unit
from grandpause.core.plan import Equipment, Order, Plan, Planner
from grandpause.core.ramp import RampRule

PARTS = ("site", "hall:h1", "hall:h2", "tenant:t1")


@st.composite
def halls(draw: st.DrawFn) -> tuple[Element, ...]:
    count = draw(st.integers(1, 25))
    result = []
    for index in range(count):
        off = draw(st.integers(0, 60))
        idle = draw(st.integers(off + 1, 3_000))
        result.append(
            element(
                f"n{index}",
                hall=draw(st.sampled_from(["h1", "h2"])),
                tenant=draw(st.sampled_from(["", "t1"])),
                rated_w=draw(st.integers(idle, 7_000)),
                idle_w=idle,
                off_w=off,
                compute=draw(st.integers(0, 100)),
            )
        )
    return tuple(result)


caps = st.dictionaries(
    st.tuples(st.sampled_from(PARTS), st.sampled_from(Unit)), st.integers(0, 150_000), max_size=5
).map(
    lambda found: Caps(
        {
            CapKey(part, unit): value * 7 if unit is Unit.COMPUTE else value
            for (part, unit), value in found.items()
        }
    )
)
ramps = st.builds(
    RampRule,
    watts_per_minute=st.none() | st.integers(7_000, 60_000),
    watts_per_step=st.none() | st.integers(7_000, 30_000),
    step_s=st.sampled_from([0.5, 1.0, 10.0]),
)


def planned(
    elements: tuple[Element, ...],
    allowed: Caps,
    priorities: Mapping[str, int],
    ramp: RampRule,
    standby: frozenset[str] | None = None,
) -> Plan:
    order = Order(
        caps=allowed,
        statements=(),
        profile=Profile.COOPERATIVE,
        category=1,
        complete_by=None,
        ramp_override=False,
    )
    equipment = {each.id: Equipment(priority=priorities.get(each.id, 0), outlets=1) for each in elements}
    planner = Planner(ElementTable(elements, ()), equipment, ramp=ramp, protected_w=500)
    return planner.plan(order, standby=standby)


def used(elements: tuple[Element, ...], keep: frozenset[str], key: CapKey) -> tuple[int, int]:
    """Return what is used of a cap with these kept, and what is used with none kept."""
    members = [each for each in elements if key.part in each.parts]
    if key.unit is Unit.COMPUTE:
        return sum(each.compute for each in members if each.id in keep), 0
    extra = 500 if key.unit is Unit.SITE_WATTS else 0
    floor = sum(each.off_w for each in members) + extra
    return floor + sum(each.rated_w - each.off_w for each in members if each.id in keep), floor


@given(halls(), caps, ramps)
def test_a_plan_keeps_every_cap_that_can_be_kept(
    elements: tuple[Element, ...], allowed: Caps, ramp: RampRule
) -> None:
    plan = planned(elements, allowed, {}, ramp)
    known = {part for each in elements for part in each.parts}
    for key, value in allowed:
        if key.part not in known:
            assert key.part in plan.unknown_parts
            continue
        total = sum(each.compute for each in elements if key.part in each.parts)
        may = value * total // FULL_PPM if key.unit is Unit.COMPUTE else value
        now, floor = used(elements, plan.keep, key)
        assert now <= max(may, floor)
        if floor > may:
            assert plan.floor_reached
    assert plan.keep | {each.element for each in plan.cut} == {each.id for each in elements}
    assert not plan.keep & {each.element for each in plan.cut}


@given(halls(), caps, ramps)
def test_nothing_more_could_have_stayed_on(
    elements: tuple[Element, ...], allowed: Caps, ramp: RampRule
) -> None:
    plan = planned(elements, allowed, {}, ramp)
    known = {part for each in elements for part in each.parts}
    for cut in plan.cut:
        more = plan.keep | {cut.element}
        parts = next(each.parts for each in elements if each.id == cut.element)
        over = False
        for key, value in allowed:
            if key.part not in known or key.part not in parts:
                continue
            total = sum(each.compute for each in elements if key.part in each.parts)
            may = value * total // FULL_PPM if key.unit is Unit.COMPUTE else value
            over |= used(elements, more, key)[0] > may
        assert over, cut.element


@given(halls(), caps, caps, ramps)
def test_a_lower_cap_on_compute_never_allows_more(
    elements: tuple[Element, ...], one: Caps, two: Caps, ramp: RampRule
) -> None:
    both = planned(elements, one.lowered(two), {}, ramp)
    for key, value in one.lowered(two):
        total = sum(each.compute for each in elements if key.part in each.parts)
        if key.unit is Unit.COMPUTE and total:
            assert used(elements, both.keep, key)[0] <= value * total // FULL_PPM


@given(halls(), caps, ramps, st.sets(st.integers(0, 24)))
def test_in_a_standby_nothing_else_stays_on(
    elements: tuple[Element, ...], allowed: Caps, ramp: RampRule, awake: set[int]
) -> None:
    standby = frozenset(f"n{index}" for index in awake)
    plan = planned(elements, allowed, {}, ramp, standby)
    assert plan.keep <= standby
    assert plan.keep <= planned(elements, allowed, {}, ramp).keep


@given(halls(), ramps, st.dictionaries(st.integers(0, 24).map("n{}".format), st.integers(0, 5)))
def test_the_ramp_holds_in_every_step_and_minute(
    elements: tuple[Element, ...], ramp: RampRule, priorities: dict[str, int]
) -> None:
    plan = planned(elements, Caps({CapKey("site", Unit.COMPUTE): 0}), priorities, ramp)
    drop = {each.id: each.rated_w - each.off_w for each in elements}
    slots = [(each.slot_s, drop[each.element]) for each in plan.cut]
    for moment, _ in slots:
        if ramp.watts_per_step is not None:
            assert sum(watts for slot, watts in slots if slot == moment) <= ramp.watts_per_step
        if ramp.watts_per_minute is not None:
            assert (
                sum(watts for slot, watts in slots if moment <= slot < moment + 60) <= ramp.watts_per_minute
            )
    order = [priorities.get(each.element, 0) for each in plan.cut]
    assert order == sorted(order)


def test_a_plan_of_nothing_is_empty() -> None:
    assert plan_of([]).cut == ()
