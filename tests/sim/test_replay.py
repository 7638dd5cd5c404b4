"""The replay of captures of real services, and of a small one made here."""

from __future__ import annotations

import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from grandpause.errors import FormError, UsageError
from grandpause.sim.redfish.access import Credentials
from grandpause.sim.redfish.capture import load_capture, trees_in
from grandpause.sim.redfish.replay import ReplayServer, serve_capture

REDFISH = Path("devices/redfish")
DMTF = "dmtf_mockups_2025.4_pdu_powershelf_cdu_liquid_rackmount1.tar.xz"

CAPTURES = [
    # archive, tree, a resource of it, a property there
    ("dell.tar.xz", None, "/redfish/v1/Systems/System.Embedded.1", ("Manufacturer", "Dell Inc.")),
    ("hpe.tar.xz", None, "/redfish/v1/Systems/1", ("Manufacturer", "HPE")),
    ("nvidia_viking.tar.xz", None, "/redfish/v1/Systems/DGX", ("Model", "DGXH100")),
    ("nvidia_gb200.tar.xz", None, "/redfish/v1/Systems/System_0", ("SystemType", "Physical")),
    ("nvidia_gbswitch.tar.xz", None, "/redfish/v1/Systems/System_0", ("SystemType", "Physical")),
    ("supermicro.tar.xz", None, "/redfish/v1/Systems/1", ("Manufacturer", "Supermicro")),
    (DMTF, "public-pdu", "/redfish/v1/PowerEquipment/RackPDUs/1", ("EquipmentType", "RackPDU")),
    (DMTF, "public-rackmount1", "/redfish/v1/Systems/437XR1138R2", ("SystemType", "Physical")),
    (DMTF, "public-power-shelf", "/redfish/v1/PowerEquipment", ("Id", "PowerEquipment")),
    (DMTF, "public-cooling-unit", "/redfish/v1/ThermalEquipment", ("Id", "ThermalEquipment")),
    (DMTF, "public-liquid-cooled-server", "/redfish/v1/", ("Id", "RootService")),
]


