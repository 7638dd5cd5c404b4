"""Run a farm of simulated BMCs in its own process, for benchmarks and trials.

    python -m grandpause.sim.redfish --nodes 1000 --port 0

prints one line of JSON when ready (port, pin, credentials, addresses) and ends when its input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import threading
import time

import uvloop

from grandpause.errors import GrandpauseError, UsageError
from grandpause.sim.faults import Bmc
from grandpause.sim.machines import H100X8, MACHINES, machine_named
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.sim.redfish.farm import FIRST_ADDRESS, serve_bmcs

_GC_THRESHOLD = 100_000
"""Connections are freed by their reference counts; frequent collections would only slow the farm."""

_FAULTS = {
    "hangs": Bmc.hangs,
    "drops": Bmc.drops,
    "lies": Bmc.lies,
    "lies_openly": Bmc.lies_openly,
    "ignores_graceful": Bmc.ignores_graceful,
    "offers_by_action_info": Bmc.offers_by_action_info,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m grandpause.sim.redfish", description=__doc__)
    parser.add_argument("--nodes", type=int, default=256)
    parser.add_argument("--machine", choices=sorted(MACHINES), default=H100X8.name)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--no-tls", action="store_true", help="plain HTTP")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--off-s", type=float, default=None, help="seconds to go off, softly or by force")
    parser.add_argument("--reply-s", type=float, default=0.0, help="seconds that every answer takes")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NODE=FAULT",
        help=f"one of {', '.join(_FAULTS)}, or an HTTP status that it answers",
    )
    return parser.parse_args()


def _plant(arguments: argparse.Namespace) -> Plant:
    off_s = arguments.off_s
    timing = Timing() if off_s is None else Timing(soft_off_s=(off_s, off_s), force_off_s=(off_s, off_s))
    machine = machine_named(arguments.machine)
    plant = Plant.hall(nodes=arguments.nodes, machine=machine, seed=arguments.seed, timing=timing)
    if arguments.reply_s > 0:
        for node in plant.nodes.values():
            node.bmc.slow(arguments.reply_s)
    for fault in arguments.fault:
        node_id, _, name = fault.partition("=")
        bmc = plant.node(node_id).bmc
        if name.isdecimal():
            bmc.answers(int(name))
        elif name in _FAULTS:
            _FAULTS[name](bmc)
        else:
            raise UsageError(f"no fault {name!r}", where="--fault", hint=f"known: {', '.join(_FAULTS)}")
    return plant


async def _run(arguments: argparse.Namespace) -> None:
    plant = _plant(arguments)
    farm = await serve_bmcs(plant, clock=time.monotonic, port=arguments.port, tls=not arguments.no_tls)
    ready = {
        "schema": "grandpause.sim.redfish/1",
        "port": farm.port,
        "tls": not arguments.no_tls,
        "pin": farm.pin,
        "user": farm.credentials.user,
        "password": farm.credentials.password,
        "nodes": len(plant.nodes),
        "addresses": f"ipv4({FIRST_ADDRESS}) + i, for the i-th node from 0",
        "first_address": str(FIRST_ADDRESS),
        "node_ids": list(plant.nodes),
    }
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await _input_closed()
    await farm.close()


async def _input_closed() -> None:
    """Wait for the end of the input; a thread reads it, since a loop cannot watch every kind of file."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=read, daemon=True).start()
    await closed.wait()


def main() -> int:
    """Run until the input closes; return the exit code."""
    arguments = _arguments()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    try:
        uvloop.run(_run(arguments))
    except GrandpauseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"port {arguments.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
