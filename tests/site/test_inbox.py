"""The inbox: every file ends in one of three folders, and none of them can stop the controller."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grandpause.core.envelope import Kind
from grandpause.core.model import Unit
from grandpause.core.trust import Admission, Standing
from grandpause.errors import StoreError, UsageError
from grandpause.sim.folder import SiteFolder
from grandpause.site.inbox import Inbox, deliver, read_bounded
from grandpause.site.sitefile import load_site_file
from stories.rig import limit, post, restart, running, sealed


def names(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


async def test_bad_files_are_refused_with_a_reason_and_the_controller_goes_on(folder: SiteFolder) -> None:
    good = sealed(folder, limit(folder, 500_000), "ada", "bo")
    bad = {
        "empty": b"",
        "text": b"stop everything please",
        "truncated": good[:-20],
        "oversized": b" " * 70_000,
        "not-utf8": b"\xff" + good,
        "twice-the-key": good.replace(b'{"payload"', b'{"payload":"","payload"', 1),
        "unknown-field": good.replace(b'{"payload"', b'{"note":"","payload"', 1),
        "not-canonical": good.replace(b'":', b'": ', 1),
        "nobody's": sealed(folder, limit(folder, 500_000)),
    }
    async with running(load_site_file(folder.site_file)) as controller:
        for name, data in bad.items():
            deliver(folder.inbox, name, data)
        post(folder, "good", limit(folder, 600_000), "ada", "bo")
        await controller.until((folder.inbox / "accepted" / "good").exists)
        caps = controller.daemon.engine.controller.decision.caps
    refused = folder.inbox / "refused"
    assert names(refused) == {*bad, *(f"{name}.reason.txt" for name in bad)}
    assert names(folder.inbox) == {"accepted", "pending", "refused"}
    assert caps.get("site", Unit.COMPUTE) == 600_000
    reasons = {name: (refused / f"{name}.reason.txt").read_text() for name in bad}
    assert all(text.startswith(("statement: ", "trust: ")) for text in reasons.values())
    assert "more than the 65535 allowed" in reasons["oversized"]
    assert "not UTF-8 at byte 0" in reasons["not-utf8"]
    assert "no valid signature" in reasons["nobody's"]


async def test_a_half_written_file_a_link_and_a_folder_are_left_alone(
    folder: SiteFolder, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(sealed(folder, limit(folder, 0), "ada", "bo"))
    folder.inbox.mkdir()
    (folder.inbox / ".limit.json.part").write_bytes(elsewhere.read_bytes()[:100])
    (folder.inbox / "link.json").symlink_to(elsewhere)
    (folder.inbox / "folder.json").mkdir()
    async with running(load_site_file(folder.site_file)) as controller:
        post(folder, "good", limit(folder, 600_000), "ada", "bo")
        await controller.until((folder.inbox / "accepted" / "good").exists)
        assert controller.compute_ppm == 600_000
    assert {".limit.json.part", "link.json", "folder.json"} <= names(folder.inbox)
    assert names(folder.inbox / "refused") == set()


async def test_a_quorum_less_one_is_pending_and_does_nothing_until_the_last_signature(
    folder: SiteFolder,
) -> None:
    act = limit(folder, 0)
    async with running(load_site_file(folder.site_file)) as controller:
        deliver(folder.inbox, "by-ada.json", sealed(folder, act, "ada"))
        await controller.until((folder.inbox / "pending" / "by-ada.json").exists)
        assert controller.compute_ppm is None
        deliver(folder.inbox, "by-bo.json", sealed(folder, act, "bo"))
        await controller.until((folder.inbox / "accepted" / "by-bo.json").exists)
        assert controller.compute_ppm == 0


async def test_an_accepted_file_that_is_dropped_again_changes_nothing(folder: SiteFolder) -> None:
    data = sealed(folder, limit(folder, 400_000), "ada", "bo")
    async with running(load_site_file(folder.site_file)) as controller:
        engine = controller.daemon.engine
        engine.arm()
        for name in ("once.json", "again.json", "once.json"):
            (folder.inbox / "accepted" / name).unlink(missing_ok=True)
            deliver(folder.inbox, name, data)
            await controller.until((folder.inbox / "accepted" / name).exists)
            if name == "once.json" and not (folder.inbox / "accepted" / "again.json").exists():
                nonce = engine.controller.keeper.memory.nonce
        assert controller.compute_ppm == 400_000
        assert engine.controller.keeper.memory.nonce == nonce, "a repeated limit came into force once"


async def test_what_lay_in_the_inbox_before_the_start_is_taken(folder: SiteFolder) -> None:
    folder.inbox.mkdir()
    post(folder, "early.json", limit(folder, 0), "ada", "bo")
    async with running(load_site_file(folder.site_file)) as controller:
        await controller.until((folder.inbox / "accepted" / "early.json").exists)
        assert controller.compute_ppm == 0


def test_a_file_is_moved_only_after_its_effect_is_durable(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.prepare()
    deliver(tmp_path, "limit.json", b"bytes")

    def fails(_data: bytes) -> Admission:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        inbox.take("limit.json", b"bytes", fails)
    assert (tmp_path / "limit.json").exists()


def test_a_file_that_is_taken_away_meanwhile_ends_nothing(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.prepare()
    path = deliver(tmp_path, "limit.json", b"bytes")
    counted = Admission(name="00" * 32, kind=Kind.LIMIT, standing=Standing.COUNTS, why="", changed=True)

    def takes(_data: bytes) -> Admission:
        path.unlink()
        return counted

    assert inbox.take("limit.json", b"bytes", takes) == counted


async def test_what_came_too_late_to_count_is_refused_with_its_reason(folder: SiteFolder) -> None:
    async with running(load_site_file(folder.site_file)) as controller:
        late = restart(
            folder, controller.daemon.engine.controller.keeper.memory.nonce, void_after=1_700_000_000
        )
        post(folder, "late.json", late, "ada", "bo")
        reason = folder.inbox / "refused" / "late.json.reason.txt"
        await controller.until(reason.exists)
        assert reason.read_text() == "void: complete only after its void_after\n"
        assert controller.daemon.engine.controller.keeper.memory.standby is not None


def test_the_oldest_file_comes_first(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.prepare()
    for age, name in enumerate(("c", "a", "b")):
        deliver(tmp_path, name, b"")
        os.utime(tmp_path / name, (1_000 + age, 1_000 + age))
    assert [each.name for each in inbox.waiting()] == ["c", "a", "b"]


def test_no_more_is_read_than_a_statement_can_have(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    path.write_bytes(b"x" * 1_000_000)
    data = read_bounded(path)
    assert data is not None
    assert len(data) == 65_536
    assert read_bounded(tmp_path / "gone") is None


def test_an_inbox_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="the inbox cannot be made"):
        Inbox(tmp_path / "file").prepare()
