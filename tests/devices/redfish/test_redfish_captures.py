"""The driver against captures of real machines: what it counts, what it sends, what it must never send."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.redfish.raw_bmc import LOGIN, WallClock
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.redfish import (
    Auth,
    Credentials,
    Pinned,
    RedfishActuator,
    Target,
    TypesFrom,
    parse_pin,
)
from grandpause.sim.redfish.access import Credentials as SimulatedCredentials
from grandpause.sim.redfish.replay import ReplayServer, serve_capture

DMTF = "dmtf_mockups_2025.4_pdu_powershelf_cdu_liquid_rackmount1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a person reads in the capture.

    Attributes:
        gpus: (how many, which model); a model that the machine does not state is "".
        watts: the whole node, None where there is no real reading.
        parts: watts of parts, where the whole has none.
        system: the one system with a Reset.
        types_from: where its reset types stand.
        off_types: types offered of the two that switch off.
        left_alone: systems without a Reset.
    """

    tree: str | None = None
    model: str
    gpus: tuple[int, str]
    watts: int | None
    parts: dict[str, int] | None = None
    system: str
    types_from: TypesFrom
    left_alone: tuple[str, ...] = ()


TABLE: dict[str, Expected] = {
    "dell": Expected(
        model="PowerEdge R750",
        gpus=(1, "NVIDIA H100 PCIe"),
        watts=614,
        system="System.Embedded.1",
        types_from=TypesFrom.INLINE,
    ),
    "hpe": Expected(
        model="ProLiant DL385 Gen10 Plus v2",
        gpus=(0, ""),
        watts=531,
        system="1",
        types_from=TypesFrom.INLINE,
    ),
    "supermicro": Expected(
        model="SYS-821GE-TNHR",
        gpus=(8, "H100 80GB HBM3"),
        watts=2161,
        system="1",
        types_from=TypesFrom.ACTION_INFO,
    ),
    "nvidia_viking": Expected(
        model="DGXH100",
        gpus=(8, "H100 80GB HBM3"),
        watts=None,
        parts={"HGX_Chassis_0": 825, "HGX_GPU_SXM_1": 72, "HGX_GPU_SXM_8": 75},
        system="DGX",
        types_from=TypesFrom.ACTION_INFO,
        left_alone=("HGX_Baseboard_0",),
    ),
    "nvidia_gb200": Expected(
        model="",
        gpus=(4, ""),
        watts=1073,
        system="System_0",
        types_from=TypesFrom.ACTION_INFO,
        left_alone=("HGX_Baseboard_0",),
    ),
    "nvidia_gbswitch": Expected(
        model="N5110_LD",
        gpus=(0, ""),
        watts=None,
        parts={"MGX_NVSwitch_0": 193, "MGX_NVSwitch_1": 193},
        system="System_0",
        types_from=TypesFrom.ACTION_INFO,
    ),
    "liquid-cooled server": Expected(
        tree="public-liquid-cooled-server",
        model="3500",
        gpus=(0, ""),
        watts=374,
        system="437XR1138R2",
        types_from=TypesFrom.INLINE,
    ),
    "rack mount server": Expected(
        tree="public-rackmount1",
        model="3500",
        gpus=(0, ""),
        watts=374,
        system="437XR1138R2",
        types_from=TypesFrom.INLINE,
    ),
}

NEVER_POSTED = re.compile(
    r"HGX_Baseboard_0|/Chassis/|/Managers/|/SecureBoot|/Bios|/Fabrics/|/Oem/|/UpdateService|/AccountService"
    r"|ResetToDefaults|ResetKeys|RedfishDBReset|ResetBios|Chassis\.Reset|Manager\.Reset|Processor\.Reset"
)
SWITCHING_OFF = {Act.SOFT_OFF: "GracefulShutdown", Act.FORCE_OFF: "ForceOff"}


def archive(data: Path, name: str) -> tuple[Path, str | None]:
    tree = TABLE[name].tree if name in TABLE else name
    return data / "devices" / "redfish" / f"{DMTF if tree else name}.tar.xz", tree


@asynccontextmanager
async def replay(data: Path, name: str) -> AsyncIterator[tuple[ReplayServer, RedfishActuator]]:
    """Serve a capture over TLS behind a login, and a driver that knows its address and nothing else."""
    path, tree = archive(data, name)
    known = SimulatedCredentials(user=LOGIN.user, password=LOGIN.password)
    server = await serve_capture(path, tree=tree, tls=True, credentials=known)
    target = Target(
        host=server.host,
        port=server.port,
        security=Pinned(pins=frozenset({parse_pin(server.pin)})),
        credentials=LOGIN,
    )
    driver = RedfishActuator({"n1": target}, clock=WallClock())
    try:
        yield server, driver
    finally:
        await driver.close()
        await server.close()


@pytest.mark.parametrize("name", TABLE)
async def test_gpus_and_watts_are_those_that_a_person_reads(shared_data: Path, name: str) -> None:
    wanted = TABLE[name]
    async with replay(shared_data, name) as (server, driver):
        found = await driver.inventory("n1", within_s=30)
        assert found.model == wanted.model
        assert found.gpus == (wanted.gpus[1],) * wanted.gpus[0]
        assert found.power.watts == wanted.watts
        parts = {part.part: part.watts for part in found.power.parts}
        assert (wanted.parts or {}).items() <= parts.items()
        assert server.posts == []
        assert server.writes == []


