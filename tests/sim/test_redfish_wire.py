"""The HTTP side of the simulated BMCs on raw sockets: order, bounds and malformed requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from grandpause.sim.redfish import BmcFarm, serve_bmcs
from grandpause.sim.redfish.wire import MAXIMUM_REQUEST_BYTES

if TYPE_CHECKING:
    from grandpause.sim.plant import Plant
    from sim.conftest import HandClock

GET_ROOT = b"GET /redfish HTTP/1.1\r\nHost: bmc\r\n\r\n"
GET_MISSING = b"GET /redfish/v1/odata HTTP/1.1\r\nHost: bmc\r\n\r\n"


@pytest.fixture
async def plain_farm(plant: Plant, clock: HandClock) -> AsyncIterator[BmcFarm]:
    farm = await serve_bmcs(plant, clock=clock, tls=False)
    yield farm
    await farm.close()


async def _exchange(farm: BmcFarm, *pieces: bytes, until: int = 1) -> bytes:
    """Send pieces, each in its own packet, and read until so many responses came or the peer closed."""
    reader, writer = await asyncio.open_connection(*farm.address("r01n01"))
    received = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while received.count(b"HTTP/1.1 ") < until or not received.endswith((b"}", b"\n")):
                data = await reader.read(65_536)
                if not data:
                    break
                received += data
    finally:
        writer.close()
        await writer.wait_closed()
    return received


async def test_a_request_in_single_bytes_is_understood(plain_farm: BmcFarm) -> None:
    answer = await _exchange(plain_farm, *(bytes([each]) for each in GET_ROOT))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"v1": "/redfish/v1/"}')


async def test_pipelined_requests_are_answered_in_order(plain_farm: BmcFarm) -> None:
    answer = await _exchange(plain_farm, GET_ROOT + GET_MISSING + GET_ROOT, until=3)
    assert re.findall(rb'\{"(v1|@odata.context)"', answer) == [b"v1", b"@odata.context", b"v1"]


async def test_order_is_kept_when_answers_are_slow(plant: Plant, plain_farm: BmcFarm) -> None:
    plant.node("r01n01").bmc.slow(0.02)
    answer = await _exchange(plain_farm, GET_ROOT + GET_MISSING + GET_ROOT, until=3)
    assert re.findall(rb'\{"(v1|@odata.context)"', answer) == [b"v1", b"@odata.context", b"v1"]


async def test_the_connection_closes_after_the_answer_when_asked_to(plain_farm: BmcFarm) -> None:
    request = b"GET /redfish HTTP/1.1\r\nHost: bmc\r\nConnection: close\r\n\r\n"
    answer = await _exchange(plain_farm, request, until=2)
    assert b"Connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_head_request_has_no_body(plain_farm: BmcFarm) -> None:
    answer = await _exchange(plain_farm, b"HEAD /redfish HTTP/1.1\r\nHost: bmc\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 22\r\n" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /x HTTP/1.1\r\nBad Header: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_closed(plain_farm: BmcFarm, request_bytes: bytes) -> None:
    answer = await _exchange(plain_farm, request_bytes, until=2)
    assert re.match(rb"HTTP/1.1 (400|501) ", answer)
    assert b"Connection: close" in answer


async def test_an_oversized_request_is_refused_and_closed(plain_farm: BmcFarm) -> None:
    head = b"POST /redfish HTTP/1.1\r\nHost: b\r\nContent-Length: 999999\r\n\r\n"
    answer = await _exchange(plain_farm, head + b"x" * (MAXIMUM_REQUEST_BYTES - len(head) + 1), until=2)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_endless_headers_are_refused_and_closed(plain_farm: BmcFarm) -> None:
    answer = await _exchange(
        plain_farm, b"GET / HTTP/1.1\r\n" + b"X-Long: y\r\n" * (MAXIMUM_REQUEST_BYTES // 11 + 1), until=2
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
