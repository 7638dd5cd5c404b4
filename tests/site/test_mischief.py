"""Nothing that somebody does to the folders of a controller may end it: it has limits to obey."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grandpause.core.model import Unit
from grandpause.sim.folder import SiteFolder
from grandpause.site.sitefile import load_site_file
from stories.rig import limit, post, running


def a_name_of_250_letters(inbox: Path) -> None:
    (inbox / ("x" * 250)).write_bytes(b"no statement")


def a_name_that_is_no_text(inbox: Path) -> None:
    Path(os.fsdecode(os.fsencode(inbox) + b"/\xff\xfe.json")).write_bytes(b"no statement")


def a_folder_where_a_refused_file_would_go(inbox: Path) -> None:
    (inbox / "refused" / "bad.json").mkdir()
    (inbox / "bad.json").write_bytes(b"no statement")


def a_folder_where_the_reason_would_go(inbox: Path) -> None:
    (inbox / "refused" / "bad.json.reason.txt").mkdir()
    (inbox / "bad.json").write_bytes(b"no statement")


def the_refused_folder_is_removed(inbox: Path) -> None:
    shutil.rmtree(inbox / "refused")
    (inbox / "bad.json").write_bytes(b"no statement")


def the_inbox_is_removed(inbox: Path) -> None:
    shutil.rmtree(inbox)


@pytest.mark.parametrize(
    "mischief",
    [
        a_name_of_250_letters,
        a_name_that_is_no_text,
        a_folder_where_a_refused_file_would_go,
        a_folder_where_the_reason_would_go,
        the_refused_folder_is_removed,
        the_inbox_is_removed,
    ],
    ids=lambda each: each.__name__.replace("_", " "),
)
async def test_a_limit_that_arrives_afterwards_is_obeyed(
    folder: SiteFolder, mischief: Callable[[Path], None]
) -> None:
    async with running(load_site_file(folder.site_file)) as controller:
        await controller.until((folder.inbox / "refused").is_dir)
        mischief(folder.inbox)
        await controller.until((folder.inbox / "accepted").is_dir)
        post(folder, "good.json", limit(folder, 600_000), "ada", "bo")
        caps = controller.daemon.controller
        await controller.until(lambda: caps.decision.caps.get("site", Unit.COMPUTE) == 600_000)


async def test_a_request_that_is_no_text_is_answered_and_the_controller_goes_on(folder: SiteFolder) -> None:
    async with running(load_site_file(folder.site_file)) as controller:
        control = folder.path / "state" / "control"
        (control / "z.request").write_bytes(b"\xff\xff")
        await controller.until((control / "z.answer").exists)
        assert "unknown act" in (control / "z.answer").read_text()
        assert not controller.work.done()
