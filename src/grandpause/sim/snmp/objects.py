"""What the simulated devices show by SNMP: an APC rack PDU of the second generation, and an RFC 1628 meter.

The objects are written from the MIB documents, not from the driver's profiles, so that each checks the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pysnmp.proto import rfc1902

ObjectId = tuple[int, ...]

SYSTEM: ObjectId = (1, 3, 6, 1, 2, 1, 1)
SYSTEM_DESCRIPTION: ObjectId = (*SYSTEM, 1, 0)
SYSTEM_OBJECT_ID: ObjectId = (*SYSTEM, 2, 0)
SYSTEM_UP_TIME: ObjectId = (*SYSTEM, 3, 0)
SYSTEM_NAME: ObjectId = (*SYSTEM, 5, 0)

RACK_PDU_2: ObjectId = (1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6)
"""PowerNet-MIB: masterSwitchrPDU2."""
RPDU2: ObjectId = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26)
DEVICE_POWER: ObjectId = (*RPDU2, 4, 3, 1, 5, 1)
"""rPDU2DeviceStatusPower of unit 1, in hundredths of a kilowatt."""
OUTLET_STATE: ObjectId = (*RPDU2, 9, 2, 3, 1, 5)
"""rPDU2OutletSwitchedStatusState: off(1), on(2)."""
OUTLET_COMMAND: ObjectId = (*RPDU2, 9, 2, 4, 1, 5)
"""rPDU2OutletSwitchedControlCommand: immediateOn(1), immediateOff(2)."""
OUTLET_POWER: ObjectId = (*RPDU2, 9, 4, 3, 1, 7)
"""rPDU2OutletMeteredStatusPower, in watts."""

UPS: ObjectId = (1, 3, 6, 1, 2, 1, 33)
OUTPUT_SOURCE: ObjectId = (*UPS, 1, 4, 1, 0)
OUTPUT_LINES: ObjectId = (*UPS, 1, 4, 3, 0)
OUTPUT_POWER: ObjectId = (*UPS, 1, 4, 4, 1, 4)
"""upsOutputPower of a line, in watts."""
SOURCE_NORMAL = 3
LINES = 3

COMMAND_ON = 1
COMMAND_OFF = 2
STATE_OFF = 1
STATE_ON = 2
LEAST_INTEGER = -(2**31)
MOST_INTEGER = 2**31 - 1

WRONG_TYPE = 7
WRONG_VALUE = 10
"""RFC 3416, section 3: error-status."""


class PowerUnit(Protocol):
    """The truth of one row power unit, as far as its card knows it. Outlets count from 1."""

    @property
    def outlet_count(self) -> int:
        """How many outlets it has."""

    def outlet_on(self, outlet: int) -> bool:
        """Tell the position of an outlet's relay."""

    def switch(self, outlet: int, *, on: bool) -> None:
        """Switch one outlet."""

    def outlet_watts(self, outlet: int) -> float | None:
        """Return what the display shows for an outlet: None for no value; may be NaN."""

    def total_watts(self) -> float | None:
        """Return what the display shows for the unit: None for no value; may be NaN."""


class FeedMeter(Protocol):
    """The truth of one feed meter, as far as it knows."""

    def watts(self) -> float | None:
        """Return what the display shows: None for no value; may be NaN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedObject:
    """One object of an agent.

    Attributes:
        read: gives the value now; None where there is none (noSuchInstance).
        check: for a value to be written, the error-status that refuses it, or 0; None: not writable.
        write: writes a checked value.
    """

    read: Callable[[], Any | None]
    check: Callable[[Any], int] | None = None
    write: Callable[[Any], None] | None = None


Objects = Mapping[ObjectId, ManagedObject]


def power_unit_objects(unit: PowerUnit, *, name: str, up_s: Callable[[], float]) -> Objects:
    """Return the objects of a switched rack PDU that meters each outlet."""
    description = f"Simulated row power unit {name}, objects of an APC rack PDU 2G (PowerNet-MIB rPDU2)"
    objects = dict(_system(description, RACK_PDU_2, name, up_s))
    objects[DEVICE_POWER] = ManagedObject(read=lambda: _integer(unit.total_watts(), a_count=10))
    for outlet in range(1, unit.outlet_count + 1):
        objects.update(_outlet_objects(unit, outlet))
    return objects


def feed_meter_objects(meter: FeedMeter, *, name: str, up_s: Callable[[], float]) -> Objects:
    """Return the objects of a three-line feed meter that speaks the UPS-MIB; each line bears a third."""
    objects = dict(_system(f"Simulated feed meter {name}, objects of RFC 1628", UPS, name, up_s))
    objects[OUTPUT_SOURCE] = ManagedObject(read=lambda: rfc1902.Integer32(SOURCE_NORMAL))
    objects[OUTPUT_LINES] = ManagedObject(read=lambda: rfc1902.Integer32(LINES))
    for line in range(1, LINES + 1):
        objects[(*OUTPUT_POWER, line)] = ManagedObject(read=partial(_line_watts, meter, line))
    return objects


def _outlet_objects(unit: PowerUnit, outlet: int) -> Iterator[tuple[ObjectId, ManagedObject]]:
    def command_shown() -> Any:
        return rfc1902.Integer32(COMMAND_ON if unit.outlet_on(outlet) else COMMAND_OFF)

    def state() -> Any:
        return rfc1902.Integer32(STATE_ON if unit.outlet_on(outlet) else STATE_OFF)

    def switch(value: Any) -> None:
        unit.switch(outlet, on=int(value) == COMMAND_ON)

    yield (*OUTLET_STATE, outlet), ManagedObject(read=state)
    yield (*OUTLET_COMMAND, outlet), ManagedObject(read=command_shown, check=_check_command, write=switch)
    yield (*OUTLET_POWER, outlet), ManagedObject(read=lambda: _integer(unit.outlet_watts(outlet)))


def _check_command(value: Any) -> int:
    if not isinstance(value, rfc1902.Integer32 | rfc1902.Integer):
        return WRONG_TYPE
    return 0 if int(value) in (COMMAND_ON, COMMAND_OFF) else WRONG_VALUE


def _line_watts(meter: FeedMeter, line: int) -> Any | None:
    """Share whole watts out over the lines so that they add up to what the meter shows."""
    watts = meter.watts()
    if watts is None or not math.isfinite(watts):
        return _integer(watts)
    whole = round(watts)
    return rfc1902.Integer32(whole * line // LINES - whole * (line - 1) // LINES)


def _integer(watts: float | None, *, a_count: int = 1) -> Any | None:
    """Turn watts into an INTEGER; a NaN becomes the least one, as firmware in C makes it."""
    if watts is None:
        return None
    if math.isnan(watts):
        return rfc1902.Integer32(LEAST_INTEGER)
    return rfc1902.Integer32(round(min(max(watts / a_count, LEAST_INTEGER), MOST_INTEGER)))


def _system(
    description: str, object_id: ObjectId, name: str, up_s: Callable[[], float]
) -> Iterator[tuple[ObjectId, ManagedObject]]:
    yield SYSTEM_DESCRIPTION, ManagedObject(read=lambda: rfc1902.OctetString(description))
    yield SYSTEM_OBJECT_ID, ManagedObject(read=lambda: rfc1902.ObjectIdentifier(object_id))
    yield SYSTEM_UP_TIME, ManagedObject(read=lambda: rfc1902.TimeTicks(int(up_s() * 100) % 2**32))
    yield SYSTEM_NAME, ManagedObject(read=lambda: rfc1902.OctetString(name))
