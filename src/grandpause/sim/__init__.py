"""The simulated site: nodes, row power units, feeds, their meters, and everything that goes wrong with them.

``plant`` holds the simulated truth in virtual time; ``redfish`` and ``snmp`` serve it over the real
protocols. Nothing here is measured at a real site: every figure is labelled "simulated" where it is shown.
"""
