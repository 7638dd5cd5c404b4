"""One side of the Redfish comparison, in its own process: the bare floor or the driver. Prints one JSON line.

Both sides do the same to every node: POST ComputerSystem.Reset, then GET PowerState until it says Off, at
most 300 requests at once, TLS settings and credentials alike. The floor checks nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import uvloop

SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
AT_ONCE = 300
POLL_S = 0.25
POLLED_AT_ONCE = 1_000
"""Status polling goes round in parts; the stop that is timed goes to all nodes at once."""
WITHIN_S = 120.0


def peak_mb() -> float:
    """Return the most resident memory this process ever had, in MB of 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmHWM in /proc/self/status")


def hosts(farm: dict[str, Any]) -> list[str]:
    """Return the address of every BMC."""
    first = IPv4Address(farm["first_address"])
    return [str(first + index) for index in range(farm["nodes"])]


async def floor(farm: dict[str, Any]) -> dict[str, Any]:
    """Bare aiohttp with a semaphore of its own; trusts whoever answers."""
    import aiohttp

    from grandpause.drivers.redfish.client import pinning_context

    at_once = asyncio.Semaphore(AT_ONCE)
    connector = aiohttp.TCPConnector(limit=0, ssl=pinning_context())
    login = aiohttp.encode_basic_auth(farm["user"], farm["password"])
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": login}) as session:

        async def stop(host: str) -> None:
            root = f"https://{host}:{farm['port']}"
            async with at_once, session.post(root + RESET, json={"ResetType": "ForceOff"}) as response:
                await response.read()
            while True:
                async with at_once, session.get(root + SYSTEM) as response:
                    if (await response.json())["PowerState"] == "Off":
                        return
                await asyncio.sleep(POLL_S)

        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(stop(host) for host in hosts(farm)))
        seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        return {"seconds": seconds, "cpu_s": cpu_s, "off": farm["nodes"]}


async def ours(farm: dict[str, Any], *, warm: bool, healthy: int) -> dict[str, Any]:
    """The driver, with the pin checked on every connection; times the first ``healthy`` nodes."""
    from grandpause.core.model import Act, Power, Reply
    from grandpause.drivers.redfish import Credentials, Limits, Pinned, RedfishActuator, Target, parse_pin

    class WallClock:
        def wall_s(self) -> int:
            return int(time.time())

        def monotonic_s(self) -> float:
            return time.monotonic()

    credentials = Credentials(user=farm["user"], password=farm["password"])
    security = Pinned(pins=frozenset({parse_pin(farm["pin"])}))
    targets = {
        host: Target(
            host=host,
            port=farm["port"],
            security=security,
            credentials=credentials,
            system=SYSTEM,
            reset=RESET,
        )
        for host in hosts(farm)
    }
    driver = RedfishActuator(targets, clock=WallClock(), limits=Limits(window=AT_ONCE), keep_warm=warm)

    async def stop(host: str) -> bool:
        answer = await driver.command(host, Act.FORCE_OFF, within_s=WITHIN_S)
        if answer.reply is not Reply.ACCEPTED:
            return False
        while True:
            claim = await driver.claim(host, within_s=WITHIN_S)
            if claim.power is Power.OFF or claim.reply is not Reply.ACCEPTED:
                return claim.power is Power.OFF
            await asyncio.sleep(POLL_S)

    names = list(targets)
    for begin in range(0, len(names) if warm else 0, POLLED_AT_ONCE):
        polled = names[begin : begin + POLLED_AT_ONCE]
        await asyncio.gather(*(driver.claim(host, within_s=WITHIN_S) for host in polled))
    before = (driver.client.requests, driver.client.handshakes)
    begun, cpu = time.perf_counter(), time.process_time()
    bad = [asyncio.ensure_future(stop(host)) for host in names[healthy:]]
    done = await asyncio.gather(*(stop(host) for host in names[:healthy]))
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    for task in bad:
        task.cancel()
    await asyncio.gather(*bad, return_exceptions=True)
    counts = (driver.client.requests - before[0], driver.client.handshakes - before[1])
    await driver.close()
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "off": sum(done),
        "requests": counts[0],
        "handshakes": counts[1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=("floor", "cold", "warm"))
    parser.add_argument("--healthy", type=int, default=0, help="time only the first so many nodes; 0 for all")
    arguments = parser.parse_args()
    farm = json.loads(sys.stdin.readline())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.freeze()
    if arguments.side == "floor":
        result = uvloop.run(floor(farm))
    else:
        healthy = arguments.healthy or farm["nodes"]
        result = uvloop.run(ours(farm, warm=arguments.side == "warm", healthy=healthy))
    print(json.dumps({**result, "peak_mb": peak_mb()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
