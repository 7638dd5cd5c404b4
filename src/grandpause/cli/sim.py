"""``sim``: simulated sites and devices that speak the real protocols, on loopback."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from grandpause.cli.output import console, say_json
from grandpause.cli.soak import replay_seed, soak
from grandpause.core.rendering import watts
from grandpause.errors import UsageError

app = App(name="sim", help="Simulated sites and devices, over the real protocols, on loopback only.")
app.command(soak)
app.command(replay_seed)


BRISK = {
    "ramp": {"watts_per_minute": 8_000_000, "watts_per_step": 400_000},
    "timing": {
        "soft_off_s": 9,
        "force_off_s": 5,
        "outlet_off_s": 6,
        "command_s": 3,
        "poll_s": 1,
        "backoff_s": 1,
        "retry_s": 20,
        "settle_s": 3,
    },
    "periods": {"meters_s": 1, "status_s": 15, "window_s": 6},
}
"""Deadlines short enough to watch; the simulated machines are quick enough for them."""


@app.command
def serve(
    directory: Path,
    *,
    nodes: int = 256,
    machine: str = "h100x8",
    seed: int = 1,
    fault: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    outlets: Annotated[bool, Parameter(negative="--no-outlets")] = True,
    brisk: bool = False,
    tied: bool = False,
    json: bool = False,
) -> int:
    """Serve a whole site (Redfish, SNMP, a signing meter gateway) and write its folder, until SIGTERM.

    Then, elsewhere: grandpause site run DIRECTORY/site.toml

    Parameters
    ----------
    directory
        Where keys, charter, site file and declaration go.
    nodes
        How many nodes, in rows of 16.
    machine
        Machine type: h100x8, a100x8, ...
    seed
        Which nodes the faults strike, and the noise of the meters.
    fault
        For example hang=3, lie=2, 500=1, meter2=stuck, r01n07=drop. May be given many times.
    outlets
        --no-outlets: the controller may read the outlets, not switch them.
    brisk
        Deadlines of a rehearsal in the site file: seconds instead of minutes.
    tied
        End when standard input ends, too: for a parent process that may be killed.
    json
        Print one JSON value when ready.
    """
    import uvloop

    from grandpause.sim.parts import Timing
    from grandpause.sim.serve import serve_site

    async def work() -> None:
        told = _told_to_end(tied=tied)
        site = await serve_site(
            directory,
            nodes=nodes,
            machine=machine,
            seed=seed,
            faults=fault,
            outlets=outlets,
            settings=BRISK if brisk else None,
            timing=Timing(soft_off_s=(2.0, 6.0)) if brisk else None,
        )
        ready = {
            "schema": "grandpause.sim/1",
            "directory": str(directory),
            "site_file": str(site.folder.site_file),
            "charter": site.folder.charter_id,
            "nodes": nodes,
            "struck": dict(site.struck),
        }
        if json:
            say_json(ready)
        else:
            rated = watts(site.site.it_watts)
            console().print(f"{nodes} nodes, {rated}; site file {site.folder.site_file}", soft_wrap=True)
            console().print("The keys in this folder are for simulation only.")
        await told.wait()
        await site.close()

    uvloop.run(work())
    return 0


@app.command
def replay(capture: Path, *, tree: str = "", port: int = 0, json: bool = False) -> int:
    """Serve a capture of a real BMC (any Redfish-Mockup-Creator tree) until SIGTERM.

    Every POST is recorded and answered 204, and changes nothing: a BMC that lies.

    Parameters
    ----------
    capture
        A directory, or a .tar.xz of one.
    tree
        Which tree, where the capture holds several.
    port
        TCP port on loopback; 0 takes a free one.
    json
        Print one JSON value when ready.
    """
    from grandpause.sim.redfish.replay import serve_capture

    if not capture.exists():
        raise UsageError("no such capture", where=str(capture))

    async def work() -> None:
        server = await serve_capture(capture, tree=tree or None, port=port)
        if json:
            say_json({"schema": "grandpause.replay/1", "url": server.url})
        else:
            console().print(f"serving {capture} at {server.url}/redfish/v1/", soft_wrap=True)
        await _told_to_end().wait()
        for post in server.posts:
            console().print(f"POST {post}", markup=False, soft_wrap=True)
        await server.close()

    asyncio.run(work())
    return 0


def _told_to_end(*, tied: bool = False) -> asyncio.Event:
    """Return an event that SIGTERM, SIGINT or (``tied``) the end of standard input sets, from now on."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    def read() -> None:
        while sys.stdin.buffer.read(4_096):
            pass
        loop.call_soon_threadsafe(told.set)

    if tied:
        threading.Thread(target=read, daemon=True).start()
    return told