@asynccontextmanager
async def _replaying(path: Path, **options: object) -> AsyncIterator[ReplayServer]:
    server = await serve_capture(path, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
def small_capture(tmp_path: Path) -> Path:
    """A capture in the long form with twin folders that differ in case, and captured headers."""
    pages = {
        "redfish/v1": {"@odata.id": "/redfish/v1/", "Id": "RootService"},
        "redfish/v1/Systems": {"which": "upper"},
        "redfish/v1/systems": {"which": "lower"},
        "redfish/v1/Chassis": {"which": "chassis"},
    }
    for name, page in pages.items():
        folder = tmp_path / "capture" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").write_text(json.dumps(page))
    headers = {"GET": {"ETag": '"7"', "Content-Length": "1", "X-Vendor": "yes"}}
    (tmp_path / "capture/redfish/v1/Chassis/headers.json").write_text(json.dumps(headers))
    return tmp_path / "capture"


@pytest.mark.parametrize(("archive", "tree", "path", "expected"), CAPTURES)
async def test_every_capture_is_replayed(
    shared_data: Path, archive: str, tree: str | None, path: str, expected: tuple[str, str]
) -> None:
    async with (
        _replaying(shared_data / REDFISH / archive, tree=tree) as server,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{server.url}/redfish/v1/") as response:
            assert response.status == 200
        async with session.get(server.url + path) as response:
            assert response.status == 200
            assert response.content_type == "application/json"
            assert str((await response.json())[expected[0]]).strip() == expected[1]
        async with session.get(f"{server.url}/redfish/v1/NoSuchThing") as response:
            assert response.status == 404


@pytest.mark.parametrize("archive", sorted({each[0] for each in CAPTURES}))
def test_every_index_of_every_capture_is_served(shared_data: Path, archive: str) -> None:
    path = shared_data / REDFISH / archive
    captures = {tree: load_capture(path, tree=tree) for tree in trees_in(path)}
    compared = 0
    with tarfile.open(path) as opened:
        for member in opened:
            tree, _, name = member.name.partition("/")
            if name != "index.json" and not name.endswith("/index.json"):
                continue
            stream = opened.extractfile(member)
            start = "" if name.startswith(("redfish/", "registries/")) else "/redfish/v1"
            page = captures[tree].page(f"{start}/{name.removesuffix('index.json')}")
            assert stream is not None
            assert page is not None, member.name
            assert page.body == stream.read()
            compared += 1
    assert compared > 50


async def test_a_post_is_answered_204_recorded_and_changes_nothing(shared_data: Path) -> None:
    system = "/redfish/v1/Systems/System.Embedded.1"
    reset = f"{system}/Actions/ComputerSystem.Reset"
    async with (
        _replaying(shared_data / REDFISH / "dell.tar.xz") as server,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(server.url + system) as response:
            before = await response.read()
        async with session.post(server.url + reset, json={"ResetType": "ForceOff"}) as response:
            assert response.status == 204
        async with session.get(server.url + system) as response:
            assert await response.read() == before
        assert [(post.method, post.path, post.json()) for post in server.posts] == [
            ("POST", reset, {"ResetType": "ForceOff"})
        ]
        assert server.gets == [system, system]


def test_folders_beside_the_service_belong_to_it(small_capture: Path) -> None:
    registry = small_capture / "registries/Base.1.10.3.json"
    registry.mkdir(parents=True)
    (registry / "index.json").write_text("{}")
    assert trees_in(small_capture) == ["."]
    assert load_capture(small_capture).page("/registries/Base.1.10.3.json") is not None


def test_a_capture_may_begin_at_the_service_root(tmp_path: Path) -> None:
    (tmp_path / "Systems").mkdir()
    for folder in (tmp_path, tmp_path / "Systems"):
        (folder / "index.json").write_text("{}")
    assert sorted(load_capture(tmp_path)) == ["/redfish/v1", "/redfish/v1/Systems"]


async def test_paths_match_exactly_first_and_then_without_regard_to_case(small_capture: Path) -> None:
    async with _replaying(small_capture) as server, aiohttp.ClientSession() as session:
        for path, which in (
            ("Systems", "upper"),
            ("systems", "lower"),
            ("systems/", "lower"),
            ("CHASSIS", "chassis"),
        ):
            async with session.get(f"{server.url}/redfish/v1/{path}") as response:
                assert (await response.json())["which"] == which


async def test_hpes_twin_folders_are_both_served(shared_data: Path) -> None:
    capture = load_capture(shared_data / REDFISH / "hpe.tar.xz")
    twins = [page for page in capture if page.startswith("/redfish/v1/systems")]
    assert twins
    for twin in twins:
        page = capture.page(twin)
        assert page is not None
        assert page.body


async def test_captured_headers_are_replayed_except_those_of_the_transfer(small_capture: Path) -> None:
    async with (
        _replaying(small_capture) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/redfish/v1/Chassis") as response,
    ):
        assert response.headers["ETag"] == '"7"'
        assert response.headers["X-Vendor"] == "yes"
        assert len(await response.read()) == int(response.headers["Content-Length"]) > 1


async def test_other_writes_are_405_and_recorded_apart(small_capture: Path) -> None:
    async with _replaying(small_capture) as server, aiohttp.ClientSession() as session:
        async with session.patch(f"{server.url}/redfish/v1/Chassis", json={}) as response:
            assert response.status == 405
        assert server.posts == []
        assert [(write.method, write.path) for write in server.writes] == [("PATCH", "/redfish/v1/Chassis")]


async def test_credentials_are_asked_for_when_wanted(small_capture: Path) -> None:
    wanted = Credentials(user="root", password="secret")
    login = {"UserName": "root", "Password": "secret"}
    async with _replaying(small_capture, credentials=wanted) as server, aiohttp.ClientSession() as session:
        sessions = f"{server.url}/redfish/v1/SessionService/Sessions"
        async with session.get(f"{server.url}/redfish/v1/") as response:
            assert response.status == 200
        async with session.post(f"{server.url}/redfish/v1/Systems") as response:
            assert response.status == 401
        async with session.post(sessions, json={**login, "Password": "wrong"}) as response:
            assert response.status == 401
        async with session.post(sessions, json=login) as response:
            assert response.status == 201
            token = {"X-Auth-Token": response.headers["X-Auth-Token"]}
            location = response.headers["Location"]
        async with session.get(f"{server.url}/redfish/v1/Systems", headers=token) as response:
            assert response.status == 200
        async with session.delete(server.url + location, headers=token) as response:
            assert response.status == 204
        async with session.get(f"{server.url}/redfish/v1/Systems", headers=token) as response:
            assert response.status == 401
        assert (server.posts, server.logins) == ([], 1)


async def test_tls_shows_the_pin_that_the_server_names(small_capture: Path) -> None:
    async with _replaying(small_capture, tls=True) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert len(server.pin) == 64


def test_several_trees_must_be_told_apart(shared_data: Path) -> None:
    path = shared_data / REDFISH / DMTF
    with pytest.raises(UsageError, match="public-pdu"):
        load_capture(path)
    with pytest.raises(UsageError, match="no tree 'public-toaster'"):
        load_capture(path, tree="public-toaster")


def test_what_is_no_capture_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such capture"):
        load_capture(tmp_path / "missing")
    with pytest.raises(FormError, match=r"no index\.json"):
        load_capture(tmp_path)
    broken = tmp_path / "broken.tar.xz"
    broken.write_bytes(b"not an archive")
    with pytest.raises(FormError, match="no readable tar archive"):
        load_capture(broken)


def test_a_tree_without_a_service_root_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "capture/redfish/v1/Systems"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")
    with pytest.raises(FormError, match="no service root"):
        load_capture(tmp_path / "capture")


def test_broken_captured_headers_are_refused(small_capture: Path) -> None:
    (small_capture / "redfish/v1/Chassis/headers.json").write_text("[")
    with pytest.raises(FormError, match=r"headers\.json"):
        load_capture(small_capture)
