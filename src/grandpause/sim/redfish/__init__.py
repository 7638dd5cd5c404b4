"""Simulated Redfish services: the BMCs of a plant (``farm``) and the replay of captures (``replay``)."""

from grandpause.sim.redfish.farm import BmcFarm, serve_bmcs

__all__ = ["BmcFarm", "serve_bmcs"]
