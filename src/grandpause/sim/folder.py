"""A whole simulated site as a folder: keys, charter, site file, declaration; ready for ``site run``.

The keys in it are for simulation only: one machine holds them all, which no real charter should allow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grandpause.core.elements import digest_of
from grandpause.core.envelope import parse
from grandpause.core.keys import PublicKey
from grandpause.core.statement.acts import Under
from grandpause.core.statement.codec import encode
from grandpause.core.statement.facts import Declaration
from grandpause.core.templates import Person, operator_charter
from grandpause.signers.file import FileSigner, signed
from grandpause.sim.plant import Plant
from grandpause.site.sitefile import SiteFile, load_site_file

MEMBERS = ("ada", "bo", "cy")
"""The three signers of a simulated operator."""
UTILITY_KEY = "utility-meter"
SITE_KEY = "controller-1"
YEAR_S = 366 * 86_400
OFF_MARGIN_W = 20
IDLE_SHARE = 0.8
"""A simulated node's idle draw varies; declared is what it never falls below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the simulated devices answer, and with what."""

    bmc_host: str
    bmc_port: int
    bmc_pin: str
    user: str
    password: str
    unit_host: str
    unit_port: int
    community: str
    gateway_host: str
    gateway_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFolder:
    """The files of a simulated site."""

    path: Path

    @property
    def charter(self) -> Path:
        """Version 1 of the charter."""
        return self.path / "charter.json"

    @property
    def site_file(self) -> Path:
        """The site file."""
        return self.path / "site.toml"

    @property
    def declaration(self) -> Path:
        """The signed declaration."""
        return self.path / "declaration.json"

    @property
    def inbox(self) -> Path:
        """Where statements are dropped."""
        return self.path / "inbox"

    @property
    def charter_id(self) -> str:
        """The charter's id."""
        return parse(self.charter.read_bytes()).name

    def key(self, name: str) -> Path:
        """Return the private key file of a member, the controller or the utility's gateway."""
        return self.path / "keys" / f"{name}.pem"

    def signer(self, name: str) -> FileSigner:
        """Return the signer with that key."""
        return FileSigner.read(self.key(name))


def make_identity(path: Path, *, now_s: int) -> SiteFolder:
    """Make keys and charter in ``path``; those that are there already stay."""
    folder = SiteFolder(path=path)
    path.mkdir(parents=True, exist_ok=True)
    for name in (*MEMBERS, SITE_KEY, UTILITY_KEY):
        if not folder.key(name).exists():
            FileSigner.generate().write(folder.key(name))
    if not folder.charter.exists():
        charter = operator_charter(
            title="Simulated operator",
            members=[Person(id=each, label=each.capitalize(), key=_public(folder, each)) for each in MEMBERS],
            meter_owners=[
                (
                    "utility",
                    "Utility",
                    Person(id=UTILITY_KEY, label="Feed meters", key=_public(folder, UTILITY_KEY)),
                )
            ],
            expires=now_s + YEAR_S,
        )
        envelope = encode(charter)
        for name in MEMBERS[:2]:
            envelope = signed(envelope, folder.signer(name))
        folder.charter.write_bytes(envelope.to_bytes())
    return folder


def write_site(
    folder: SiteFolder,
    plant: Plant,
    served: Served,
    *,
    site: str = "sim-hall-1",
    outlets: bool = True,
    settings: Mapping[str, Mapping[str, int | float]] | None = None,
) -> SiteFile:
    """Write the site file and its declaration for ``plant``; return the loaded site.

    Args:
        outlets: whether the nodes' outlets are under control.
        settings: tables to set or change: ``{"ramp": {...}, "timing": {...}, "periods": {...}}``.
    """
    _secret(folder.path / "secrets" / "bmc-password", served.password)
    _secret(folder.path / "secrets" / "pdu-community", served.community)
    text = _site_toml(folder, plant, served, site=site, outlets=outlets)
    for table, values in (settings or {}).items():
        text += f"\n[{table}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    folder.site_file.write_text(text, encoding="utf-8")
    loaded = load_site_file(folder.site_file)
    folder.declaration.write_bytes(_declaration(folder, loaded))
    return loaded


