"""What is learned of a BMC before a stop: stored, read back, and judged again when it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from devices.redfish.raw_bmc import LOGIN, RESET, SYSTEM, WallClock, driver_of, ok, raw_bmc
from grandpause.core.model import Act, Reply
from grandpause.drivers.redfish import Learned, PlainHttp, RedfishActuator, Target, TypesFrom
from grandpause.drivers.redfish.http import JsonObject
from grandpause.drivers.redfish.learned import learn
from grandpause.errors import DeviceRefused, SiteFileError

KNOWN = Learned(
    system=SYSTEM,
    reset=RESET,
    types=("On", "ForceOff"),
    types_from=TypesFrom.INLINE,
    left_alone=("/redfish/v1/Systems/HGX_Baseboard_0",),
)
TARGET = Target(host="127.0.0.1", security=PlainHttp(), credentials=LOGIN)


def test_what_was_learned_survives_the_disk() -> None:
    assert Learned.from_json(json.loads(json.dumps(KNOWN.as_json()))) == KNOWN


TAMPERED: dict[str, object] = {
    "a chassis": {**KNOWN.as_json(), "reset": "/redfish/v1/Chassis/1/Actions/Chassis.Reset"},
    "another system": {**KNOWN.as_json(), "reset": "/redfish/v1/Systems/2/Actions/ComputerSystem.Reset"},
    "a manager": {**KNOWN.as_json(), "system": "/redfish/v1/Managers/1"},
    "a missing field": {"system": SYSTEM, "reset": RESET},
    "a field more": {**KNOWN.as_json(), "also": 1},
    "a number": {**KNOWN.as_json(), "types": [1]},
    "a text for a list": {**KNOWN.as_json(), "types": "On"},
    "a source that is not known": {**KNOWN.as_json(), "types_from": "hearsay"},
    "no object": [1],
}


@pytest.mark.parametrize("value", TAMPERED.values(), ids=TAMPERED)
def test_what_was_altered_on_the_disk_is_refused(value: object) -> None:
    with pytest.raises(SiteFileError):
        RedfishActuator({"n1": TARGET}, clock=WallClock(), learned={"n1": value})


def test_what_was_learned_of_elements_that_left_the_site_is_left_out() -> None:
    driver = RedfishActuator({"n1": TARGET}, clock=WallClock(), learned={"n9": KNOWN.as_json()})
    assert driver.export_learned() == {}


def action(target: object, **more: object) -> JsonObject:
    return {"Actions": {"#ComputerSystem.Reset": {"target": target, **more}}}


def collection(*paths: str) -> JsonObject:
    return {"Members": [{"@odata.id": path} for path in paths]}


async def learn_from(resources: Mapping[str, JsonObject], target: Target = TARGET) -> Learned:
    async def get(path: str) -> JsonObject:
        if path not in resources:
            raise DeviceRefused(f"{path}: HTTP 404")
        return resources[path]

    return await learn(target, get)


ADVERTISED_ELSEWHERE = [
    "/redfish/v1/Chassis/1/Actions/Chassis.Reset",
    "/redfish/v1/Managers/1/Actions/Manager.Reset",
    "/redfish/v1/Systems/2/Actions/ComputerSystem.Reset",
    "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset/../../../Chassis/1",
    "https://elsewhere.invalid/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
    "//elsewhere.invalid/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
    "",
    None,
    7,
]


@pytest.mark.parametrize("target", ADVERTISED_ELSEWHERE)
async def test_a_reset_that_points_elsewhere_is_refused(target: object) -> None:
    with pytest.raises(DeviceRefused, match=r"is no ComputerSystem\.Reset of"):
        await learn_from({"/redfish/v1/Systems": collection(SYSTEM), SYSTEM: action(target)})


async def test_two_systems_with_a_reset_are_refused_until_one_is_named() -> None:
    second = "/redfish/v1/Systems/2"
    resources = {
        "/redfish/v1/Systems": collection(SYSTEM, second),
        SYSTEM: action(RESET),
        second: action(f"{second}/Actions/ComputerSystem.Reset"),
    }
    with pytest.raises(DeviceRefused, match="must name one"):
        await learn_from(resources)
    named = Target(host="127.0.0.1", security=PlainHttp(), credentials=LOGIN, system=second)
    assert (await learn_from(resources, named)).system == second


async def test_types_that_stand_nowhere_are_said_to_stand_nowhere() -> None:
    found = await learn_from({"/redfish/v1/Systems": collection(SYSTEM), SYSTEM: action(RESET)})
    assert found.types_from is TypesFrom.NOWHERE
    assert found.reset_type(Act.FORCE_OFF) == "ForceOff"


async def test_an_action_info_that_answers_404_does_not_stop_the_stop() -> None:
    system = action(RESET, **{"@Redfish.ActionInfo": f"{SYSTEM}/ResetActionInfo"})
    found = await learn_from({"/redfish/v1/Systems": collection(SYSTEM), SYSTEM: system})
    assert found.types_from is TypesFrom.NOWHERE


async def test_members_that_are_no_systems_are_never_asked() -> None:
    listed = collection(SYSTEM, "/redfish/v1/Managers/1", "/redfish/v1/Systems/../Chassis/1")
    found = await learn_from({"/redfish/v1/Systems": listed, SYSTEM: action(RESET)})
    assert found.left_alone == ("/redfish/v1/Managers/1",)


async def test_with_fixed_paths_a_stop_asks_nothing_first() -> None:
    async with raw_bmc(b"HTTP/1.1 204 No Content\r\n\r\n") as bmc, driver_of(bmc.port) as driver:
        assert (await driver.command("n1", Act.SOFT_OFF, within_s=5)).reply is Reply.ACCEPTED
        [request] = bmc.received
        assert request.startswith(f"POST {RESET} HTTP/1.1\r\n".encode())
        assert request.endswith(b'\r\n\r\n{"ResetType":"GracefulShutdown"}')


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize(
    ("act", "state", "reply"),
    [
        (Act.FORCE_OFF, b"Off", Reply.ACCEPTED),
        (Act.SOFT_OFF, b"Off", Reply.ACCEPTED),
        (Act.POWER_ON, b"On", Reply.ACCEPTED),
        (Act.FORCE_OFF, b"On", Reply.REFUSED),
        (Act.FORCE_OFF, b"PoweringOff", Reply.REFUSED),
        (Act.POWER_ON, b"Off", Reply.REFUSED),
    ],
)
async def test_a_bmc_that_says_no_because_it_is_so_already_has_accepted(
    status: int, act: Act, state: bytes, reply: Reply
) -> None:
    no = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    claims = ok(b'{"PowerState": "%s"}' % state)
    async with raw_bmc(no, to_get=claims) as bmc, driver_of(bmc.port) as driver:
        answer = await driver.command("n1", act, within_s=5)
        assert answer.reply is reply
        assert f"HTTP {status}" in answer.detail


async def test_a_path_that_moved_is_learned_again_once() -> None:
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    resource = json.dumps({"PowerState": "On", **action(RESET)}).encode()
    async with raw_bmc(gone, to_get=ok(resource)) as bmc, driver_of(bmc.port) as driver:
        answer = await driver.command("n1", Act.FORCE_OFF, within_s=5)
        assert (answer.reply, answer.detail) == (Reply.REFUSED, "ForceOff: HTTP 404")
        assert [request.split()[0] for request in bmc.received] == [b"POST", b"GET", b"POST"]
