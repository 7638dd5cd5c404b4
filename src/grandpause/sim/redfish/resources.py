"""The Redfish resources of one simulated BMC, as JSON values. Schemas: DMTF DSP8010 2025.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grandpause.core.model import Power
from grandpause.sim.machines import Machine
from grandpause.sim.redfish.accounts import ACCOUNT_RESOURCES
from grandpause.sim.redfish.view import (
    CHASSIS,
    GOOD,
    MANAGER,
    MANUFACTURER,
    POWER_SENSOR,
    RESET,
    RESET_INFO,
    ROOT,
    SESSIONS,
    SUPPLIES,
    SYSTEM,
    Json,
    View,
    collection,
    link,
    uuid_of,
)


def resource(path: str, view: View) -> Json | None:
    """Return the resource at ``path`` (without a trailing slash); None where there is none."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return {"@odata.id": path, **fixed(view)}
    parent, _, name = path.rpartition("/")
    if parent == f"{SYSTEM}/Processors" and name in _gpu_names(view.machine):
        return {"@odata.id": path, **_gpu(name, view)}
    if parent == SUPPLIES and name in _supply_names(view.machine):
        return {"@odata.id": path, **_supply(name, view)}
    if name == "Metrics" and parent.rpartition("/")[0] == SUPPLIES:
        supply = parent.rpartition("/")[2]
        return {"@odata.id": path, **_supply_metrics(view)} if supply in _supply_names(view.machine) else None
    return None


def system(view: View) -> Json:
    """Return the ComputerSystem: the resource that a stop reads and resets."""
    machine = view.machine
    reset: Json = {"target": RESET}
    if view.action_info:
        reset["@Redfish.ActionInfo"] = RESET_INFO
    else:
        reset["ResetType@Redfish.AllowableValues"] = list(view.reset_types)
    return {
        "@odata.type": "#ComputerSystem.v1_27_0.ComputerSystem",
        "Id": "1",
        "Name": "System",
        "SystemType": "Physical",
        "Manufacturer": MANUFACTURER,
        "Model": machine.model,
        "SerialNumber": view.node_id,
        "HostName": view.node_id,
        "UUID": uuid_of(view, "system"),
        "PowerState": _power_state(view),
        "Status": GOOD,
        "Processors": link(f"{SYSTEM}/Processors"),
        "Links": {"Chassis": [link(CHASSIS)], "ManagedBy": [link(MANAGER)]},
        "Actions": {"#ComputerSystem.Reset": reset},
    }


def _reset_info(view: View) -> Json:
    return {
        "@odata.type": "#ActionInfo.v1_5_0.ActionInfo",
        "Id": "ResetActionInfo",
        "Name": "Reset Action Info",
        "Parameters": [
            {
                "Name": "ResetType",
                "Required": True,
                "DataType": "String",
                "AllowableValues": list(view.reset_types),
            }
        ],
    }


def _gpu(name: str, view: View) -> Json:
    return {
        "@odata.type": "#Processor.v1_22_0.Processor",
        "Id": name,
        "Name": name,
        "ProcessorType": "GPU",
        "Model": view.machine.accelerator,
        "Status": GOOD if view.power is Power.ON else {"State": "UnavailableOffline"},
    }


def _chassis(view: View) -> Json:
    return {
        "@odata.type": "#Chassis.v1_28_0.Chassis",
        "Id": "1",
        "Name": "Chassis",
        "ChassisType": "RackMount",
        "Manufacturer": MANUFACTURER,
        "Model": view.machine.model,
        "SerialNumber": view.node_id,
        "UUID": uuid_of(view, "chassis"),
        "PowerState": _power_state(view),
        "Status": GOOD,
        "EnvironmentMetrics": link(f"{CHASSIS}/EnvironmentMetrics"),
        "PowerSubsystem": link(f"{CHASSIS}/PowerSubsystem"),
        "Sensors": link(f"{CHASSIS}/Sensors"),
        "Links": {"ComputerSystems": [link(SYSTEM)], "ManagedBy": [link(MANAGER)]},
    }


def _environment(view: View) -> Json:
    return {
        "@odata.type": "#EnvironmentMetrics.v1_5_0.EnvironmentMetrics",
        "Id": "EnvironmentMetrics",
        "Name": "Chassis Environment Metrics",
        "PowerWatts": {"DataSourceUri": POWER_SENSOR, "Reading": round(view.watts)},
    }


