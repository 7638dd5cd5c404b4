"""A Redfish service that others wrote: sushy-tools' emulator with its fake driver, 100 systems.

It applies a power change 1 to 11 seconds after accepting it.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.redfish.raw_bmc import WallClock
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.redfish import PlainHttp, RedfishActuator, Target

SYSTEMS = 100
NAMES = [f"node{number:03d}" for number in range(SYSTEMS)]
PATHS = {name: f"/redfish/v1/Systems/{uuid.uuid5(uuid.NAMESPACE_DNS, name)}" for name in NAMES}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(folder: Path) -> Path:
    systems = [
        {
            "uuid": path.rpartition("/")[2],
            "name": name,
            "power_state": "On",
            "external_notifier": False,
            "nics": [{"mac": f"02:00:00:00:00:{number:02x}", "ip": "127.0.0.1"}],
        }
        for number, (name, path) in enumerate(PATHS.items())
    ]
    text = (
        "SUSHY_EMULATOR_FAKE_DRIVER = True\n"
        f"SUSHY_EMULATOR_STATE_DIR = {str(folder)!r}\n"
        f"SUSHY_EMULATOR_FAKE_SYSTEMS = {systems!r}\n"
    )
    file = folder / "emulator.conf"
    file.write_text(text)
    return file


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[int]:
    """The port of a running emulator with 100 systems that are on."""
    program = Path(sys.executable).with_name("sushy-emulator")
    if not program.exists() and shutil.which("sushy-emulator") is None:
        pytest.skip("sushy-tools is not installed")
    port = free_port()
    command = [str(program), "--interface", "127.0.0.1", "--port", str(port), "--fake"]
    command += ["--config", str(configuration(tmp_path))]
    with (tmp_path / "emulator.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 30
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((tmp_path / "emulator.log").read_text()[-2000:])
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            except OSError:
                time.sleep(0.1)
            else:
                break
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.slow
async def test_a_hundred_systems_accept_and_claim_off_within_their_eleven_seconds(emulator: int) -> None:
    targets = {
        name: Target(host="127.0.0.1", port=emulator, security=PlainHttp(), credentials=None, system=path)
        for name, path in PATHS.items()
    }
    driver = RedfishActuator(targets, clock=WallClock())

    async def stop(name: str) -> tuple[Reply, Power, int]:
        answer = await driver.command(name, Act.FORCE_OFF, within_s=30)
        on = 0
        for _ in range(40):
            claim = await driver.claim(name, within_s=30)
            if claim.power is Power.OFF:
                return answer.reply, claim.power, on
            on += claim.power is Power.ON
            await asyncio.sleep(0.5)
        return answer.reply, claim.power, on

    try:
        before = await asyncio.gather(*(driver.claim(name, within_s=30) for name in NAMES[:5]))
        assert {claim.power for claim in before} == {Power.ON}
        results = await asyncio.gather(*(stop(name) for name in NAMES))
        learned = driver.export_learned()
    finally:
        await driver.close()
    assert {reply for reply, _, _ in results} == {Reply.ACCEPTED}
    assert {power for _, power, _ in results} == {Power.OFF}
    assert sum(on for _, _, on in results) > SYSTEMS, "accepted long before they were off"
    assert {each["reset"] for each in learned.values()} == {
        f"{path}/Actions/ComputerSystem.Reset" for path in PATHS.values()
    }


@pytest.mark.slow
async def test_an_address_with_a_hundred_systems_is_refused_until_one_is_named(emulator: int) -> None:
    target = Target(host="127.0.0.1", port=emulator, security=PlainHttp(), credentials=None)
    driver = RedfishActuator({"n1": target}, clock=WallClock())
    try:
        answer = await driver.command("n1", Act.FORCE_OFF, within_s=60)
    finally:
        await driver.close()
    assert answer.reply is Reply.REFUSED
    assert "the site file must name one" in answer.detail
