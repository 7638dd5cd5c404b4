"""What a simulated BMC knows of its node, and the forms that all of its resources share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grandpause.core.model import Power
from grandpause.sim.machines import Machine

Json = dict[str, Any]

ROOT = "/redfish/v1"
SYSTEM = f"{ROOT}/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
RESET_INFO = f"{SYSTEM}/ResetActionInfo"
CHASSIS = f"{ROOT}/Chassis/1"
MANAGER = f"{ROOT}/Managers/1"
SESSIONS = f"{ROOT}/SessionService/Sessions"
POWER_SENSOR = f"{CHASSIS}/Sensors/TotalPower"
SUPPLIES = f"{CHASSIS}/PowerSubsystem/PowerSupplies"

GOOD: Json = {"State": "Enabled", "Health": "OK"}
_UUIDS = uuid.UUID("6f1b1f0e-8f0f-5b0c-9d4e-67616e640000")
MANUFACTURER = "Grandpause simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a BMC knows of its node at one moment.

    Attributes:
        power: what it says of the host's power.
        watts: what it says that the node draws.
        date_time: its clock, in RFC 3339.
        action_info: reset types are offered by ActionInfo, not inline.
    """

    node_id: str
    machine: Machine
    power: Power
    watts: float
    date_time: str
    reset_types: tuple[str, ...]
    action_info: bool
    session_ids: tuple[str, ...]


def link(path: str) -> Json:
    """Return a reference to a resource."""
    return {"@odata.id": path}


def uuid_of(view: View, part: str) -> str:
    """Return the UUID of one part of a node, the same at every start."""
    return str(uuid.uuid5(_UUIDS, f"{view.node_id}/{part}"))


def collection(kind: str, name: str, members: Callable[[View], list[str]]) -> Callable[[View], Json]:
    """Return what builds a collection resource from the paths of its members."""

    def build(view: View) -> Json:
        links = [link(path) for path in members(view)]
        return {
            "@odata.type": f"#{kind}Collection.{kind}Collection",
            "Name": name,
            "Members": links,
            "Members@odata.count": len(links),
        }

    return build
