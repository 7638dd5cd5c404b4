"""``sim soak`` and ``sim replay-seed`` as commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grandpause.cli.app import run
from grandpause.cli.soak_view import show_soak
from grandpause.sim.soak.document import document
from grandpause.sim.soak.origin import commit, origin
from grandpause.sim.soak.soaking import Plan, soak
from grandpause.sim.soak.telling import tell
from grandpause.sim.soak.workers import Workers
from sim.soak import double

SMALL = ["--sites", "1", "--elements", "4", "--days", "0.5"]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Run a command with --json; return its exit code and what it printed."""
    code = run([*arguments, "--json"])
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return code, value


def test_a_soak_prints_what_was_run_and_exits_by_what_was_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "soak.json"
    code, value = told(
        ["sim", "soak", "--worlds", "4", "--seed", "3", "--shrink-seconds", "0", "--output", str(out)], capsys
    )
    assert code == (1 if value["violations"] else 0)
    assert value == json.loads(out.read_text(encoding="utf-8"))
    assert (value["schema"], value["seeds"]) == ("grandpause.soak/1", 4)
    assert (value["first_seed"], value["last_seed"]) == (3, 6)
    assert set(origin()) <= set(value)
    assert value["action_events"] == sum(value["events"].values()) > 0
    assert value["events_per_second"] == pytest.approx(value["action_events"] / value["seconds"], rel=0.01)


def test_a_replayed_seed_is_the_same_world_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["sim", "replay-seed", "5", *SMALL, "--words", "7"]
    (code, first), (_, second) = told(line, capsys), told(line, capsys)
    assert code == (1 if first["violations"] else 0)
    assert first.pop("cpu_s") >= 0
    assert second.pop("cpu_s") >= 0
    assert first == second
    assert (first["schema"], first["seed"]) == ("grandpause.world/1", 5)
    assert len(first["words"]) <= 7
    assert first["settings"]["elements"] == 4


def test_faults_can_be_chosen_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def faults(*arguments: str) -> list[str]:
        _, value = told(["sim", "replay-seed", "5", *SMALL, *arguments], capsys)
        found: list[str] = value["settings"]["faults"]
        struck = {name for name, count in value["faults"].items() if count}
        assert struck <= set(found)
        return found

    drawn = faults()
    assert len(drawn) > 2
    assert faults("--fault", "loss", "--fault", "hang") == ["hang", "loss"]
    assert faults("--fault", "none") == []
    assert faults("--no-fault", drawn[0]) == drawn[1:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["soak", "--seconds", "0"],
        ["soak", "--worlds", "0"],
        ["soak", "--seed", "-1"],
        ["soak", "--processes", "0"],
        ["soak", "--shrink-seconds", "-1"],
        ["soak", "--twice"],
        ["soak", "--twice", "--worlds", "3", "--seconds", "3"],
        ["soak", "--scheduler", "tcp://127.0.0.1:9", "--processes", "2"],
        ["replay-seed"],
        ["replay-seed", "x"],
        ["replay-seed", "-1"],
        ["replay-seed", "1", "--fault", "lightning"],
        ["replay-seed", "1", "--days", "0"],
        ["replay-seed", "1", "--words", "-1"],
        ["replay-seed", "1", "--elements", "0"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", *arguments]) == 2
    assert capsys.readouterr().err.startswith("grandpause: ")


def test_twice_says_of_each_seed_that_it_gave_the_same_world(capsys: pytest.CaptureFixture[str]) -> None:
    code, value = told(["sim", "soak", "--twice", "--worlds", "2"], capsys)
    assert value["schema"] == "grandpause.soak-twice/1"
    assert (value["worlds"], value["different"]) == (2, [])
    assert code == (1 if value["failed"] else 0)


def test_ctrl_c_ends_every_process_and_prints_what_was_done() -> None:
    soaking = subprocess.Popen(
        [sys.executable, "-m", "grandpause", "sim", "soak", "--seconds", "600", "--processes", "2", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    children = Path(f"/proc/{soaking.pid}/task/{soaking.pid}/children")
    until_s = time.monotonic() + 60
    while len(children.read_text().split()) < 3 and time.monotonic() < until_s:
        time.sleep(0.05)
    pids = [int(each) for each in children.read_text().split()]
    assert len(pids) >= 3, "two workers, and multiprocessing's tracker"
    time.sleep(2)  # into the midst of their worlds
    os.killpg(soaking.pid, signal.SIGINT)
    out, err = soaking.communicate(timeout=30)
    value = json.loads(out)
    assert soaking.returncode == (1 if value["violations"] else 130)
    assert value["stopped"] is True
    assert "SIGINT: stopping" in err
    assert "Traceback" not in err
    until_s = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_failure_is_told_whole_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    with Workers(double.ill, processes=1) as workers:
        soaked = soak(workers, Plan(first_seed=1, seconds=None, worlds=60, fail_fast=True))
        failures = tell(soaked.totals.failures, workers, shrink_s=60, stopping=lambda: False)
    value = document(soaked, told=failures, processes=1, began="", origin=origin())
    show_soak(value)
    text = capsys.readouterr().out
    seed = soaked.totals.failures[0].settings.seed
    assert f"VIOLATED never_above: seed {seed}, event 1,234, site north, day 3.400, commit {commit()}" in text
    assert "its last 50 events" in text
    assert "event 49" in text
    assert f"grandpause sim replay-seed {seed} --fault hang --fault loss" in text
    assert "1 VIOLATIONS" in text
    assert "simulated software; no safety integrity level" in text
