"""The farm in a process of its own, as benchmarks run it (uvloop, real clock)."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from ipaddress import IPv4Address
from typing import Any

import aiohttp


async def _started(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "grandpause.sim.redfish",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = await process.stdout.readline()
    return process, json.loads(line) if line else {}


async def test_it_says_where_it_is_serves_and_ends_with_its_input() -> None:
    process, ready = await _started("--nodes", "3", "--off-s", "0", "--no-tls", "--fault", "r01n02=500")
    try:
        pair = base64.b64encode(f"{ready['user']}:{ready['password']}".encode()).decode()
        first = IPv4Address(ready["first_address"])
        urls = [f"http://{first + index}:{ready['port']}/redfish/v1/Systems/1" for index in range(3)]
        async with aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"}) as session:
            statuses = []
            for url in urls:
                reset = f"{url}/Actions/ComputerSystem.Reset"
                async with session.post(reset, json={"ResetType": "ForceOff"}) as response:
                    statuses.append(response.status)
            assert statuses == [204, 500, 204]
            async with session.get(urls[0]) as response:
                system = await response.json()
            assert (system["HostName"], system["PowerState"]) == ("r01n01", "Off")
        assert ready["node_ids"] == ["r01n01", "r01n02", "r01n03"]
    finally:
        await _end(process)
    assert process.returncode == 0


async def test_an_unknown_fault_is_named() -> None:
    process, ready = await _started("--nodes", "1", "--fault", "r01n01=melts")
    assert ready == {}
    assert process.stderr is not None
    message = (await process.stderr.read()).decode()
    await _end(process)
    assert "melts" in message
    assert "hangs" in message
    assert process.returncode == 2


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(20):
        await process.wait()
