"""The program as a process: exit codes, help, completion, and a plan that reaches for nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import Say
from grandpause.cli.app import make_app, run
from grandpause.sim.folder import SiteFolder
from stories.rig import PROGRAM, comes_true, limit, post, program, running, sealed, served, unserved

VERBS = [
    ["demo"], ["doctor"], ["verify"], ["init"], ["key"], ["key", "new"], ["pause"], ["curtail"], ["resume"],
    ["restart"], ["show"], ["sign"], ["sim"], ["sim", "soak"], ["sim", "replay-seed"], ["sim", "serve"],
    ["sim", "replay"], ["site"],
    ["site", "check"], ["site", "plan"], ["site", "declare"], ["site", "arm"], ["site", "disarm"],
    ["site", "run"], ["site", "status"],
]  # fmt: skip
WATCH = """
import sys
def hear(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        sys.stderr.write(f"REACHED {event}\\n"); sys.stderr.flush(); raise SystemExit(99)
sys.addaudithook(hear)
from grandpause.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def ended(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    """The folder of a site of four nodes whose addresses nobody serves."""
    return unserved(tmp_path / "site")


@pytest.fixture
def limit_file(folder: SiteFolder) -> Path:
    path = folder.path / "limit.json"
    path.write_bytes(sealed(folder, limit(folder, 250_000), "ada"))
    return path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: grandpause {' '.join(verb)}")
    assert len(text.splitlines()) > 5


def test_the_list_of_verbs_above_is_whole() -> None:
    app = make_app()
    top = {name for name in app if not name.startswith("-")}
    assert top == {verb[0] for verb in VERBS}
    for group in ("key", "sim", "site"):
        inner = {name for name in app[group] if not name.startswith("-")}
        assert inner == {verb[1] for verb in VERBS if verb[0] == group and len(verb) > 1}


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["show"], ["show", "x", "--colour", "red"], ["verify", "x"], ["doctor", "--jsno"]],
)
def test_what_the_program_does_not_know_is_bad_input(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith("grandpause: ")


def test_an_error_is_one_line_for_people_and_a_value_for_scripts(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    plain = ended("show", missing)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert plain.stderr == f"grandpause: {missing}: cannot be read: No such file or directory\n"
    told = ended("show", missing, "--json")
    assert told.returncode == 2
    assert json.loads(told.stdout) == {
        "schema": "grandpause.error/1", "code": "usage", "where": str(missing), "hint": "", "exit_code": 2,
        "message": "cannot be read: No such file or directory",
    }  # fmt: skip


def test_completion_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "completion.bash"
    done = ended("--install-completion", "--shell", "bash", "--output", out, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "curtail" in out.read_text()
    assert subprocess.run(["bash", "-n", str(out)], check=False).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["completion.bash"]


def test_the_version_is_printed() -> None:
    done = ended("--version")
    assert (done.returncode, done.stdout.strip()) == (0, "0.1.0")


def test_doctor_looks_at_this_machine(tmp_path: Path, say: Say) -> None:
    found = say("doctor", "--directory", tmp_path)
    assert found["schema"] == "grandpause.doctor/1"
    assert {"python", "tls", "sqlite", "disk", "sync", "clock", "open files"} <= {
        each["subject"] for each in found["findings"]
    }
    assert say("doctor", "--directory", tmp_path / "none", code=1)["findings"]


def test_a_plan_reaches_for_nothing(folder: SiteFolder, limit_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, "site", "plan", folder.site_file, "--limit", limit_file, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["schema"] == "grandpause.plan/1"
    assert plan["keep"] == ["r01n01"]
    assert [each["stages"] for each in plan["cut"]] == [["soft off", "force off", "outlet off"]] * 3
    assert {each["node"] for each in plan["cut"]} == {"r01n02", "r01n03", "r01n04"}
    assert plan["watts"]["target"] < plan["watts"]["rated"]
    assert plan["blocked"] == []
    assert plan["equivalents"]["homes_by_energy"] > 0
    assert not (folder.path / "state").exists()


def test_the_watch_over_a_plan_would_hear_a_socket(folder: SiteFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, "site", "check", folder.site_file], capture_output=True, check=False
    )
    assert done.returncode == 99


def test_a_plan_for_people_names_who_stays_and_what_it_costs(
    folder: SiteFolder, limit_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["site", "plan", str(folder.site_file), "--limit", str(limit_file)]) == 0
    text = capsys.readouterr().out
    for word in (
        "stay on      1: r01n01",
        "go off       3: r01n[02-04]",
        "GPU-hours",
        "homes",
        "never touched",
    ):
        assert word in text


def test_a_plan_of_what_is_no_limit_or_not_for_us_is_refused(folder: SiteFolder, say: Say) -> None:
    site = folder.site_file
    assert say("site", "plan", site, "--limit", folder.charter, code=2)["code"] == "usage"
    assert say("site", "plan", site, "--limit", folder.path / "none", code=2)["code"] == "usage"
    say(
        "pause",
        "--charter",
        folder.charter,
        "--site",
        "elsewhere",
        "--reason",
        "x",
        "--out",
        folder.path / "e.json",
    )
    assert "does not reach" in say("site", "plan", site, "--limit", folder.path / "e.json", code=3)["message"]


def test_a_bad_site_file_is_bad_input_for_every_verb(folder: SiteFolder, limit_file: Path, say: Say) -> None:
    folder.site_file.write_text(folder.site_file.read_text().replace("[site]", "[site]\ntypo = 1"))
    verbs = (
        ["check"],
        ["plan", "--limit", limit_file],
        ["arm"],
        ["disarm"],
        ["status"],
        ["declare", "--out", "x"],
    )
    for verb, *options in verbs:
        refused = say("site", verb, folder.site_file, *options, code=2)
        assert refused["where"] == f"{folder.site_file}: site: typo", verb
    assert not (folder.path / "state").exists()


def test_a_status_of_no_controller_is_bad_input_and_an_old_one_is_stale(folder: SiteFolder, say: Say) -> None:
    assert "no status" in say("site", "status", folder.site_file, code=2)["message"]


async def test_a_status_says_unarmed_then_not_proven_then_stale(folder: SiteFolder) -> None:
    from grandpause.site.sitefile import load_site_file

    async def status() -> tuple[int, dict[str, object]]:
        async with program("site", "status", str(folder.site_file), "--json") as process:
            out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.JSONDecoder().raw_decode(out.decode())[0]

    path = folder.path / "state" / "status.json"
    async with running(load_site_file(folder.site_file)) as controller:
        await controller.until(path.exists)
        code, said = await status()
        assert (code, said["schema"], said["observe_only"]) == (0, "grandpause.status/1", True)
        controller.daemon.engine.arm()
        post(folder, "limit.json", limit(folder, 0), "ada", "bo")
        await controller.until(lambda: controller.compute_ppm == 0)
        await controller.until(lambda: '"verdict": "not proven"' in path.read_text())
        code, said = await status()
        assert (code, said["verdict"], said["observe_only"]) == (1, "not proven", False)
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "at_s": int(time.time()) - 60}))
    code, _ = await status()
    assert code == 4


