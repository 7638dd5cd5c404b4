"""Credentials, and what the hot path must not do: show a secret, open a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from devices.snmp.conftest import RPDU2, FixedClock
from devices.snmp.wire import WRITE, SnmpSim, agent_with, apc_walk, spdu_shelf, writable
from grandpause.core.model import Act, Reply
from grandpause.drivers.snmp import (
    Address,
    Authentication,
    Community,
    Credential,
    Identities,
    Outlet,
    Peer,
    Privacy,
    SnmpClient,
    SnmpMeter,
    SnmpOutlets,
    User,
    shipped_profiles,
)
from grandpause.errors import SiteFileError
from grandpause.ports import Answer

PROFILES = shipped_profiles()

_files_opened: list[str] = []
_watching: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "open":
        _files_opened.append(str(arguments[0]))


sys.addaudithook(_audit)


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """Note every file that is opened meanwhile."""
    _files_opened.clear()
    _watching.append(True)
    try:
        yield _files_opened
    finally:
        _watching.clear()


def _peer(address: Address) -> Peer:
    return Peer(address=address, credential=Community(name=WRITE))


async def _switch_off(client: SnmpClient, peer: Peer, *, within_s: float = 2.0) -> Answer:
    outlets = SnmpOutlets(client, Identities(client, PROFILES), {"n1": [Outlet(peer=peer, number=1)]})
    return await outlets.command("n1", Act.OUTLET_OFF, within_s=within_s)


async def test_snmp_v3_switches_with_the_right_secrets_and_is_refused_with_wrong_ones(tmp_path: Path) -> None:
    options = ["--v3-user=operator", "--v3-auth-key=correct horse", "--v3-auth-proto=SHA256"]
    options += ["--v3-priv-key=battery staple", "--v3-priv-proto=AES128"]
    # snmpsim serves the walk named "self" where an SNMP v3 request names no context.
    walks = {"ready": apc_walk("apc-8641"), "self": writable(apc_walk("apc-8641"), RPDU2)}
    simulator = SnmpSim(tmp_path, walks, options=options)
    simulator.start()
    host, port = simulator.address
    address = Address(host=host, port=port)
    credentials = {
        "right": _operator("correct horse", "battery staple"),
        "wrong authentication": _operator("another horse", "battery staple"),
        "wrong privacy": _operator("correct horse", "another staple"),
        "wrong name": replace(_operator("correct horse", "battery staple"), name="nobody"),
    }
    answers = {}
    files = {}
    try:
        for what, credential in credentials.items():
            client = await SnmpClient.open()
            peer = Peer(address=address, credential=credential)
            client.enrol(peer)
            with files_opened() as opened:
                answers[what] = await _switch_off(client, peer, within_s=1)
            files[what] = list(opened)
            await client.close()
    finally:
        simulator.stop()

    assert answers["right"].reply is Reply.ACCEPTED
    assert answers["wrong authentication"].reply is Reply.REFUSED
    assert "SNMP v3: WrongDigest" in answers["wrong authentication"].detail
    assert answers["wrong name"].reply is Reply.REFUSED
    assert "SNMP v3: UnknownUserName" in answers["wrong name"].detail
    # An agent drops what it cannot decipher, or says so; either way nothing was accepted.
    assert answers["wrong privacy"].reply in (Reply.REFUSED, Reply.TIMED_OUT, Reply.UNREACHABLE)
    assert not any(files.values())


def _operator(authentication_secret: str, privacy_secret: str) -> User:
    return User(
        name="operator",
        authentication=Authentication.SHA256,
        authentication_secret=authentication_secret,
        privacy=Privacy.AES128,
        privacy_secret=privacy_secret,
    )


async def test_two_users_of_one_name_with_different_secrets_are_refused_before_anything_is_sent(
    client: SnmpClient,
) -> None:
    address = Address(host="127.0.0.1", port=16161)
    client.enrol(Peer(address=address, credential=_operator("correct horse", "battery staple")))
    with pytest.raises(SiteFileError, match="operator: two SNMP v3 users"):
        client.enrol(Peer(address=address, credential=_operator("another horse", "battery staple")))


async def test_no_file_is_opened_once_the_devices_are_enrolled(
    client: SnmpClient, identities: Identities, clock: FixedClock
) -> None:
    async with agent_with(spdu_shelf()) as (_, address):
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=_peer(address), number=1)]})
        meter = SnmpMeter(client, identities, meter="m", peer=_peer(address), channels=["total"], clock=clock)
        with files_opened() as opened:
            answer = await outlets.command("n1", Act.OUTLET_OFF, within_s=2)
            await outlets.claim("n1", within_s=2)
            await meter.read(within_s=2)
            seen = list(opened)
            os.close(os.open(os.devnull, os.O_RDONLY))
            proof = list(opened)

    assert answer.reply is Reply.ACCEPTED
    assert seen == []
    assert proof == [os.devnull]


@pytest.mark.parametrize(
    "credential", [Community(name="hush"), _operator("hush hush hush", "hush hush hush")]
)
def test_no_secret_is_shown(credential: Credential) -> None:
    outlet = Outlet(peer=Peer(address=Address(host="127.0.0.1"), credential=credential), number=1)
    assert "hush" not in f"{credential!r} {outlet!r} {outlet}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Address(host="pdu1.example"), "no IPv4 address"),
        (lambda: Address(host="127.0.0.1", port=0), "no UDP port"),
        (lambda: Community(name=""), "empty community"),
        (lambda: _operator("short", "battery staple"), "fewer than 8"),
        (lambda: _operator("correct horse", ""), "fewer than 8"),
    ],
)
def test_what_cannot_be_asked_is_refused_when_it_is_named(make: Any, message: str) -> None:
    with pytest.raises(SiteFileError, match=message):
        make()


def test_the_client_works_on_the_loop_of_the_daemon() -> None:
    async def switched() -> Answer:
        client = await SnmpClient.open()
        try:
            async with agent_with(spdu_shelf()) as (_, address):
                return await _switch_off(client, _peer(address))
        finally:
            await client.close()

    assert uvloop.run(switched()).reply is Reply.ACCEPTED
