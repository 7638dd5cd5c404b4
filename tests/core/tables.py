"""Makes the nodes, meters and halls that the tests of the core play with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grandpause.core.elements import Element, ElementTable, Measures, MeterRow


def element(name: str, *, hall: str = "h1", tenant: str = "", **changes: Any) -> Element:
    """Return an eight-GPU node."""
    watts: dict[str, Any] = {"rated_w": 6_500, "idle_w": 2_000, "off_w": 50, "compute": 8}
    return Element(id=name, hall=hall, tenant=tenant, **(watts | changes))


def meter(name: str, channels: Mapping[str, Sequence[str]], **changes: Any) -> MeterRow:
    """Return a meter of IT watts that belongs to the operator; its path is its name's first word."""
    fields: dict[str, Any] = {
        "path": name.split("-", maxsplit=1)[0],
        "owner": "operator",
        "signed": False,
        "measures": Measures.IT,
        "resolution_w": 10,
    }
    covered = {channel: tuple(each) for channel, each in channels.items()}
    return MeterRow(id=name, channels=covered, **(fields | changes))


def hall_of(nodes: int, *meters: MeterRow, **changes: Any) -> ElementTable:
    """Return a table of n like nodes n1, n2, ... and these meters."""
    return ElementTable(tuple(element(f"n{index}", **changes) for index in range(1, nodes + 1)), meters)
