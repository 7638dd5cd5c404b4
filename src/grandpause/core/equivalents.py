"""What a stop means in other words: homes, money, GPU-hours, water. Every figure names its source.

These are for people who weigh a stop, never for a decision of the controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOME_KWH_A_YEAR: Final = 10_715
"""Mean yearly use of a US home in 2020 (EIA, Residential Energy Consumption Survey)."""
HOME_CAPACITY_W: Final = 1_200
"""Watts a home as counted by capacity: 900 MW for 750,000 homes (the source proposal, 2025)."""
REVENUE_USD_A_MWH: Final = 17_000_000 / (500 * 24)
"""A 500 MW site earns about 17 M$ a day (RAND, March 2026): 1,417 $ for each MWh not used."""
WATER_L_A_KWH: Final = 4.52
"""Indirect water of US electricity (LBNL, 2024 United States Data Center Energy Usage Report)."""
_HOURS_A_YEAR: Final = 8_766


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalents:
    """Estimates for so many watts less over so many hours.

    Attributes:
        homes_by_energy: homes whose mean use equals the watts saved (EIA 2020).
        homes_by_capacity: homes at 1.2 kW each (the proposal's count).
        revenue_usd: revenue not earned (RAND 2026); an estimate for a commercial AI site.
        gpu_hours: accelerators stopped times hours.
        water_l: indirect water not used (LBNL 2024).
    """

    watts: int
    hours: float
    homes_by_energy: int
    homes_by_capacity: int
    revenue_usd: int
    gpu_hours: int
    water_l: int


def equivalents(*, watts: int, hours: float, gpus: int) -> Equivalents:
    """Return what ``watts`` less for ``hours`` hours with ``gpus`` accelerators stopped stand for."""
    kwh = watts / 1_000 * hours
    return Equivalents(
        watts=watts,
        hours=hours,
        homes_by_energy=round(watts / 1_000 * _HOURS_A_YEAR / HOME_KWH_A_YEAR),
        homes_by_capacity=round(watts / HOME_CAPACITY_W),
        revenue_usd=round(kwh / 1_000 * REVENUE_USD_A_MWH),
        gpu_hours=round(gpus * hours),
        water_l=round(kwh * WATER_L_A_KWH),
    )
