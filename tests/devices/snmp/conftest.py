from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from devices.snmp.wire import SnmpSim, apc_walk, read_walk, without, writable
from grandpause.drivers.snmp import Identities, SnmpClient, shipped_profiles

SPDU = "1.3.6.1.4.1.318.1.1.4.4.2.1.3"
RPDU = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4"
RPDU2 = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5"
RPDU2_STATE = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"
RPDU2_SWITCHED = "1.3.6.1.4.1.318.1.1.26.9.2"
RPDU_OUTLETS = "1.3.6.1.4.1.318.1.1.12.3"

APC_WALKS = ("apc-7902b", "apc-8641", "apc-8932")


class FixedClock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1_795_000_000

    def wall_s(self) -> int:
        return self.now_s

    def monotonic_s(self) -> float:
        return float(self.now_s)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[SnmpClient]:
    opened = await SnmpClient.open()
    yield opened
    await opened.close()


@pytest.fixture
def identities(client: SnmpClient) -> Identities:
    return Identities(client, shipped_profiles())


@pytest.fixture(scope="session")
def captures(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpSim]:
    """Every SNMP walk of the captures, as it is."""
    walks = {
        file.stem: read_walk(file)
        for kind in ("snmp_pdu", "snmp_ups", "snmp_bmc")
        for file in sorted((shared_data / "devices" / kind).glob("*.snmprec"))
    }
    yield from _running(SnmpSim(tmp_path_factory.mktemp("captures"), walks))


@pytest.fixture(scope="module")
def apc_units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpSim]:
    """The three APC walks of snmpsim-data with writable outlets, each as rPDU2, as rPDU and as sPDU only."""
    walks = {}
    for name in APC_WALKS:
        walk = apc_walk(name)
        for column in (SPDU, RPDU, RPDU2):
            walk = writable(walk, column)
        walks[f"{name}-rpdu2"] = walk
        walks[f"{name}-rpdu"] = without(walk, RPDU2_SWITCHED)
        walks[f"{name}-spdu"] = without(without(walk, RPDU2_SWITCHED), RPDU_OUTLETS)
    yield from _running(SnmpSim(tmp_path_factory.mktemp("apc"), walks))


def _running(simulator: SnmpSim) -> Iterator[SnmpSim]:
    simulator.start()
    try:
        yield simulator
    finally:
        simulator.stop()
