"""SNMP: power units that switch outlets, and meters; each brand is data in ``drivers/profiles``.

An unknown device is never switched: its identity is read before the first SET, and remembered.
"""

from __future__ import annotations

from grandpause.drivers.snmp.answers import NoAnswer
from grandpause.drivers.snmp.client import SnmpClient
from grandpause.drivers.snmp.identity import Identities, Identity
from grandpause.drivers.snmp.loading import load_profiles, shipped_profiles
from grandpause.drivers.snmp.meter import SnmpMeter
from grandpause.drivers.snmp.outlets import SnmpOutlets
from grandpause.drivers.snmp.values import (
    Address,
    Authentication,
    Community,
    Credential,
    Outlet,
    Peer,
    Privacy,
    User,
)

__all__ = [
    "Address",
    "Authentication",
    "Community",
    "Credential",
    "Identities",
    "Identity",
    "NoAnswer",
    "Outlet",
    "Peer",
    "Privacy",
    "SnmpClient",
    "SnmpMeter",
    "SnmpOutlets",
    "User",
    "load_profiles",
    "shipped_profiles",
]
