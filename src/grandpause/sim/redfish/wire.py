"""A small, bounded HTTP/1.1 server side on asyncio protocols; what it serves is a ``Service``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol, cast

import httptools

MAXIMUM_REQUEST_BYTES = 128 * 1024
"""Of one request, head and body together; more is answered 413 and the connection closed."""


@dataclass(slots=True, kw_only=True)
class Request:
    """One complete request. Header names are in lower case; the last of equal names counts."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response; ``Content-Length`` and ``Connection`` are added on the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self, *, head_only: bool, close: bool) -> bytes:
        """Return the bytes for the wire; ``head_only`` leaves the body out (HEAD)."""
        lines = [_STATUS_LINES.get(self.status) or f"HTTP/1.1 {self.status} Unknown"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if close:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head if head_only else head + self.body


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


class Service(Protocol):
    """What a connection asks. Every call happens on the loop; none may block."""

    def opened(self, connection: Connection) -> None:
        """A client is connected (its TLS handshake is over)."""

    def closed(self, connection: Connection) -> None:
        """A client is gone."""

    def serve(self, connection: Connection, request: Request) -> None:
        """Answer ``request``, now or later, with exactly one call of ``reply`` or ``abort``, or never."""


class Connection(asyncio.Protocol):
    """One client's connection. Pipelined requests are answered one after the other, in order.

    Attributes:
        local_host: the address on our side: it tells which BMC was called.
        node_id: for the service's use.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_parser",
        "_received",
        "_request",
        "_service",
        "_target",
        "_transport",
        "_waiting",
        "local_host",
        "node_id",
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._waiting: deque[Request] = deque()
        self._request: Request | None = None
        self._received = 0
        self._target = b""
        self._body = b""
        self._headers: dict[bytes, bytes] = {}
        self.local_host = ""
        self.node_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by the loop once TLS stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self.local_host = transport.get_extra_info("sockname")[0]
        self._service.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End; whatever was still to be answered is forgotten."""
        self._transport = self._parser = None
        self._waiting.clear()
        self._service.closed(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; anything that is not HTTP/1.1 is answered 400 and closed."""
        if self._parser is None:
            return
        self._received += len(data)
        if self._received > MAXIMUM_REQUEST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        except httptools.HttpParserInvalidMethodError:
            self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def on_message_begin(self) -> None:
        """Parser: a request begins."""
        self._target = self._body = b""
        self._headers = {}

    def on_url(self, url: bytes) -> None:
        """Parser: a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: one header."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Parser: a request is complete."""
        parser = cast("httptools.HttpRequestParser", self._parser)
        self._received = 0
        self._waiting.append(
            Request(
                method=parser.get_method().decode("latin-1"),
                target=self._target.decode("latin-1"),
                headers=self._headers,
                body=self._body,
                keep_alive=parser.should_keep_alive(),
            )
        )
        self._serve_next()

    def reply(self, response: Response) -> None:
        """Answer the request being served, and go on to the next."""
        request, transport = self._request, self._transport
        if request is None or transport is None:
            return
        close = not request.keep_alive
        transport.write(response.encoded(head_only=request.method == "HEAD", close=close))
        self._request = None
        if close:
            transport.close()
        else:
            self._serve_next()

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _serve_next(self) -> None:
        if self._request is None and self._waiting:
            self._request = self._waiting.popleft()
            self._service.serve(self, self._request)

    def _refuse(self, status: HTTPStatus) -> None:
        transport, self._parser = self._transport, None
        self._waiting.clear()
        if transport is not None:
            transport.write(Response(status=status).encoded(head_only=False, close=True))
            transport.close()
