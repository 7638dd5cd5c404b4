"""The same seed gives the same world, event by event: here, on another machine, tomorrow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from grandpause.sim.soak.outcome import attempt
from grandpause.sim.soak.twice import compare, digest
from grandpause.sim.world.settings import Settings
from grandpause.sim.world.world import run_world

FILE = Path(__file__).with_name("traces.json")
TWICE_WORLDS = 8
"""The share of every run; `make soak ARGS="--twice --worlds 1000"` is the whole."""


def committed() -> list[tuple[int, str]]:
    value = json.loads(FILE.read_text(encoding="utf-8"))
    assert value["schema"] == "grandpause.traces/1"
    return [(each["seed"], each["trace"]) for each in value["traces"]]


@pytest.mark.parametrize(("seed", "trace"), committed(), ids=lambda each: str(each)[:8])
def test_a_committed_seed_replays_to_its_committed_trace(seed: int, trace: str) -> None:
    report = run_world(Settings.draw(seed))
    assert report.violations == ()
    assert report.trace == trace, "if worlds are meant to differ now: python tools/make_traces.py"


def test_three_seeds_are_committed() -> None:
    assert len({seed for seed, _ in committed()}) == len({trace for _, trace in committed()}) == 3


def test_each_seed_twice_in_processes_that_hash_text_differently_is_the_same_world() -> None:
    compared = compare(run_world, range(1, TWICE_WORLDS + 1), processes=2)
    assert (compared.worlds, compared.different) == (TWICE_WORLDS, ())


def test_the_words_of_a_world_are_not_part_of_it() -> None:
    settings = replace(Settings.draw(1), elements=8, days=2.0)
    silent, told = attempt(run_world, settings), attempt(run_world, settings, words=True)
    assert digest(silent) == digest(told)
    assert silent.report is not None
    assert told.report is not None
    assert silent.report.words == ()
    assert 0 < len(told.report.words) <= 50


def test_another_seed_and_another_size_are_another_world() -> None:
    one = replace(Settings.draw(1), elements=8, days=2.0, sites=1)
    others = [replace(Settings.draw(2), elements=8, days=2.0, sites=1), replace(one, elements=9)]
    traces = {run_world(each).trace for each in (one, *others)}
    assert len(traces) == 3
