"""The whole site controller in its own process: one limit to zero, until every BMC says "off"."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from controller import controller_site, limit_to
from grandpause.core.stop import Phase
from grandpause.site.daemon import SiteDaemon
from grandpause.site.engine import Engine
from grandpause.site.inbox import deliver
from redfish_side import peak_mb

MOST_S = 120.0


async def stop(directory: Path, farm: dict[str, object], *, warm: bool) -> dict[str, object]:
    """Bring every node down; return seconds, CPU seconds and how many say that they are off."""
    site, folder = controller_site(directory, farm, keep_warm=warm, status_s=3_600 if warm else 0)
    async with SiteDaemon(site) as daemon:
        work = asyncio.create_task(daemon.run())
        engine = daemon.engine
        engine.arm()
        if warm:
            await _all_asked(engine)
        await asyncio.sleep(0.5)
        begun, cpu = time.perf_counter(), time.process_time()
        deliver(site.identity.inbox, "limit.json", limit_to(folder, 0))
        while not engine.controller.decision.caps or engine.controller.stop.pending:
            if time.perf_counter() - begun > MOST_S or work.done():
                break
            await asyncio.sleep(0.01)
        seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        off = sum(run.phase is Phase.OFF for run in engine.controller.stop.runs.values())
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return {"seconds": seconds, "cpu_s": cpu_s, "off": off, "peak_mb": peak_mb()}


async def _all_asked(engine: Engine) -> None:
    """Wait until status polling has been at every BMC once: then every connection is open."""
    for _ in range(1_200):
        if len(engine.controller.seen.claims) == len(engine.controller.elements):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("status polling did not reach every BMC")


def main() -> int:
    farm = json.loads(sys.stdin.readline())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.freeze()
    with tempfile.TemporaryDirectory() as directory:
        result = uvloop.run(stop(Path(directory), farm, warm=sys.argv[1] == "warm"))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
