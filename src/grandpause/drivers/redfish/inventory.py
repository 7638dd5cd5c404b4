"""What stands behind a BMC: make, GPUs, and the whole node's watts where they are really read.

Seen on captures of DGX H100 (firmware of 2024), GB200 tray, GB200 NVLink switch, Dell R750 (iDRAC 9), HPE
DL385 (iLO 5 2.72) and Supermicro SYS-821GE. Their quirks shape the rules here: GPUs stand under another
"system" (HGX_Baseboard_0) or only among PCIe devices (Supermicro); a DGX reports 0 W on average and null
now, which is no reading; parts have meters of their own, whose sum is not the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grandpause.core.model import Watts
from grandpause.drivers.redfish.http import JsonObject
from grandpause.drivers.redfish.learned import Get, link, members
from grandpause.errors import DeviceRefused

_CHASSIS = "/redfish/v1/Chassis"
_PART_TYPES = frozenset({"Card", "Cartridge", "Component", "Module", "Zone", "IPBasedDrive"})
"""Values of ChassisType that name a part of a node."""
_LEAST_WATTS = 0.5
_MOST_WATTS = 1_000_000
"""No node draws a megawatt: more is a mistaken unit, not a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReading:
    """What one part of a node draws; never added up to a node."""

    part: str
    watts: Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePower:
    """What a BMC says of its own node's power. It is a plausibility check, never a proof.

    Attributes:
        watts: the whole node; None where nothing real is read. Never 0 for "missing".
        source: the resource that was read; empty where ``watts`` is None.
        parts: readings of parts, where the whole has none.
    """

    watts: Watts | None
    source: str = ""
    parts: tuple[PartReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """One element as its BMC describes it.

    Attributes:
        manufacturer: as stated; empty if it is not.
        model: as stated; empty if it is not.
        gpus: the model of each GPU ("" where it is not stated); none listed is an empty tuple.
        power: the node's watts.
    """

    manufacturer: str
    model: str
    gpus: tuple[str, ...]
    power: NodePower


async def take_inventory(system: str, left_alone: Iterable[str], get: Get) -> Inventory:
    """Ask for everything; some fifty requests on a machine of many chassis, so never on the stop path.

    Args:
        system: path of the element's system.
        left_alone: other systems of the same node (GPU baseboards).
        get: asks for one resource.

    Raises:
        DeviceRefused, DeviceUnreachable: as ``get``, for the system itself. Parts that answer 404 or
            refuse are left out: captures and real BMCs both have dangling links.
    """
    resource = await get(system)
    systems = {system: resource}
    for path in left_alone:
        systems[path] = await _optional(path, get)
    chassis = {path: await _optional(path, get) for path in await _members(_CHASSIS, get)}
    gpus = await _processors(systems.values(), get) or await _pcie_devices(chassis.values(), get)
    return Inventory(
        manufacturer=_stated(resource, "Manufacturer"),
        model=_stated(resource, "Model"),
        gpus=gpus,
        power=await node_power(frozenset(systems), system, chassis, get),
    )


async def power_reading(system: str, get: Get) -> NodePower:
    """Ask only for the node's watts."""
    chassis = {path: await _optional(path, get) for path in await _members(_CHASSIS, get)}
    return await node_power(frozenset({system}), system, chassis, get)


async def node_power(
    systems: frozenset[str], system: str, chassis: Mapping[str, JsonObject], get: Get
) -> NodePower:
    """Return the reading of the one chassis that is the node: not a part, and holding no other node."""
    whole: list[tuple[str, Watts]] = []
    parts: list[PartReading] = []
    for path, resource in chassis.items():
        held = _systems_in(resource)
        if not held or not held <= systems:
            continue
        reading = await _reading(resource, get)
        if reading is None:
            continue
        source, watts = reading
        if resource.get("ChassisType") in _PART_TYPES:
            parts.append(PartReading(part=path.rpartition("/")[2], watts=watts))
        elif held == {system}:
            whole.append((source, watts))
    if len(whole) == 1:
        return NodePower(watts=whole[0][1], source=whole[0][0])
    return NodePower(watts=None, parts=tuple(parts))


def real_watts(value: object) -> Watts | None:
    """Return a reading in whole watts; None for anything a running BMC cannot have measured.

    A node whose BMC answers draws something, so 0 and less are no readings (DGX H100: average 0 W); nor
    are NaN and what is too much for any node.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Watts(round(value)) if _LEAST_WATTS <= value <= _MOST_WATTS else None


async def _reading(chassis: JsonObject, get: Get) -> tuple[str, Watts] | None:
    """Ask EnvironmentMetrics first, then the older Power resource."""
    metrics = link(chassis.get("EnvironmentMetrics"))
    if metrics:
        power = (await _optional(metrics, get)).get("PowerWatts")
        watts = real_watts(power.get("Reading")) if isinstance(power, Mapping) else None
        if watts is not None:
            return metrics, watts
    older = link(chassis.get("Power"))
    if older:
        controls = (await _optional(older, get)).get("PowerControl")
        if isinstance(controls, list) and len(controls) == 1 and isinstance(controls[0], Mapping):
            watts = real_watts(controls[0].get("PowerConsumedWatts"))
            if watts is not None:
                return older, watts
    return None


async def _processors(systems: Iterable[JsonObject], get: Get) -> tuple[str, ...]:
    gpus: list[str] = []
    for system in systems:
        for path in await _members(link(system.get("Processors")), get):
            processor = await _optional(path, get)
            if processor.get("ProcessorType") == "GPU" and _present(processor):
                gpus.append(_stated(processor, "Model"))
    return tuple(gpus)


async def _pcie_devices(chassis: Iterable[JsonObject], get: Get) -> tuple[str, ...]:
    gpus: list[str] = []
    for holder in chassis:
        for path in await _members(link(holder.get("PCIeDevices")), get):
            if "GPU" in path.rpartition("/")[2].upper():
                device = await _optional(path, get)
                if device and _present(device):
                    gpus.append(_stated(device, "Model"))
    return tuple(gpus)


async def _members(collection: str, get: Get) -> tuple[str, ...]:
    return members(await _optional(collection, get)) if collection else ()


async def _optional(path: str, get: Get) -> JsonObject:
    """Return a resource, or an empty one where the BMC refuses it; what is unreachable still raises."""
    try:
        return await get(path)
    except DeviceRefused:
        return {}


def _systems_in(chassis: JsonObject) -> frozenset[str]:
    links = chassis.get("Links")
    listed = links.get("ComputerSystems") if isinstance(links, Mapping) else None
    return frozenset(filter(None, map(link, listed if isinstance(listed, list) else ())))


def _present(resource: JsonObject) -> bool:
    status = resource.get("Status")
    return not (isinstance(status, Mapping) and status.get("State") == "Absent")


def _stated(resource: JsonObject, name: str) -> str:
    value = resource.get(name)
    return value.strip() if isinstance(value, str) else ""
