"""Replays a capture of a real Redfish service: GETs as captured, writes recorded and changing nothing."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from grandpause.sim.redfish.access import Credentials
from grandpause.sim.redfish.capture import Capture, load_capture
from grandpause.sim.redfish.certificates import ServerCertificate, self_signed
from grandpause.sim.redfish.wire import Connection, Request, Response

_SESSIONS = "/redfish/v1/sessionservice/sessions"
_OPEN = frozenset({"/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request that would change something on a real device."""

    method: str
    path: str
    body: bytes

    def json(self) -> object:
        """Return the body as a JSON value; raise ValueError if it is none."""
        return json.loads(self.body)


class ReplayServer:
    """A running replay. Made by ``serve_capture``; end it with ``close``.

    Attributes:
        posts: every POST but logins, in order: all were answered 204.
        writes: every PATCH, PUT and DELETE but logouts, in order: all were answered 405.
        gets: the path of every GET and HEAD, in order.
        logins: how many sessions were opened.
    """

    def __init__(
        self, capture: Capture, *, credentials: Credentials | None, certificate: ServerCertificate | None
    ) -> None:
        self.posts: list[Write] = []
        self.writes: list[Write] = []
        self.gets: list[str] = []
        self.logins = 0
        self.host = ""
        self.port = 0
        self._capture = capture
        self._credentials = credentials
        self._certificate = certificate
        self._tokens: set[str] = set()
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    @property
    def url(self) -> str:
        """Scheme, host and port; append paths that begin with a slash."""
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{self.host}:{self.port}"

    @property
    def pin(self) -> str:
        """The certificate's SPKI SHA-256 pin in hex; empty without TLS."""
        return "" if self._certificate is None else self._certificate.pin_hex

    async def start(self, *, host: str, port: int) -> None:
        """Listen. See ``serve_capture``."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            host,
            port,
            family=socket.AF_INET,
            ssl=None if self._certificate is None else self._certificate.context,
        )
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()
        await self._all_gone.wait()

    def opened(self, connection: Connection) -> None:
        """Take a connection."""
        self._connections.add(connection)
        self._all_gone.clear()

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def serve(self, connection: Connection, request: Request) -> None:
        """Answer one request from the capture."""
        connection.reply(self._answer(request))

    def _answer(self, request: Request) -> Response:
        path = request.target.partition("?")[0]
        folded = path.rstrip("/").casefold()
        if request.method == "POST" and folded in {_SESSIONS, f"{_SESSIONS}/members"}:
            return self._login(request)
        if not self._allowed(request.headers) and not (request.method == "GET" and folded in _OPEN):
            return Response(
                status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": 'Basic realm="replay"'}
            )
        if request.method in {"GET", "HEAD"}:
            self.gets.append(path)
            return self._page(path)
        write = Write(method=request.method, path=path, body=request.body)
        if request.method == "POST":
            self.posts.append(write)
            return Response(status=HTTPStatus.NO_CONTENT)
        if request.method == "DELETE" and folded.startswith(f"{_SESSIONS}/"):
            self._tokens.discard(request.headers.get(b"x-auth-token", b"").decode("latin-1"))
            return Response(status=HTTPStatus.NO_CONTENT)
        self.writes.append(write)
        return Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD, POST"})

    def _page(self, path: str) -> Response:
        page = self._capture.page(path) or self._capture.page(unquote(path))
        if page is None:
            return Response(status=HTTPStatus.NOT_FOUND)
        headers = {"Content-Type": page.content_type, "OData-Version": "4.0", **dict(page.headers)}
        return Response(status=HTTPStatus.OK, body=page.body, headers=headers)

    def _login(self, request: Request) -> Response:
        try:
            given = json.loads(request.body)
        except ValueError:
            return Response(status=HTTPStatus.BAD_REQUEST)
        wanted = self._credentials
        if wanted is not None and given != {"UserName": wanted.user, "Password": wanted.password}:
            return Response(status=HTTPStatus.UNAUTHORIZED)
        self.logins += 1
        token = secrets.token_hex(16)
        self._tokens.add(token)
        location = f"/redfish/v1/SessionService/Sessions/replay{self.logins}"
        body = {"@odata.id": location, "Id": f"replay{self.logins}", "Name": "User Session"}
        headers = {"X-Auth-Token": token, "Location": location, "Content-Type": "application/json"}
        return Response(status=HTTPStatus.CREATED, body=json.dumps(body).encode(), headers=headers)

    def _allowed(self, headers: Mapping[bytes, bytes]) -> bool:
        wanted = self._credentials
        if wanted is None:
            return True
        token = headers.get(b"x-auth-token")
        if token is not None:
            return token.decode("latin-1") in self._tokens
        pair = base64.b64encode(f"{wanted.user}:{wanted.password}".encode())
        return hmac.compare_digest(headers.get(b"authorization", b""), b"Basic " + pair)


async def serve_capture(
    path: Path,
    *,
    tree: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: bool = False,
    credentials: Credentials | None = None,
) -> ReplayServer:
    """Serve a capture (a directory or tar archive of the Redfish-Mockup-Creator kind).

    GETs are answered as captured and 404 where nothing was; every POST is recorded and answered 204,
    though nothing changes: a BMC that lies openly. Blocks while it reads the capture.

    Args:
        path: the capture.
        tree: which tree, where the capture holds several.
        host: the address to listen on.
        port: the TCP port; 0 takes a free one.
        tls: serve HTTPS with a self-signed certificate for ``host``.
        credentials: who may read and write, by Basic authentication or a session; None: anyone.

    Raises:
        UsageError: no such capture or tree.
        FormError: a capture that cannot be read.
        OSError: the port is taken.
    """
    capture = load_capture(path, tree=tree)
    certificate = self_signed("replay.invalid", addresses=[host]) if tls else None
    server = ReplayServer(capture, credentials=credentials, certificate=certificate)
    await server.start(host=host, port=port)
    return server
