"""A soak as one JSON value. (spec/soak.md)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from grandpause.sim.soak.bounds import exact_bound_without_failure, upper_bound
from grandpause.sim.soak.outcome import Outcome
from grandpause.sim.soak.soaking import Soaked
from grandpause.sim.soak.telling import Told
from grandpause.sim.soak.twice import HASH_SEEDS, Compared
from grandpause.sim.world.report import Violation
from grandpause.sim.world.settings import Fault, Settings

SCHEMA: Final = "grandpause.soak/1"
TWICE_SCHEMA: Final = "grandpause.soak-twice/1"
WORLD_SCHEMA: Final = "grandpause.world/1"
LABEL: Final = "simulated software; no safety integrity level"
YEAR_S: Final = 365.25 * 86_400
_HOUR_S: Final = 3_600


def document(
    soaked: Soaked, *, told: Sequence[Told], processes: int, began: str, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document.

    Args:
        told: the failures that are described; ``violations`` counts all of them.
        processes: how many worlds ran at a time.
        began: date and time of the beginning, RFC 3339 UTC.
    """
    totals = soaked.totals
    years = totals.site_s / YEAR_S
    demands = totals.counts["demands"]
    return {
        "schema": SCHEMA,
        "site_years": round(years, 3),
        "events_per_second": _rate(totals.action_events, soaked.seconds),
        "seeds": totals.worlds,
        "violations": totals.failed,
        "demands": demands,
        "pfd_upper_95": upper_bound(totals.failed, demands),
        "spurious_per_1000_site_years": _spurious(totals.counts, years),
        "faults": {str(each): totals.faults[each] for each in Fault},
        "pfd_upper_95_exact": (
            upper_bound(totals.failed, demands) if totals.failed else exact_bound_without_failure(demands)
        ),
        "pfd_label": LABEL,
        "first_seed": totals.first_seed,
        "last_seed": totals.last_seed,
        "unfinished": list(soaked.unfinished),
        "stopped": soaked.stopped,
        "events": dict(sorted(totals.events.items())),
        "action_events": totals.action_events,
        "idle_sweeps": totals.idle_sweeps,
        "counts": dict(sorted(totals.counts.items())),
        "traces": {str(seed): trace for seed, trace in sorted(totals.traces.items())},
        "failures": [failure_value(each) for each in told],
        "began": began,
        "seconds": round(soaked.seconds, 3),
        "processes": processes,
        "cpu_seconds": round(totals.cpu_s, 3),
        "events_per_cpu_second": _rate(totals.action_events, totals.cpu_s),
        "site_years_per_cpu_hour": _rate(years * _HOUR_S, totals.cpu_s),
        **origin,
    }


def twice_value(compared: Compared, *, first_seed: int) -> dict[str, Any]:
    """Return the document of seeds that were run twice."""
    return {
        "schema": TWICE_SCHEMA,
        "worlds": compared.worlds,
        "first_seed": first_seed,
        "hash_seeds": list(HASH_SEEDS),
        "different": list(compared.different),
        "failed": list(compared.failed),
    }


def world_value(outcome: Outcome, *, words: int) -> dict[str, Any]:
    """Return the document of one world, with at most so many of its last events in words."""
    report, failure = outcome.report, outcome.failure
    value = {
        "schema": WORLD_SCHEMA,
        "seed": outcome.settings.seed,
        "settings": settings_value(outcome.settings),
        "violations": [violation_value(failure)] if failure is not None else [],
    }
    if report is not None:
        value |= {
            "trace": report.trace,
            "site_s": report.site_s,
            "events": dict(sorted(report.events.items())),
            "idle_sweeps": report.idle_sweeps,
            "counts": dict(sorted(report.counts.items())),
            "faults": {str(each): report.faults.get(each, 0) for each in Fault},
            "words": list(report.words[len(report.words) - min(words, len(report.words)) :]),
            "cpu_s": report.cpu_s,
        }
    return value


def failure_value(told: Told) -> dict[str, Any]:
    """Return one failure as it stands in a document."""
    return {
        "seed": told.failure.settings.seed,
        **violation_value(told.failure.violation),
        "replays": told.replays,
        "words": list(told.words),
        "settings": settings_value(told.smallest),
        "tried": told.tried,
        "command": told.command,
    }


def violation_value(violation: Violation) -> dict[str, Any]:
    """Return a violation as it stands in a document."""
    return {
        "invariant": violation.invariant,
        "event": violation.event,
        "site": violation.site,
        "at_s": violation.at_s,
        "text": violation.text,
    }


def settings_value(settings: Settings) -> dict[str, Any]:
    """Return settings as they stand in a document."""
    return {
        "seed": settings.seed,
        "faults": sorted(str(each) for each in settings.faults),
        "sites": settings.sites,
        "elements": settings.elements,
        "days": settings.days,
    }


def _spurious(counts: Mapping[str, int], years: float) -> float | None:
    """Return how many in 1,000 site-years; None where no world counted them: that is not 0."""
    return round(1_000 * counts["spurious"] / years, 3) if "spurious" in counts and years else None


def _rate(amount: float, seconds: float) -> float | None:
    return round(amount / seconds, 1) if seconds else None
