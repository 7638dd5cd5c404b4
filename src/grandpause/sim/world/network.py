"""The site's management network: what it does to a request and to its answer."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final, NamedTuple

from grandpause.sim.world.settings import Fault

_QUICK_S: Final = 0.04
_SLOW_S: Final = 6.0
_RARELY: Final = 0.02


class Way(NamedTuple):
    """What becomes of one request that something strikes.

    Attributes:
        arrives: whether the device hears it.
        returns: whether the answer comes back.
        delay_s: until then.
        twice: whether the answer comes twice.
        fault: what struck.
    """

    arrives: bool
    returns: bool
    delay_s: float
    twice: bool
    fault: Fault


class Network:
    """One site's management network. ``cut``: it is partitioned from every device."""

    def __init__(self, chance: random.Random, faults: Collection[Fault]) -> None:
        self._chance = chance
        self._ills = [
            each for each in (Fault.LOSS, Fault.DELAY, Fault.REORDER, Fault.DUPLICATE) if each in faults
        ]
        self._odds = _RARELY * len(self._ills)
        self.cut = False

    def way(self) -> float | Way:
        """Return what becomes of the next request: as a rule only a delay, in seconds."""
        draw = self._chance.random()
        delay_s = _QUICK_S + 0.02 * draw
        if self.cut:
            return Way(False, False, delay_s, False, Fault.PARTITION)
        if draw >= self._odds:
            return delay_s
        fault = self._ills[int(draw / _RARELY)]
        if fault is Fault.LOSS:
            # The command may have got through and its answer lost: nobody can tell the two apart.
            return Way(self._chance.random() < 0.5, False, delay_s, False, fault)
        if fault is Fault.DUPLICATE:
            return Way(True, True, delay_s, True, fault)
        most = _SLOW_S if fault is Fault.DELAY else 1.0
        return Way(True, True, delay_s + most * self._chance.random(), False, fault)
