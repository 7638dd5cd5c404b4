"""Authentication, sessions and resources of a simulated BMC."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grandpause.core.model import Act
from grandpause.sim.machines import H100X8
from grandpause.sim.redfish import serve_bmcs

if TYPE_CHECKING:
    from grandpause.sim.plant import Plant
    from grandpause.sim.redfish import BmcFarm
    from sim.conftest import Client, Connect, HandClock

NODE = "r01n01"
SYSTEM = "/redfish/v1/Systems/1"
SESSIONS = "/redfish/v1/SessionService/Sessions"


async def _login(client: Client, farm: BmcFarm, **changes: str) -> tuple[int, str, str]:
    body = {"UserName": farm.credentials.user, "Password": farm.credentials.password, **changes}
    async with client.session.post(client.url + SESSIONS, json=body) as response:
        return response.status, response.headers.get("X-Auth-Token", ""), response.headers.get("Location", "")


async def _status(client: Client, method: str, path: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.session.request(method, client.url + path, headers=named) as response:
        return response.status


@pytest.mark.parametrize("path", ["/redfish", "/redfish/v1", "/redfish/v1/", "/redfish/v1/odata"])
async def test_the_root_needs_no_authentication(farm: BmcFarm, connect: Connect, path: str) -> None:
    async with connect(farm, NODE, headers={}) as client:
        assert (await client.get(path))[0] == 200


@pytest.mark.parametrize("path", [SYSTEM, "/redfish/v1/Chassis/1", SESSIONS, "/redfish/v1/nothing"])
async def test_all_else_is_401_without_credentials(farm: BmcFarm, connect: Connect, path: str) -> None:
    async with connect(farm, NODE, headers={}) as client:
        assert (await client.get(path))[0] == 401


async def test_a_command_without_credentials_is_401_and_nothing_happens(
    farm: BmcFarm, connect: Connect
) -> None:
    async with connect(farm, NODE, headers={}) as client:
        assert await client.reset("ForceOff") == 401
    assert farm.commands == []


async def test_wrong_passwords_are_401(farm: BmcFarm, connect: Connect) -> None:
    pair = base64.b64encode(f"{farm.credentials.user}:wrong".encode()).decode()
    async with connect(farm, NODE, headers={"Authorization": f"Basic {pair}"}) as client:
        assert (await client.get(SYSTEM))[0] == 401
        assert (await _login(client, farm, Password="wrong"))[0] == 401


async def test_a_session_opens_reads_and_ends(farm: BmcFarm, connect: Connect) -> None:
    async with connect(farm, NODE, headers={}) as client:
        status, token, location = await _login(client, farm)
        assert status == 201
        assert await _status(client, "GET", SYSTEM, X_Auth_Token=token) == 200
        assert await _status(client, "GET", location, X_Auth_Token=token) == 200
        assert await _status(client, "DELETE", location, X_Auth_Token=token) == 204
        assert await _status(client, "GET", SYSTEM, X_Auth_Token=token) == 401


async def test_a_token_counts_on_its_own_bmc_only(farm: BmcFarm, connect: Connect) -> None:
    async with connect(farm, NODE, headers={}) as one, connect(farm, "r01n02", headers={}) as other:
        _, token, _ = await _login(one, farm)
        assert await _status(other, "GET", SYSTEM, X_Auth_Token=token) == 401


async def test_sessions_end_by_expiry_and_by_a_restart_of_the_bmc(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect
) -> None:
    async with connect(farm, NODE, headers={}) as client:
        _, token, _ = await _login(client, farm)
        farm.access.expire_sessions()
        assert await _status(client, "GET", SYSTEM, X_Auth_Token=token) == 401
        _, token, _ = await _login(client, farm)
        assert await _status(client, "GET", SYSTEM, X_Auth_Token=token) == 200
        plant.command(NODE, Act.OUTLET_OFF, clock())
        plant.command(NODE, Act.OUTLET_ON, clock())
        clock.passes(30.0)
        assert await _status(client, "GET", SYSTEM, X_Auth_Token=token) == 401


async def test_either_kind_of_authentication_can_be_switched_off(farm: BmcFarm, connect: Connect) -> None:
    async with connect(farm, NODE) as client:
        farm.access.basic = False
        assert (await client.get(SYSTEM))[0] == 401
        farm.access.basic = True
        farm.access.sessions = False
        assert (await client.get(SYSTEM))[0] == 200
        assert (await _login(client, farm))[0] == 401


async def test_the_password_is_random_and_not_shown(farm: BmcFarm) -> None:
    assert len(farm.credentials.password) >= 12
    assert farm.credentials.password not in repr(farm.credentials)


async def test_every_link_of_the_tree_leads_to_a_resource(farm: BmcFarm, connect: Connect) -> None:
    seen: set[str] = set()
    waiting = ["/redfish/v1/"]

    def collect(value: object) -> None:
        if isinstance(value, dict):
            link = value.get("@odata.id")
            if isinstance(link, str) and link not in seen:
                waiting.append(link)
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    async with connect(farm, NODE) as client:
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            status, found = await client.get(path)
            assert status == 200, path
            assert found["@odata.id"] == path
            collect(found)
    gpus = [path for path in seen if "/Processors/GPU" in path]
    supplies = [path for path in seen if path.endswith("/Metrics")]
    assert len(gpus) == H100X8.accelerators
    assert len(supplies) == H100X8.power_supplies


async def test_power_metrics_show_what_the_node_draws(plant: Plant, farm: BmcFarm, connect: Connect) -> None:
    truth = plant.true_node_watts(NODE, 0.0)
    async with connect(farm, NODE) as client:
        _, sensor = await client.get("/redfish/v1/Chassis/1/Sensors/TotalPower")
        assert sensor["Reading"] == round(truth)


async def test_the_manager_tells_the_time_that_the_simulation_gives_it(
    plant: Plant, clock: HandClock, connect: Connect
) -> None:
    farm = await serve_bmcs(plant, clock=clock, wall_s=lambda: 1_800_000_000.0)
    try:
        async with connect(farm, NODE) as client:
            _, manager = await client.get("/redfish/v1/Managers/1")
            assert manager["DateTime"] == "2027-01-15T08:00:00+00:00"
    finally:
        await farm.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/redfish/v1/Systems/2", 404),
        ("GET", "/redfish/v1/Systems/1/Processors/GPU9", 404),
        ("GET", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", 405),
        ("POST", "/redfish/v1/Systems/1", 405),
        ("PATCH", "/redfish/v1/Systems/1", 405),
        ("DELETE", "/redfish/v1/Chassis/1", 405),
        ("GET", "/redfish/v1/Systems?$expand=*", 501),
        ("GET", "/redfish/v1/Systems?only", 200),
        ("HEAD", "/redfish/v1/Systems/1", 200),
    ],
)
async def test_what_is_not_there_or_not_allowed_is_said_by_status(
    farm: BmcFarm, connect: Connect, method: str, path: str, status: int
) -> None:
    async with connect(farm, NODE) as client:
        assert await _status(client, method, path) == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"ResetType": 1}', b"\xff", b'{"ResetType": "Melt"}'])
async def test_a_malformed_reset_is_400_and_changes_nothing(
    plant: Plant, farm: BmcFarm, clock: HandClock, connect: Connect, body: bytes
) -> None:
    async with connect(farm, NODE) as client:
        url = f"{client.url}{SYSTEM}/Actions/ComputerSystem.Reset"
        async with client.session.post(url, data=body) as response:
            assert response.status == 400
    assert len(list(plant.nodes_on(clock.passes(60.0)))) == 8


async def test_the_pin_is_that_of_the_certificate_shown(farm: BmcFarm) -> None:
    host, port = farm.address(NODE)
    shown = await asyncio.to_thread(ssl.get_server_certificate, (host, port))
    key = x509.load_pem_x509_certificate(shown.encode()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert farm.pin == digest.hexdigest()
    assert base64.b64decode(farm.certificate(NODE).pin_base64) == digest.digest()


async def test_on_request_every_bmc_has_its_own_certificate(
    plant: Plant, clock: HandClock, connect: Connect
) -> None:
    farm = await serve_bmcs(plant, clock=clock, own_certificates=True)
    try:
        pins = {farm.certificate(node_id).pin_hex for node_id in plant.nodes}
        assert len(pins) == 8
        async with connect(farm, "r02n04") as client:
            assert (await client.get(SYSTEM))[1]["HostName"] == "r02n04"
        context = ssl.create_default_context(cadata=farm.certificate("r01n01").certificate_pem.decode())
        host, port = farm.address("r02n04")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"https://{host}:{port}/redfish/v1")
    finally:
        await farm.close()


async def test_plain_http_is_served_on_request(plant: Plant, clock: HandClock) -> None:
    farm = await serve_bmcs(plant, clock=clock, tls=False)
    try:
        host, port = farm.address(NODE)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{port}/redfish/v1") as response,
        ):
            assert response.status == 200
        assert farm.pin == ""
    finally:
        await farm.close()


async def test_a_taken_port_is_an_error_and_leaves_nothing_open(plant: Plant, clock: HandClock) -> None:
    with socket.create_server(("127.10.0.8", 0)) as last_address:
        port = last_address.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await serve_bmcs(plant, clock=clock, port=port, own_certificates=True)
        with socket.create_server(("127.10.0.1", port)) as first_address:
            assert first_address.getsockname()[1] == port
