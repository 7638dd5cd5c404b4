"""The SNMP client: one engine for all devices, numeric object identifiers, one deadline a call.

pysnmp's engine is used below its ``hlapi``, which resolves every object through MIB modules and costs
2.7 times as much. Nothing is retried here (ports.Actuator): a lost datagram is no answer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

from cryptography.hazmat.backends import default_backend
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.carrier.error import CarrierError
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdgen
from pysnmp.error import PySnmpError
from pysnmp.proto import rfc1902

from grandpause.drivers.snmp.answers import NoAnswer, binding, no_answer, raise_indication, raise_status
from grandpause.drivers.snmp.values import (
    Authentication,
    Binding,
    Community,
    Credential,
    Peer,
    Privacy,
    User,
)
from grandpause.errors import DeviceRefused, DeviceUnreachable, OwnFault, SiteFileError

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Room for the answers of a few thousand devices that are asked at one moment."""

REQUESTS_AT_ONCE = 256
"""Requests under way in all: so many answers fit the socket's buffer even where the kernel keeps it small.

A device that hangs holds one of these for its own deadline, and delays no other beyond that.
"""

ENGINE_PATIENCE_S = 60
"""When pysnmp itself forgets a request; every call has a shorter deadline of its own."""

MIB_MODULES = (
    "SNMP-COMMUNITY-MIB", "SNMP-FRAMEWORK-MIB", "SNMP-TARGET-MIB", "SNMP-USER-BASED-SM-MIB", "SNMPv2-MIB",
    "SNMPv2-TM", "PYSNMP-SOURCE-MIB", "PYSNMP-USM-MIB", "SNMP-USM-AES-MIB", "SNMP-MPD-MIB",
    "SNMP-VIEW-BASED-ACM-MIB", "__PYSNMP-USM-MIB", "__SNMP-FRAMEWORK-MIB", "__SNMP-MPD-MIB",
    "__SNMP-TARGET-MIB", "__SNMP-USER-BASED-SM-MIB", "__SNMP-VIEW-BASED-ACM-MIB", "__SNMPv2-MIB",
)  # fmt: skip
"""What the engine itself reads; loaded once, off the loop, so that no request opens a file."""

AUTHENTICATIONS: Mapping[Authentication, Any] = {
    Authentication.MD5: config.USM_AUTH_HMAC96_MD5,
    Authentication.SHA1: config.USM_AUTH_HMAC96_SHA,
    Authentication.SHA256: config.USM_AUTH_HMAC192_SHA256,
    Authentication.SHA512: config.USM_AUTH_HMAC384_SHA512,
}
PRIVACIES: Mapping[Privacy, Any] = {
    Privacy.NONE: config.USM_PRIV_NONE,
    Privacy.AES128: config.USM_PRIV_CFB128_AES,
    Privacy.AES256: config.USM_PRIV_CFB256_AES,
}


class _Socket(udp.UdpAsyncioTransport):  # type: ignore[misc]
    """pysnmp's UDP socket, which hears only devices that were enrolled and survives any datagram."""

    def __init__(self) -> None:
        super().__init__()
        self.enrolled: set[tuple[str, int]] = set()
        self.fault: OSError | None = None

    def datagram_received(self, datagram: bytes, transportAddress: tuple[str, int]) -> None:  # noqa: N803
        if transportAddress not in self.enrolled:
            return
        try:
            self._callback_function(self, transportAddress, datagram)
        except (PySnmpError, PyAsn1Error) as error:
            # A malformed answer is no answer; the caller's deadline says so.
            self.fault = OSError(f"malformed datagram from {transportAddress[0]}: {error}")

    def error_received(self, exc: Exception) -> None:
        self.fault = exc if isinstance(exc, OSError) else OSError(str(exc))


