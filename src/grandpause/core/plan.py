"""From caps and a site to a plan: who stays on, who is cut, by which stages, in which slots. (spec/plan.md)

Rounding is down to whole nodes; what stays on is chosen by declared priority; protected loads cannot
appear in a plan, since they are no elements. A plan never drops more watts a minute or a step than
the site's ramp allows, unless a limit's signed override says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Final, NamedTuple

from grandpause.core.ceiling import Ceiling
from grandpause.core.elements import Element, ElementTable
from grandpause.core.memory import Memory
from grandpause.core.model import FULL_PPM, SITE_PART, CapKey, Caps, Profile, Stage, Unit
from grandpause.core.ramp import WINDOW_S, RampRule
from grandpause.core.statement.charter import Ramp

LADDERS: Final[Mapping[tuple[Profile, int], tuple[Stage, ...]]] = {
    (Profile.COOPERATIVE, 0): (Stage.FORCE_OFF, Stage.OUTLET_OFF),
    (Profile.COOPERATIVE, 1): (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF),
    # No element of this version can stop with its power kept, so category 2 is served as 1: stricter.
    (Profile.COOPERATIVE, 2): (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF),
    # A soft off is a request to the host's own software: under the adversarial profile it is not made.
    (Profile.ADVERSARIAL, 0): (Stage.FORCE_OFF, Stage.OUTLET_OFF),
    (Profile.ADVERSARIAL, 1): (Stage.FORCE_OFF, Stage.OUTLET_OFF),
    (Profile.ADVERSARIAL, 2): (Stage.FORCE_OFF, Stage.OUTLET_OFF),
}
"""Which stages take a node down, by profile and stop category; each is an escalation of the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What an element can be told, and how much it matters.

    Attributes:
        priority: higher stays on longer.
        has_bmc: whether soft off and force off can be sent.
        outlets: number of outlets that feed it and can be switched; 0 if none can.
    """

    priority: int = 0
    has_bmc: bool = True
    outlets: int = 0


class Cut(NamedTuple):
    """One element to take down: from ``slot_s`` seconds after the start, by these stages in turn.

    ``drop_w`` is how many watts fall with it, at most.
    """

    element: str
    slot_s: float
    ladder: tuple[Stage, ...]
    drop_w: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the site must do now, drawn from every ceiling and the latch.

    Attributes:
        caps: the allowed caps.
        statements: names of the limits in force, sorted.
        complete_by: earliest moment by which one of them wants its ceiling reached; None if none says.
        ramp_override: whether a limit in force overrides the ramp, downwards.
        name: what the commands are filed under: the first limit in force, or the latch of this nonce.
    """

    caps: Caps
    statements: tuple[str, ...]
    profile: Profile
    category: int
    complete_by: int | None
    ramp_override: bool
    name: str = "latch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole stop, before anything is sent.

    Attributes:
        keep: elements that may stay on.
        cut: elements to take down, in the order of their slots.
        target_w: most IT watts expected afterwards: rated draw of what stays, off draw of the rest.
        blocked: elements that nothing can be sent to.
        floor_reached: a watts cap lies below what remains with every element off.
        unknown_parts: halls or tenants that a cap names and this site does not have.
        ramp_broken: elements whose single drop exceeds the ramp's step or minute.
        ramp: what the conductor has to keep to while devices are late; None: no bound, or overridden.
    """

    order: Order
    keep: frozenset[str]
    cut: tuple[Cut, ...]
    target_w: int
    blocked: tuple[str, ...]
    floor_reached: bool
    unknown_parts: tuple[str, ...]
    ramp_broken: tuple[str, ...]
    ramp: RampRule | None = None

    @property
    def last_slot_s(self) -> float:
        """Seconds after the start at which the last command becomes due."""
        return self.cut[-1].slot_s if self.cut else 0.0


def order_of(ceilings: Iterable[Ceiling], memory: Memory, caps: Caps) -> Order:
    """Return the order that follows from the ceilings and the memory.

    While one adversarial limit is in force or its latch stands, the whole site's plan is adversarial,
    and the strictest category holds.
    """
    in_force = [each for one in ceilings for each in one.in_force]
    limits = [each.limit for each in in_force]
    statements = tuple(sorted(each.name for each in in_force))
    adversarial = memory.adversarial or any(each.profile is Profile.ADVERSARIAL for each in limits)
    return Order(
        caps=caps,
        statements=statements,
        profile=Profile.ADVERSARIAL if adversarial else Profile.COOPERATIVE,
        category=min([memory.category, *(each.category for each in limits)]),
        complete_by=min((each.complete_by for each in limits), default=None),
        ramp_override=any(each.ramp is Ramp.OVERRIDE for each in limits),
        name=statements[0] if statements else f"latch-{memory.nonce}",
    )


class Planner:
    """Plans for one site. Sorting is done once, so that planning a stop is one pass."""

    def __init__(
        self,
        table: ElementTable,
        equipment: Mapping[str, Equipment],
        *,
        ramp: RampRule,
        protected_w: int,
    ) -> None:
        """Prepare to plan.

        Args:
            equipment: for every element of the table.
            protected_w: watts of the loads on the deny list, which no plan touches.
        """
        self._table = table
        self._equipment = equipment
        self._ramp = ramp
        self._bounded = ramp.watts_per_minute is not None or ramp.watts_per_step is not None
        self._protected_w = protected_w
        # Highest priority first; within one priority the table's order keeps rows and racks together.
        self._ranked = sorted(table.elements, key=lambda each: -equipment[each.id].priority)
        least_watts = min(each.rated_w - each.off_w for each in table.elements)
        self._least_cost = {
            Unit.COMPUTE: min(each.compute for each in table.elements),
            Unit.IT_WATTS: least_watts,
            Unit.SITE_WATTS: least_watts,
        }
        self._off_w = sum(each.off_w for each in table.elements)
        self._made_ladders: dict[tuple[Profile, int], dict[str, tuple[Stage, ...]]] = {}
        self._parts: dict[str, list[Element]] = {}
        for element in self._ranked:
            for part in element.parts:
                self._parts.setdefault(part, []).append(element)

    def plan(
        self,
        order: Order,
        *,
        standby: frozenset[str] | None = None,
        known_off: frozenset[str] = frozenset(),
    ) -> Plan:
        """Return the plan for ``order``.

        Args:
            standby: elements that may stay on during a standby; None outside one.
            known_off: elements that are off already; they are the last to be given a place, since
                nothing here starts anything.
        """
        budgets, floor_reached, unknown = self._budgets(order.caps)
        keep = self._keepers(budgets, known_off)
        if standby is not None:
            keep &= standby
        by_id = self._table.by_id
        cut, broken = self._slots(order, [each for each in reversed(self._ranked) if each.id not in keep])
        return Plan(
            order=order,
            keep=keep,
            cut=tuple(cut),
            target_w=self._off_w + sum(by_id[each].rated_w - by_id[each].off_w for each in keep),
            blocked=tuple(each.element for each in cut if not each.ladder),
            floor_reached=floor_reached,
            unknown_parts=unknown,
            ramp_broken=broken,
            ramp=self._ramp if self._bounded and not order.ramp_override else None,
        )

    def _budgets(self, caps: Caps) -> tuple[dict[CapKey, int], bool, tuple[str, ...]]:
        """Return what may be spent on keeping elements on, by cap."""
        budgets: dict[CapKey, int] = {}
        floor_reached = False
        unknown = []
        for key, value in caps:
            members = self._parts.get(key.part)
            if members is None:
                unknown.append(key.part)
                continue
            if key.unit is Unit.COMPUTE:
                budgets[key] = value * self._table.rated[key.part] // FULL_PPM
                continue
            rest = sum(each.off_w for each in members)
            if key.unit is Unit.SITE_WATTS:
                rest += self._protected_w
            floor_reached |= rest > value
            budgets[key] = value - rest
        return budgets, floor_reached, tuple(unknown)

    def _keepers(self, budgets: dict[CapKey, int], known_off: frozenset[str]) -> frozenset[str]:
        if not budgets:
            return frozenset(self._table.by_id)
        ranked: Iterable[Element] = self._ranked
        if known_off:
            ranked = sorted(self._ranked, key=lambda each: each.id in known_off)
        left = dict(budgets)
        everywhere = all(key.part == SITE_PART for key in left)
        keep = []
        for element in ranked:
            costs = [
                (key, element.compute if key.unit is Unit.COMPUTE else element.rated_w - element.off_w)
                for key in left
                if key.part == SITE_PART or key.part in element.parts
            ]
            if all(left[key] >= cost for key, cost in costs):
                keep.append(element.id)
                for key, cost in costs:
                    left[key] -= cost
            elif everywhere and any(left[key] < self._least_cost[key.unit] for key in left):
                break  # not even the smallest element fits any more
        return frozenset(keep)

    def _slots(self, order: Order, cut: list[Element]) -> tuple[list[Cut], tuple[str, ...]]:
        """Give every element the earliest moment that keeps each step and each minute within the ramp."""
        ladders = self._ladders(order)
        minute, step = self._ramp.watts_per_minute, self._ramp.watts_per_step
        if order.ramp_override or not self._bounded:
            names = [each.id for each in cut]
            return list(
                map(Cut._make, zip(names, repeat(0.0), map(ladders.__getitem__, names), repeat(0)))
            ), ()
        result = []
        broken = []
        recent: deque[tuple[float, int]] = deque()
        now = 0.0
        in_minute = in_step = 0
        for element in cut:
            drop = element.rated_w - element.off_w
            if any(bound is not None and drop > bound for bound in (step, minute)):
                broken.append(element.id)
            if step is not None and in_step and in_step + drop > step:
                now, in_step = now + self._ramp.step_s, 0
            while recent and recent[0][0] <= now - WINDOW_S:
                in_minute -= recent.popleft()[1]
            while minute is not None and recent and in_minute + drop > minute:
                past, watts = recent.popleft()
                in_minute -= watts
                if past + WINDOW_S > now:
                    now, in_step = past + WINDOW_S, 0
            recent.append((now, drop))
            in_minute += drop
            in_step += drop
            result.append(Cut(element.id, now, ladders[element.id], drop))
        return result, tuple(broken)

    def _ladders(self, order: Order) -> dict[str, tuple[Stage, ...]]:
        """Return each element's ladder; worked out once for each profile and category."""
        key = (order.profile, order.category)
        if key not in self._made_ladders:
            full = LADDERS[key]
            made = {
                (bmc, outlets): tuple(each for each in full if (outlets if each is Stage.OUTLET_OFF else bmc))
                for bmc in (False, True)
                for outlets in (False, True)
            }
            self._made_ladders[key] = {
                name: made[each.has_bmc, each.outlets > 0] for name, each in self._equipment.items()
            }
        return self._made_ladders[key]
