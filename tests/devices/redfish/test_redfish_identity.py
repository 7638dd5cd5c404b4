"""Who a BMC must be before it is told anything: pins, authorities, names."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from devices.redfish.raw_bmc import RESET, SYSTEM, RawBmc, WallClock, driver_of, raw_bmc
from grandpause.core.model import Act, Reply
from grandpause.drivers.redfish import (
    Credentials,
    Pinned,
    PlainHttp,
    RedfishActuator,
    Target,
    Verified,
    format_pin,
    parse_pin,
    pin_of,
)
from grandpause.drivers.redfish.pins import pin_of_certificate, public_key_info
from grandpause.errors import DeviceRefused, DeviceUnreachable, SiteFileError
from grandpause.sim.redfish.certificates import ServerCertificate, self_signed

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def der(shown: ServerCertificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(shown.certificate_pem.decode())


def pinned(*shown: ServerCertificate) -> Pinned:
    return Pinned(pins=frozenset(parse_pin(each.pin_hex) for each in shown))


@asynccontextmanager
async def tls_bmc(shown: ServerCertificate) -> AsyncIterator[RawBmc]:
    async with raw_bmc(ANSWER, tls=shown.context) as bmc:
        yield bmc


def test_the_key_is_cut_out_as_a_full_parser_reads_it() -> None:
    shown = self_signed("bmc.invalid", addresses=["127.0.0.1"])
    parsed = x509.load_pem_x509_certificate(shown.certificate_pem).public_key()
    spki = parsed.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert public_key_info(der(shown)) == spki
    assert pin_of_certificate(der(shown)) == hashlib.sha256(spki).digest()


CERTIFICATE = der(self_signed("bmc.invalid"))


@given(st.integers(min_value=0, max_value=len(CERTIFICATE) - 1))
def test_a_cut_certificate_is_refused(length: int) -> None:
    with pytest.raises(DeviceRefused):
        public_key_info(CERTIFICATE[:length])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_key_or_are_refused(noise: bytes) -> None:
    try:
        assert public_key_info(noise) in noise
    except DeviceRefused:
        return


@given(st.binary(min_size=32, max_size=32))
def test_a_pin_is_read_as_it_is_written(pin: bytes) -> None:
    assert parse_pin(format_pin(pin)) == pin
    assert parse_pin(pin.hex()) == pin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256//",
        "sha256//AAAA",
        "ab" * 31,
        "zz" * 32,
        "sha256//" + "A" * 42 + "!=",
        " " + "ab" * 32,
        "ab " * 32,
    ],
)
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(SiteFileError, match="not a pin"):
        parse_pin(text)


async def test_the_right_key_is_told() -> None:
    shown = self_signed("bmc.invalid")
    async with tls_bmc(shown) as bmc, driver_of(bmc.port, security=pinned(shown)) as driver:
        assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED
        assert b"Authorization: Basic " in bmc.received[0]


async def test_any_of_several_pins_will_do() -> None:
    old, new = self_signed("bmc.invalid"), self_signed("bmc.invalid")
    async with tls_bmc(new) as bmc, driver_of(bmc.port, security=pinned(old, new)) as driver:
        assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED


@pytest.mark.parametrize("what", ["command", "claim", "check", "prepare"])
async def test_another_key_is_told_nothing_at_all(what: str) -> None:
    known, shown = self_signed("bmc.invalid"), self_signed("bmc.invalid")
    async with tls_bmc(shown) as bmc, driver_of(bmc.port, security=pinned(known)) as driver:
        if what == "command":
            answer = await driver.command("n1", Act.FORCE_OFF, within_s=5)
            assert answer.reply is Reply.REFUSED
            assert format_pin(bytes.fromhex(shown.pin_hex)) in answer.detail
        elif what == "claim":
            assert (await driver.claim("n1", within_s=5)).reply is Reply.REFUSED
        elif what == "prepare":
            assert (await driver.prepare("n1", within_s=5)).reply is Reply.REFUSED
        else:
            [finding] = await driver.check("n1", within_s=5)
            assert finding.level == "fail"
            assert "pin differs" in finding.message
        await asyncio.sleep(0.05)
        assert bmc.received == []
        assert driver.client.kept == 0


async def test_a_certificate_of_the_sites_own_authority_is_accepted() -> None:
    shown = self_signed("bmc.invalid", addresses=["127.0.0.1"])
    security = Verified(authorities_pem=shown.certificate_pem.decode())
    async with tls_bmc(shown) as bmc, driver_of(bmc.port, security=security) as driver:
        assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED


@pytest.mark.parametrize("case", ["no authority", "another authority", "another name", "system authorities"])
async def test_a_certificate_that_does_not_verify_is_told_nothing(case: str) -> None:
    shown = self_signed("bmc.invalid", addresses=["127.0.0.9" if case == "another name" else "127.0.0.1"])
    other = self_signed("bmc.invalid", addresses=["127.0.0.1"])
    authorities = {"another authority": other, "another name": shown}.get(case)
    security = Verified(authorities_pem=authorities.certificate_pem.decode() if authorities else "")
    async with tls_bmc(shown) as bmc, driver_of(bmc.port, security=security) as driver:
        answer = await driver.command("n1", Act.FORCE_OFF, within_s=5)
        assert answer.reply is Reply.REFUSED
        assert "certificate not accepted" in answer.detail
        assert bmc.received == []


async def test_the_certificates_name_may_differ_from_the_address() -> None:
    shown = self_signed("bmc.invalid")
    security = Verified(authorities_pem=shown.certificate_pem.decode(), name="bmc.invalid")
    async with tls_bmc(shown) as bmc, driver_of(bmc.port, security=security) as driver:
        assert (await driver.command("n1", Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED


@pytest.mark.parametrize(
    "text", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_authorities_that_are_no_certificates_stop_the_start(text: str) -> None:
    target = Target(host="127.0.0.1", security=Verified(authorities_pem=text), credentials=LOGIN)
    with pytest.raises(SiteFileError, match="not certificates"):
        RedfishActuator({"n1": target}, clock=WallClock())


async def test_plain_http_at_a_tls_address_is_unreachable() -> None:
    shown = self_signed("bmc.invalid")
    async with raw_bmc(ANSWER) as bmc, driver_of(bmc.port, security=pinned(shown)) as driver:
        answer = await driver.command("n1", Act.FORCE_OFF, within_s=0.5)
        assert answer.reply in {Reply.UNREACHABLE, Reply.TIMED_OUT}
        assert not any(b"Authorization" in each for each in bmc.received)


async def test_a_pin_is_asked_for_without_saying_anything() -> None:
    shown = self_signed("bmc.invalid")
    async with tls_bmc(shown) as bmc:
        assert (await pin_of("127.0.0.1", bmc.port, within_s=5)).hex() == shown.pin_hex
        await asyncio.sleep(0.05)
        assert bmc.received == []


async def test_no_pin_comes_from_where_nobody_listens() -> None:
    async with tls_bmc(self_signed("bmc.invalid")) as bmc:
        port = bmc.port
    with pytest.raises(DeviceUnreachable):
        await pin_of("127.0.0.1", port, within_s=2)


LOGIN = Credentials(user="operator", password="correct horse")


def test_a_password_shows_in_no_repr() -> None:
    target = Target(host="127.0.0.1", security=PlainHttp(), credentials=LOGIN)
    assert "correct horse" not in repr(target)


@pytest.mark.parametrize(
    ("system", "reset"),
    [
        ("/redfish/v1/Chassis/1", ""),
        ("/redfish/v1/Systems/..", ""),
        ("/redfish/v1/Systems/1/../2", ""),
        ("/redfish/v1/Systems/1\r\nX: y", ""),
        ("/redfish/v1/Systems/%2e%2e", ""),
        (SYSTEM, "/redfish/v1/Systems/2/Actions/ComputerSystem.Reset"),
        (SYSTEM, "/redfish/v1/Chassis/1/Actions/Chassis.Reset"),
        (SYSTEM, "/redfish/v1/Managers/1/Actions/Manager.Reset"),
        (SYSTEM, f"{SYSTEM}/SecureBoot/Actions/SecureBoot.ResetKeys"),
        (SYSTEM, f"{RESET}?x=1"),
        (SYSTEM, f"https://127.0.0.1{RESET}"),
    ],
)
def test_a_path_that_is_no_reset_of_its_system_is_refused_when_the_site_is_loaded(
    system: str, reset: str
) -> None:
    with pytest.raises(SiteFileError):
        Target(host="127.0.0.1", security=PlainHttp(), credentials=LOGIN, system=system, reset=reset)
