"""Serves the BMCs of a plant over HTTP/1.1 and TLS, each at its own loopback address."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import IPv4Address

from grandpause.errors import UsageError
from grandpause.sim.faults import Manner, Reception
from grandpause.sim.parts import Node
from grandpause.sim.plant import Plant
from grandpause.sim.redfish.access import Access, Credentials
from grandpause.sim.redfish.certificates import ServerCertificate, self_signed
from grandpause.sim.redfish.documents import JSON_HEADERS, error
from grandpause.sim.redfish.service import BmcService
from grandpause.sim.redfish.wire import Connection, Request, Response

FIRST_ADDRESS = IPv4Address("127.10.0.1")
MOST_BMCS = 1_000_000
_BACKLOG = 4096
_NAMED_IN_CERTIFICATE = 64
"""Farms up to this size name their addresses in the certificate, so that it can serve as an authority."""


def bmc_address(index: int) -> str:
    """Return the loopback address of the BMC of the ``index``-th node, counted from 0."""
    if not 0 <= index < MOST_BMCS:
        raise UsageError(f"no address for BMC {index}; at most {MOST_BMCS}")
    return str(FIRST_ADDRESS + index)


class BmcFarm:
    """Running BMC servers. Made by ``serve_bmcs``; end it with ``close``.

    Attributes:
        port: the one TCP port of all BMCs.
        credentials: user and password of all BMCs.
        access: sessions; basic authentication and sessions can be switched off here.
        counters: connections (with TLS: completed handshakes), requests, and responses by status.
    """

    def __init__(
        self,
        plant: Plant,
        *,
        clock: Callable[[], float],
        wall_s: Callable[[], float],
        credentials: Credentials,
    ) -> None:
        self.port = 0
        self.credentials = credentials
        self.access = Access(credentials)
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._service = BmcService(plant, self.access, wall_s=wall_s)
        self._plant = plant
        self._addresses = {node_id: bmc_address(index) for index, node_id in enumerate(plant.nodes)}
        self._at_address = {address: plant.node(node_id) for node_id, address in self._addresses.items()}
        self._certificates: dict[str, ServerCertificate] = {}
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Every reset that reached a BMC's Redfish service: (node, reset type), in order."""
        return self._service.commands

    @property
    def pin(self) -> str:
        """The SPKI SHA-256 pin of the farm's one certificate, in hex; empty without TLS."""
        return self._certificates[""].pin_hex if "" in self._certificates else ""

    def address(self, node_id: str) -> tuple[str, int]:
        """Return where the BMC of a node answers."""
        if node_id not in self._addresses:
            raise UsageError("the simulated site has no node of this name", where=node_id)
        return self._addresses[node_id], self.port

    def certificate(self, node_id: str) -> ServerCertificate:
        """Return the certificate that the BMC of a node shows."""
        found = self._certificates.get(node_id) or self._certificates.get("")
        if found is None:
            raise UsageError("this farm serves without TLS", where=node_id)
        return found

    async def start(self, *, port: int, tls: bool, own_certificates: bool) -> None:
        """Listen. See ``serve_bmcs``."""
        if tls and own_certificates:
            self._certificates = {
                node_id: self_signed(node_id, addresses=[address])
                for node_id, address in self._addresses.items()
            }
        elif tls:
            # A certificate that named thousands of addresses would cost every connection its bytes.
            all_named = len(self._addresses) <= _NAMED_IN_CERTIFICATE
            few = list(self._addresses.values()) if all_named else []
            self._certificates = {"": self_signed("bmc-farm.invalid", addresses=few)}
        wildcard = None if own_certificates else _loopback_wildcard(port)
        if wildcard is not None:
            await self._listen(wildcard, self._certificates.get(""))
            return
        for node_id, address in self._addresses.items():
            certificate = self.certificate(node_id) if tls else None
            await self._listen(_listening_socket(address, self.port or port), certificate)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.abort()
        for server in self._servers:
            await server.wait_closed()
        await self._all_gone.wait()

    def drop_connections(self, node_id: str) -> None:
        """Reset every connection to one BMC, as its restart does."""
        for connection in [each for each in self._connections if each.node_id == node_id]:
            connection.abort()

    def opened(self, connection: Connection) -> None:
        """Take a connection; one to a dead BMC is reset at once (a real one would not even be accepted)."""
        self._connections.add(connection)
        self._all_gone.clear()
        self.counters["connections"] += 1
        node = self._at_address.get(connection.local_host)
        if node is None or not self._plant.bmc_alive(node.id, self._clock()):
            connection.abort()
            return
        connection.node_id = node.id

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def serve(self, connection: Connection, request: Request) -> None:
        """Receive one request in the manner of its BMC."""
        if request.target == "/sim/counters" and request.method == "GET":
            connection.reply(
                Response(status=HTTPStatus.OK, body=json.dumps(self.counters).encode(), headers=JSON_HEADERS)
            )
            return
        if request.target == "/sim/first-reset" and request.method == "GET":
            first, self._service.first_reset_s = self._service.first_reset_s, None
            body = json.dumps({"at_s": first}).encode()
            connection.reply(Response(status=HTTPStatus.OK, body=body, headers=JSON_HEADERS))
            return
        self.counters["requests"] += 1
        node = self._at_address[connection.local_host]
        reception = node.bmc.reception()
        if reception.delay_s > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(reception.delay_s, self._receive, connection, request, node, reception)
        else:
            self._receive(connection, request, node, reception)

    def _receive(self, connection: Connection, request: Request, node: Node, reception: Reception) -> None:
        now_s = self._clock()
        if connection not in self._connections:
            return
        if not self._plant.bmc_alive(node.id, now_s):
            connection.abort()
            return
        response = self._service.answer(node, request, now_s) if reception.acts else None
        if reception.manner is Manner.HANGS:
            self.counters["hung"] += 1
            return
        if reception.manner is Manner.FAILS:
            response = error(
                HTTPStatus(reception.status), "InternalError", "This BMC fails on request of the simulation."
            )
        if reception.manner is Manner.DROPS or response is None:
            self.counters["dropped"] += 1
            connection.abort()
            return
        self.counters[str(int(response.status))] += 1
        connection.reply(response)

    async def _listen(self, listener: socket.socket, certificate: ServerCertificate | None) -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=listener,
            ssl=None if certificate is None else certificate.context,
            backlog=_BACKLOG,
        )
        self._servers.append(server)
        self.port = listener.getsockname()[1]


