"""A plan for people and scripts: who stays on, by which stages and when the rest goes, what it costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grandpause.core.equivalents import equivalents
from grandpause.core.model import Stage
from grandpause.core.rendering import amount, watts
from grandpause.site.patterns import fold

if TYPE_CHECKING:
    from rich.console import Console

    from grandpause.core.plan import Plan
    from grandpause.core.statement.acts import Limit
    from grandpause.site.sitefile import SiteFile


def plan_value(site: SiteFile, limit: Limit, plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON; times are seconds after its beginning."""
    hours = (limit.until - limit.start) / 3_600
    per_node = site.gpus / len(site.table.elements)
    saved = site.it_watts - plan.target_w
    rungs = site.timing.rung_s
    ladders = {each.element: each.ladder for each in plan.cut}
    longest = max(
        (each.slot_s + sum(rungs[stage] for stage in each.ladder) for each in plan.cut), default=0.0
    )
    return {
        "schema": "grandpause.plan/1",
        "site": site.identity.site,
        "ceiling": amount(limit.ceiling, limit.unit),
        "profile": str(plan.order.profile),
        "category": plan.order.category,
        "keep": sorted(plan.keep),
        "cut": [
            {"node": each.element, "from_s": each.slot_s, "stages": [str(stage) for stage in each.ladder]}
            for each in plan.cut
        ],
        "stages": [
            {
                "stage": str(stage),
                "nodes": sum(stage in ladder for ladder in ladders.values()),
                "at_most_s": rungs[stage],
            }
            for stage in (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF)
        ],
        "watts": {"rated": site.it_watts, "target": plan.target_w, "protected": site.protected_watts},
        "last_slot_s": plan.last_slot_s,
        "latest_end_s": longest,
        "deadline_s": limit.complete_by - limit.start,
        "in_time": longest <= limit.complete_by - limit.start,
        "blocked": list(plan.blocked),
        "floor_reached": plan.floor_reached,
        "unknown_parts": list(plan.unknown_parts),
        "ramp_broken": list(plan.ramp_broken),
        "equivalents": asdict(equivalents(watts=saved, hours=hours, gpus=round(per_node * len(plan.cut)))),
    }


def print_plan(out: Console, value: dict[str, Any]) -> None:
    """Print the plan for people."""
    cut = [each["node"] for each in value["cut"]]
    manner = f"{value['profile']}, category {value['category']}"
    out.print(f"site {value['site']}: {value['ceiling']} ({manner})")
    out.print(
        f"stay on      {len(value['keep'])}: {fold(value['keep']) if value['keep'] else 'none'}",
        soft_wrap=True,
    )
    out.print(f"go off       {len(cut)}: {fold(cut) if cut else 'none'}", soft_wrap=True)
    for stage in value["stages"]:
        limit = f"at most {stage['at_most_s']:g} s, then the next stage"
        out.print(f"{stage['stage']:12} {stage['nodes']} nodes, {limit}")
    figures = value["watts"]
    out.print(f"IT power     {watts(figures['rated'])} rated, at most {watts(figures['target'])} afterwards")
    if figures["protected"]:
        out.print(f"protected    {watts(figures['protected'])}, never touched")
    out.print(
        f"time         last command after {value['last_slot_s']:g} s, latest end {value['latest_end_s']:g} s,"
        f" wanted within {value['deadline_s']} s{'' if value['in_time'] else ' [red](may be late)[/]'}"
    )
    each = value["equivalents"]
    out.print(
        f"cost         about {each['revenue_usd']:,} $ of revenue and {each['gpu_hours']:,} GPU-hours"
        f" over {each['hours']:g} h (RAND 2026)",
        soft_wrap=True,
    )
    out.print(
        f"homes        {each['homes_by_energy']:,} by energy (EIA 2020),"
        f" {each['homes_by_capacity']:,} by capacity (1.2 kW each)",
        soft_wrap=True,
    )
    for name, text in (
        ("blocked", "nothing can be sent to"),
        ("unknown_parts", "this site has no"),
        ("ramp_broken", "a single drop above what the ramp allows in a step or minute"),
    ):
        if value[name]:
            out.print(f"[red]blocker[/]      {text}: {', '.join(value[name][:20])}", soft_wrap=True)
    if value["floor_reached"]:
        out.print("[red]floor[/]        the ceiling lies below what remains with every node off")
