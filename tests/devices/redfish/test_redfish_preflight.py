"""What a preflight says of each thing that would spoil a stop, and of the clock and the power reading."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from devices.redfish.raw_bmc import LOGIN, RESET, SYSTEM, WallClock, driver_of, ok, raw_bmc
from grandpause.drivers.redfish import PlainHttp, RedfishActuator, Target, Verified
from grandpause.ports import Finding
from grandpause.sim.plant import Plant
from grandpause.sim.redfish import serve_bmcs
from grandpause.sim.redfish.replay import serve_capture


def tree(folder: Path, resources: dict[str, object]) -> Path:
    """Write a capture."""
    for path, resource in {"/redfish/v1": {"Name": "root"}, **resources}.items():
        place = folder / path.strip("/") / "index.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(resource))
    return folder


async def check(folder: Path, resources: dict[str, object]) -> list[Finding]:
    server = await serve_capture(tree(folder, resources))
    target = Target(host=server.host, port=server.port, security=PlainHttp(), credentials=LOGIN)
    driver = RedfishActuator({"n1": target}, clock=WallClock())
    findings = list(await driver.check("n1", within_s=10))
    await driver.close()
    await server.close()
    assert server.posts == []
    return findings


def system(**more: object) -> dict[str, object]:
    action = {"target": RESET, "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"]}
    resource = {"PowerState": "On", "Actions": {"#ComputerSystem.Reset": action}, **more}
    return {"/redfish/v1/Systems": {"Members": [{"@odata.id": SYSTEM}]}, SYSTEM: resource}


def types(*kinds: str) -> dict[str, object]:
    action = {"target": RESET, "ResetType@Redfish.AllowableValues": list(kinds)}
    return {"Actions": {"#ComputerSystem.Reset": action}}


def said(findings: list[Finding], level: str) -> str:
    return " | ".join(each.message for each in findings if each.level == level)


async def test_a_good_bmc_is_named_good_and_plain_http_is_not(tmp_path: Path) -> None:
    findings = await check(tmp_path, system())
    assert said(findings, "fail") == ""
    assert "no TLS" in said(findings, "warn")
    assert "credentials accepted; /redfish/v1/Systems/1/Actions/ComputerSystem.Reset (inline)" in said(
        findings, "ok"
    )


CASES: dict[str, tuple[dict[str, object], str, str]] = {
    "no ForceOff": (system(**types("On", "GracefulShutdown")), "fail", "ForceOff is not offered"),
    "no GracefulShutdown": (system(**types("On", "ForceOff")), "warn", "GracefulShutdown is not offered"),
    "no On": (system(**types("ForceOff", "GracefulShutdown")), "warn", "On is not offered"),
    "types nowhere": (
        system(Actions={"#ComputerSystem.Reset": {"target": RESET}}),
        "warn",
        "does not say which reset types",
    ),
    "no Reset": (system(Actions={}), "fail", "no system with a ComputerSystem.Reset"),
    "starts by itself": (system(PowerRestorePolicy="AlwaysOn"), "warn", "starts by itself"),
    "no power reading": (system(), "warn", "no real reading"),
    "no clock": (system(), "warn", "does not tell its time"),
    "a clock without a zone": (
        {
            **system(Links={"ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}]}),
            "/redfish/v1/Managers/1": {"DateTime": "2026-11-22T08:00:00"},
        },
        "warn",
        "does not tell its time",
    ),
    "an old clock": (
        {
            **system(Links={"ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}]}),
            "/redfish/v1/Managers/1": {"DateTime": "1970-01-01T00:00:00Z"},
        },
        "warn",
        "its clock differs from ours by -",
    ),
    "an empty Systems": ({"/redfish/v1/Systems": {"Members": []}}, "fail", "none listed"),
    "no Systems": ({}, "fail", "HTTP 404"),
}


@pytest.mark.parametrize(("resources", "level", "message"), CASES.values(), ids=CASES)
async def test_each_thing_that_spoils_a_stop_is_said_with_its_mend(
    tmp_path: Path, resources: dict[str, object], level: str, message: str
) -> None:
    findings = await check(tmp_path, resources)
    assert message in said(findings, level)
    assert all(each.mend for each in findings if each.level != "ok")


@pytest.mark.parametrize("watts", [0, -5, None, "614", True, 0.2, 10**400])
async def test_what_no_running_bmc_can_measure_is_no_reading(tmp_path: Path, watts: object) -> None:
    chassis = {
        "ChassisType": "RackMount",
        "Power": {"@odata.id": "/redfish/v1/Chassis/1/Power"},
        "Links": {"ComputerSystems": [{"@odata.id": SYSTEM}]},
    }
    power = {"PowerControl": [{"PowerConsumedWatts": watts, "PowerMetrics": {"AverageConsumedWatts": 0}}]}
    resources = {
        **system(),
        "/redfish/v1/Chassis": {"Members": [{"@odata.id": "/redfish/v1/Chassis/1"}]},
        "/redfish/v1/Chassis/1": chassis,
        "/redfish/v1/Chassis/1/Power": power,
    }
    assert "no real reading" in said(await check(tmp_path, resources), "warn")


@pytest.mark.parametrize(
    ("status", "level", "message", "mend"),
    [
        (401, "fail", "HTTP 401", "password"),
        (403, "fail", "HTTP 403", "Operator role"),
        (503, "fail", "HTTP 503", "ask again"),
    ],
)
async def test_what_a_bmc_answers_decides_the_mend(status: int, level: str, message: str, mend: str) -> None:
    plant = Plant.hall(nodes=1)
    farm = await serve_bmcs(plant, clock=time.monotonic)
    authorities = farm.certificate("r01n01").certificate_pem.decode()
    host, port = farm.address("r01n01")
    target = Target(host=host, port=port, security=Verified(authorities_pem=authorities), credentials=LOGIN)
    driver = RedfishActuator({"r01n01": target}, clock=WallClock())
    plant.node("r01n01").bmc.answers(status)
    last = (await driver.check("r01n01", within_s=5))[-1]
    assert last.level == level
    assert message in last.message
    assert mend in last.mend
    await driver.close()
    await farm.close()


async def test_a_bmc_that_hangs_fails_its_preflight_in_time() -> None:
    plant = Plant.hall(nodes=1)
    farm = await serve_bmcs(plant, clock=time.monotonic, tls=False)
    host, port = farm.address("r01n01")
    target = Target(host=host, port=port, security=PlainHttp(), credentials=LOGIN)
    driver = RedfishActuator({"r01n01": target}, clock=WallClock())
    plant.node("r01n01").bmc.hangs()
    [finding] = await driver.check("r01n01", within_s=0.3)
    assert finding.level == "fail"
    assert "waited 0.3 s for its answer" in finding.message
    await driver.close()
    await farm.close()


async def test_a_name_instead_of_an_address_is_warned_of() -> None:
    async with raw_bmc(ok(b"{}")) as bmc, driver_of(bmc.port, host="localhost") as driver:
        findings = list(await driver.check("n1", within_s=5))
    assert "the stop depends on name service" in said(findings, "warn")
