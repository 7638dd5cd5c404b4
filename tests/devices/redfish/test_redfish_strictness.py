"""What is no strict HTTP/1.1 response within its bounds is no answer, and never a claim of anything."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.redfish.raw_bmc import driver_of, raw_bmc
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.redfish.http import BadResponse, Response, ResponseReader, decode_object

OFF = b'{"PowerState": "Off"}'
HEAD = b"HTTP/1.1 200 OK\r\n"
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % len(OFF) + OFF

BAD: dict[str, tuple[bytes, str]] = {
    "a header without end": (HEAD + b"X: " + b"a" * 20_000, "headers longer"),
    "too many headers": (HEAD + b"X: aaaaaaaa\r\n" * 2_000 + b"\r\n", "headers longer"),
    "a body said to be too long": (HEAD + b"Content-Length: 65537\r\n\r\n", "body longer than 65536"),
    "a length of a hundred digits": (HEAD + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n", ""),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", "Content-Length"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "not strict"),
    "both framings": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "not strict",
    ),
    "a chunk size that is no number": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n",
        "chunk size",
    ),
    "a chunk without its end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n0\r\n\r\n",
        "not strict",
    ),
    "chunks that grow too long": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 5,
        "body longer than 65536",
    ),
    "another transfer encoding": (HEAD + b"Transfer-Encoding: gzip\r\n\r\nhi", "transfer encoding"),
    "a compressed body": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
        "content encoding",
    ),
    "another protocol": (b"SSH-2.0-dropbear\r\n", "not strict"),
    "a status that is no number": (b"HTTP/1.1 abc OK\r\n\r\n", "not strict"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 21\r\n\r\n" + OFF, "HTTP/1.0 instead"),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\nContent-Length: 21\r\n\r\n" + OFF, ""),
    "bare line feeds": (SIZED.replace(b"\r\n", b"\n"), "not strict"),
    "a folded header": (HEAD + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", "not strict"),
    "a space before the colon": (HEAD + b"Content-Length : 0\r\n\r\n", "not strict"),
    "bytes after the end": (SIZED + b"HELLO", "after the end"),
    "a second response": (SIZED + SIZED, "after the end"),
    "interim responses without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 6, "interim"),
    "a change of protocol": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", ""),
}


@pytest.mark.parametrize(("answer", "detail"), BAD.values(), ids=BAD)
async def test_a_malformed_answer_claims_nothing(answer: bytes, detail: str) -> None:
    async with raw_bmc(answer) as bmc, driver_of(bmc.port) as driver:
        claim = await driver.claim("n1", within_s=5)
        assert (claim.power, claim.reply) == (Power.UNKNOWN, Reply.UNREACHABLE)
        assert detail in claim.detail
        assert driver.client.kept == 0, "a connection that broke the rules is not used again"


@pytest.mark.parametrize(("answer", "detail"), BAD.values(), ids=BAD)
async def test_a_malformed_answer_to_a_command_is_not_acceptance(answer: bytes, detail: str) -> None:
    async with raw_bmc(answer) as bmc, driver_of(bmc.port) as driver:
        got = await driver.command("n1", Act.FORCE_OFF, within_s=5)
        assert got.reply is Reply.UNREACHABLE
        assert detail in got.detail


@pytest.mark.parametrize("cut", [0, 5, len(HEAD), len(SIZED) - 1])
async def test_a_connection_that_closes_midway_claims_nothing(cut: int) -> None:
    async with raw_bmc(SIZED[:cut], closes=True) as bmc, driver_of(bmc.port) as driver:
        claim = await driver.claim("n1", within_s=5)
        assert (claim.power, claim.reply) == (Power.UNKNOWN, Reply.UNREACHABLE)
        assert "closed" in claim.detail


async def test_an_answer_that_drips_ends_with_the_callers_time() -> None:
    drops = [SIZED[place : place + 1] for place in range(len(SIZED))]
    async with raw_bmc(*drops, pause_s=0.05) as bmc, driver_of(bmc.port) as driver:
        claim = await driver.claim("n1", within_s=0.4)
        assert (claim.power, claim.reply) == (Power.UNKNOWN, Reply.TIMED_OUT)
        assert "0.4 s for its answer" in claim.detail
        assert driver.client.kept == 0


GOOD: dict[str, tuple[bytes, bool]] = {
    "a length": (SIZED, False),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n15\r\n" + OFF + b"\r\n0\r\n\r\n", False),
    "the end of the connection": (HEAD + b"\r\n" + OFF, True),
    "an interim response first": (b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED, False),
    "202 Accepted": (SIZED.replace(b"200 OK", b"202 Accepted"), False),
}


@pytest.mark.parametrize(("answer", "closes"), GOOD.values(), ids=GOOD)
async def test_each_framing_of_http_1_1_is_read(answer: bytes, closes: bool) -> None:  # noqa: FBT001
    async with raw_bmc(answer, closes=closes) as bmc, driver_of(bmc.port) as driver:
        claim = await driver.claim("n1", within_s=5)
        assert (claim.power, claim.reply) == (Power.OFF, Reply.ACCEPTED)


NOT_SAID: dict[str, bytes] = {
    "an empty body": b"",
    "no JSON": b"<html>",
    "no object": b'"Off"',
    "no state": b"{}",
    "null": b'{"PowerState": null}',
    "another word": b'{"PowerState": "off"}',
    "a list": b'{"PowerState": ["Off"]}',
    "NaN beside it": b'{"PowerState": "Off", "Watts": NaN}',
    "bytes that are no UTF-8": b'{"PowerState": "Off", "Name": "\xff"}',
    "ten thousand brackets": b"[" * 10_000,
}


@pytest.mark.parametrize("body", NOT_SAID.values(), ids=NOT_SAID)
async def test_a_body_that_does_not_say_off_is_unknown_never_off(body: bytes) -> None:
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with raw_bmc(answer) as bmc, driver_of(bmc.port) as driver:
        assert (await driver.claim("n1", within_s=5)).power is Power.UNKNOWN


@pytest.mark.parametrize(
    ("state", "power"),
    [
        ("On", Power.ON),
        ("Off", Power.OFF),
        ("PoweringOff", Power.ON),
        ("PoweringOn", Power.UNKNOWN),
        ("Paused", Power.ON),
    ],
)
async def test_going_off_is_not_off(state: str, power: Power) -> None:
    body = b'{"PowerState": "%s"}' % state.encode()
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with raw_bmc(answer) as bmc, driver_of(bmc.port) as driver:
        assert (await driver.claim("n1", within_s=5)).power is power


async def test_200_with_an_empty_body_accepts_a_command() -> None:
    async with raw_bmc(HEAD + b"Content-Length: 0\r\n\r\n") as bmc, driver_of(bmc.port) as driver:
        assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED


async def test_a_kept_connection_that_speaks_unasked_is_closed() -> None:
    pieces = (SIZED, b"HTTP/1.1 200 OK\r\n")
    async with raw_bmc(*pieces, pause_s=0.05) as bmc, driver_of(bmc.port) as driver:
        await driver.command("n1", Act.FORCE_OFF, within_s=5)
        await asyncio.sleep(0.2)
        await driver.command("n1", Act.FORCE_OFF, within_s=5)
        assert bmc.connections == 2


async def test_a_connection_closed_between_two_requests_is_replaced_once() -> None:
    async with raw_bmc(SIZED, closes=True) as bmc, driver_of(bmc.port) as driver:
        for _ in range(3):
            assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED
        assert len(bmc.received) == 3


REDIRECT = b"HTTP/1.1 308 Moved\r\nLocation: https://127.0.0.1:1%s\r\nContent-Length: 0\r\n\r\n"


async def test_a_redirect_is_not_followed() -> None:
    async with raw_bmc(REDIRECT % b"/redfish/v1/Systems/2") as bmc, driver_of(bmc.port) as driver:
        got = await driver.command("n1", Act.FORCE_OFF, within_s=5)
        assert got.reply is Reply.REFUSED
        assert "redirects are not followed" in got.detail
        assert len(bmc.received) == 1


def read_in_pieces(data: bytes, cuts: list[int]) -> Response | None:
    reader = ResponseReader(header_limit=4_096, body_limit=4_096)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    response = None
    for begin, end in pairwise(places):
        assert response is None, "complete before its last byte"
        response = reader.feed(data[begin:end])
    return response


@given(st.lists(st.integers(min_value=0, max_value=200), max_size=20))
def test_a_response_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    for data, closes in GOOD.values():
        if not closes:
            response = read_in_pieces(data, cuts)
            assert response is not None
            assert decode_object(response.body) == {"PowerState": "Off"}


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=len(SIZED)))
def test_any_bytes_at_all_are_a_response_or_a_bad_response(noise: bytes, place: int) -> None:
    reader = ResponseReader(header_limit=256, body_limit=256)
    try:
        response = reader.feed(SIZED[:place] + noise + SIZED[place:])
    except BadResponse:
        return
    assert response is None or 200 <= response.status < 1000
