"""The whole controller against a Redfish service of others: sushy-tools' emulator, 100 fake systems.

The emulator applies a power change 1 to 11 seconds after accepting it, and has no meter: everything is
claimed off, and nothing is proven.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from grandpause.cli.app import run
from grandpause.core.envelope import parse
from grandpause.core.model import NodeState, Outcome, VerdictWord
from grandpause.signers.file import signed
from grandpause.sim.folder import SiteFolder, make_identity
from grandpause.site.sitefile import load_site_file
from grandpause.verify.bundle import verify_bundle
from stories.rig import limit, post, running

SYSTEMS = 100
SYSTEM = "00000000-0000-4000-8000-000000000{number:03}"
SITE = """
[site]
id = "sim-hall-1"
operator = "operator"
controller = "controller-1"
key = "keys/controller-1.pem"
declaration = "declaration.json"

[[charters]]
id = "{charter}"
files = ["charter.json"]

[credentials.bmc]
kind = "redfish"
user = "nobody"
password = {{ file = "secrets/bmc-password" }}

[types.h100x8]
rated_w = 10200
idle_w = 2000
off_w = 150
compute_tflops = 7912
gpus = 8

[[halls]]
id = "hall-1"
feeds = ["feed-a"]

[[nodes]]
ids = "n[001-100]"
type = "h100x8"
hall = "hall-1"
feeds = ["feed-a"]
[nodes.bmc]
driver = "redfish"
host = "127.0.0.1"
port = {port}
credential = "bmc"
tls = "none"
system = "/redfish/v1/Systems/00000000-0000-4000-8000-000000000{{n1}}"

[timing]
soft_off_s = 25
force_off_s = 20
command_s = 20
poll_s = 2
settle_s = 1

[periods]
meters_s = 1
status_s = 0
window_s = 3
"""


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[int]:
    """The port of a running emulator with 100 systems that are on."""
    program = Path(sys.executable).with_name("sushy-emulator")
    if not program.exists() and shutil.which("sushy-emulator") is None:
        pytest.skip("sushy-tools is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    systems = [
        {
            "uuid": SYSTEM.format(number=number),
            "name": f"n{number:03}",
            "power_state": "On",
            "external_notifier": False,
            "nics": [],
        }
        for number in range(1, SYSTEMS + 1)
    ]
    settings = tmp_path / "emulator.conf"
    settings.write_text(
        "SUSHY_EMULATOR_FAKE_DRIVER = True\n"
        f"SUSHY_EMULATOR_STATE_DIR = {str(tmp_path)!r}\n"
        f"SUSHY_EMULATOR_FAKE_SYSTEMS = {systems!r}\n"
    )
    with (tmp_path / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--interface", "127.0.0.1", "--port", str(port), "--fake", "--config", settings],
            stdout=log,
            stderr=log,
            cwd=tmp_path,
        )
    try:
        wait_for(process, port, tmp_path / "emulator.log")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the emulator listens."""
    deadline = time.monotonic() + 30
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(log.read_text()[-2000:])
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def a_site(path: Path, port: int) -> SiteFolder:
    """Write and declare the site of the emulator's systems, as an operator would."""
    folder = make_identity(path, now_s=int(time.time()))
    folder.site_file.write_text(SITE.format(charter=folder.charter_id, port=port))
    secret = path / "secrets" / "bmc-password"
    secret.parent.mkdir()
    secret.touch(mode=0o600)
    secret.write_text("not asked for\n")
    assert run(["site", "declare", str(folder.site_file), "--out", str(folder.declaration)]) == 0
    envelope = parse(folder.declaration.read_bytes())
    for member in ("ada", "bo"):
        envelope = signed(envelope, folder.signer(member))
    folder.declaration.write_bytes(envelope.to_bytes())
    return folder


def power_of(port: int, number: int) -> str:
    """Ask the emulator itself for a system's power state."""
    url = f"http://127.0.0.1:{port}/redfish/v1/Systems/{SYSTEM.format(number=number)}"
    with urllib.request.urlopen(url, timeout=20) as response:
        return str(json.load(response)["PowerState"])


@pytest.mark.slow
async def test_a_hundred_systems_of_the_emulator_are_claimed_off_and_nothing_is_proven(
    emulator: int, tmp_path: Path
) -> None:
    folder = a_site(tmp_path / "site", emulator)
    async with running(load_site_file(folder.site_file)) as controller:
        controller.daemon.engine.arm()
        post(folder, "limit.json", limit(folder, 0), "ada", "bo")
        bundle = await controller.stopped(within_s=100)
        reports = controller.daemon.engine.controller.reports()
        await controller.until(lambda: controller.daemon.engine.controller.stop.pending == 0)
    assert len(reports) == SYSTEMS
    assert [each for each in reports if each.state is not NodeState.OFF_CLAIMED] == []
    assert {each.outcome for each in reports} == {Outcome.CONFIRMED_BY_BMC}
    powers = await asyncio.gather(
        *(asyncio.to_thread(power_of, emulator, number) for number in range(1, SYSTEMS + 1, 11))
    )
    assert set(powers) == {"Off"}
    verified = verify_bundle(bundle, charter_id=folder.charter_id)
    assert verified.verdict is VerdictWord.NOT_PROVEN
    assert verified.proof.reasons == ("0 of 2 independent meter paths have usable readings",)
    assert run(["verify", str(bundle), "--charter", folder.charter_id]) == 1
