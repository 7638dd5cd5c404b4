"""A small simulated hall with a clock that moves only when a test says so, and clients for its BMCs."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import aiohttp
import pytest

from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.sim.redfish import BmcFarm, serve_bmcs

SOFT_OFF_S = 6.0
FORCE_OFF_S = 1.0
POWER_ON_S = 2.0
BOOT_S = 60.0
BMC_BOOT_S = 20.0


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> float:
        self.now_s += seconds
        return self.now_s


class Client:
    """A plain HTTP client of one simulated BMC, with Basic authentication."""

    def __init__(self, session: aiohttp.ClientSession, farm: BmcFarm, node_id: str) -> None:
        self.session = session
        host, port = farm.address(node_id)
        self.url = f"https://{host}:{port}"

    async def get(self, path: str) -> tuple[int, dict[str, object]]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.json()

    async def reset(self, reset_type: str) -> int:
        path = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"
        async with self.session.post(self.url + path, json={"ResetType": reset_type}) as response:
            return response.status

    async def power_state(self) -> object:
        status, system = await self.get("/redfish/v1/Systems/1")
        assert status == 200
        return system["PowerState"]


def basic(farm: BmcFarm) -> dict[str, str]:
    """The header that logs in with the farm's credentials."""
    pair = f"{farm.credentials.user}:{farm.credentials.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


class Connect(Protocol):
    """Makes a client of one BMC."""

    def __call__(
        self, farm: BmcFarm, node_id: str, *, headers: dict[str, str] | None = None, timeout_s: float = 5.0
    ) -> AbstractAsyncContextManager[Client]: ...


@asynccontextmanager
async def _client_of(
    farm: BmcFarm, node_id: str, *, headers: dict[str, str] | None = None, timeout_s: float = 5.0
) -> AsyncIterator[Client]:
    context = ssl.create_default_context(cadata=farm.certificate(node_id).certificate_pem.decode())
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        headers=basic(farm) if headers is None else headers,
        timeout=aiohttp.ClientTimeout(total=timeout_s),
    )
    async with session:
        yield Client(session, farm, node_id)


@pytest.fixture
def connect() -> Connect:
    """A maker of clients that trust their BMC's certificate and nothing else."""
    return _client_of


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def plant() -> Plant:
    """Two rows of four nodes, with exact times instead of drawn ones."""
    timing = Timing(
        soft_off_s=(SOFT_OFF_S, SOFT_OFF_S),
        force_off_s=(FORCE_OFF_S, FORCE_OFF_S),
        power_on_s=(POWER_ON_S, POWER_ON_S),
        boot_s=BOOT_S,
        bmc_boot_s=BMC_BOOT_S,
    )
    return Plant.hall(nodes=8, nodes_per_row=4, timing=timing)


@pytest.fixture
async def farm(plant: Plant, clock: HandClock) -> AsyncIterator[BmcFarm]:
    running = await serve_bmcs(plant, clock=clock)
    yield running
    await running.close()
