"""Redfish: switching nodes through their BMCs (DMTF DSP0266), and asking them what they are.

Maturity: beta. Seen on captures of NVIDIA DGX H100, GB200 tray and NVLink switch, Dell R750, HPE DL385 and
Supermicro SYS-821GE, on DMTF's mockups and on sushy-tools; not yet on live machines.
"""

from grandpause.drivers.redfish.driver import RedfishActuator
from grandpause.drivers.redfish.inventory import Inventory, NodePower, PartReading
from grandpause.drivers.redfish.learned import Learned, TypesFrom
from grandpause.drivers.redfish.pinning import pin_of
from grandpause.drivers.redfish.pins import format_pin, parse_pin
from grandpause.drivers.redfish.target import Auth, Credentials, Limits, Pinned, PlainHttp, Target, Verified

__all__ = [
    "Auth",
    "Credentials",
    "Inventory",
    "Learned",
    "Limits",
    "NodePower",
    "PartReading",
    "Pinned",
    "PlainHttp",
    "RedfishActuator",
    "Target",
    "TypesFrom",
    "Verified",
    "format_pin",
    "parse_pin",
    "pin_of",
]
