"""Keys, charters, drafts, looking and signing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Say
from grandpause.cli.app import run
from grandpause.sim.folder import SITE_KEY
from grandpause.sim.serve import SITE_ID


def test_a_new_key_is_private_and_never_overwritten(tmp_path: Path, say: Say) -> None:
    path = tmp_path / "ada.pem"
    made = say("key", "new", path)
    assert made["schema"] == "grandpause.key-made/1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(Path(made["public"]).read_text())["keyid"] == made["keyid"]
    before = path.read_bytes()
    assert "never overwritten" in say("key", "new", path, code=2)["message"]
    path.unlink()
    assert "never overwritten" in say("key", "new", path, code=2)["message"], "nor its public half"
    path.symlink_to(tmp_path / "elsewhere")
    say("key", "new", path, code=2)
    assert not (tmp_path / "elsewhere").exists()
    assert before


def test_a_key_with_a_passphrase_needs_it(desk: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHRASE", "correct horse")
    say("key", "new", desk / "dee.pem", "--passphrase-env", "PHRASE")
    say("pause", "--charter", desk / "charter.json", "--reason", "x", "--out", desk / "limit.json")
    sign = ["sign", str(desk / "limit.json"), "--key", str(desk / "dee.pem"), "--yes"]
    assert "passphrase" in say(*sign, code=2)["message"]
    say(*sign, "--passphrase-env", "PHRASE")
    monkeypatch.setenv("PHRASE", "")
    assert "is not set, or empty" in say(*sign, "--passphrase-env", "PHRASE", code=2)["message"]


def test_a_charter_is_drafted_with_its_waivers_and_never_overwritten(desk: Path, say: Say) -> None:
    members = [f"--member={name}={desk / name}.pub.json" for name in ("ada", "bo", "cy")]
    drafted = say("init", "--title", "Another", *members, "--out", desk / "second.json")
    assert drafted["schema"] == "grandpause.charter-drafted/1"
    assert drafted["returns_can_be_secret"] is True
    assert drafted["waives"]
    assert (
        "exists already"
        in say("init", "--title", "T", *members, "--out", desk / "charter.json", code=2)["message"]
    )
    assert (
        say("init", "--title", "T", *members[:2], "--out", desk / "third.json", code=2)["where"] == "members"
    )
    assert (
        "unknown template" in say("init", "--title", "T", "--template", "none", *members, code=2)["message"]
    )
    say("init", "--title", "T", "--member=ada", "--out", desk / "third.json", code=2)
    assert not (desk / "third.json").exists()


def test_the_same_key_for_two_members_is_refused(desk: Path, say: Say) -> None:
    members = [f"--member={name}={desk / 'ada'}.pub.json" for name in ("ada", "bo", "cy")]
    assert say("init", "--title", "T", *members, "--out", desk / "x.json", code=2)["code"] == "statement"


@pytest.mark.parametrize(
    ("verb", "options", "word"),
    [
        ("pause", ["--to", "5%"], "5 %"),
        ("pause", ["--to", "0%", "--site", SITE_ID, "--profile", "adversarial", "--category", "0"], SITE_ID),
        ("pause", ["--to", "62.5%", "--power", "limit-bounded", "--last", "90m"], "62.5 %"),
        ("pause", ["--to", "5%", "--site", SITE_ID, "--hall", "hall-1"], "hall-1"),
        ("curtail", ["--to", "40MW"], "40"),
        ("curtail", ["--to", "800kW", "--of", "site"], "800"),
    ],
)
def test_a_limit_is_drafted_with_its_sentence(
    verb: str, options: list[str], word: str, desk: Path, say: Say
) -> None:
    out = desk / "limit.json"
    drafted = say(verb, "--charter", desk / "charter.json", "--reason", "cooling", *options, "--out", out)
    assert drafted["schema"] == "grandpause.drafted/1"
    assert word in drafted["sentence"]
    assert drafted["returns_can_be_secret"] is True
    shown = say("show", out)
    assert shown["schema"] == "grandpause.shown/1"
    assert (shown["kind"], shown["name"]) == ("limit", drafted["name"])
    assert shown["short_code"] == drafted["short_code"]
    assert len(shown["short_code"].split()) == 8
    assert shown["statement"]["reason"] == "cooling"
    assert shown["signatures"] == []


@pytest.mark.parametrize(
    "options",
    [
        ["--to", "5"],
        ["--to", "101%"],
        ["--to", "-5%"],
        ["--to", "half"],
        ["--last", "0h"],
        ["--last", "forever"],
        ["--profile", "rude"],
        ["--category", "7"],
        ["--ramp", "sometimes"],
        ["--hall", "hall-1"],
        ["--charter", "none.json"],
        ["--site", "Not An Id"],
    ],
)
def test_a_draft_with_a_bad_option_is_refused_and_not_written(
    options: list[str], desk: Path, say: Say
) -> None:
    out = desk / "limit.json"
    charter = [] if "--charter" in options else ["--charter", desk / "charter.json"]
    refused = say("pause", *charter, "--reason", "x", *options, "--out", out, code=2)
    assert refused["schema"] == "grandpause.error/1"
    assert refused["exit_code"] == 2
    assert not out.exists()


def test_a_lift_names_limits_by_name_or_file(desk: Path, say: Say) -> None:
    charter = ["--charter", desk / "charter.json", "--reason", "over"]
    limit = say("pause", *charter, "--out", desk / "limit.json")
    by_file = say("resume", *charter, "--ends", desk / "limit.json", "--out", desk / "lift1.json")
    by_name = say("resume", *charter, "--ends", limit["name"], "--out", desk / "lift2.json")
    for lift in (by_file, by_name):
        assert say("show", lift["file"])["statement"]["ends"] == [limit["name"]]
    say("resume", *charter, "--suspend-power", "limit", "--window", "2h", "--out", desk / "lift3.json")
    say("resume", *charter, "--out", desk / "lift4.json", code=2)
    say(
        "resume",
        *charter,
        "--suspend-power",
        "limit",
        "--window",
        "31d",
        "--out",
        desk / "lift5.json",
        code=2,
    )


def test_a_restart_takes_site_and_nonce_from_the_status(desk: Path, say: Say) -> None:
    status = desk / "status.json"
    charter = ["--charter", desk / "charter.json", "--reason", "mended", "--status", status]
    say("restart", *charter, "--out", desk / "restart.json", code=2)
    status.write_text("[]")
    say("restart", *charter, "--out", desk / "restart.json", code=2)
    status.write_text(json.dumps({"site": SITE_ID, "controller": SITE_KEY, "nonce": "ab" * 16}))
    say("restart", *charter, "--to", "50%", "--out", desk / "restart.json")
    statement = say("show", desk / "restart.json")["statement"]
    assert statement["nonces"] == [{"controller": SITE_KEY, "nonce": "ab" * 16}]
    assert [each["value"] for each in statement["caps"]] == [500_000]
    say("restart", *charter, "--purpose", "disarm", "--out", desk / "disarm.json")
    assert say("show", desk / "disarm.json")["statement"]["purpose"] == "disarm"
    say("restart", *charter, "--purpose", "explode", "--out", desk / "no.json", code=2)


def test_signing_needs_the_right_code_and_counts_once(desk: Path, say: Say) -> None:
    limit = desk / "limit.json"
    drafted = say("pause", "--charter", desk / "charter.json", "--reason", "x", "--out", limit)
    sign = ["sign", limit, "--key", desk / "ada.pem"]
    before = limit.read_bytes()
    assert "do not sign" in say(*sign, "--code", "0000 " * 8, code=3)["hint"]
    assert "no terminal" in say(*sign, code=2)["message"]
    assert limit.read_bytes() == before
    signed = say(*sign, "--code", drafted["short_code"])
    assert signed["schema"] == "grandpause.signed/1"
    assert len(signed["signatures"]) == 1
    assert "has signed this already" in say(*sign, "--yes", code=3)["message"]
    pending = say("show", limit, "--charter", desk / "charter.json")
    assert pending["standing"] == "pending"
    say("sign", limit, "--key", desk / "bo.pem", "--yes", "--out", desk / "both.json")
    assert say("show", desk / "both.json", "--charter", desk / "charter.json")["standing"] == "counts"
    assert len(say("show", limit)["signatures"]) == 1, "--out leaves the file as it was"


def test_signing_shows_first_what_is_signed(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limit = str(desk / "limit.json")
    assert run(["pause", "--charter", str(desk / "charter.json"), "--reason", "a leak", "--out", limit]) == 0
    capsys.readouterr()
    assert run(["sign", limit, "--key", str(desk / "ada.pem"), "--yes"]) == 0
    said = capsys.readouterr()
    assert "You are about to sign:" in said.err
    assert "read aloud" in said.err


def test_a_key_that_others_can_read_does_not_sign(desk: Path, say: Say) -> None:
    say("pause", "--charter", desk / "charter.json", "--reason", "x", "--out", desk / "limit.json")
    (desk / "ada.pem").chmod(0o640)
    refused = say("sign", desk / "limit.json", "--key", desk / "ada.pem", "--yes", code=2)
    assert refused["where"] == str(desk / "ada.pem")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff\xfe", b'{"payload":"","payloadType":"x","signatures":[]}']
)
def test_bytes_that_are_no_statement_are_refused_by_file(data: bytes, desk: Path, say: Say) -> None:
    path = desk / "bad.json"
    path.write_bytes(data)
    for verb in (["show", path], ["sign", path, "--key", desk / "ada.pem", "--yes"]):
        assert say(*verb, code=2)["where"].startswith(str(path))
    assert path.read_bytes() == data


def test_a_flipped_signature_is_refused_by_trust(desk: Path, say: Say) -> None:
    limit = desk / "limit.json"
    say("pause", "--charter", desk / "charter.json", "--reason", "x", "--out", limit)
    say("sign", limit, "--key", desk / "ada.pem", "--yes")
    envelope = json.loads(limit.read_bytes())
    signature = envelope["signatures"][0]["sig"]
    envelope["signatures"][0]["sig"] = ("B" if signature[0] == "A" else "A") + signature[1:]
    limit.write_text(json.dumps(envelope, separators=(",", ":")))
    assert "no valid signature" in say("show", limit, "--charter", desk / "charter.json", code=3)["message"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--power", "limit-bounded", "--to", "10%"], "limit.ceiling"),
        (["--power", "limit-bounded", "--to", "60%", "--last", "30d"], "limit.until"),
        (["--power", "nosuch", "--to", "10%"], "limit.power"),
        (["--power", "lift", "--to", "10%"], "limit.power"),
    ],
)
def test_a_draft_beyond_its_power_is_refused_before_anybody_signs(
    desk: Path, say: Say, options: list[str], named: str
) -> None:
    limit = desk / "limit.json"
    charter = ["--charter", desk / "charter.json"]
    refusal = say("pause", *charter, "--reason", "x", *options, "--out", limit, code=3)
    assert (refusal["code"], refusal["where"]) == ("trust", named)
    assert not limit.exists()


def test_only_a_limit_can_be_ended(desk: Path, say: Say) -> None:
    charter = desk / "charter.json"
    said = say("resume", "--charter", charter, "--reason", "x", "--ends", charter, code=2)
    assert "holds a charter, not a limit" in said["message"]


def test_an_amount_that_is_no_whole_watt_is_refused(desk: Path, say: Say) -> None:
    said = say(
        "curtail",
        "--charter",
        desk / "charter.json",
        "--reason",
        "x",
        "--to",
        "0.5W",
        "--out",
        desk / "l",
        code=2,
    )
    assert "finer than a watt" in said["message"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"at_s": "x"}', "[" * 60_000])
def test_a_status_that_is_none_is_bad_input(desk: Path, say: Say, text: str) -> None:
    status = desk / "status.json"
    status.write_text(text)
    charter = ["--charter", desk / "charter.json"]
    said = say("restart", *charter, "--reason", "x", "--status", status, "--out", desk / "r", code=2)
    assert str(status) in said["where"]