def _power_sensor(view: View) -> Json:
    return {
        "@odata.type": "#Sensor.v1_12_0.Sensor",
        "Id": "TotalPower",
        "Name": "Total Power",
        "ReadingType": "Power",
        "ReadingUnits": "W",
        "Reading": round(view.watts),
        "PhysicalContext": "Chassis",
        "ReadingRangeMin": 0,
        "ReadingRangeMax": view.machine.rated_w,
        "Status": GOOD,
    }


def _power_subsystem(view: View) -> Json:
    return {
        "@odata.type": "#PowerSubsystem.v1_1_3.PowerSubsystem",
        "Id": "PowerSubsystem",
        "Name": "Power Subsystem",
        "CapacityWatts": view.machine.rated_w,
        "PowerSupplies": link(SUPPLIES),
        "Status": GOOD,
    }


def _supply(name: str, view: View) -> Json:
    return {
        "@odata.type": "#PowerSupply.v1_6_0.PowerSupply",
        "Id": name,
        "Name": name,
        "PowerSupplyType": "AC",
        "Manufacturer": MANUFACTURER,
        "SerialNumber": f"{view.node_id}-{name}",
        "LineInputStatus": "Normal",
        "Status": GOOD,
        "Metrics": link(f"{SUPPLIES}/{name}/Metrics"),
    }


def _supply_metrics(view: View) -> Json:
    share = view.watts / view.machine.power_supplies
    return {
        "@odata.type": "#PowerSupplyMetrics.v1_2_0.PowerSupplyMetrics",
        "Id": "Metrics",
        "Name": "Metrics of the power supply",
        "InputPowerWatts": {"Reading": round(share, 1)},
        "Status": GOOD,
    }


def _manager(view: View) -> Json:
    return {
        "@odata.type": "#Manager.v1_24_0.Manager",
        "Id": "1",
        "Name": "Manager",
        "ManagerType": "BMC",
        "Manufacturer": MANUFACTURER,
        "Model": "Simulated BMC",
        "FirmwareVersion": "1.0",
        "UUID": uuid_of(view, "manager"),
        "ServiceEntryPointUUID": uuid_of(view, "service"),
        "DateTime": view.date_time,
        "DateTimeLocalOffset": "+00:00",
        "PowerState": "On",
        "Status": GOOD,
        "Links": {
            "ManagerForServers": [link(SYSTEM)],
            "ManagerForChassis": [link(CHASSIS)],
            "ManagerInChassis": link(CHASSIS),
        },
    }


def _session_service(view: View) -> Json:
    return {
        "@odata.type": "#SessionService.v1_2_0.SessionService",
        "Id": "SessionService",
        "Name": "Session Service",
        "ServiceEnabled": True,
        "Status": GOOD,
        "Sessions": link(SESSIONS),
        "Description": f"Sessions on the BMC of {view.node_id}",
    }


def _power_state(view: View) -> str:
    return "On" if view.power is Power.ON else "Off"


def _gpu_names(machine: Machine) -> list[str]:
    return [f"GPU{number}" for number in range(1, machine.accelerators + 1)]


def _supply_names(machine: Machine) -> list[str]:
    return [f"PSU{number}" for number in range(1, machine.power_supplies + 1)]


_FIXED: Mapping[str, Callable[[View], Json]] = {
    **ACCOUNT_RESOURCES,
    f"{ROOT}/Systems": collection("ComputerSystem", "Systems", lambda _: [SYSTEM]),
    SYSTEM: system,
    RESET_INFO: _reset_info,
    f"{SYSTEM}/Processors": collection(
        "Processor",
        "Processors",
        lambda view: [f"{SYSTEM}/Processors/{name}" for name in _gpu_names(view.machine)],
    ),
    f"{ROOT}/Chassis": collection("Chassis", "Chassis", lambda _: [CHASSIS]),
    CHASSIS: _chassis,
    f"{CHASSIS}/EnvironmentMetrics": _environment,
    f"{CHASSIS}/Sensors": collection("Sensor", "Sensors", lambda _: [POWER_SENSOR]),
    POWER_SENSOR: _power_sensor,
    f"{CHASSIS}/PowerSubsystem": _power_subsystem,
    SUPPLIES: collection(
        "PowerSupply",
        "Power Supplies",
        lambda view: [f"{SUPPLIES}/{name}" for name in _supply_names(view.machine)],
    ),
    f"{ROOT}/Managers": collection("Manager", "Managers", lambda _: [MANAGER]),
    MANAGER: _manager,
    f"{ROOT}/SessionService": _session_service,
    SESSIONS: collection(
        "Session", "Sessions", lambda view: [f"{SESSIONS}/{each}" for each in view.session_ids]
    ),
}