async def serve_bmcs(
    plant: Plant,
    *,
    clock: Callable[[], float],
    wall_s: Callable[[], float] = time.time,
    port: int = 0,
    tls: bool = True,
    own_certificates: bool = False,
    credentials: Credentials | None = None,
) -> BmcFarm:
    """Serve the BMC of every node of ``plant`` at its own 127.x.y.z address, on one port.

    Args:
        plant: the simulated site.
        clock: the plant's time, in seconds from any fixed moment.
        wall_s: what the BMCs take for the date, in Unix seconds.
        port: the TCP port; 0 takes a free one.
        tls: serve HTTPS with a self-signed certificate; otherwise plain HTTP.
        own_certificates: a key and certificate for every BMC, and a listener each; else one for all.
        credentials: user and password of every BMC; a random password if none are given.

    Returns:
        The running farm.

    Raises:
        OSError: the port is taken.
    """
    farm = BmcFarm(plant, clock=clock, wall_s=wall_s, credentials=credentials or Credentials.generated())
    try:
        await farm.start(port=port, tls=tls, own_certificates=own_certificates)
    except BaseException:
        await farm.close()
        raise
    return farm


def _loopback_wildcard(port: int) -> socket.socket | None:
    """Return one socket for every loopback address, closed to all other interfaces; None if refused."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    except (AttributeError, OSError):
        listener.close()
        return None
    return _bound(listener, "0.0.0.0", port)  # noqa: S104  the device option lets loopback traffic in only


def _listening_socket(address: str, port: int) -> socket.socket:
    return _bound(socket.socket(socket.AF_INET, socket.SOCK_STREAM), address, port)


def _bound(listener: socket.socket, address: str, port: int) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener
