"""docs/reliability.md says what the committed runs say; nothing is made up where there are none."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from grandpause.sim.soak.document import document
from grandpause.sim.soak.origin import origin
from grandpause.sim.soak.outcome import attempt
from grandpause.sim.soak.soaking import Plan, Soaked
from grandpause.sim.soak.totals import Totals
from grandpause.sim.world.settings import Fault, Settings
from interop.vectors import ROOT
from sim.soak import double


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's maker, told to read another directory."""
    spec = importlib.util.spec_from_file_location("reliability", ROOT / "tools" / "reliability.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SOAK", tmp_path)
    return module


def write(directory: Path, name: str, value: object) -> None:
    (directory / name).write_text(json.dumps(value), encoding="utf-8")


def a_run() -> dict[str, Any]:
    totals = Totals(first_seed=1)
    for seed in range(1, Plan(first_seed=1, seconds=None, worlds=4).worlds or 0):
        totals.add(attempt(double.quiet, Settings.draw(seed)))
    soaked = Soaked(totals=totals, seconds=2.0, unfinished=(), stopped=False)
    return document(soaked, told=[], processes=2, began="2026-11-22T10:00:00Z", origin=origin())


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    [text] = [each for each in section if each.startswith(heading)]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_where_nothing_was_run_the_page_says_so(maker: ModuleType) -> None:
    page = maker.reliability_page()
    assert page.count("No run is committed yet.") == 3
    assert "Nothing is written down yet." in page
    assert "safety integrity level" in page
    assert "What this does not show" in page


def test_the_page_gives_the_figures_of_the_run(maker: ModuleType, tmp_path: Path) -> None:
    run = a_run()
    write(tmp_path, "run.json", run)
    page = maker.reliability_page()
    [row] = rows(page, "What was run")
    assert row[2] == "1 to 3"
    assert row[-1] == "0"
    assert f"{run['action_events']:,}" in row
    assert len(rows(page, "How often each class")) == len(Fault)
    assert ["`loss`", f"{run['faults']['loss']:,}"] in rows(page, "How often each class")
    assert f"3 / {run['demands']} (exactly" in page
    assert "simulated software; no safety integrity level" in page


def test_a_trace_that_differs_from_the_run_is_said_to(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run()
    write(tmp_path, "run.json", run)
    traces = [{"seed": 1, "trace": run["traces"]["1"]}, {"seed": 2, "trace": "f" * 64}]
    write(tmp_path, "now.traces", {"traces": [*traces, {"seed": 99, "trace": "e" * 64}]})
    monkeypatch.setattr(maker, "TRACES", tmp_path / "now.traces")
    told = [row[2] for row in rows(maker.reliability_page(), "Seeds that replay")]
    assert told[0].startswith("the same as in the run of")
    assert told[1].startswith("another than in the run of")
    assert told[2].startswith("not among the traces")


def test_violations_found_bugs_images_and_planted_bugs_are_shown(maker: ModuleType, tmp_path: Path) -> None:
    run = a_run() | {"violations": 1}
    failure = {"seed": 2, "invariant": "never_above", "text": "5 kW | over", "command": "grandpause x"}
    write(tmp_path, "run.json", run | {"failures": [failure]})
    found = {"what": "a hole", "invariant": "never_above", "seed": 2, "mend": "closed it"}
    write(tmp_path, "found.json", [found])
    point = {"path": "receive", "file": "store.sqlite-wal", "after": "commit", "count": 12}
    images = {"schema": "grandpause.crash-images/1", "images": 1_234, "lost": 0, "raised": 0}
    write(tmp_path, "crash-images.json", images | {"sync_points": [point]})
    bugs = [
        {"name": "one", "what": "w", "found_by": "model", "seconds": 3.2},
        {"name": "two", "what": "w", "found_by": "tests", "seconds": 30},
        {"name": "three", "what": "w", "found_by": None, "seconds": 600},
    ]
    planted = {"schema": "grandpause.planted/1", "unpatched": {"passed": False}, "bugs": bugs}
    write(tmp_path, "planted.json", planted)
    page = maker.reliability_page()
    assert "* seed 2: never_above: 5 kW | over: `grandpause x`" in page
    assert "every one of 1 violations taken for a failure" in page
    assert rows(page, "What was found and mended") == [["a hole", "never_above", "2", "closed it"]]
    assert rows(page, "Crash images") == [["receive", "`store.sqlite-wal`", "commit", "12"]]
    assert "1,234 images" in page
    assert "2 of 3 were found, 1 of them by the reference model or the soak" in page
    assert "did NOT pass" in page
    assert [row[2] for row in rows(page, "Planted bugs")] == ["model", "tests", "**nothing**"]
