"""A BMC that sends exactly the bytes it was given, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from grandpause.drivers.redfish import (
    Credentials,
    Limits,
    Pinned,
    PlainHttp,
    RedfishActuator,
    Target,
    Verified,
)

SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
LOGIN = Credentials(user="operator", password="correct horse")


def ok(body: bytes) -> bytes:
    """A whole response with a body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class WallClock:
    """Our time, as the daemon's clock gives it."""

    def wall_s(self) -> int:
        return int(time.time())

    def monotonic_s(self) -> float:
        return time.monotonic()


@dataclass(slots=True, kw_only=True)
class RawBmc:
    """Answers every request with the same pieces, ``pause_s`` apart; a GET with ``to_get`` if that is set."""

    port: int = 0
    pieces: Sequence[bytes]
    to_get: bytes
    closes: bool
    pause_s: float
    received: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_now: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now.add(writer)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.received.append(request)
                lengths = [
                    line for line in request.split(b"\r\n") if line.lower().startswith(b"content-length:")
                ]
                if lengths:
                    self.received[-1] += await reader.readexactly(int(lengths[0].split(b":")[1]))
                for piece in [self.to_get] if self.to_get and request.startswith(b"GET") else self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(self.pause_s)
                if self.closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open_now.discard(writer)
            writer.transport.abort()


@asynccontextmanager
async def raw_bmc(
    *pieces: bytes,
    closes: bool = False,
    pause_s: float = 0.0,
    to_get: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawBmc]:
    bmc = RawBmc(pieces=pieces, closes=closes, pause_s=pause_s, to_get=to_get)
    server = await asyncio.start_server(bmc.serve, "127.0.0.1", 0, ssl=tls)
    bmc.port = server.sockets[0].getsockname()[1]
    try:
        yield bmc
    finally:
        server.close()
        for writer in tuple(bmc.open_now):
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def driver_of(
    port: int,
    *,
    host: str = "127.0.0.1",
    security: Pinned | Verified | PlainHttp | None = None,
    limits: Limits | None = None,
    credentials: Credentials | None = LOGIN,
) -> AsyncIterator[RedfishActuator]:
    """A driver of the one element "n1", whose paths are known."""
    target = Target(
        host=host,
        port=port,
        security=security or PlainHttp(),
        credentials=credentials,
        system=SYSTEM,
        reset=RESET,
    )
    driver = RedfishActuator({"n1": target}, clock=WallClock(), limits=limits)
    try:
        yield driver
    finally:
        await driver.close()
