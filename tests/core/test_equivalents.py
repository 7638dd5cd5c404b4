from __future__ import annotations

from grandpause.core.equivalents import equivalents


def test_nine_hundred_megawatts_are_750000_homes_by_capacity() -> None:
    # facts.md: 750,000 homes = 900 MW / 1.2 kW.
    assert equivalents(watts=900_000_000, hours=1, gpus=0).homes_by_capacity == 750_000


def test_the_frontier_sites_are_8_93_million_homes_by_energy() -> None:
    # facts.md: 10,924.8 MW all year = 8.93 million US homes at 10,715 kWh a year.
    homes = equivalents(watts=10_924_800_000, hours=1, gpus=0).homes_by_energy
    assert round(homes / 1e6, 2) in (8.93, 8.94)


def test_a_day_of_500_megawatts_is_17_million_dollars() -> None:
    # RAND, March 2026.
    assert equivalents(watts=500_000_000, hours=24, gpus=0).revenue_usd == 17_000_000


def test_water_and_gpu_hours_follow_from_energy_and_time() -> None:
    found = equivalents(watts=1_000_000, hours=2, gpus=8)
    assert found.water_l == 9_040  # 2,000 kWh at 4.52 L (LBNL 2024)
    assert found.gpu_hours == 16


def test_nothing_saved_stands_for_nothing() -> None:
    found = equivalents(watts=0, hours=5, gpus=0)
    assert (found.homes_by_energy, found.homes_by_capacity, found.revenue_usd, found.water_l) == (0, 0, 0, 0)
