"""Faults in words, as the command line takes them: ``hang=3``, ``lie=5``, ``meter2=stuck``, ``r01n07=500``.

Which nodes are struck follows from the seed; no node is struck twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from grandpause.errors import UsageError
from grandpause.sim.faults import Bmc, Meter
from grandpause.sim.plant import Plant

BMC_FAULTS: Mapping[str, Callable[[Bmc], None]] = {
    "hang": Bmc.hangs,
    "lie": Bmc.lies,
    "lie-openly": Bmc.lies_openly,
    "drop": Bmc.drops,
    "ignore-soft": Bmc.ignores_graceful,
    "500": lambda bmc: bmc.answers(500),
    "401": lambda bmc: bmc.answers(401),
    "503": lambda bmc: bmc.answers(503),
}
METER_FAULTS: Mapping[str, Callable[[Meter], None]] = {
    "stuck": Meter.sticks,
    "zero": Meter.zeroes,
    "nan": Meter.gives_nan,
    "stale": Meter.goes_stale,
    "silent": Meter.goes_silent,
}
METER_PATHS = ("meter1", "meter2")
"""meter1 is the path of the row power units, meter2 that of the feeds."""


def apply_faults(plant: Plant, words: Sequence[str], *, seed: int) -> dict[str, str]:
    """Put faults into ``plant``; return what was struck: node or meter -> fault.

    Raises:
        UsageError: an unknown fault, node or meter, or more nodes than there are.
    """
    order = sorted(plant.nodes)
    random.Random(seed).shuffle(order)  # noqa: S311  a repeatable choice, no secret
    struck: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError("must be of the form NAME=VALUE", where=word, hint=_known())
        if name in METER_PATHS or name in plant.units or name in plant.feeds:
            struck |= _strike_meters(plant, name, value, word)
        elif name in BMC_FAULTS:
            if not value.isdecimal() or int(value) > len(order):
                raise UsageError(f"must be a number of nodes, at most {len(order)}", where=word)
            chosen, order = order[: int(value)], order[int(value) :]
            for node in chosen:
                BMC_FAULTS[name](plant.node(node).bmc)
                struck[node] = name
        elif name in plant.nodes and value in BMC_FAULTS:
            BMC_FAULTS[value](plant.node(name).bmc)
            struck[name] = value
            order = [each for each in order if each != name]
        else:
            raise UsageError("names no fault", where=word, hint=_known())
    return struck


def _strike_meters(plant: Plant, name: str, value: str, word: str) -> dict[str, str]:
    if value not in METER_FAULTS:
        raise UsageError(f"no meter fault {value!r}", where=word, hint=", ".join(METER_FAULTS))
    names = {"meter1": list(plant.units), "meter2": list(plant.feeds)}.get(name, [name])
    for each in names:
        METER_FAULTS[value](plant.meter(each))
    return dict.fromkeys(names, value)


def _known() -> str:
    return (
        f"nodes: {', '.join(BMC_FAULTS)} (=COUNT, or NODE=FAULT);"
        f" meters: meter1, meter2 or a meter's name = {', '.join(METER_FAULTS)}"
    )
