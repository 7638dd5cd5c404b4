from __future__ import annotations

import math

import pytest

from grandpause.core.model import Act
from grandpause.sim.machines import H100X8
from grandpause.sim.plant import Plant


def _stop_everything(plant: Plant, now_s: float) -> None:
    for node_id in plant.nodes:
        plant.command(node_id, Act.OUTLET_OFF, now_s)


def test_a_good_meter_shows_the_truth_within_its_class(plant: Plant) -> None:
    truth = sum(plant.outlet_draw(outlet) for outlet in plant.unit("row01a").outlets)
    assert plant.unit_watts("row01a", 0.0) == pytest.approx(truth, rel=0.005)
    assert plant.feed_watts("feed-a", 0.0) == pytest.approx(plant.true_feed_watts("feed-a", 0.0), rel=0.005)


def test_outlets_as_shown_add_up_to_their_unit_as_shown(plant: Plant) -> None:
    outlets = [plant.outlet_watts("row01a", index, 3.0) for index in range(4)]
    assert sum(each or 0.0 for each in outlets) == pytest.approx(plant.unit_watts("row01a", 3.0))


def test_two_meters_differ_a_little(plant: Plant) -> None:
    gains = {plant.meter(name).gain for name in (*plant.units, *plant.feeds)}
    assert len(gains) == 6
    assert all(0.99 < gain < 1.01 for gain in gains)


def test_a_stuck_meter_goes_on_showing_the_old_value_as_new(plant: Plant) -> None:
    before = plant.unit_watts("row01a", 10.0)
    plant.meter("row01a").sticks()
    _stop_everything(plant, 20.0)
    assert plant.unit_watts("row01a", 30.0) == before
    assert plant.reading("row01a", 30.0).at_s == 30.0
    assert plant.outlet_watts("row01a", 0, 30.0) == pytest.approx((before or 0.0) / 4, rel=0.2)


def test_a_stale_meter_shows_the_old_value_with_its_old_time(plant: Plant) -> None:
    before = plant.unit_watts("row01a", 10.0)
    plant.meter("row01a").goes_stale()
    _stop_everything(plant, 20.0)
    shown = plant.reading("row01a", 30.0)
    assert (shown.watts, shown.at_s) == (before, 10.0)


def test_a_stale_display_without_a_time_is_blank(plant: Plant) -> None:
    plant.unit_watts("row01a", 10.0)
    plant.meter("row01a").goes_stale()
    assert plant.unit_watts("row01a", 30.0) is None
    assert plant.outlet_watts("row01a", 0, 30.0) is None


def test_a_zeroed_meter_shows_zero_though_the_load_is_there(plant: Plant) -> None:
    plant.meter("feed-a").zeroes()
    assert plant.feed_watts("feed-a", 0.0) == 0.0
    assert plant.true_feed_watts("feed-a", 0.0) > 0


def test_a_meter_that_gives_nan_gives_no_number(plant: Plant) -> None:
    plant.meter("row01a").gives_nan()
    assert math.isnan(plant.unit_watts("row01a", 0.0) or 0.0)
    assert math.isnan(plant.outlet_watts("row01a", 0, 0.0) or 0.0)


def test_a_silent_meter_has_no_value(plant: Plant) -> None:
    plant.meter("row01a").goes_silent()
    assert plant.unit_watts("row01a", 0.0) is None


def test_swapped_meters_show_each_others_values(plant: Plant) -> None:
    plant.command("r01n01", Act.OUTLET_OFF, 0.0)
    plant.meter("row01a").swaps_with(plant.meter("row02a"))
    assert plant.outlet_watts("row02a", 0, 0.0) == 0.0
    assert (plant.outlet_watts("row01a", 0, 0.0) or 0.0) > H100X8.idle_w / 2


def test_recovery_undoes_a_swap_on_both_sides(plant: Plant) -> None:
    before = plant.unit_watts("row01a", 0.0), plant.unit_watts("row02a", 0.0)
    plant.meter("row01a").swaps_with(plant.meter("row02a"))
    plant.meter("row02a").recovers()
    assert (plant.unit_watts("row01a", 0.0), plant.unit_watts("row02a", 0.0)) == before


@pytest.mark.parametrize("fault", ["sticks", "zeroes", "gives_nan", "goes_stale", "goes_silent"])
def test_a_meter_recovers_from_every_fault(plant: Plant, fault: str) -> None:
    meter = plant.meter("row01a")
    getattr(meter, fault)()
    _stop_everything(plant, 5.0)
    meter.recovers()
    assert plant.unit_watts("row01a", 6.0) == 0.0
