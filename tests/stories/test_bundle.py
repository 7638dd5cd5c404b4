"""One stop makes a bundle: a stranger recomputes it, and finds every change that anybody makes to it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grandpause.cli.app import run
from grandpause.core.envelope import Envelope, parse
from grandpause.core.model import VerdictWord
from grandpause.errors import FormError, GrandpauseError, TrustError
from grandpause.signers.file import FileSigner, signed
from grandpause.sim.folder import SITE_KEY, SiteFolder
from grandpause.verify.bundle import verify_bundle
from stories.rig import limit, post, running, served

RECOMPUTE = Path(__file__).parents[1] / "verify" / "recompute.py"
SAMPLE_BYTES = 2_048
ROWS, FEEDS = "rows", "feeds"


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle of a proven stop, the folder of its site, and the id of its charter."""

    bundle: Path
    folder: SiteFolder

    @property
    def charter(self) -> str:
        return self.folder.charter_id


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One stop of twelve nodes to a quarter of their compute."""

    async def stop() -> Made:
        async with served(tmp_path_factory.mktemp("site"), nodes=12) as sim, running(sim.site) as controller:
            await controller.armed_and_started(sim.folder)
            post(sim.folder, "limit.json", limit(sim.folder, 250_000), "ada", "bo")
            return Made(await controller.stopped(), sim.folder)

    return asyncio.run(stop())


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    """A copy of the bundle to tamper with."""
    return Path(shutil.copytree(made.bundle, tmp_path / "bundle"))


def recomputed(bundle: Path) -> str:
    """Return the short script's verdict, from a Python that cannot import the product."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(RECOMPUTE), str(bundle)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == (0 if done.stdout == "proven\n" else 1)
    return done.stdout.strip()


