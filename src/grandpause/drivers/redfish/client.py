"""Requests to BMCs: one kept connection an element, one window for all, who they are checked first."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from hmac import compare_digest
from typing import TypeVar

from grandpause.drivers.redfish.connection import Connection, Judge
from grandpause.drivers.redfish.http import (
    BadResponse,
    Request,
    Response,
    ResponseReader,
    encode_object,
    encode_request,
    is_header_value,
)
from grandpause.drivers.redfish.pins import format_pin, pin_of_certificate
from grandpause.drivers.redfish.target import (
    Auth,
    Limits,
    Pinned,
    PlainHttp,
    Target,
    Verified,
    is_reset_path,
    is_resource_path,
)
from grandpause.drivers.redfish.window import Window
from grandpause.errors import DeviceRefused, DeviceUnreachable, OwnFault, SiteFileError

T = TypeVar("T")

_SESSIONS = "/redfish/v1/SessionService/Sessions"
_UNAUTHORIZED = 401
_CLOSED_AT_ONCE = 500


@dataclass(slots=True, kw_only=True)
class Peer:
    """One element's BMC as the client holds it.

    Attributes:
        waits_for: what an answer is awaited from now, for people.
        token: the session's token; empty where there is none (yet).
    """

    element: str
    target: Target
    authority: bytes = b""
    token: bytes = b""
    waits_for: str = ""


class Client:
    """Sends requests. Belongs to one event loop; keeps connections until ``close``.

    Requests are sent from within ``in_turn``, which gives each BMC its place in the window.
    """

    def __init__(self, targets: Iterable[Target], limits: Limits, *, keep_warm: bool) -> None:
        """Make the TLS contexts that the targets need: one for each set of authorities, one for all pins.

        Raises:
            SiteFileError: authorities that are no certificates.
        """
        self._limits = limits
        self._keep_warm = keep_warm
        self._window = Window(limits.window, lend_after_s=limits.lend_after_s, most_lent=limits.lent)
        self._idle: OrderedDict[str, Connection] = OrderedDict()
        self._busy: set[Connection] = set()
        self._contexts: dict[str | None, ssl.SSLContext] = {}
        for target in targets:
            key = _authorities(target)
            if key not in self._contexts and not isinstance(target.security, PlainHttp):
                self._contexts[key] = pinning_context() if key is None else verifying_context(key)
        self._closed = False
        self.handshakes = 0
        self.requests = 0

    @property
    def kept(self) -> int:
        """How many idle connections are kept."""
        return len(self._idle)

    async def in_turn(self, peer: Peer, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work`` (requests to one BMC, one after the other) in a slot of the window.

        The wait happens here, above the requests, because ten thousand calls may wait at once: what lies
        below the wait costs memory for each.
        """
        peer.waits_for = "a slot in the window"
        slot = await self._window.enter(connected=peer.element in self._idle)
        try:
            return await work()
        finally:
            self._window.leave(slot)

    async def get(self, peer: Peer, path: str, *, body_limit: int) -> Response:
        """Ask for one resource.

        Raises:
            DeviceRefused: the BMC is not who it should be, or the path is none of a BMC's.
            DeviceUnreachable: no complete, acceptable response.
        """
        if not is_resource_path(path):
            raise DeviceRefused(f"not a path of a Redfish service: {path[:80]!r}")
        return await self._authorised(peer, Request(method="GET", path=path, body_limit=body_limit))

    async def reset(self, peer: Peer, path: str, kind: str) -> Response:
        """Send ``kind`` to a ComputerSystem.Reset; no other path is ever sent a command.

        Raises:
            DeviceRefused, DeviceUnreachable: as ``get``.
        """
        if not is_reset_path(path, system=""):
            raise DeviceRefused(f"not a ComputerSystem.Reset of one system: {path[:80]!r}")
        limit = self._limits.stop_body
        request = Request(method="POST", path=path, body=_reset_body(kind), body_limit=limit)
        return await self._authorised(peer, request)

    async def get_openly(self, peer: Peer, path: str) -> Response:
        """Ask for one resource without saying who asks (the service root needs nobody)."""
        request = Request(method="GET", path=path, body_limit=self._limits.check_body)
        return await self._send(peer, request, b"")

    def drop(self, peer: Peer) -> None:
        """Close the element's kept connection, if there is one."""
        connection = self._idle.pop(peer.element, None)
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """Close every connection, also those under way."""
        self._closed = True
        self._window.close()
        while self._idle:
            for _ in range(min(len(self._idle), _CLOSED_AT_ONCE)):
                self._idle.popitem()[1].close()
            await asyncio.sleep(0)  # lets go of these before the next ones write their goodbye
        for connection in tuple(self._busy):
            connection.abort()
        await asyncio.sleep(0)  # the loop closes a transport in its next round

    async def _authorised(self, peer: Peer, request: Request) -> Response:
        credentials = peer.target.credentials
        if credentials is None or credentials.auth is Auth.BASIC:
            return await self._send(peer, request, _basic(peer))
        if not peer.token:
            await self._sign_in(peer)
            return await self._send(peer, request, _token(peer))
        used = peer.token
        response = await self._send(peer, request, _token(peer))
        if response.status != _UNAUTHORIZED:
            return response
        if peer.token == used:
            await self._sign_in(peer)
        return await self._send(peer, request, _token(peer))

    async def _sign_in(self, peer: Peer) -> None:
        """Get a session's token (DSP0266, part 13.3.4)."""
        credentials = peer.target.credentials
        if credentials is None:
            raise OwnFault("a session without credentials", where=peer.element)
        names = {"UserName": credentials.user, "Password": credentials.password}
        limit = self._limits.stop_body
        request = Request(method="POST", path=_SESSIONS, body=encode_object(names), body_limit=limit)
        response = await self._send(peer, request, b"")
        if not response.accepted:
            problem = DeviceUnreachable if response.status >= 500 else DeviceRefused  # noqa: PLR2004
            raise problem(f"session: HTTP {response.status}")
        token = response.headers.get(b"x-auth-token", b"")
        if not is_header_value(token):
            raise BadResponse("a session without a usable token")
        peer.token = token

    async def _send(self, peer: Peer, request: Request, authority: bytes) -> Response:
        content = encode_request(request, host=_host_header(peer.target), authority=authority)
        connection = self._idle.pop(peer.element, None)
        if connection is not None and connection.usable:
            try:
                return await self._exchange(peer, connection, content, request.body_limit)
            except BadResponse:
                if not connection.unanswered:
                    raise
                # The BMC closed the kept connection just then, as it may (RFC 9112, part 9.6), and did
                # not read the request. Sent again on a new one; a Reset to a state is idempotent.
        return await self._exchange(peer, await self._open(peer), content, request.body_limit)

    async def _exchange(
        self, peer: Peer, connection: Connection, content: bytes, body_limit: int
    ) -> Response:
        peer.waits_for = "its answer"
        self.requests += 1
        self._busy.add(connection)
        try:
            reader = ResponseReader(header_limit=self._limits.header, body_limit=body_limit)
            response = await connection.exchange(content, reader)
        finally:
            self._busy.discard(connection)
        if connection.usable:
            self._keep(peer, connection)
        return response

    def _keep(self, peer: Peer, connection: Connection) -> None:
        other = self._idle.pop(peer.element, None)
        if other is not None:
            other.close()  # two requests of one element ran at the same time
        self._idle[peer.element] = connection
        if not self._keep_warm and len(self._idle) > self._limits.kept:
            self._idle.popitem(last=False)[1].close()

    async def _open(self, peer: Peer) -> Connection:
        if self._closed:
            raise DeviceUnreachable("the driver was closed")
        peer.waits_for = "a connection"
        target = peer.target
        security = target.security
        name = (security.name or target.host) if isinstance(security, Verified) else None
        judge = _judge_of(security) if isinstance(security, Pinned) else None
        context = None if isinstance(security, PlainHttp) else self._contexts[_authorities(target)]
        connection = Connection(context, name=name, judge=judge)
        self.handshakes += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, target.host, target.port)
        except OSError as error:
            raise DeviceUnreachable(f"no connection: {error.strerror or error}") from error
        except BaseException:
            connection.abort()
            raise
        return connection


