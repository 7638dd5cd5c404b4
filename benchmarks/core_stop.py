"""The pure core under virtual time: a 10,000-node stop planned and conducted, in CPU seconds."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Iterator
from statistics import median

from figures import Figure
from grandpause.core.conductor import next_wake, step
from grandpause.core.elements import Element, ElementTable
from grandpause.core.model import CapKey, Caps, Power, Profile, Reply, Stage, Unit
from grandpause.core.plan import Equipment, Order, Plan, Planner
from grandpause.core.ramp import RampRule
from grandpause.core.stop import Answered, Begin, Claimed, Command, Event, Question, Stop, Tick, Timing

NODES = 10_000
RUNS = 5
REPLY_S = 0.1


def planner() -> Planner:
    elements = tuple(
        Element(
            id=f"r{row:03}n{place:02}",
            hall="hall-1",
            tenant="",
            rated_w=10_200,
            idle_w=1_700,
            off_w=65,
            compute=7_915,
        )
        for row in range(NODES // 16)
        for place in range(16)
    )
    return Planner(
        ElementTable(elements, ()),
        {each.id: Equipment(outlets=2) for each in elements},
        ramp=RampRule(watts_per_minute=60_000_000, watts_per_step=5_000_000),
        protected_w=0,
    )


def order() -> Order:
    return Order(
        caps=Caps({CapKey("site", Unit.COMPUTE): 50_000}),
        statements=("00" * 32,),
        profile=Profile.COOPERATIVE,
        category=1,
        complete_by=None,
        ramp_override=False,
    )


def conduct(plan: Plan, seed: int) -> int:
    """Run a stop in which 10 % of the BMCs hang; return the events that it took.

    Raises:
        RuntimeError: the stop did not end, so nothing was measured.
    """
    chance = random.Random(seed)
    hung = {cut.element for cut in plan.cut if chance.random() < 0.1}
    told: dict[str, float] = {}
    stop = Stop(Timing(rung_s={Stage.SOFT_OFF: 30, Stage.FORCE_OFF: 20, Stage.OUTLET_OFF: 10}))
    agenda: list[tuple[float, int, Event]] = [(0.0, 0, Begin(plan, {}))]
    events = made = 0
    while stop.plan is None or stop.pending:
        wake = next_wake(stop)
        if agenda and (wake is None or agenda[0][0] <= wake):
            now, _, event = heapq.heappop(agenda)
        elif wake is not None:
            now, event = wake, Tick()
        else:
            raise RuntimeError("the stop waits for nothing")
        events += 1
        for effect in step(stop, event, now):
            made += 1
            if isinstance(effect, Command):
                element = effect.key.element
                lost = element in hung and effect.key.stage is not Stage.OUTLET_OFF
                told.setdefault(element, now)
                reply = Reply.TIMED_OUT if lost else Reply.ACCEPTED
                at = now + (effect.within_s if lost else REPLY_S)
                heapq.heappush(agenda, (at, made, Answered(effect.key, reply)))
            elif isinstance(effect, Question):
                off = effect.outlet or now - told[effect.element] > 5
                power = Power.OFF if off else Power.ON
                heapq.heappush(agenda, (now + REPLY_S, made, Claimed(effect.element, power)))
    return events


def run() -> Iterator[Figure]:
    made = planner()
    planned, conducted, events = [], [], 0
    for seed in range(RUNS):
        begun = time.process_time()
        plan = made.plan(order())
        planned.append(time.process_time() - begun)
        begun = time.process_time()
        events = conduct(plan, seed)
        conducted.append(time.process_time() - begun)
    yield Figure(
        bench="core_stop.plan",
        value=round(median(planned), 4),
        unit="s",
        bound=0.5,
        note=f"{NODES} nodes, CPU",
    )
    seconds = median(conducted)
    yield Figure(
        bench="core_stop.conduct",
        value=round(seconds, 3),
        unit="s",
        bound=2.0,
        note=f"{NODES} nodes, 10 % of the BMCs hang, CPU; {events} events, {events / seconds:,.0f} a second",
    )
