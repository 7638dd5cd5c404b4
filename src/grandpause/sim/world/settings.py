"""What a seed makes of a world: its size, its length, and which classes of trouble strike it (swarm)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_S: Final = 86_400


class Fault(StrEnum):
    """The classes of trouble; a seed switches each one on or off."""

    CLOCK_ERROR = "clock-error"
    CLOCK_DRIFT = "clock-drift"
    CLOCK_JUMP = "clock-jump"
    BOOT = "boot"
    LOSS = "loss"
    DELAY = "delay"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    PARTITION = "partition"
    WRITE_KEPT = "write-kept"
    WRITE_DROPPED = "write-dropped"
    WRITE_TORN = "write-torn"
    DISK_FULL = "disk-full"
    BIT_FLIP = "bit-flip"
    OLD_IMAGE = "old-image"
    REINSTALL = "reinstall"
    HANG = "hang"
    LIE = "lie"
    PARTIAL = "partial"
    FLICKER = "flicker"
    COME_BACK = "come-back"
    METER_STUCK = "meter-stuck"
    METER_ZERO = "meter-zero"
    METER_NAN = "meter-nan"
    METER_STALE = "meter-stale"
    METER_SWAPPED = "meter-swapped"
    LATE = "late"
    LOST_KEY = "lost-key"
    ROGUE = "rogue"
    REFUSING = "refusing"
    TRICKED = "tricked"
    EARLY_RESTART = "early-restart"
    DISARM = "disarm-in-a-pause"
    RENAME_HALLS = "rename-halls"
    OVERRIDE = "override"
    PLUG = "pull-the-plug"
    GRID_CALL = "grid-call"


SHARE_ON: Final = 0.55
"""How likely each class is on in a world: enough worlds with one alone, enough with most of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One world before it begins; a smaller one is made from it to shrink a failure.

    Attributes:
        faults: the classes that are on.
        sites: how many sites share the charters.
        elements: nodes of each site.
        days: how long it lasts before everything heals.
    """

    seed: int
    faults: frozenset[Fault]
    sites: int
    elements: int
    days: float

    @classmethod
    def draw(cls, seed: int) -> Settings:
        """Return the settings that belong to ``seed``."""
        chance = random.Random(f"settings {seed}")
        return cls(
            seed=seed,
            faults=frozenset(each for each in Fault if chance.random() < SHARE_ON),
            sites=chance.choice((1, 2, 3)),
            elements=64,
            days=chance.choice((20.0, 60.0, 180.0)),
        )
