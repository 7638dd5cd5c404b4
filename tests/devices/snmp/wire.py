"""What the SNMP tests stand on: snmpsim as a process, a tap on the wire, and agents over a few objects."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import pytest
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto import rfc1902
from pysnmp.proto.api import v2c

from grandpause.drivers.snmp import Address, Community, Peer
from grandpause.sim.snmp import Agent
from grandpause.sim.snmp.objects import ManagedObject

START_LIMIT_S = 30.0
READ = "reads"
WRITE = "writes"

GET = "get"
SET = "set"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it stood on the wire."""

    act: str
    community: str
    bindings: tuple[tuple[str, str, int | str], ...]


class Tap(asyncio.DatagramProtocol):
    """A UDP proxy in front of an agent, which notes every request that passes."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.asked: list[Asked] = []
        self._upstream = upstream
        self._asker: tuple[str, int] | None = None
        self._front: asyncio.DatagramTransport | None = None
        self._back: asyncio.DatagramTransport | None = None

    @property
    def sets(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.act == SET]

    @property
    def address(self) -> Address:
        assert self._front is not None
        host, port = self._front.get_extra_info("sockname")
        return Address(host=host, port=port)

    def peer(self, community: str) -> Peer:
        return Peer(address=self.address, credential=Community(name=community))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._front = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._asker = addr
        self.asked.append(_decoded(data))
        assert self._back is not None
        self._back.sendto(data)

    def answered(self, data: bytes) -> None:
        assert self._front is not None
        self._front.sendto(data, self._asker)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._back, _ = await loop.create_datagram_endpoint(lambda: _Back(self), remote_addr=self._upstream)

    async def close(self) -> None:
        for transport in (self._front, self._back):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        self._tap.answered(data)


def _decoded(data: bytes) -> Asked:
    message, rest = decoder.decode(data, asn1Spec=v2c.Message())
    assert not rest
    pdu = v2c.apiMessage.get_pdu(message)
    act = {v2c.GetRequestPDU.tagSet: GET, v2c.SetRequestPDU.tagSet: SET}[pdu.tagSet]
    bindings = tuple((str(name), *_value(value)) for name, value in v2c.apiPDU.get_varbinds(pdu))
    return Asked(act, bytes(v2c.apiMessage.get_community(message)).decode(), bindings)


def _value(value: Any) -> tuple[str, int | str]:
    """Name the type as it stood in the message: by its BER tag."""
    if value.tagSet == univ.Integer.tagSet:
        return "INTEGER", int(value)
    return type(value).__name__, str(value)


@asynccontextmanager
async def tapped(upstream: tuple[str, int]) -> AsyncIterator[Tap]:
    tap = Tap(upstream)
    await tap.start()
    try:
        yield tap
    finally:
        await tap.close()


class SnmpSim:
    """``snmpsim-command-responder`` as a process; each walk is served under its name as community."""

    def __init__(self, directory: Path, walks: Mapping[str, str], *, options: Sequence[str] = ()) -> None:
        self.directory = directory
        self.walks = tuple(walks)
        self.address = ("127.0.0.1", _free_port())
        data, cache = directory / "data", directory / "cache"
        data.mkdir()
        cache.mkdir()
        for name, text in walks.items():
            (data / f"{name}.snmprec").write_text(text, encoding="utf-8", errors="surrogateescape")
        self._log = directory / "log"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sys.executable).with_name("snmpsim-command-responder")
        if not program.exists():
            pytest.skip("snmpsim is not installed")
        # As root it would become "nobody", who may not read the interpreter's own library.
        own = ["--process-user=root", "--process-group=root"] if os.geteuid() == 0 else []
        endpoint = "--agent-udpv4-endpoint={}:{}".format(*self.address)
        arguments = [f"--data-dir={self.directory / 'data'}", f"--cache-dir={self.directory / 'cache'}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    *own,
                    *arguments,
                    *self._options,
                    endpoint,
                    "--log-level=info",
                    "--logging-method=stderr",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + START_LIMIT_S
        # It says "Listening" a little before it does: only an answer shows that it is there.
        while not _answers(self.address, self.walks[0]):
            if self._process.poll() is not None or time.monotonic() > limit:
                self.stop()
                pytest.fail(f"snmpsim did not start: {self._log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.directory / "data")

    def peer(self, walk: str) -> Peer:
        host, port = self.address
        return Peer(address=Address(host=host, port=port), credential=Community(name=walk))


def get_request(community: str, oid: tuple[int, ...]) -> bytes:
    """Encode a GET of one object."""
    message, pdu = v2c.Message(), v2c.GetRequestPDU()
    v2c.apiMessage.set_defaults(message)
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_varbinds(pdu, [(oid, v2c.Null(""))])
    v2c.apiMessage.set_community(message, community)
    v2c.apiMessage.set_pdu(message, pdu)
    encoded: bytes = encoder.encode(message)
    return encoded


def _answers(address: tuple[str, int], community: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.1)
        asking.connect(address)
        try:
            asking.send(get_request(community, (1, 3, 6, 1, 2, 1, 1, 2, 0)))
            return bool(asking.recv(65_535))
        except ConnectionRefusedError:
            time.sleep(0.05)
        except TimeoutError:
            return False
    return False


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read_walk(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def apc_walk(name: str) -> str:
    """One of the three APC walks of PyPI's snmpsim-data."""
    file = resources.files("snmpsim_data") / "data" / "UPS" / f"{name}.snmprec"
    if not file.is_file():
        pytest.skip("snmpsim-data is not installed")
    return file.read_text(encoding="utf-8")


def writable(walk: str, column: str) -> str:
    """Make the rows of an INTEGER column writable."""
    return re.sub(rf"(?m)^({re.escape(column)}\.[0-9.]+)\|2\|", r"\1|2:writecache|value=", walk)


def without(walk: str, subtree: str) -> str:
    """Leave a subtree out of a walk."""
    return "".join(line for line in walk.splitlines(keepends=True) if not line.startswith(f"{subtree}."))


def integer(value: int) -> Any:
    return rfc1902.Integer32(value)


class Shelf:
    """A few objects that a test sets and removes while an agent serves them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.statuses: dict[str, int] = {}

    def objects(self) -> dict[tuple[int, ...], ManagedObject]:
        return {tuple(map(int, oid.split("."))): self._object(oid) for oid in self.values}

    def _object(self, oid: str) -> ManagedObject:
        def write(value: Any) -> None:
            self.values[oid] = value

        return ManagedObject(
            read=lambda: self.values.get(oid), check=lambda _: self.statuses.get(oid, 0), write=write
        )


@asynccontextmanager
async def agent_with(shelf: Shelf) -> AsyncIterator[tuple[Agent, Address]]:
    agent = Agent(shelf.objects(), read_community=READ.encode(), write_community=WRITE.encode())
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: agent, local_addr=("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    try:
        yield agent, Address(host=host, port=port)
    finally:
        transport.close()
        await asyncio.sleep(0)


def spdu_shelf() -> Shelf:
    """A power unit with one outlet, which is on: the objects of an APC MasterSwitch."""
    return Shelf(
        {
            "1.3.6.1.2.1.1.1.0": rfc1902.OctetString("a power unit"),
            "1.3.6.1.2.1.1.2.0": rfc1902.ObjectIdentifier((1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 2)),
            "1.3.6.1.4.1.318.1.1.4.4.2.1.3.1": integer(1),
        }
    )
