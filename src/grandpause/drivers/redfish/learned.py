"""What one BMC says of how it can be told to do something: learned before the stop, not in it.

The system is found by the collection of systems; that one counts which advertises ComputerSystem.Reset.
Others (the GPU baseboard of a DGX or GB200 is a "system" without any action) are named and left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from grandpause.core.model import Act
from grandpause.drivers.redfish.http import JsonObject
from grandpause.drivers.redfish.target import Target, is_reset_path, is_resource_path, is_system_path
from grandpause.errors import DeviceError, DeviceRefused, SiteFileError

Get = Callable[[str], Awaitable[JsonObject]]
"""Asks the BMC for one resource; raises DeviceRefused or DeviceUnreachable."""

SYSTEMS = "/redfish/v1/Systems"
_RESET = "#ComputerSystem.Reset"
_MOST_MEMBERS = 64
_RESET_TYPES_OF_ACT: Mapping[Act, tuple[str, ...]] = {
    Act.SOFT_OFF: ("GracefulShutdown",),
    Act.FORCE_OFF: ("ForceOff",),
    Act.POWER_ON: ("On", "ForceOn"),
}
"""In the order of preference. PowerCycle, restarts and the power button are never among them: the first
two end with the node on, and what the third does depends on what the node is doing."""


class TypesFrom(StrEnum):
    """Where the allowed reset types were read."""

    INLINE = "inline"
    ACTION_INFO = "action info"
    NOWHERE = "nowhere"
    """Neither is advertised: the wanted type is sent and the BMC judges it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How one element's system is asked and told.

    Attributes:
        system: path of the system.
        reset: path of its ComputerSystem.Reset.
        types: allowed reset types; empty where ``types_from`` is nowhere.
        types_from: where the types were read.
        left_alone: systems behind the same BMC that have no Reset.
    """

    system: str
    reset: str
    types: tuple[str, ...] = ()
    types_from: TypesFrom = TypesFrom.NOWHERE
    left_alone: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_system_path(self.system) or not is_reset_path(self.reset, system=self.system):
            raise DeviceRefused(f"{self.reset[:120]!r} is no ComputerSystem.Reset of {self.system[:80]!r}")

    def reset_type(self, act: Act) -> str:
        """Return the reset type that does ``act``.

        Raises:
            DeviceRefused: the BMC offers none that does it, or a BMC cannot do it at all.
        """
        wanted = _RESET_TYPES_OF_ACT.get(act, ())
        if not wanted:
            raise DeviceRefused(f"a BMC cannot do {act.value}")
        if self.types_from is TypesFrom.NOWHERE:
            return wanted[0]
        for kind in wanted:
            if kind in self.types:
                return kind
        raise DeviceRefused(f"{wanted[0]} is not offered (offered: {', '.join(self.types) or 'nothing'})")

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values, to be stored by the site."""
        return {
            "system": self.system,
            "reset": self.reset,
            "types": list(self.types),
            "types_from": self.types_from.value,
            "left_alone": list(self.left_alone),
        }

    @classmethod
    def from_json(cls, value: object) -> Learned:
        """Return what ``as_json`` gave.

        Raises:
            SiteFileError: it is something else; the BMC must be asked again.
        """
        try:
            if not isinstance(value, Mapping) or set(value) != set(cls.__slots__):
                raise SiteFileError("unknown or missing fields", where="learned")
            return cls(
                system=_text(value["system"]),
                reset=_text(value["reset"]),
                types=_texts(value["types"]),
                types_from=TypesFrom(_text(value["types_from"])),
                left_alone=_texts(value["left_alone"]),
            )
        except (ValueError, DeviceRefused) as error:
            raise SiteFileError(f"not what was learned of a BMC: {error}", where="learned") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SiteFileError(f"text expected, not {type(value).__name__}", where="learned")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SiteFileError(f"a list expected, not {type(value).__name__}", where="learned")
    return tuple(_text(each) for each in value)


def known_from(target: Target) -> Learned | None:
    """Return what the site file fixes, if that is enough for a stop without any question."""
    if target.system and target.reset:
        return Learned(system=target.system, reset=target.reset)
    return None


async def learn(target: Target, get: Get) -> Learned:
    """Ask the BMC for the element's system and its Reset.

    Raises:
        DeviceRefused: no system with a Reset, or several and the site file names none.
        DeviceUnreachable: as ``get``.
    """
    paths = (target.system,) if target.system else members(await get(SYSTEMS))
    able: list[tuple[str, JsonObject]] = []
    left_alone: list[str] = []
    for path in paths:
        action = reset_action(await get(path)) if is_system_path(path) else None
        if action is None:
            left_alone.append(path)
        else:
            able.append((path, action))
    if not able:
        named = ", ".join(left_alone) or "none listed"
        raise DeviceRefused(f"no system with a ComputerSystem.Reset action (systems: {named})")
    if len(able) > 1:
        named = ", ".join(path for path, _ in able)
        raise DeviceRefused(f"{len(able)} systems have a Reset: the site file must name one ({named})")
    system, action = able[0]
    types, types_from = await _reset_types(action, get)
    reset = target.reset or str(action.get("target", ""))
    return Learned(
        system=system, reset=reset, types=types, types_from=types_from, left_alone=tuple(left_alone)
    )


def reset_action(system: JsonObject) -> JsonObject | None:
    """Return a system's ComputerSystem.Reset action; None if it advertises none."""
    actions = system.get("Actions")
    action = actions.get(_RESET) if isinstance(actions, Mapping) else None
    return action if isinstance(action, Mapping) else None


async def _reset_types(action: JsonObject, get: Get) -> tuple[tuple[str, ...], TypesFrom]:
    inline = action.get("ResetType@Redfish.AllowableValues")
    if isinstance(inline, list):
        return tuple(kind for kind in inline if isinstance(kind, str)), TypesFrom.INLINE
    info = action.get("@Redfish.ActionInfo")
    if isinstance(info, str) and is_resource_path(info):
        try:
            parameters = (await get(info)).get("Parameters")
        except DeviceError:  # advertised, but not to be had: the BMC will judge the type itself
            return (), TypesFrom.NOWHERE
        for parameter in parameters if isinstance(parameters, list) else ():
            if isinstance(parameter, Mapping) and parameter.get("Name") == "ResetType":
                values = parameter.get("AllowableValues")
                if isinstance(values, list):
                    kinds = tuple(kind for kind in values if isinstance(kind, str))
                    return kinds, TypesFrom.ACTION_INFO
    return (), TypesFrom.NOWHERE


def members(collection: JsonObject) -> tuple[str, ...]:
    """Return the paths that a collection lists (the first 64), in its order, each once."""
    listed = collection.get("Members")
    paths: dict[str, None] = {}
    for entry in listed if isinstance(listed, list) else ():
        path = link(entry)
        if path:
            paths[path] = None
    return tuple(paths)[:_MOST_MEMBERS]


def link(value: object) -> str:
    """Return the path in ``{"@odata.id": path}`` if it is one that may be asked for; else empty."""
    path = value.get("@odata.id") if isinstance(value, Mapping) else None
    return path if isinstance(path, str) and is_resource_path(path) else ""