def pinning_context() -> ssl.SSLContext:
    """Return a TLS context that leaves the question who the peer is to a pin.

    OpenSSL still checks that the peer holds the key of the certificate that it shows; whose key that is,
    the pin says. It must not be used without one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verifying_context(authorities_pem: str) -> ssl.SSLContext:
    """Return a TLS context that checks chain, dates and name; empty text means the system's authorities.

    Raises:
        SiteFileError: the text holds no certificates.
    """
    try:
        context = ssl.create_default_context(cadata=authorities_pem or None)
    except (ssl.SSLError, ValueError) as error:
        raise SiteFileError(f"not certificates in PEM: {error}", where="authorities") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _authorities(target: Target) -> str | None:
    """Return whose certificates a target's must come from; None for a pin."""
    return target.security.authorities_pem if isinstance(target.security, Verified) else None


def _judge_of(security: Pinned) -> Judge:
    def judge(certificate: bytes) -> None:
        shown = pin_of_certificate(certificate)
        if not any(compare_digest(shown, pin) for pin in security.pins):
            raise DeviceRefused(f"certificate pin differs: it shows {format_pin(shown)}")

    return judge


def _host_header(target: Target) -> str:
    """Return host and port as the Host header has them: without the scheme's own port (RFC 9110, 7.2)."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = 80 if isinstance(target.security, PlainHttp) else 443
    return host if target.port == usual else f"{host}:{target.port}"


def _basic(peer: Peer) -> bytes:
    credentials = peer.target.credentials
    if not peer.authority and credentials is not None:
        pair = f"{credentials.user}:{credentials.password}".encode()
        peer.authority = b"Authorization: Basic " + base64.b64encode(pair) + b"\r\n"
    return peer.authority


@cache
def _reset_body(kind: str) -> bytes:
    return encode_object({"ResetType": kind})


def _token(peer: Peer) -> bytes:
    return b"X-Auth-Token: " + peer.token + b"\r\n"
