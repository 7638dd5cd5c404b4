"""The parts of a site file as values: charters, credentials, halls, types, units, nodes, meters, loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grandpause.core.elements import Element, Measures, MeterRow
from grandpause.core.fields import is_digest
from grandpause.site.patterns import fill, hosts, unfold
from grandpause.site.secrets import Secret, read_secret
from grandpause.site.toml_table import Table

PROTECTED_KINDS = ("cooling", "fire", "lighting", "access", "controller")
BMC_DRIVERS = ("redfish",)
UNIT_DRIVERS = ("snmp",)
METER_DRIVERS = ("snmp", "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """A pinned charter: its id, and where its versions lie."""

    id: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A named credential: for Redfish user and password, for SNMP a community or a v3 user."""

    name: str
    kind: str
    user: str = ""
    auth: str = "basic"
    secret: Secret | None = field(default=None, repr=False)
    authentication: str = ""
    privacy: str = ""
    privacy_secret: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """What nodes of one type draw and compute."""

    rated_w: int
    idle_w: int
    off_w: int
    compute: int
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcAddress:
    """How a node's BMC is reached."""

    driver: str
    host: str
    port: int
    credential: str
    tls: str
    pins: tuple[str, ...]
    authorities: str
    system: str
    reset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletPlace:
    """One outlet of one power unit; numbers begin at 1. It may be there to be read only."""

    unit: str
    number: int
    switch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEntry:
    """One power unit: how it is reached, what feeds it, and whether it is a meter by outlet."""

    id: str
    driver: str
    host: str
    port: int
    credential: str
    feed: str
    outlets: int
    meter_path: str
    owner: str
    resolution_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntry:
    """One node and everything that reaches it."""

    element: Element
    priority: int
    gpus: int
    bmc: BmcAddress | None
    outlets: tuple[OutletPlace, ...]
    feeds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAddress:
    """How a meter that is no power unit is reached."""

    id: str
    driver: str
    host: str
    port: int
    path: str
    credential: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedLoad:
    """A load that no plan touches: cooling, fire protection, lighting, access control, the controller."""

    id: str
    kind: str
    watts: int
    outlets: tuple[tuple[str, int], ...]


def read_charter_entry(table: Table, base: Path) -> Charted:
    """Read one of ``[[charters]]``."""
    charter = table.text("id")
    if not is_digest(charter):
        table.refuse("id", "must be the charter's id: 64 hexadecimal digits", hint="grandpause show CHARTER")
    return Charted(id=charter, files=tuple(base / each for each in table.texts("files")))


def read_credential(name: str, table: Table, *, base: Path, look_up: bool) -> Credential:
    """Read one of ``[credentials.NAME]``; secrets are looked up only if wanted."""
    kind = table.choice("kind", ("redfish", "snmp-v2c", "snmp-v3"))

    def secret(key: str) -> Secret | None:
        if look_up:
            return read_secret(table, key, base=base)
        table.within(
            key, lambda inner: [inner.text(each) for each in ("env", "file", "systemd") if inner.has(each)]
        )
        return None

    if kind == "redfish":
        return Credential(
            name=name,
            kind=kind,
            user=table.text("user"),
            auth=table.choice("auth", ("basic", "session"), "basic"),
            secret=secret("password"),
        )
    if kind == "snmp-v2c":
        return Credential(name=name, kind=kind, secret=secret("community"))
    privacy = table.choice("privacy", ("none", "aes128", "aes256"), "aes128")
    return Credential(
        name=name,
        kind=kind,
        user=table.text("user"),
        authentication=table.choice("authentication", ("md5", "sha1", "sha256", "sha512"), "sha256"),
        secret=secret("authentication_secret"),
        privacy=privacy,
        privacy_secret=secret("privacy_secret") if privacy != "none" else None,
    )


def read_hall(table: Table) -> tuple[str, tuple[str, ...]]:
    """Read one of ``[[halls]]``: its id and its feeds."""
    return table.identifier("id"), table.texts("feeds")


def read_node_type(name: str, table: Table) -> NodeType:
    """Read one of ``[types.NAME]``."""
    del name
    return NodeType(
        rated_w=table.integer("rated_w", least=1),
        idle_w=table.integer("idle_w", least=1),
        off_w=table.integer("off_w"),
        compute=table.integer("compute_tflops", least=1),
        gpus=table.integer("gpus", 0),
    )


