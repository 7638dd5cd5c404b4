"""Serves a whole simulated site over the real protocols: BMCs, power units, feed meters, signing gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grandpause.sim.fault_words import apply_faults
from grandpause.sim.folder import UTILITY_KEY, Served, SiteFolder, make_identity, write_site
from grandpause.sim.gateway import MeterGateway, serve_gateway
from grandpause.sim.machines import machine_named
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.sim.redfish.farm import FIRST_ADDRESS, BmcFarm, serve_bmcs
from grandpause.sim.snmp.farm import FIRST_UNIT_ADDRESS, SnmpFarm, serve_units
from grandpause.site.sitefile import SiteFile

SITE_ID = "sim-hall-1"


@dataclass(slots=True, kw_only=True)
class SimulatedSite:
    """A running simulated site. Made by ``serve_site``; end it with ``close``."""

    plant: Plant
    folder: SiteFolder
    site: SiteFile
    bmcs: BmcFarm
    units: SnmpFarm
    gateway: MeterGateway
    struck: Mapping[str, str]

    async def close(self) -> None:
        """Stop every server."""
        await self.gateway.close()
        await self.units.close()
        await self.bmcs.close()


async def serve_site(
    directory: Path,
    *,
    nodes: int = 256,
    machine: str = "h100x8",
    seed: int = 1,
    faults: Sequence[str] = (),
    outlets: bool = True,
    timing: Timing | None = None,
    settings: Mapping[str, Mapping[str, int | float]] | None = None,
) -> SimulatedSite:
    """Serve a hall and write its folder.

    Args:
        faults: see ``fault_words``.
        outlets: whether the site file gives the controller the nodes' outlets.
        timing: how long simulated machines take; believable defaults.
        settings: tables of the site file to set.

    Raises:
        UsageError: an unknown fault or machine. OSError: a port cannot be had.
    """
    plant = Plant.hall(nodes=nodes, machine=machine_named(machine), seed=seed, timing=timing)
    folder = make_identity(directory, now_s=int(time.time()))
    bmcs = await serve_bmcs(plant, clock=time.monotonic)
    units = await serve_units(plant, clock=time.monotonic)
    gateway = await serve_gateway(
        plant,
        charter=folder.charter_id,
        site=SITE_ID,
        signer=folder.signer(UTILITY_KEY),
        clock=time.monotonic,
        wall_s=lambda: int(time.time()),
    )
    # Let every meter show the full load once, so that one which sticks sticks at a believable value.
    plant.advance(time.monotonic())
    struck = apply_faults(plant, faults, seed=seed)
    served = Served(
        bmc_host=str(FIRST_ADDRESS),
        bmc_port=bmcs.port,
        bmc_pin=bmcs.pin,
        user=bmcs.credentials.user,
        password=bmcs.credentials.password,
        unit_host=str(FIRST_UNIT_ADDRESS),
        unit_port=units.port,
        community=units.write_community,
        gateway_host=gateway.host,
        gateway_port=gateway.port,
    )
    site = await asyncio.to_thread(
        write_site, folder, plant, served, site=SITE_ID, outlets=outlets, settings=settings
    )
    return SimulatedSite(
        plant=plant, folder=folder, site=site, bmcs=bmcs, units=units, gateway=gateway, struck=struck
    )
