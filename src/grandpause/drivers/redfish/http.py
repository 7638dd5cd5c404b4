"""HTTP/1.1 as far as a BMC needs it, without sockets: requests as bytes, responses read strictly.

Strict means: a response that two readers could understand differently is no response. Both framings at
once, a wrong version, a bare line feed, a bad chunk, bytes after the end, anything over its bound: refused
as a whole. Redirects are not followed: whoever could redirect a stop could stop something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httptools

from grandpause.errors import DeviceUnreachable

JsonObject = Mapping[str, object]

_KEPT_HEADERS = frozenset({b"date", b"location", b"x-auth-token", b"retry-after"})
_NO_BODY = frozenset({204, 304})
_FIRST_FINAL = 200
_MOST_INTERIM = 4
_VISIBLE = range(0x21, 0x7F)


class BadResponse(DeviceUnreachable):
    """What came is no acceptable response; whether the request took effect is unknown."""

    code = "bad-response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a BMC.

    Attributes:
        method: GET or POST.
        path: a path that ``target.is_resource_path`` or ``is_reset_path`` allowed.
        body: sent as it is, said to be JSON; empty for no body.
        body_limit: bytes that the response's body may have.
    """

    method: str
    path: str
    body: bytes = b""
    body_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One complete response.

    Attributes:
        status: 200 to 599 (interim ones are skipped).
        headers: only those that the driver uses, names in lower case.
        body: decoded of its framing; may be empty with any status.
        reusable: the connection may carry another request.
    """

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    reusable: bool

    @property
    def accepted(self) -> bool:
        """Any 2xx: the BMC heard it (204 done, 202 with a task, 200 with or without a body)."""
        return 200 <= self.status < 300  # noqa: PLR2004 (RFC 9110, part 15.3)


class ResponseReader:
    """Reads exactly one final response from bytes as they come."""

    __slots__ = (
        "_body",
        "_body_limit",
        "_chunked",
        "_done",
        "_framed",
        "_header_bytes",
        "_header_limit",
        "_headers",
        "_in_body",
        "_interim",
        "_parser",
        "_reusable",
        "begun",
    )

    def __init__(self, *, header_limit: int, body_limit: int) -> None:
        self._header_limit = header_limit
        self._body_limit = body_limit
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._interim = 0
        self._header_bytes = 0
        self._done = False
        self.begun = False
        self._clear_headers()

    def _clear_headers(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._chunked = False
        self._framed = False
        self._in_body = False
        self._reusable = False

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; return the response once it is complete.

        Raises:
            BadResponse: it cannot become an acceptable response any more.
        """
        self.begun = True
        if not self._in_body:
            room = self._header_limit - self._header_bytes
            self._header_bytes += len(data)
            if len(data) > room:
                self._parse(data[:room])
                data = data[room:]
                if not self._in_body:
                    raise BadResponse(f"headers longer than {self._header_limit} bytes")
        self._parse(data)
        return self._response() if self._done else None

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, BadResponse) else BadResponse("unreadable") from error
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise BadResponse(f"not strict HTTP/1.1: {error}") from error

    def feed_end(self) -> Response:
        """Take the end of the connection.

        Raises:
            BadResponse: the response says that more should have come.
        """
        if self._in_body and not self._framed:
            return self._response()
        raise BadResponse("closed in the middle of its answer" if self.begun else "closed without an answer")

    def _response(self) -> Response:
        return Response(
            status=self._parser.get_status_code(),
            headers=self._headers,
            body=b"".join(self._body),
            reusable=self._reusable,
        )

    # What follows is called by the parser, in the order of the bytes.

    def on_message_begin(self) -> None:
        """Refuse a second message: nobody asked for it."""
        if self._done:
            raise BadResponse("bytes after the end of its answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that matter; judge the framing before any body is read."""
        name = name.lower()
        if name in _KEPT_HEADERS:
            self._headers[name] = value
        elif name == b"content-length":
            self._framed = True
            if len(value) > len(str(self._body_limit)) or int(value) > self._body_limit:
                raise BadResponse(f"a body longer than {self._body_limit} bytes")
        elif name == b"transfer-encoding":
            self._framed = self._chunked = True
            if value.lower() != b"chunked":
                raise BadResponse(f"transfer encoding {value[:40]!r}")
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise BadResponse(f"content encoding {value[:40]!r}, which was not asked for")

    def on_headers_complete(self) -> None:
        """Refuse other versions; from here on the body's bound counts."""
        if self._parser.get_http_version() != "1.1":
            raise BadResponse(f"HTTP/{self._parser.get_http_version()} instead of HTTP/1.1")
        self._in_body = self._parser.get_status_code() >= _FIRST_FINAL
        self._reusable = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep the body, up to its bound."""
        self._body.append(data)
        if sum(map(len, self._body)) > self._body_limit:
            raise BadResponse(f"a body longer than {self._body_limit} bytes")

    def on_message_complete(self) -> None:
        """Skip interim responses; stop at the final one."""
        if self._in_body:
            self._done = True
            return
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise BadResponse(f"more than {_MOST_INTERIM} interim responses")
        self._clear_headers()


def encode_request(request: Request, *, host: str, authority: bytes) -> bytes:
    """Return one request as bytes.

    Args:
        request: what is asked.
        host: the value of the Host header.
        authority: complete header lines that say who asks, each ended by CR LF; may be empty.
    """
    head = (
        f"{request.method} {request.path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        "Accept-Encoding: identity\r\nOData-Version: 4.0\r\n"
    ).encode("ascii")
    if not request.body:
        return head + authority + b"\r\n"
    framing = f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n".encode("ascii")
    return head + authority + framing + request.body


def encode_object(value: JsonObject) -> bytes:
    """Return an object as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def decode_object(body: bytes) -> JsonObject:
    """Return a body as a JSON object.

    Raises:
        BadResponse: it is empty, is no JSON (NaN and infinities included), or no object.
    """
    if not body:
        raise BadResponse("an empty body")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadResponse("a body that is no JSON") from error
    if not isinstance(value, dict):
        raise BadResponse("a body that is no JSON object")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def is_header_value(value: bytes) -> bool:
    """Tell whether a value that a BMC sent may be sent back in a header: visible ASCII, no spaces."""
    return bool(value) and all(octet in _VISIBLE for octet in value)
