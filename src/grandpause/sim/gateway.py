"""A simulated meter gateway: reads a feed of the plant and signs what it reads, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from grandpause.core.statement.codec import encode
from grandpause.core.statement.facts import Reading
from grandpause.ports import Signer
from grandpause.signers.file import signed
from grandpause.sim.plant import Plant

_REQUEST_BYTES = 4_096


class MeterGateway:
    """Serves ``/readings/FEED`` for every feed of a plant. Made by ``serve_gateway``."""

    def __init__(
        self,
        plant: Plant,
        *,
        charter: str,
        site: str,
        signer: Signer,
        clock: Callable[[], float],
        wall_s: Callable[[], int],
    ) -> None:
        self._plant = plant
        self._charter = charter
        self._site = site
        self._signer = signer
        self._clock = clock
        self._wall_s = wall_s
        self._sequence = 0
        self._server: asyncio.Server | None = None
        self.host = "127.0.0.1"
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._serve, self.host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def reading(self, feed: str) -> bytes:
        """Return a fresh signed reading. What the meter does not show is left out, never 0."""
        watts = self._plant.feed_watts(feed, self._clock())
        shown = {} if watts is None or math.isnan(watts) else {"total": round(watts)}
        # The wall clock in milliseconds grows over restarts of the gateway as well.
        self._sequence = max(self._sequence + 1, self._wall_s() * 1_000)
        reading = Reading(
            charter=self._charter,
            site=self._site,
            meter=feed,
            sequence=self._sequence,
            at=self._wall_s(),
            channels=shown,
        )
        return signed(encode(reading), self._signer).to_bytes()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readuntil(b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            feed = line.split(b" ")[1].decode("ascii", "replace").removeprefix("/readings/")
            if feed in self._plant.feeds:
                body, status = self.reading(feed), b"200 OK"
            else:
                body, status = b"", b"404 Not Found"
            writer.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%b" % (status, len(body), body)
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, IndexError):
            pass  # a client that went away or sent no HTTP gets no answer
        finally:
            writer.close()


async def serve_gateway(
    plant: Plant,
    *,
    charter: str,
    site: str,
    signer: Signer,
    clock: Callable[[], float],
    wall_s: Callable[[], int],
    port: int = 0,
) -> MeterGateway:
    """Serve signed readings of every feed of ``plant``.

    Args:
        signer: the key of the meters' owner, a body of the charter.
        clock: the plant's time. wall_s: the date of the readings, Unix seconds.
    """
    gateway = MeterGateway(plant, charter=charter, site=site, signer=signer, clock=clock, wall_s=wall_s)
    await gateway.start(port)
    return gateway
