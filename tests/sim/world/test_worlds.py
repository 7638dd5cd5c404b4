"""Whole worlds: the same seed gives the same one, every class of trouble strikes, and none does harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from typing import Any, Final

import pytest

from grandpause.sim.world.settings import DAY_S, Fault, Settings
from grandpause.sim.world.world import run_world
from sim.world.small import settings

SEEDS: Final = (3, 11, 29)
ELSEWHERE: Final = """
import json, sys
from grandpause.sim.world.settings import Fault, Settings
from grandpause.sim.world.world import run_world
for seed in json.loads(sys.argv[1]):
    drawn = Settings.draw(seed)
    report = run_world(
        Settings(seed=seed, faults=drawn.faults, sites=drawn.sites, elements=8, days=2.0)
    )
    print(report.trace, json.dumps([report.events, report.counts, report.faults]))
"""


def small(seed: int, **changes: object) -> Settings:
    """Return a short world of a seed's own faults."""
    fields: dict[str, Any] = {"elements": 8, "days": 2.0} | changes
    return replace(Settings.draw(seed), **fields)


def in_another_process(hash_seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps(SEEDS)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_same_settings_give_the_same_world_event_by_event() -> None:
    for seed in SEEDS:
        one, other = (asdict(run_world(small(seed))) for _ in range(2))
        assert one.pop("cpu_s") > 0
        assert other.pop("cpu_s") > 0
        assert one == other


def test_the_same_settings_give_the_same_world_in_processes_that_hash_texts_differently() -> None:
    one, other = in_another_process("1"), in_another_process("2")
    assert one == other
    assert len(set(one)) == len(SEEDS)
    assert [each.split()[0] for each in one] == [run_world(small(each)).trace for each in SEEDS]


def test_another_seed_another_fault_or_another_size_is_another_world() -> None:
    base = small(SEEDS[0])
    worlds = [
        base,
        replace(base, seed=4),
        replace(base, faults=base.faults ^ {Fault.LOSS}),
        replace(base, sites=base.sites + 1),
        replace(base, elements=9),
        replace(base, days=3.0),
    ]
    assert len({run_world(each).trace for each in worlds}) == len(worlds)


def test_words_cost_time_and_change_nothing() -> None:
    busy = small(11, days=20.0)
    silent, told = run_world(busy), run_world(busy, words=True)
    assert silent.trace == told.trace
    assert silent.words == ()
    assert len(told.words) == 50
    assert told.words[-1].startswith("#")


def test_a_report_adds_up() -> None:
    report = run_world(small(29, sites=2))
    assert report.site_s == pytest.approx(2 * (2.0 * DAY_S + 5 * 3_600))
    assert report.events["faults"] == sum(report.faults.values())
    assert min(report.events.values()) >= 0
    assert report.counts["trips"] > 0
    assert report.violations == ()


# What a class needs to strike often enough: more days, more machines, or another class beside it.
NEEDS: Final[dict[Fault, dict[str, float]]] = {
    Fault.BIT_FLIP: {"days": 200.0},
    Fault.OLD_IMAGE: {"days": 200.0},
    Fault.REINSTALL: {"days": 200.0},
    Fault.PLUG: {"days": 100.0},
    Fault.LOST_KEY: {"days": 100.0},
    Fault.CLOCK_ERROR: {"days": 5.0},
    Fault.CLOCK_DRIFT: {"days": 5.0},
    Fault.METER_SWAPPED: {"days": 20.0, "elements": 32},
}


@pytest.mark.parametrize("fault", list(Fault))
def test_each_class_strikes_where_it_is_on_alone_and_does_no_harm(fault: Fault) -> None:
    need = NEEDS.get(fault, {})
    elements, days = int(need.get("elements", 8)), need.get("days", 40.0)
    blows = Counter[str]()
    for seed in range(2, 8):
        report = run_world(settings(fault, seed=seed, sites=2, elements=elements, days=days))
        assert report.violations == (), seed
        assert report.counts["trips"] > 0
        blows.update(report.faults)
        if blows:
            break
    assert set(blows) == {fault.value}


def test_a_world_without_any_trouble_only_ever_does_what_people_signed() -> None:
    report = run_world(settings(sites=2, days=30.0, elements=8))
    assert report.violations == ()
    assert report.faults == {}
    assert report.counts["restarts"] > 3
    assert report.counts["lifts"] > 0
    assert report.counts["charters"] > 0
    assert "excused-losses-of-state" not in report.counts