def test_a_damaged_store_is_our_own_fault(folder: SiteFolder, say: Say) -> None:
    state = folder.path / "state"
    state.mkdir()
    (state / "site.sqlite").write_bytes(b"this is no database" * 500)
    refused = say("site", "arm", folder.site_file, code=5)
    assert refused["code"] == "store"
    assert str(state / "site.sqlite") in refused["where"]


def test_a_declaration_is_drafted_and_signed_by_its_controller(folder: SiteFolder, say: Say) -> None:
    out = folder.path / "again.json"
    say("site", "declare", folder.site_file, "--number", "2", "--out", out)
    shown = say("show", out)
    assert shown["kind"] == "declaration"
    assert shown["signatures"] == [folder.signer("controller-1").key_id]
    assert shown["statement"]["number"] == 2
    say("site", "declare", folder.site_file, "--out", out, code=2)


async def test_a_check_of_a_good_site_is_clean_and_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, nodes=4, faults=["r01n02=401"]) as sim:
        async with program("site", "check", str(sim.folder.site_file), "--json") as process:
            out, _ = await process.communicate()
        found = json.loads(out)
        assert process.returncode == 1
        assert found["schema"] == "grandpause.check/1"
        assert {each["subject"] for each in found["findings"] if each["level"] == "fail"} == {"r01n02"}
        assert sim.bmcs.commands == []
        async with program("site", "check", str(sim.folder.site_file), "--pin", "--json") as pins:
            out, _ = await pins.communicate()
        assert pins.returncode == 0
        assert len(set(json.loads(out)["pins"].values())) == 1


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_a_served_site_and_its_controller_end_cleanly(signal_number: int, tmp_path: Path) -> None:
    async with program(
        "sim", "serve", str(tmp_path), "--nodes=4", "--brisk", "--json", "--fault=r01n02=drop"
    ) as sim:
        assert sim.stdout is not None
        ready = json.loads(await asyncio.wait_for(sim.stdout.readuntil(b"\n}\n"), 30))
        assert ready["schema"] == "grandpause.sim/1"
        assert ready["struck"] == {"r01n02": "drop"}
        async with program("site", "run", ready["site_file"]) as controller:
            await comes_true((tmp_path / "state" / "status.json").exists)
            for process in (controller, sim):
                process.send_signal(signal_number)
                _, said = await asyncio.wait_for(process.communicate(), 20)
                assert process.returncode == 0
                assert b"Traceback" not in said
                assert process is sim or b"OBSERVE ONLY (not armed)" in said


@pytest.mark.parametrize("arguments", [["--fault=nonsense"], ["--fault=hang=99"], ["--machine=abacus"]])
def test_a_site_that_cannot_be_simulated_is_bad_input(arguments: list[str], tmp_path: Path) -> None:
    done = ended("sim", "serve", tmp_path, "--nodes=4", "--json", *arguments)
    assert done.returncode == 2
    assert json.loads(done.stdout)["code"] == "usage"


def test_a_replay_of_nothing_is_bad_input(tmp_path: Path, say: Say) -> None:
    assert say("sim", "replay", tmp_path / "none", code=2)["message"] == "no such capture"


async def test_a_replayed_capture_answers_and_counts_what_was_posted(shared_data: Path) -> None:
    import aiohttp

    captures = sorted((shared_data / "devices" / "redfish").glob("*dell*.tar.xz"))
    if not captures:
        pytest.skip("no capture of a Dell machine")
    async with program("sim", "replay", str(captures[0]), "--json") as replay:
        assert replay.stdout is not None
        url = json.loads(await asyncio.wait_for(replay.stdout.readuntil(b"\n}\n"), 30))["url"]
        reset = f"{url}/redfish/v1/Systems/System.Embedded.1/Actions/ComputerSystem.Reset"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/redfish/v1/") as response:
                assert response.status == 200
                assert "RedfishVersion" in await response.json()
            async with session.post(reset, json={"ResetType": "ForceOff"}) as response:
                assert response.status == 204
        replay.terminate()
        said, _ = await asyncio.wait_for(replay.communicate(), 20)
    assert replay.returncode == 0
    assert b"POST" in said
    assert b"ForceOff" in said
