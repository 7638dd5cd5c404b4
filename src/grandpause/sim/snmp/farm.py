"""Serves the row power units and feed meters of a plant, each at a loopback address of its own."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address

from grandpause.errors import UsageError
from grandpause.sim.plant import Plant
from grandpause.sim.snmp.agent import Agent
from grandpause.sim.snmp.objects import Objects, feed_meter_objects, power_unit_objects

FIRST_UNIT_ADDRESS = IPv4Address("127.40.0.1")
FIRST_FEED_ADDRESS = IPv4Address("127.41.0.1")
MOST_UNITS = 65_000
_PORT_TRIES = 20
"""A port that is free at one address may be taken at another; then another port is tried."""


class PlantUnit:
    """A row power unit of a plant, seen at the plant's present. The plant counts outlets from 0."""

    def __init__(self, plant: Plant, unit: str, clock: Callable[[], float]) -> None:
        self._plant = plant
        self._unit = unit
        self._clock = clock

    @property
    def outlet_count(self) -> int:
        """How many outlets it has."""
        return len(self._plant.unit(self._unit).outlets)

    def outlet_on(self, outlet: int) -> bool:
        """Tell the position of an outlet's relay."""
        return self._plant.outlet_on(self._unit, outlet - 1)

    def switch(self, outlet: int, *, on: bool) -> None:
        """Switch one outlet."""
        self._plant.switch_outlet(self._unit, outlet - 1, on, self._clock())

    def outlet_watts(self, outlet: int) -> float | None:
        """Return what the unit's meter shows for an outlet."""
        return self._plant.outlet_watts(self._unit, outlet - 1, self._clock())

    def total_watts(self) -> float | None:
        """Return what the unit's meter shows in total."""
        return self._plant.unit_watts(self._unit, self._clock())


class PlantFeed:
    """A feed meter of a plant, seen at the plant's present."""

    def __init__(self, plant: Plant, feed: str, clock: Callable[[], float]) -> None:
        self._plant = plant
        self._feed = feed
        self._clock = clock

    def watts(self) -> float | None:
        """Return what the feed's meter shows."""
        return self._plant.feed_watts(self._feed, self._clock())


class SnmpFarm:
    """Running SNMP agents. Made by ``serve_units``; end it with ``close``.

    Attributes:
        port: the one UDP port of all agents.
        read_community: reads.
        write_community: reads and writes.
    """

    def __init__(self, *, read_community: str, write_community: str) -> None:
        self.port = 0
        self.read_community = read_community
        self.write_community = write_community
        self._agents: dict[str, Agent] = {}
        self._hosts: dict[str, str] = {}
        self._transports: list[asyncio.DatagramTransport] = []

    def address(self, name: str) -> tuple[str, int]:
        """Return where a row power unit or feed meter answers; raise UsageError for any other name."""
        if name not in self._hosts:
            raise UsageError("the simulated site has no power unit or feed of this name", where=name)
        return self._hosts[name], self.port

    def agent(self, name: str) -> Agent:
        """Return the agent of a row power unit or feed meter; raise UsageError for any other name."""
        if name not in self._agents:
            raise UsageError("the simulated site has no power unit or feed of this name", where=name)
        return self._agents[name]

    @property
    def sets(self) -> Mapping[str, Mapping[str, int]]:
        """The SETs that came, by unit and object; units without any are left out."""
        return {name: dict(agent.sets) for name, agent in self._agents.items() if agent.sets}

    async def start(self, devices: Mapping[str, tuple[str, Objects]], *, port: int) -> None:
        """Listen for every device (name: host, objects). See ``serve_units``."""
        listeners = _listeners([host for host, _ in devices.values()], port)
        loop = asyncio.get_running_loop()
        for (name, (host, objects)), listener in zip(devices.items(), listeners, strict=True):
            agent = Agent(
                objects,
                read_community=self.read_community.encode(),
                write_community=self.write_community.encode(),
            )
            self.port = listener.getsockname()[1]
            transport, _ = await loop.create_datagram_endpoint(partial(_itself, agent), sock=listener)
            self._agents[name] = agent
            self._hosts[name] = host
            self._transports.append(transport)

    async def close(self) -> None:
        """Stop listening."""
        for transport in self._transports:
            transport.close()
        await asyncio.sleep(0)


async def serve_units(
    plant: Plant,
    *,
    clock: Callable[[], float],
    port: int = 0,
    read_community: str | None = None,
    write_community: str | None = None,
) -> SnmpFarm:
    """Serve every row power unit and every feed meter of ``plant`` at its own 127.x.y.z address.

    Row power units speak APC rPDU2 (outlets count from 1: the plant's outlet 0 is outlet 1), feed meters
    the output power of RFC 1628.

    Args:
        plant: the simulated site.
        clock: the plant's time, in seconds from any fixed moment.
        port: the UDP port of all; 0 takes a free one.
        read_community: a random one if none is given.
        write_community: the same.

    Raises:
        OSError: the port is taken.
    """
    farm = SnmpFarm(
        read_community=read_community or secrets.token_urlsafe(12),
        write_community=write_community or secrets.token_urlsafe(12),
    )
    devices: dict[str, tuple[str, Objects]] = {}
    for index, unit in enumerate(plant.units):
        host = _host(FIRST_UNIT_ADDRESS, index)
        devices[unit] = host, power_unit_objects(PlantUnit(plant, unit, clock), name=unit, up_s=clock)
    for index, feed in enumerate(plant.feeds):
        host = _host(FIRST_FEED_ADDRESS, index)
        devices[feed] = host, feed_meter_objects(PlantFeed(plant, feed, clock), name=feed, up_s=clock)
    await farm.start(devices, port=port)
    return farm


def _itself(agent: Agent) -> Agent:
    return agent


def _host(first: IPv4Address, index: int) -> str:
    if index >= MOST_UNITS:
        raise UsageError(f"at most {MOST_UNITS} power units can be served")
    return str(first + index)


def _listeners(hosts: list[str], port: int) -> list[socket.socket]:
    """Bind one socket a host, all on one port; with port 0 on one that is free at every host."""
    for _ in range(_PORT_TRIES - 1):
        try:
            return _bound(hosts, port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _bound(hosts, port)


def _bound(hosts: list[str], port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listeners.append(listener)
            listener.setblocking(False)
            listener.bind((host, port))
            port = port or listener.getsockname()[1]
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners
