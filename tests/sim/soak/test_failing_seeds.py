"""Every seed that ever failed stays here, and must not fail again.

``failing_seeds.json`` lists them: ``seed``; ``settings`` as a soak's JSON gives them (their seed may be
another one), or null for those that the seed draws; ``found``, the day; ``was``, what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grandpause.sim.soak.outcome import Run, attempt
from grandpause.sim.soak.telling import command_for, faults_named
from grandpause.sim.world.settings import Settings
from grandpause.sim.world.world import run_world
from sim.soak import double

FILE = Path(__file__).with_name("failing_seeds.json")


def entries() -> list[dict[str, Any]]:
    found = json.loads(FILE.read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


def settings_of(entry: dict[str, Any]) -> Settings:
    """Return the settings that failed, checked key by key: a misspelt one would test another world."""
    assert set(entry) == {"seed", "settings", "found", "was"}, entry
    assert date.fromisoformat(entry["found"])
    assert entry["was"]
    settings = entry["settings"]
    if settings is None:
        return Settings.draw(entry["seed"])
    assert set(settings) == {"seed", "faults", "sites", "elements", "days"}, entry
    return Settings(
        seed=settings["seed"],
        faults=faults_named(settings["faults"]),
        sites=settings["sites"],
        elements=settings["elements"],
        days=settings["days"],
    )


def failing(run: Run, entries: Iterable[dict[str, Any]]) -> list[str]:
    """Return what still fails, in words."""
    outcomes = (attempt(run, settings_of(each)) for each in entries)
    return [
        f"{command_for(each.settings)}: {each.failure.invariant}, {each.failure.text}"
        for each in outcomes
        if each.failure is not None
    ]


def test_no_seed_that_ever_failed_fails_again() -> None:
    assert failing(run_world, entries()) == []


def test_no_seed_is_listed_twice() -> None:
    settings = [settings_of(each) for each in entries()]
    assert len(settings) == len(set(settings))


def test_a_seed_that_fails_again_would_be_found() -> None:
    drawn = {"seed": 1, "settings": None, "found": "2026-11-22", "was": "nothing"}
    smaller = {"seed": 1, "faults": ["loss", "hang"], "sites": 2, "elements": 8, "days": 4}
    assert failing(double.ill, [drawn | {"settings": smaller}]) == [
        "grandpause sim replay-seed 1 --fault hang --fault loss --elements 8 --days 4: never_above, 5 kW over"
    ]
    assert failing(double.quiet, [drawn]) == []


@pytest.mark.parametrize(
    "settings", [{"seed": 1, "faults": ["los"], "sites": 1, "elements": 1, "days": 1}, {"sites": 1}, {}]
)
def test_an_entry_that_would_run_another_world_is_refused(settings: dict[str, Any]) -> None:
    entry = {"seed": 1, "settings": settings, "found": "2026-11-22", "was": "nothing"}
    with pytest.raises((AssertionError, ValueError)):
        settings_of(entry)