def _declaration(folder: SiteFolder, site: SiteFile) -> bytes:
    table = site.table.to_bytes()
    envelope = encode(
        Declaration(
            under=Under(charter=folder.charter_id, version=1, power="declare"),
            site=site.identity.site,
            number=1,
            operator=site.identity.operator,
            controllers={site.identity.controller: folder.signer(SITE_KEY).public_key},
            pins=(folder.charter_id,),
            it_watts=site.it_watts,
            site_watts=site.it_watts + site.protected_watts,
            elements=digest_of("elements.json", table),
        )
    )
    for name in (*MEMBERS[:2], SITE_KEY):
        envelope = signed(envelope, folder.signer(name))
    return envelope.to_bytes()


def _site_toml(folder: SiteFolder, plant: Plant, served: Served, *, site: str, outlets: bool) -> str:
    nodes = list(plant.nodes.values())
    machine = nodes[0].machine
    units = list(plant.units.values())
    rows: dict[str, list[str]] = {}
    for node in nodes:
        rows.setdefault(node.row, []).append(node.id)
    folds = _fold([node.id for node in nodes])
    parts = [
        f"""# A simulated site. Served by `grandpause sim serve`; the addresses are all on loopback.
[site]
id = {json.dumps(site)}
title = "Simulated hall"
operator = "operator"
controller = {json.dumps(SITE_KEY)}
key = "keys/{SITE_KEY}.pem"
declaration = "declaration.json"

[[charters]]
id = {json.dumps(folder.charter_id)}
files = ["charter.json"]

[credentials.bmc]
kind = "redfish"
user = {json.dumps(served.user)}
password = {{ file = "secrets/bmc-password" }}

[credentials.pdu]
kind = "snmp-v2c"
community = {{ file = "secrets/pdu-community" }}

[types.{machine.name}]
rated_w = {machine.rated_w}
idle_w = {int(machine.idle_w * IDLE_SHARE)}
off_w = {machine.standby_w + OFF_MARGIN_W}
compute_tflops = {machine.bf16_teraflops}
gpus = {machine.accelerators}

[[halls]]
id = {json.dumps(nodes[0].hall)}
feeds = {json.dumps(list(plant.feeds))}

[[protected]]
id = "crah-1"
kind = "cooling"
watts = 150000

[[nodes]]
ids = {json.dumps(folds)}
type = {json.dumps(machine.name)}
hall = {json.dumps(nodes[0].hall)}
"""
    ]
    parts.append(
        f"""[nodes.bmc]
driver = "redfish"
host_first = {json.dumps(served.bmc_host)}
port = {served.bmc_port}
credential = "bmc"
tls = "pin"
pins = [{json.dumps(served.bmc_pin)}]
"""
    )
    # Each node hangs on one outlet of both units of its row, by its place in the row.
    switch = "" if outlets else "switch = false\n"
    parts += [f'[[nodes.outlets]]\nunit = "row{{n1}}{side}"\noutlet = "{{i2}}"\n{switch}' for side in "ab"]
    for index, unit in enumerate(units):
        parts.append(
            f"""[[units]]
ids = {json.dumps(unit.id)}
driver = "snmp"
host = {json.dumps(_address(served.unit_host, index))}
port = {served.unit_port}
credential = "pdu"
feed = {json.dumps(unit.feed)}
outlets = {len(unit.outlets)}
meter_path = "rows"
owner = "operator"
resolution_w = 1
"""
        )
    parts += [
        f"""[[meters]]
id = {json.dumps(feed)}
driver = "gateway"
host = {json.dumps(served.gateway_host)}
port = {served.gateway_port}
path = "feeds"
owner = "utility"
resolution_w = 10
covers = {json.dumps(folds)}
"""
        for feed in plant.feeds
    ]
    return "\n".join(parts)


def _fold(names: list[str]) -> str:
    from grandpause.site.patterns import fold  # noqa: PLC0415  ClusterShell is needed here only

    return fold(names)


def _address(first: str, index: int) -> str:
    from ipaddress import IPv4Address  # noqa: PLC0415

    return str(IPv4Address(first) + index)


def _public(folder: SiteFolder, name: str) -> PublicKey:
    return folder.signer(name).public_key


def _secret(path: Path, value: str) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(value + "\n", encoding="utf-8")
