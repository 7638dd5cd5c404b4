"""The hunt for planted bugs: patches apply, the copy's code is what runs, and a bug is found or it is not."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interop.vectors import ROOT

PLANTED = ROOT / "tests" / "planted"
HUNT = ROOT / "tools" / "planted.py"
QUICK = ("until-is-judged-by-latest", "a-restart-counts-twice")
"""Found by the reference model within seconds."""
VICTIM = "src/grandpause/sim/soak/bounds.py"
TEST = "tests/sim/soak/test_bounds.py"


def hunt(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HUNT, *map(str, arguments)], capture_output=True, text=True, timeout=110, check=False
    )


def planted_in(directory: Path, name: str, *, before: str, after: str, head: str) -> Path:
    """Write a patch that replaces some text of the victim."""
    text = (ROOT / VICTIM).read_text(encoding="utf-8")
    assert text.count(before) == 1
    diff = difflib.unified_diff(
        text.splitlines(keepends=True),
        text.replace(before, after).splitlines(keepends=True),
        f"a/{VICTIM}",
        f"b/{VICTIM}",
    )
    path = directory / f"{name}.patch"
    path.write_text(head + "".join(diff), encoding="utf-8")
    return path


def bugs_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    value = json.loads(done.stdout)
    assert value["schema"] == "grandpause.planted/1"
    bugs: list[dict[str, Any]] = value["bugs"]
    return bugs


def test_every_planted_bug_still_applies() -> None:
    if not any(PLANTED.glob("*.patch")):
        pytest.skip("no bug is planted yet")
    done = hunt("--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found_by_the_reference_model_alone(name: str) -> None:
    if not (PLANTED / f"{name}.patch").is_file():
        pytest.skip(f"{name} is not planted yet")
    done = hunt("--only", name, "--detectors", "model", "--workers", 1, "--json")
    [bug] = bugs_of(done)
    assert (done.returncode, bug["found_by"]) == (0, "model"), bug


def test_a_bug_is_found_by_the_test_that_its_patch_names_and_what_is_no_bug_is_not(tmp_path: Path) -> None:
    head = f"# It promises too much.\n# Tests: {TEST}\n"
    planted_in(tmp_path, "bug", before="3 / demands)", after="2 / demands)", head=head)
    planted_in(tmp_path, "none", before="_HALVINGS: Final = 200", after="_HALVINGS: Final = 201", head=head)
    done = hunt("--patches", tmp_path, "--detectors", "tests", "--workers", 1, "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["unpatched"]["passed"] is True
    bug, none = bugs_of(done)
    assert (bug["name"], bug["what"], bug["found_by"]) == ("bug", "It promises too much.", "tests")
    assert bug["said"].startswith(f"{TEST}::test_without_a_failure_it_is_three_by_the_demands")
    assert (none["name"], none["found_by"], none["could_not_run"]) == ("none", None, [])


def test_code_that_cannot_even_be_imported_is_not_taken_for_a_bug_that_was_found(tmp_path: Path) -> None:
    head = f"It is no Python.\nTests: {TEST}\n"
    planted_in(tmp_path, "broken", before="_HALVINGS: Final = 200", after="_HALVINGS: Final = (", head=head)
    done = hunt("--patches", tmp_path, "--only", "broken", "--detectors", "tests", "--workers", 1, "--json")
    [bug] = bugs_of(done)
    assert (done.returncode, bug["found_by"]) == (1, None)
    assert bug["could_not_run"][0].startswith("tests: exit code ")


def test_a_patch_that_does_not_fit_to_the_letter_is_refused(tmp_path: Path) -> None:
    path = planted_in(tmp_path, "old", before="3 / demands)", after="2 / demands)", head="It is old.\n")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("if failures == 0:", "if failures == 1:"), encoding="utf-8")
    done = hunt("--patches", tmp_path, "--check")
    assert done.returncode == 2
    assert "old.patch: does not apply" in done.stderr


@pytest.mark.parametrize(
    ("head", "why"),
    [("", "says in no word"), ("What.\nExpect: luck\n", "expects 'luck'"), (None, "holds no diff")],
)
def test_a_patch_that_says_nothing_is_refused(tmp_path: Path, head: str | None, why: str) -> None:
    planted_in(tmp_path, "mute", before="3 / demands)", after="2 / demands)", head=head or "")
    if head is None:
        (tmp_path / "mute.patch").write_text("Only words.\n", encoding="utf-8")
    done = hunt("--patches", tmp_path, "--check")
    assert done.returncode == 2
    assert why in done.stderr


def test_a_bug_that_is_not_there_cannot_be_hunted(tmp_path: Path) -> None:
    assert hunt("--patches", tmp_path, "--check").returncode == 2
    assert hunt("--patches", tmp_path, "--only", "ghost").returncode == 2