async def test_the_switchs_two_asics_are_all_that_it_meters(shared_data: Path) -> None:
    async with replay(shared_data, "nvidia_gbswitch") as (_, driver):
        power = (await driver.inventory("n1", within_s=30)).power
        assert [part.watts for part in power.parts] == [193, 193]


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("act", SWITCHING_OFF)
async def test_a_stop_that_knows_nothing_finds_the_one_reset_and_its_type(
    shared_data: Path, name: str, act: Act
) -> None:
    wanted = TABLE[name]
    async with replay(shared_data, name) as (server, driver):
        answer = await driver.command("n1", act, within_s=30)
        assert answer.reply is Reply.ACCEPTED, answer.detail
        [post] = server.posts
        assert post.path == f"/redfish/v1/Systems/{wanted.system}/Actions/ComputerSystem.Reset"
        assert post.json() == {"ResetType": SWITCHING_OFF[act]}
        assert not NEVER_POSTED.search(post.path)
        learned = driver.export_learned()["n1"]
        assert learned["types_from"] == wanted.types_from
        assert learned["left_alone"] == [f"/redfish/v1/Systems/{each}" for each in wanted.left_alone]


@pytest.mark.parametrize("name", TABLE)
async def test_a_stop_that_has_learned_sends_one_request(shared_data: Path, name: str) -> None:
    async with replay(shared_data, name) as (server, driver):
        assert (await driver.prepare("n1", within_s=30)).reply is Reply.ACCEPTED
        stored = driver.export_learned()
        target = Target(
            host=server.host,
            port=server.port,
            security=Pinned(pins=frozenset({parse_pin(server.pin)})),
            credentials=LOGIN,
        )
        later = RedfishActuator({"n1": target}, clock=WallClock(), learned=stored)
        asked = len(server.gets)
        assert (await later.command("n1", Act.FORCE_OFF, within_s=10)).reply is Reply.ACCEPTED
        assert len(server.gets) == asked
        assert len(server.posts) == 1
        await later.close()


@pytest.mark.parametrize("name", TABLE)
async def test_a_replay_that_accepts_everything_is_still_claimed_on(shared_data: Path, name: str) -> None:
    async with replay(shared_data, name) as (_, driver):
        await driver.command("n1", Act.FORCE_OFF, within_s=30)
        assert (await driver.claim("n1", within_s=30)).power is Power.ON


@pytest.mark.parametrize("name", TABLE)
async def test_no_act_at_all_posts_anything_but_resets_of_the_system(shared_data: Path, name: str) -> None:
    async with replay(shared_data, name) as (server, driver):
        await driver.check("n1", within_s=30)
        await driver.prepare("n1", within_s=30)
        for act in Act:
            await driver.command("n1", act, within_s=30)
        sent = {(post.path.rpartition("/Actions/")[2], str(post.json())) for post in server.posts}
        assert sent == {
            ("ComputerSystem.Reset", str({"ResetType": kind}))
            for kind in ("GracefulShutdown", "ForceOff", "On")
        }
        assert not [post for post in server.posts if NEVER_POSTED.search(post.path)]
        assert server.writes == []


@pytest.mark.parametrize("name", ["public-pdu", "public-power-shelf", "public-cooling-unit"])
async def test_what_has_no_system_is_refused_by_name_and_left_alone(shared_data: Path, name: str) -> None:
    async with replay(shared_data, name) as (server, driver):
        for act in SWITCHING_OFF:
            answer = await driver.command("n1", act, within_s=30)
            assert answer.reply is Reply.REFUSED
            assert "/redfish/v1/Systems" in answer.detail
        assert server.posts == []


@pytest.mark.parametrize("name", TABLE)
async def test_the_preflight_of_each_machine_has_no_fail(shared_data: Path, name: str) -> None:
    async with replay(shared_data, name) as (server, driver):
        findings = await driver.check("n1", within_s=30)
        assert [each.message for each in findings if each.level == "fail"] == []
        warned = [each.message for each in findings if each.level == "warn"]
        no_reading = any("no real reading" in message for message in warned)
        assert no_reading is (TABLE[name].watts is None)
        assert any("its clock differs from ours by -" in message for message in warned), "captures are old"
        assert server.posts == []


async def test_a_session_is_opened_once_and_carries_the_whole_stop(shared_data: Path) -> None:
    path, tree = archive(shared_data, "nvidia_viking")
    known = SimulatedCredentials(user=LOGIN.user, password=LOGIN.password)
    server = await serve_capture(path, tree=tree, tls=True, credentials=known)
    target = Target(
        host=server.host,
        port=server.port,
        security=Pinned(pins=frozenset({parse_pin(server.pin)})),
        credentials=Credentials(user=LOGIN.user, password=LOGIN.password, auth=Auth.SESSION),
    )
    driver = RedfishActuator({"n1": target}, clock=WallClock())
    assert (await driver.command("n1", Act.FORCE_OFF, within_s=30)).reply is Reply.ACCEPTED
    assert (await driver.claim("n1", within_s=30)).power is Power.ON
    assert server.logins == 1
    await driver.close()
    await server.close()