def change_readings(bundle: Path, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every reading of one meter path (signatures are not the script's business)."""
    if path == ROWS:
        file = bundle / "readings" / "after.json"
        value = json.loads(file.read_bytes())
        for each in value["readings"]:
            change(each)
        file.write_text(json.dumps(value))
        return
    for file in (bundle / "readings" / "signed").iterdir():
        envelope = json.loads(file.read_bytes())
        reading = json.loads(base64.b64decode(envelope["payload"]))
        change(reading)
        envelope["payload"] = base64.b64encode(json.dumps(reading).encode()).decode()
        file.write_text(json.dumps(envelope))


def remove(bundle: Path, path: str) -> None:
    """Remove every reading of one meter path."""
    if path == ROWS:
        (bundle / "readings" / "after.json").write_text('{"readings":[],"schema":"grandpause.readings/1"}')
    else:
        shutil.rmtree(bundle / "readings" / "signed")


def grow_old(reading: dict[str, Any]) -> None:
    reading["at"] = "2020-01-01T00:00:00Z"


def show_zero(reading: dict[str, Any]) -> None:
    if "watts" in reading:
        reading["watts"] = dict.fromkeys(reading["watts"], 0)
    else:
        for channel in reading["channels"]:
            channel["watts"] = 0


def verify_code(bundle: Path, charter: str) -> int:
    return run(["verify", str(bundle), "--charter", charter])


def test_the_verdict_recomputed_by_a_short_script_agrees(made: Made) -> None:
    assert recomputed(made.bundle) == "proven"
    assert verify_bundle(made.bundle, charter_id=made.charter).verdict is VerdictWord.PROVEN
    assert "grandpause" not in RECOMPUTE.read_text().replace("grandpause.readings", "")
    assert len(RECOMPUTE.read_text().splitlines()) <= 90


@pytest.mark.parametrize("path", [ROWS, FEEDS])
def test_without_the_readings_of_either_path_the_script_says_not_proven(path: str, copy: Path) -> None:
    remove(copy, path)
    assert recomputed(copy) == "not proven"


@pytest.mark.parametrize("path", [ROWS, FEEDS])
@pytest.mark.parametrize("change", [grow_old, show_zero])
def test_stale_or_zero_readings_of_either_path_prove_nothing(
    path: str, change: Callable[[dict[str, Any]], None], copy: Path
) -> None:
    change_readings(copy, path, change)
    assert recomputed(copy) == "not proven"


def test_every_flipped_byte_of_a_sample_is_found_and_its_file_named(made: Made, copy: Path) -> None:
    name = "elements.json"
    file = copy / name
    data = file.read_bytes()
    begin = max(0, (len(data) - SAMPLE_BYTES) // 2)
    positions = range(begin, min(len(data), begin + SAMPLE_BYTES))
    assert len(positions) == SAMPLE_BYTES
    for position in positions:
        file.write_bytes(flipped(data, position))
        with pytest.raises(TrustError) as refusal:
            verify_bundle(copy, charter_id=made.charter)
        assert refusal.value.where == name, position


def test_every_flipped_byte_of_the_signed_evidence_is_found(made: Made, copy: Path) -> None:
    file = copy / "evidence.json"
    data = file.read_bytes()
    for position in range(min(len(data), SAMPLE_BYTES)):
        file.write_bytes(flipped(data, position))
        with pytest.raises(GrandpauseError) as refusal:
            verify_bundle(copy, charter_id=made.charter)
        assert isinstance(refusal.value, FormError | TrustError), position
        assert refusal.value.where, position


def test_one_flipped_byte_in_each_file_is_found_and_named(made: Made, copy: Path) -> None:
    names = sorted(each.relative_to(copy).as_posix() for each in copy.rglob("*") if each.is_file())
    assert len(names) > 10
    for name in names:
        file = copy / name
        data = file.read_bytes()
        file.write_bytes(flipped(data, len(data) // 2))
        with pytest.raises(GrandpauseError) as refusal:
            verify_bundle(copy, charter_id=made.charter)
        file.write_bytes(data)
        assert refusal.value.where.startswith(name), name
    assert verify_bundle(copy, charter_id=made.charter).verdict is VerdictWord.PROVEN


def flipped(data: bytes, position: int) -> bytes:
    """Return ``data`` with one bit of one byte changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "name",
    [
        "evidence.json",
        "declaration.json",
        "elements.json",
        "nodes.json",
        "readings/after.json",
        "readings/before.json",
        "charters/0001.json",
    ],
)
def test_a_missing_file_is_bad_form_and_named(
    name: str, made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / name).unlink()
    assert verify_code(copy, made.charter) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize("name", ["note.txt", "readings/signed/feed-c-00000001.json", "charters/0002.json"])
def test_an_extra_file_is_bad_form_and_named(
    name: str, made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / name).write_bytes(b"{}")
    assert verify_code(copy, made.charter) == 2
    assert name in capsys.readouterr().err


def test_a_symlink_and_a_pipe_are_no_plain_files(
    made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = copy / "nodes.json"
    elsewhere = copy.parent / "nodes.json"
    nodes.rename(elsewhere)
    nodes.symlink_to(elsewhere)
    assert verify_code(copy, made.charter) == 2
    assert "nodes.json: is no plain file" in capsys.readouterr().err
    nodes.unlink()
    elsewhere.rename(nodes)
    os.mkfifo(copy / "pipe")
    assert verify_code(copy, made.charter) == 2
    assert "pipe: is no plain file" in capsys.readouterr().err


def test_a_bundle_beyond_all_bounds_is_not_read(
    made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (copy / "notes.txt").open("wb") as file:
        file.truncate(257 * 2**20)  # sparse: takes no room on the disk
    assert verify_code(copy, made.charter) == 2
    assert "too many files or bytes" in capsys.readouterr().err


def test_a_bundle_is_refused_under_another_charter(
    made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_code(copy, "ab" * 32) == 3
    assert "charters/0001.json" in capsys.readouterr().err
    assert verify_code(copy, str(made.folder.charter)) == 0


def test_evidence_signed_by_another_site_s_key_is_refused(
    made: Made, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "evidence.json"
    envelope = parse(file.read_bytes())
    for signer in (FileSigner.generate(), made.folder.signer("ada")):
        bare = Envelope(kind=envelope.kind, payload=envelope.payload)
        file.write_bytes(signed(bare, signer).to_bytes())
        assert verify_code(copy, made.charter) == 3
        assert f"evidence.json: is not signed by the declared key of {SITE_KEY}" in capsys.readouterr().err


def test_what_is_no_bundle_is_bad_form(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_code(tmp_path / "nothing", made.charter) == 2
    assert verify_code(tmp_path, made.charter) == 2
    assert "evidence.json: is missing" in capsys.readouterr().err
