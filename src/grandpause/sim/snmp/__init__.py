"""Simulated SNMP agents: the row power units and feed meters of a plant, over SNMP v2c."""

from grandpause.sim.snmp.agent import Agent, Manner
from grandpause.sim.snmp.farm import SnmpFarm, serve_units
from grandpause.sim.snmp.objects import FeedMeter, PowerUnit, feed_meter_objects, power_unit_objects

__all__ = [
    "Agent",
    "FeedMeter",
    "Manner",
    "PowerUnit",
    "SnmpFarm",
    "feed_meter_objects",
    "power_unit_objects",
    "serve_units",
]