def read_units(table: Table) -> list[UnitEntry]:
    """Read one of ``[[units]]``: power units of one kind."""
    names = unfold(table, "ids")
    addresses = hosts(table, names)
    driver = table.choice("driver", UNIT_DRIVERS)
    port = table.integer("port", 161, least=1, most=65_535)
    credential = table.text("credential")
    feed = table.text("feed")
    outlets = table.integer("outlets", 0)
    meter_path = table.text("meter_path", "")
    owner = table.text("owner", "")
    if meter_path and not owner:
        table.refuse("owner", "a meter has an owner: a body of the charter")
    resolution = table.integer("resolution_w", 1, least=1)
    return [
        UnitEntry(
            id=name,
            driver=driver,
            host=addresses[name],
            port=port,
            credential=credential,
            feed=fill(table, "feed", feed, name),
            outlets=outlets,
            meter_path=meter_path,
            owner=owner,
            resolution_w=resolution,
        )
        for name in names
    ]


def read_nodes(table: Table, types: Mapping[str, NodeType]) -> list[NodeEntry]:
    """Read one of ``[[nodes]]``: nodes of one type, reached in one way."""
    names = unfold(table, "ids")
    kind = table.text("type")
    if kind not in types:
        table.refuse("type", f"unknown type {kind!r}", hint=f"add [types.{kind}]")
    rated = types[kind]
    hall = table.identifier("hall")
    tenant = table.text("tenant", "")
    priority = table.integer("priority", 0, least=-1_000_000, most=1_000_000)
    feeds = table.texts("feeds", [])
    bmcs = table.within("bmc", lambda at: _read_bmc(at, names)) if table.has("bmc") else {}
    outlets = table.each("outlets", lambda at: _read_outlet(at, names))
    return [
        NodeEntry(
            element=Element(
                id=name,
                hall=hall,
                tenant=tenant,
                rated_w=rated.rated_w,
                idle_w=rated.idle_w,
                off_w=rated.off_w,
                compute=rated.compute,
            ),
            priority=priority,
            gpus=rated.gpus,
            bmc=bmcs.get(name),
            outlets=tuple(each[name] for each in outlets),
            feeds=feeds,
        )
        for name in names
    ]


def read_meter(table: Table, nodes: Sequence[str]) -> tuple[MeterAddress, MeterRow]:
    """Read one of ``[[meters]]``: a meter that is no power unit."""
    name = table.identifier("id")
    driver = table.choice("driver", METER_DRIVERS)
    covers = unfold(table, "covers") if table.has("covers") else tuple(nodes)
    channel = table.text("channel", "total")
    address = MeterAddress(
        id=name,
        driver=driver,
        host=table.text("host"),
        port=table.integer("port", 161 if driver == "snmp" else 443, least=1, most=65_535),
        path=table.text("location", f"/readings/{name}") if driver == "gateway" else "",
        credential=table.text("credential") if driver == "snmp" else "",
        channels=(channel,),
    )
    row = MeterRow(
        id=name,
        path=table.identifier("path"),
        owner=table.identifier("owner"),
        signed=driver == "gateway",
        measures=Measures(table.choice("measures", ("it", "site"), "it")),
        resolution_w=table.integer("resolution_w", 1, least=1),
        channels={channel: covers},
    )
    return address, row


def read_protected(table: Table) -> ProtectedLoad:
    """Read one of ``[[protected]]``, the deny list."""
    return ProtectedLoad(
        id=table.identifier("id"),
        kind=table.choice("kind", PROTECTED_KINDS),
        watts=table.integer("watts", 0),
        outlets=table.each("outlets", lambda at: (at.text("unit"), at.integer("outlet", least=1))),
    )


def _read_bmc(table: Table, names: tuple[str, ...]) -> dict[str, BmcAddress]:
    addresses = hosts(table, names)
    driver = table.choice("driver", BMC_DRIVERS)
    port = table.integer("port", 443, least=1, most=65_535)
    credential = table.text("credential")
    tls = table.choice("tls", ("verify", "pin", "none"), "verify")
    pins = table.texts("pins", [])
    if (tls == "pin") != bool(pins):
        table.refuse("pins", 'needs at least one pin, and tls = "pin"', hint="grandpause site check --pin")
    authorities = table.text("authorities", "")
    system = table.text("system", "")
    reset = table.text("reset", "")
    return {
        name: BmcAddress(
            driver=driver,
            host=addresses[name],
            port=port,
            credential=credential,
            tls=tls,
            pins=pins,
            authorities=authorities,
            system=fill(table, "system", system, name),
            reset=fill(table, "reset", reset, name),
        )
        for name in names
    }


def _read_outlet(table: Table, names: tuple[str, ...]) -> dict[str, OutletPlace]:
    unit = table.text("unit")
    number = table.text("outlet")
    switch = table.flag("switch", default=True)
    places = {}
    for name in names:
        text = fill(table, "outlet", number, name)
        if not text.isdecimal():
            table.refuse("outlet", f"{text!r} is no outlet number")
        places[name] = OutletPlace(unit=fill(table, "unit", unit, name), number=int(text), switch=switch)
    return places
