"""Builds the site of a benchmark's controller from running BMCs: no meters, no outlets, no ramp."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from grandpause.core.elements import digest_of
from grandpause.core.model import Profile, Unit
from grandpause.core.statement.acts import Limit, Under
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import encode
from grandpause.core.statement.facts import Declaration
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.signers.file import signed
from grandpause.sim.folder import SITE_KEY, SiteFolder, make_identity
from grandpause.site.patterns import fold
from grandpause.site.sitefile import SiteFile, load_site_file

SITE = "bench-1"


def controller_site(
    directory: Path, farm: dict[str, Any], *, keep_warm: bool = False, status_s: int = 0
) -> tuple[SiteFile, SiteFolder]:
    """Write and load the site file of ``farm`` (what the simulated BMCs say of themselves)."""
    folder = make_identity(directory, now_s=int(time.time()))
    secret = directory / "bmc-password"
    secret.touch(mode=0o600)
    secret.write_text(farm["password"])
    folder.site_file.write_text(_toml(folder, farm, keep_warm=keep_warm, status_s=status_s))
    site = load_site_file(folder.site_file)
    declaration = Declaration(
        under=Under(charter=folder.charter_id, version=1, power="declare"),
        site=SITE,
        number=1,
        operator="operator",
        controllers={SITE_KEY: folder.signer(SITE_KEY).public_key},
        pins=(folder.charter_id,),
        it_watts=site.it_watts,
        site_watts=site.it_watts,
        elements=digest_of("elements.json", site.table.to_bytes()),
    )
    envelope = encode(declaration)
    for name in ("ada", "bo", SITE_KEY):
        envelope = signed(envelope, folder.signer(name))
    folder.declaration.write_bytes(envelope.to_bytes())
    return site, folder


def limit_to(folder: SiteFolder, ceiling_ppm: int, *, category: int = 0) -> bytes:
    """Return a limit that two members signed: everything above ``ceiling_ppm`` is cut at once."""
    now = int(time.time())
    limit = Limit(
        under=Under(charter=folder.charter_id, version=1, power="limit"),
        scope=Scope(kind=ScopeKind.ALL),
        unit=Unit.COMPUTE,
        ceiling=ceiling_ppm,
        profile=Profile.COOPERATIVE,
        category=category,
        start=now,
        until=now + 86_400,
        complete_by=now + 3_600,
        ramp=Ramp.KEEP,
        reason="a benchmark",
        legal_basis="none",
        appeal="none",
        nonce="00" * 16,
    )
    envelope = encode(limit)
    for name in ("ada", "bo"):
        envelope = signed(envelope, folder.signer(name))
    return envelope.to_bytes()


def _toml(folder: SiteFolder, farm: dict[str, Any], *, keep_warm: bool, status_s: int) -> str:
    names = farm["node_ids"]
    assert all(re.fullmatch(r"r\d+n\d+", each) for each in names)
    return f"""
[site]
id = "{SITE}"
operator = "operator"
controller = "{SITE_KEY}"
key = "keys/{SITE_KEY}.pem"
declaration = "declaration.json"

[[charters]]
id = "{folder.charter_id}"
files = ["charter.json"]

[credentials.bmc]
kind = "redfish"
user = "{farm["user"]}"
password = {{ file = "bmc-password" }}

[types.node]
rated_w = 10200
idle_w = 1700
off_w = 65
compute_tflops = 7915
gpus = 8

[[halls]]
id = "hall-1"
feeds = ["feed-a"]

[[nodes]]
ids = "{fold(names)}"
type = "node"
hall = "hall-1"
feeds = ["feed-a"]
[nodes.bmc]
driver = "redfish"
host_first = "{farm["first_address"]}"
port = {farm["port"]}
credential = "bmc"
tls = "pin"
pins = ["{farm["pin"]}"]
system = "/redfish/v1/Systems/1"
reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"

[timing]
command_s = 20
force_off_s = 120
poll_s = 0.25

[periods]
meters_s = 60
status_s = {status_s}

[redfish]
keep_warm = {str(keep_warm).lower()}
"""
