"""What goes wrong between the driver and an agent, and the answer that names it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from devices.snmp.conftest import SPDU, FixedClock
from devices.snmp.wire import READ, WRITE, SnmpSim, agent_with, apc_walk, spdu_shelf
from grandpause.core.model import Act, Reply
from grandpause.drivers.snmp import (
    Address,
    Community,
    Identities,
    NoAnswer,
    Outlet,
    Peer,
    SnmpClient,
    SnmpMeter,
    SnmpOutlets,
    shipped_profiles,
)
from grandpause.errors import DeviceRefused, DeviceUnreachable
from grandpause.ports import Answer

SYSTEM_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
GEN_ERR = 5
READ_ONLY = 4
NO_ACCESS = 6
RESOURCE_UNAVAILABLE = 13
AUTHORIZATION_ERROR = 16

PROFILES = shipped_profiles()


def _peer(address: Address, community: str = WRITE) -> Peer:
    return Peer(address=address, credential=Community(name=community))


async def _switch_off(client: SnmpClient, peer: Peer, *, within_s: float = 2.0) -> Answer:
    identities = Identities(client, PROFILES)
    outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1)]})
    return await outlets.command("n1", Act.OUTLET_OFF, within_s=within_s)


async def test_where_no_agent_is_the_answer_is_timed_out_in_time(
    client: SnmpClient, clock: FixedClock
) -> None:
    silent = Peer(address=Address(host="127.99.99.99", port=16161), credential=Community(name=READ))
    identities = Identities(client, PROFILES)
    loop = asyncio.get_running_loop()

    began = loop.time()
    answer = await _switch_off(client, silent, within_s=0.3)
    took_s = loop.time() - began
    outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=silent, number=1)]})
    prepared = await outlets.prepare(within_s=0.2)
    findings = await outlets.check("n1", within_s=0.2)
    meter = SnmpMeter(client, identities, meter="m", peer=silent, channels=["total", "1"], clock=clock)
    read = await meter.read(within_s=0.2)
    meter_findings = await meter.check(within_s=0.2)

    assert answer.reply is Reply.TIMED_OUT
    assert 0.25 < took_s < 1.0
    assert set(prepared) == {"127.99.99.99:16161"}
    assert [finding.level for finding in findings] == ["fail"]
    assert "wrong community" in findings[0].mend
    assert [(sample.watts, "no answer" in sample.detail) for sample in read.samples] == [(None, True)] * 2
    assert [finding.level for finding in meter_findings] == ["fail"]


async def test_a_wrong_community_gets_no_answer(client: SnmpClient) -> None:
    async with agent_with(spdu_shelf()) as (agent, address):
        answer = await _switch_off(client, _peer(address, "guess"), within_s=0.3)

    assert answer.reply is Reply.TIMED_OUT
    assert agent.sets.total() == 0


async def test_a_community_that_may_only_read_is_refused_by_name(client: SnmpClient) -> None:
    async with agent_with(spdu_shelf()) as (_, address):
        answer = await _switch_off(client, _peer(address, READ))

    assert answer.reply is Reply.REFUSED
    assert f"answered noAccess at {SPDU}.1" in answer.detail


@pytest.mark.parametrize(
    ("status", "name", "reply"),
    [
        (READ_ONLY, "readOnly", Reply.REFUSED),
        (NO_ACCESS, "noAccess", Reply.REFUSED),
        (AUTHORIZATION_ERROR, "authorizationError", Reply.REFUSED),
        (GEN_ERR, "genErr", Reply.UNREACHABLE),
        (RESOURCE_UNAVAILABLE, "resourceUnavailable", Reply.UNREACHABLE),
        (77, "error-status 77", Reply.REFUSED),
    ],
)
async def test_a_refused_set_is_named_and_only_a_busy_agent_may_be_asked_again(
    status: int, name: str, reply: Reply, client: SnmpClient
) -> None:
    shelf = spdu_shelf()
    shelf.statuses[f"{SPDU}.1"] = status
    async with agent_with(shelf) as (_, address):
        answer = await _switch_off(client, _peer(address))

    assert answer.reply is reply
    assert name in answer.detail


async def test_an_agent_that_ignores_a_write_and_says_no_error_has_refused_it(
    client: SnmpClient, tmp_path: Path
) -> None:
    simulator = SnmpSim(tmp_path, {"plain": apc_walk("apc-8641")})
    simulator.start()
    try:
        answer = await _switch_off(client, simulator.peer("plain"))
    finally:
        simulator.stop()

    assert answer.reply is Reply.REFUSED


@pytest.mark.parametrize("seed", range(3))
async def test_garbage_for_an_answer_is_no_answer_and_harms_nothing(seed: int, client: SnmpClient) -> None:
    chance = random.Random(seed)
    async with agent_with(spdu_shelf()) as (agent, address):
        good = await client.get(_peer(address), [SYSTEM_OBJECT_ID], within_s=2)
        mangler = _Mangler(agent.answer, chance)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: mangler, local_addr=("127.0.0.1", 0)
        )
        host, port = transport.get_extra_info("sockname")
        peer = _peer(Address(host=host, port=port))
        for _ in range(20):
            with pytest.raises((NoAnswer, DeviceUnreachable, DeviceRefused)):
                await client.get(peer, [SYSTEM_OBJECT_ID], within_s=0.05)
        mangler.honest = True
        honest = await client.get(peer, [SYSTEM_OBJECT_ID], within_s=2)
        transport.close()
        await asyncio.sleep(0)

    assert mangler.mangled == 20
    assert honest == good


class _Mangler(asyncio.DatagramProtocol):
    """Answers with a datagram of which the kind, the length or some bytes are wrong."""

    def __init__(self, answer: Any, chance: random.Random) -> None:
        self.honest = False
        self.mangled = 0
        self._answer = answer
        self._chance = chance
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if not self.honest:
            self.mangled += 1
            kind = self.mangled % 4
            if kind == 0:
                answer = self._chance.randbytes(60)
            elif kind == 1:
                answer = answer[: self._chance.randrange(len(answer) - 1)]
            elif kind == 2:
                answer = data
            else:
                answer = answer.replace(
                    bytes([0x2B, 6, 1, 2, 1, 1, 2, 0]), bytes([0x2B, 6, 1, 2, 1, 1, 5, 0])
                )
        self._transport.sendto(answer, addr)


@pytest.mark.parametrize(("by_stranger", "heard"), [(False, True), (True, False)])
async def test_a_good_answer_from_a_stranger_is_not_heard(
    *, by_stranger: bool, heard: bool, client: SnmpClient
) -> None:
    loop = asyncio.get_running_loop()
    async with agent_with(spdu_shelf()) as (agent, _):
        stranger, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        asked = _Relay(agent.answer, answer_by=stranger if by_stranger else None)
        transport, _ = await loop.create_datagram_endpoint(lambda: asked, local_addr=("127.0.0.1", 0))
        host, port = transport.get_extra_info("sockname")
        try:
            await client.get(_peer(Address(host=host, port=port)), [SYSTEM_OBJECT_ID], within_s=0.3)
            answered = True
        except NoAnswer:
            answered = False
        transport.close()
        stranger.close()
        await asyncio.sleep(0)

    assert asked.answers == 1
    assert answered is heard


class _Relay(asyncio.DatagramProtocol):
    """Takes requests at one socket and answers them, rightly, by itself or by another socket."""

    def __init__(self, answer: Any, *, answer_by: Any) -> None:
        self.answers = 0
        self._answer = answer
        self._answer_by = answer_by

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._answer_by = self._answer_by or transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers += 1
        self._answer_by.sendto(self._answer(data), addr)


async def test_a_cancelled_call_leaves_the_client_usable(client: SnmpClient) -> None:
    async with agent_with(spdu_shelf()) as (agent, address):
        agent.hangs()
        asking = asyncio.ensure_future(client.get(_peer(address), [SYSTEM_OBJECT_ID], within_s=5))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        agent.recovers()
        answers = await client.get(_peer(address), [SYSTEM_OBJECT_ID], within_s=2)

    assert answers[SYSTEM_OBJECT_ID].text == "1.3.6.1.4.1.318.1.3.4.2"


async def test_one_unit_that_hangs_delays_no_other(client: SnmpClient, identities: Identities) -> None:
    loop = asyncio.get_running_loop()
    async with agent_with(spdu_shelf()) as (hanging, first), agent_with(spdu_shelf()) as (_, second):
        elements = {
            "stuck": [Outlet(peer=_peer(first), number=1)],
            "fine": [Outlet(peer=_peer(second), number=1)],
        }
        outlets = SnmpOutlets(client, identities, elements)
        assert await outlets.prepare(within_s=2) == {}
        hanging.hangs()
        stuck = asyncio.ensure_future(outlets.command("stuck", Act.OUTLET_OFF, within_s=1))
        began = loop.time()
        fine = await outlets.command("fine", Act.OUTLET_OFF, within_s=1)
        took_s = loop.time() - began
        answer = await stuck

    assert (fine.reply, answer.reply) == (Reply.ACCEPTED, Reply.TIMED_OUT)
    assert took_s < 0.5
