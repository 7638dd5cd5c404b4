from __future__ import annotations

import pytest

from grandpause.sim.world.clock import EPOCH_S, MachineClock


class Truth:
    """The world's time; moves only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0


def test_the_wall_clock_is_off_by_what_it_is_off_and_the_boot_time_clock_is_not() -> None:
    truth = Truth()
    clock = MachineClock(truth, off_s=-90.0)
    truth.now_s = 1_000.0
    assert (clock.wall_s(), clock.monotonic_s()) == (EPOCH_S + 910, 1_000.0)
    clock.off_s = 86_400.0
    assert (clock.wall_s(), clock.monotonic_s()) == (EPOCH_S + 87_400, 1_000.0)


def test_a_boot_begins_the_boot_time_clock_anew_and_leaves_the_wall_clock() -> None:
    truth = Truth()
    clock = MachineClock(truth)
    truth.now_s = 500.0
    clock.boot()
    truth.now_s = 530.0
    assert (clock.wall_s(), clock.monotonic_s()) == (EPOCH_S + 530, 30.0)


def test_the_boot_time_clock_drifts_by_its_parts_per_million() -> None:
    truth = Truth()
    clock = MachineClock(truth, drift_ppm=100.0)
    truth.now_s = 1_000_000.0
    assert clock.monotonic_s() == pytest.approx(1_000_100.0)


@pytest.mark.parametrize("drift_ppm", [-100.0, 0.0, 73.5])
def test_true_time_and_boot_time_lead_to_each_other(drift_ppm: float) -> None:
    truth = Truth()
    clock = MachineClock(truth, drift_ppm=drift_ppm)
    truth.now_s = 77.0
    clock.boot()
    for true_s in (77.0, 1_234.5, 9_000_000.0):
        assert clock.true_s(clock.monotonic_at(true_s)) == pytest.approx(true_s)
    truth.now_s = 4_000.0
    assert clock.monotonic_at(4_000.0) == clock.monotonic_s()
