"""From a limit's arrival in the inbox to the first command on the wire, at a site of 10,000 nodes.

The whole controller: inotify, signatures, latch on disk (synchronous=FULL), plan, keys on disk, TLS to a
BMC that was never spoken to. The site has no meters and no status polling, so this is the path itself:
what reading and judging 1,250 power units in the same process adds at a bad moment is not in it. The BMCs
are another process; both read the same monotonic clock. The first command counts when the BMC has it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from controller import controller_site, limit_to
from figures import Figure
from grandpause.drivers.redfish.client import pinning_context
from grandpause.site.daemon import SiteDaemon
from grandpause.site.inbox import deliver
from grandpause.site.sitefile import SiteFile
from redfish_stop import emulator

NODES = 10_000
ROUNDS = 100
BOUND_MS = 50.0


def first_reset_s(farm: dict[str, Any]) -> float | None:
    """Ask the BMCs when the first command came (monotonic seconds), and forget it there."""
    connection = http.client.HTTPSConnection(
        farm["first_address"], farm["port"], context=pinning_context(), timeout=30
    )
    connection.request("GET", "/sim/first-reset")
    value = json.loads(connection.getresponse().read())["at_s"]
    connection.close()
    return None if value is None else float(value)


async def one_round(site: SiteFile, farm: dict[str, Any], limit: bytes) -> float:
    """Boot a controller with an empty state, give it one limit; return milliseconds to the first command."""
    for path in (site.identity.state, site.identity.inbox):
        shutil.rmtree(path, ignore_errors=True)
    async with SiteDaemon(site) as daemon:
        work = asyncio.create_task(daemon.run())
        daemon.engine.arm()
        await asyncio.sleep(0.4)
        await asyncio.to_thread(first_reset_s, farm)
        dropped = time.monotonic()
        deliver(site.identity.inbox, "limit.json", limit)
        came = None
        for _ in range(100):
            await asyncio.sleep(0.1)
            came = await asyncio.to_thread(first_reset_s, farm)
            if came is not None:
                break
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    if came is None:
        raise RuntimeError("no command ever came")
    return (came - dropped) * 1_000


def run() -> Iterator[Figure]:
    with emulator(NODES) as farm, tempfile.TemporaryDirectory() as directory:
        site, folder = controller_site(Path(directory), farm)
        limit = limit_to(folder, 50_000)

        async def rounds() -> list[float]:
            return [await one_round(site, farm, limit) for _ in range(ROUNDS)]

        taken = sorted(uvloop.run(rounds()))
    yield Figure(
        bench="arrival.p99",
        value=round(taken[int(len(taken) * 0.99) - 1], 1),
        unit="ms",
        bound=BOUND_MS,
        note=f"{NODES} nodes without meters or polling, {ROUNDS} cold starts,"
        f" median {median(taken):.1f} ms, worst {taken[-1]:.1f} ms",
    )
