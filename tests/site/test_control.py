"""Local acts, the lock of the state directory, and what stops a start."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from grandpause.cli.app import run
from grandpause.errors import StaleError, TrustError, UsageError
from grandpause.sim.folder import SiteFolder
from grandpause.site.control import Control
from grandpause.site.daemon import take_lock
from grandpause.site.sitefile import load_site_file
from grandpause.stores.sqlite import SqliteStore
from stories.rig import limit, post, program, running


def armed_on_disk(folder: SiteFolder) -> bool:
    store = SqliteStore(folder.path / "state" / "site.sqlite")
    memory = store.memory()
    store.close()
    assert memory is not None
    return memory.armed


def asked(control: Control, act: str, answers: dict[str, Callable[[], None]]) -> Exception | None:
    """Ask for an act while another thread answers; return what the asking raised."""
    raised: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        try:
            control.request(act)
        except (TrustError, UsageError, StaleError) as refusal:
            raised.append(refusal)
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while not done.wait(0.02):
        control.answer(answers)
    thread.join()
    return raised[0] if raised else None


def refuses() -> None:
    raise TrustError("something binds", where="disarm")


def test_an_act_is_done_and_answered(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    control.prepare()
    calls: list[str] = []
    assert asked(control, "arm", {"arm": lambda: calls.append("arm")}) is None
    assert calls == ["arm"]
    assert list((tmp_path / "control").iterdir()) == []


def test_a_refusal_and_an_unknown_act_are_told_apart(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    control.prepare()
    assert isinstance(asked(control, "disarm", {"disarm": refuses}), TrustError)
    assert isinstance(asked(control, "explode", {"disarm": refuses}), UsageError)


def test_without_a_controller_nobody_answers(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    control.prepare()
    with pytest.raises(StaleError, match="did not answer"):
        control.request("arm", within_s=0.2)


def test_requests_of_an_earlier_run_are_forgotten(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    control.prepare()
    (tmp_path / "control" / "arm-1.request").write_text("arm")
    control.prepare()
    calls: list[str] = []
    control.answer({"arm": lambda: calls.append("arm")})
    assert calls == []
    assert (tmp_path / "control").stat().st_mode & 0o777 == 0o700


def test_arming_without_a_running_controller_writes_the_store(folder: SiteFolder) -> None:
    site_file = str(folder.site_file)
    assert run(["site", "arm", site_file]) == 0
    assert armed_on_disk(folder)
    assert run(["site", "disarm", site_file]) == 3, "the standby of the first boot binds"
    assert armed_on_disk(folder)


async def test_arming_a_running_controller_goes_through_its_folder(folder: SiteFolder) -> None:
    site_file = str(folder.site_file)
    async with running(load_site_file(folder.site_file)) as controller:

        def armed() -> bool:
            return controller.daemon.engine.controller.decision.memory.armed

        assert await asyncio.to_thread(run, ["site", "arm", site_file]) == 0
        assert armed()
        await controller.armed_and_started(folder)
        assert await asyncio.to_thread(run, ["site", "disarm", site_file]) == 0
        assert not armed()
        await asyncio.to_thread(run, ["site", "arm", site_file])
        post(folder, "limit.json", limit(folder, 0), "ada", "bo")
        await controller.until(lambda: controller.compute_ppm == 0)
        assert await asyncio.to_thread(run, ["site", "disarm", site_file]) == 3
        assert armed()


async def test_a_second_controller_is_refused_by_the_lock(folder: SiteFolder) -> None:
    site = load_site_file(folder.site_file)
    async with running(site), program("site", "run", str(folder.site_file)) as second:
        _, said = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 2
    assert b"another controller runs on this state directory" in said


def test_the_lock_is_free_again_once_it_is_closed(tmp_path: Path) -> None:
    first = take_lock(tmp_path)
    with pytest.raises(UsageError, match="another controller"):
        take_lock(tmp_path)
    assert (tmp_path / "lock").read_text().strip().isdigit(), "who holds it stays readable"
    first.close()
    take_lock(tmp_path).close()


def spoil_charter(folder: SiteFolder) -> None:
    folder.charter.unlink()


def spoil_key(folder: SiteFolder) -> None:
    folder.key("controller-1").unlink()


def spoil_declaration(folder: SiteFolder) -> None:
    folder.declaration.unlink()


def unsign_declaration(folder: SiteFolder) -> None:
    value = json.loads(folder.declaration.read_bytes())
    value["signatures"] = value["signatures"][:1]
    folder.declaration.write_text(json.dumps(value, separators=(",", ":")))


def put_a_charter_for_a_declaration(folder: SiteFolder) -> None:
    folder.declaration.write_bytes(folder.charter.read_bytes())


def change_the_site_after_declaring(folder: SiteFolder) -> None:
    text = folder.site_file.read_text()
    folder.site_file.write_text(text.replace("rated_w = ", "rated_w = 1"))


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (spoil_charter, 2, "charter.json: cannot be read"),
        (spoil_key, 2, "controller-1.pem"),
        (spoil_declaration, 2, "declaration.json: cannot be read"),
        (unsign_declaration, 3, "declaration.json: does not count"),
        (put_a_charter_for_a_declaration, 2, "declaration.json: is no declaration"),
        (change_the_site_after_declaring, 2, "the site file differs from what was declared"),
    ],
)
async def test_a_start_that_is_refused_says_which_file(
    spoil: Callable[[SiteFolder], None], code: int, message: str, folder: SiteFolder
) -> None:
    spoil(folder)
    async with program("site", "run", str(folder.site_file)) as process:
        _, said = await asyncio.wait_for(process.communicate(), 20)
    assert message in said.decode()
    assert process.returncode == code
    assert b"Traceback" not in said