class SnmpClient:
    """Asks SNMP agents, v2c and v3, through one engine and one socket. Make it with ``open``."""

    def __init__(self, engine: SnmpEngine, transport: _Socket) -> None:
        self._engine = engine
        self._transport = transport
        self._get = cmdgen.GetCommandGenerator()
        self._set = cmdgen.SetCommandGenerator()
        self._ways: dict[Credential, str] = {}
        self._targets: dict[Peer, str] = {}
        self._window = asyncio.Semaphore(REQUESTS_AT_ONCE)

    @classmethod
    async def open(cls) -> Self:
        """Load what the engine needs (off the loop) and open the socket."""
        engine = await asyncio.to_thread(_loaded_engine)
        transport = _Socket().open_client_mode(("0.0.0.0", 0))  # noqa: S104  the routing table chooses the interface
        config.add_transport(engine, udp.DOMAIN_NAME, transport)
        await transport._lport  # noqa: SLF001  pysnmp has no other way to wait for its socket
        opened = transport.transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return cls(engine, transport)

    async def close(self) -> None:
        """Close the socket; calls under way end with their deadlines."""
        self._engine.close_dispatcher()
        await asyncio.sleep(0)

    def enrol(self, peer: Peer) -> None:
        """Make a device known, so that its first request costs no more than any other.

        Raises:
            SiteFileError: two SNMP v3 users of one name with different secrets.
        """
        if peer in self._targets:
            return
        way = self._way_of(peer.credential)
        target = f"device-{len(self._targets)}"
        place = (peer.address.host, peer.address.port)
        config.add_target_address(
            self._engine, target, udp.DOMAIN_NAME, place, way, ENGINE_PATIENCE_S * 100, 0
        )
        self._transport.enrolled.add(place)
        self._targets[peer] = target

    async def get(self, peer: Peer, oids: Sequence[str], *, within_s: float) -> dict[str, Binding]:
        """Read objects in one request.

        Returns:
            What was given for each of ``oids``; an object that is not there is a Binding of kind absent.

        Raises:
            NoAnswer: nothing came within ``within_s`` seconds.
            DeviceRefused: the agent refused the request or the credentials.
            DeviceUnreachable: the request could not be sent, or a passing error was answered.
        """
        questions = [(object_name(oid), univ.Null("")) for oid in oids]
        answered = await self._ask(self._get, peer, questions, within_s)
        return {oid: binding(value) for oid, (_, value) in zip(oids, answered, strict=True)}

    async def set(self, peer: Peer, oid: str, value: int, *, within_s: float) -> None:
        """Write one INTEGER object; raises as ``get`` does.

        The answer has to repeat the value (RFC 3416, 4.2.5): some agents answer "no error" to a write that
        they ignore, and show what they hold instead.
        """
        answered = await self._ask(self._set, peer, [(object_name(oid), rfc1902.Integer32(value))], within_s)
        held = binding(answered[0][1])
        if held.number != value:
            shown = held.text if held.number is None else held.number
            raise DeviceRefused(f"ignored the write: {oid} is {shown}, not {value}", where=str(peer))

    async def _ask(
        self, generator: Any, peer: Peer, questions: list[tuple[Any, Any]], within_s: float
    ) -> list[tuple[Any, Any]]:
        if within_s <= 0:
            raise NoAnswer("no time left to ask", where=str(peer))
        self.enrol(peer)
        try:
            async with asyncio.timeout(within_s), self._window:
                indication, status, index, bindings, _ = await self._send(generator, peer, questions)
        except TimeoutError:
            raise no_answer(peer, within_s) from None
        raise_indication(indication, peer, within_s)
        raise_status(int(status), int(index), questions, peer)
        if [tuple(name) for name, _ in bindings] != [tuple(name) for name, _ in questions]:
            raise DeviceUnreachable("answered other objects than asked for", where=str(peer))
        return list(bindings)

    def _send(
        self, generator: Any, peer: Peer, questions: list[tuple[Any, Any]]
    ) -> asyncio.Future[tuple[Any, ...]]:
        answered: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def arrived(_engine: Any, _handle: Any, *answer: Any) -> None:
            if not answered.done():
                answered.set_result(answer)

        self._transport.fault = None
        try:
            generator.send_varbinds(self._engine, self._targets[peer], None, "", questions, arrived)
        except (PySnmpError, CarrierError) as error:
            raise DeviceUnreachable(f"could not be asked: {error}", where=str(peer)) from error
        if self._transport.fault is not None:
            raise DeviceUnreachable(f"could not be asked: {self._transport.fault}", where=str(peer))
        return answered

    def _way_of(self, credential: Credential) -> str:
        way = self._ways.get(credential)
        if way is not None:
            return way
        way = f"way-{len(self._ways)}"
        if isinstance(credential, Community):
            config.add_v1_system(self._engine, way, credential.name)
            config.add_target_parameters(self._engine, way, way, "noAuthNoPriv", 1)
        else:
            self._add_user(credential)
            level = "authNoPriv" if credential.privacy is Privacy.NONE else "authPriv"
            config.add_target_parameters(self._engine, way, credential.name, level, 3)
        self._ways[credential] = way
        return way

    def _add_user(self, user: User) -> None:
        if any(isinstance(known, User) and known.name == user.name for known in self._ways):
            raise SiteFileError(
                "two SNMP v3 users of one name with different secrets",
                where=user.name,
                hint="give the devices one secret, or two user names",
            )
        config.add_v3_user(
            self._engine,
            user.name,
            AUTHENTICATIONS[user.authentication],
            user.authentication_secret,
            PRIVACIES[user.privacy],
            None if user.privacy is Privacy.NONE else user.privacy_secret,
        )


@lru_cache(maxsize=65_536)
def object_name(oid: str) -> Any:
    """Return the object identifier that ``oid`` (dotted decimal) writes."""
    try:
        return rfc1902.ObjectName(tuple(int(arc) for arc in oid.split(".")))
    except (ValueError, PyAsn1Error) as error:
        raise OwnFault(f"no object identifier: {oid!r}") from error


def _loaded_engine() -> SnmpEngine:
    default_backend()  # pysnmp's ciphers load it at their first message
    engine = SnmpEngine()
    engine.get_mib_builder().load_modules(*MIB_MODULES)
    return engine
