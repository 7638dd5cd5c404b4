from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grandpause.core.model import Act, Power, Reply
from grandpause.errors import UsageError
from grandpause.sim.machines import H100X8, MACHINES, machine_named
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant

NODE = "r01n02"


def test_every_machine_names_its_sources_and_its_assumptions() -> None:
    for machine in MACHINES.values():
        assert machine.sources
        assert machine.assumptions


def test_an_unknown_machine_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="h100x8"):
        machine_named("h200x8")


def test_a_hall_has_rows_of_nodes_with_an_outlet_on_either_feed() -> None:
    hall = Plant.hall()
    assert len(hall.nodes) == 256
    assert len(hall.units) == 32
    assert list(hall.nodes)[:2] == ["r01n01", "r01n02"]
    assert list(hall.nodes)[-1] == "r16n16"
    assert [(o.unit.id, o.index, o.unit.feed) for o in hall.node("r16n16").outlets] == [
        ("row16a", 15, "feed-a"),
        ("row16b", 15, "feed-b"),
    ]


def test_an_outlet_feeds_one_node_only() -> None:
    hall = Plant.hall(nodes=2)
    with pytest.raises(UsageError, match="already feeds r01n01"):
        hall.add_node("x", machine=H100X8, hall="hall-1", row="row01", outlets=[("row01a", 0)])


def test_a_busy_hall_draws_near_its_nodes_load_split_over_both_feeds() -> None:
    hall = Plant.hall()
    watts = hall.true_site_watts(5)
    assert watts == pytest.approx(256 * H100X8.load_w, rel=0.03)
    assert hall.true_feed_watts("feed-a", 5) == pytest.approx(watts / 2, rel=0.01)


def test_sums_agree_from_outlet_to_site(plant: Plant) -> None:
    outlets = sum(plant.outlet_draw(outlet) for unit in plant.units.values() for outlet in unit.outlets)
    nodes = sum(plant.true_node_watts(node, 0) for node in plant.nodes)
    feeds = plant.true_feed_watts("feed-a", 0) + plant.true_feed_watts("feed-b", 0)
    assert plant.true_site_watts(0) == pytest.approx(outlets)
    assert nodes == pytest.approx(outlets)
    assert feeds == pytest.approx(outlets)


def test_the_load_varies_from_second_to_second_and_repeats_with_the_seed() -> None:
    one, same, other = (Plant.hall(nodes=16, seed=seed) for seed in (7, 7, 8))
    course = [one.true_site_watts(second) for second in range(60)]
    assert course == [same.true_site_watts(second) for second in range(60)]
    assert course != [other.true_site_watts(second) for second in range(60)]
    assert len(set(course)) == 60


def test_a_graceful_shutdown_takes_seconds_and_idles_meanwhile(plant: Plant) -> None:
    assert plant.command(NODE, Act.SOFT_OFF, 0.0) is Reply.ACCEPTED
    assert plant.power(NODE, 5.9) is Power.ON
    assert plant.true_node_watts(NODE, 5.9) == pytest.approx(H100X8.idle_w, rel=0.001)
    assert plant.power(NODE, 6.0) is Power.OFF
    assert plant.true_node_watts(NODE, 6.0) == H100X8.standby_w


def test_force_off_takes_about_a_second_and_overtakes_a_graceful_shutdown(plant: Plant) -> None:
    plant.command(NODE, Act.SOFT_OFF, 0.0)
    plant.command(NODE, Act.FORCE_OFF, 2.0)
    assert plant.power(NODE, 2.9) is Power.ON
    assert plant.power(NODE, 3.0) is Power.OFF


def test_a_later_graceful_shutdown_does_not_delay_a_forced_one(plant: Plant) -> None:
    plant.command(NODE, Act.FORCE_OFF, 0.0)
    plant.command(NODE, Act.SOFT_OFF, 0.5)
    assert plant.power(NODE, 1.0) is Power.OFF


def test_power_on_idles_until_the_workload_is_back(plant: Plant) -> None:
    plant.command(NODE, Act.FORCE_OFF, 0.0)
    assert plant.power(NODE, 10.0) is Power.OFF
    assert plant.command(NODE, Act.POWER_ON, 10.0) is Reply.ACCEPTED
    assert plant.power(NODE, 11.9) is Power.OFF
    assert plant.power(NODE, 12.0) is Power.ON
    assert plant.true_node_watts(NODE, 71.0) == pytest.approx(H100X8.idle_w, rel=0.001)
    assert plant.true_node_watts(NODE, 72.0) > 0.9 * H100X8.load_w


def test_a_power_cycle_comes_back_by_itself(plant: Plant) -> None:
    plant.command(NODE, "PowerCycle", 0.0)
    assert plant.power(NODE, 1.0) is Power.OFF
    assert plant.power(NODE, 3.0) is Power.ON


def test_force_off_during_a_restart_keeps_the_node_down(plant: Plant) -> None:
    plant.command(NODE, "ForceRestart", 0.0)
    plant.command(NODE, "ForceOff", 0.5)
    assert plant.power(NODE, 300.0) is Power.OFF


def test_force_off_while_starting_keeps_the_node_down(plant: Plant) -> None:
    plant.command(NODE, Act.FORCE_OFF, 0.0)
    plant.command(NODE, Act.POWER_ON, 5.0)
    plant.command(NODE, Act.FORCE_OFF, 6.0)
    assert plant.power(NODE, 300.0) is Power.OFF


def test_a_reset_type_that_is_not_offered_is_refused_and_changes_nothing(plant: Plant) -> None:
    plant.node(NODE).bmc.offers_reset_types(["On", "PowerCycle"])
    assert plant.command(NODE, Act.FORCE_OFF, 0.0) is Reply.REFUSED
    assert plant.power(NODE, 100.0) is Power.ON


def test_with_one_outlet_off_the_load_moves_to_the_other(plant: Plant) -> None:
    before = plant.true_node_watts(NODE, 0.0)
    plant.switch_outlet("row01a", 1, False, 0.0)
    assert plant.power(NODE, 0.0) is Power.ON
    assert plant.outlet_draw(plant.outlet("row01a", 1)) == 0
    assert plant.outlet_draw(plant.outlet("row01b", 1)) == pytest.approx(before, rel=0.001)


def test_with_all_outlets_off_the_node_draws_nothing_and_its_bmc_is_dead(plant: Plant) -> None:
    assert plant.command(NODE, Act.OUTLET_OFF, 0.0) is Reply.ACCEPTED
    assert plant.power(NODE, 0.0) is Power.OFF
    assert plant.true_node_watts(NODE, 0.0) == 0
    assert plant.claimed(NODE, 0.0) is Power.UNKNOWN
    assert plant.command(NODE, Act.FORCE_OFF, 0.0) is Reply.UNREACHABLE


def test_when_outlets_return_the_bmc_boots_and_the_host_stays_off(plant: Plant) -> None:
    plant.command(NODE, Act.OUTLET_OFF, 0.0)
    plant.command(NODE, Act.OUTLET_ON, 100.0)
    assert not plant.bmc_alive(NODE, 119.9)
    assert plant.bmc_alive(NODE, 120.0)
    assert plant.claimed(NODE, 120.0) is Power.OFF
    assert plant.true_node_watts(NODE, 120.0) == H100X8.standby_w


def test_a_node_that_restores_power_undoes_the_stop_when_outlets_return(plant: Plant) -> None:
    plant.node(NODE).restores_power = True
    plant.command(NODE, Act.OUTLET_OFF, 0.0)
    plant.command(NODE, Act.OUTLET_ON, 100.0)
    assert plant.power(NODE, 102.0) is Power.ON


def test_a_welded_outlet_takes_the_command_and_stays_closed(plant: Plant) -> None:
    plant.unit("row01a").welds(1)
    plant.command(NODE, Act.OUTLET_OFF, 0.0)
    assert plant.outlet_on("row01a", 1)
    assert not plant.outlet_on("row01b", 1)
    assert plant.power(NODE, 0.0) is Power.ON


def test_switching_an_outlet_leaves_its_neighbours_alone(plant: Plant) -> None:
    plant.command(NODE, Act.OUTLET_OFF, 0.0)
    off = [(u.id, o.index) for u in plant.units.values() for o in u.outlets if not o.on]
    assert off == [("row01a", 1), ("row01b", 1)]
    assert set(plant.nodes_on(0.0)) == set(plant.nodes) - {NODE}


def test_with_both_feeds_open_everything_is_off_and_outlets_keep_their_positions(plant: Plant) -> None:
    plant.switch_feed("feed-a", False, 0.0)
    assert len(list(plant.nodes_on(0.0))) == 8
    plant.switch_feed("feed-b", False, 1.0)
    assert plant.true_site_watts(1.0) == 0
    assert not list(plant.nodes_on(1.0))
    assert plant.outlet_on("row01a", 0)
    plant.switch_feed("feed-a", True, 2.0)
    assert plant.true_site_watts(2.0) == 8 * H100X8.standby_w


def test_a_liar_says_off_and_draws_on(plant: Plant) -> None:
    plant.node(NODE).bmc.lies()
    assert plant.claimed(NODE, 0.0) is Power.ON
    assert plant.command(NODE, Act.FORCE_OFF, 0.0) is Reply.ACCEPTED
    assert plant.claimed(NODE, 10.0) is Power.OFF
    assert plant.power(NODE, 10.0) is Power.ON
    assert plant.true_node_watts(NODE, 10.0) > H100X8.idle_w


def test_an_open_liar_accepts_and_says_on(plant: Plant) -> None:
    plant.node(NODE).bmc.lies_openly()
    assert plant.command(NODE, Act.FORCE_OFF, 0.0) is Reply.ACCEPTED
    assert plant.claimed(NODE, 10.0) is Power.ON
    assert plant.power(NODE, 10.0) is Power.ON


def test_a_liar_is_stopped_by_its_outlets(plant: Plant) -> None:
    plant.node(NODE).bmc.lies()
    plant.command(NODE, Act.FORCE_OFF, 0.0)
    plant.command(NODE, Act.OUTLET_OFF, 5.0)
    assert plant.power(NODE, 5.0) is Power.OFF


def test_a_host_that_ignores_the_power_button_needs_force(plant: Plant) -> None:
    plant.node(NODE).bmc.ignores_graceful()
    assert plant.command(NODE, Act.SOFT_OFF, 0.0) is Reply.ACCEPTED
    assert plant.power(NODE, 500.0) is Power.ON
    plant.command(NODE, Act.FORCE_OFF, 500.0)
    assert plant.power(NODE, 501.0) is Power.OFF


def test_time_never_goes_back(plant: Plant) -> None:
    plant.command(NODE, Act.FORCE_OFF, 10.0)
    plant.power(NODE, 11.0)
    assert plant.power(NODE, 0.0) is Power.OFF
    assert plant.now_s == 11.0


def test_a_name_that_is_not_there_is_said_so(plant: Plant) -> None:
    for ask in (
        lambda: plant.node("r99n99"),
        lambda: plant.meter("row99a"),
        lambda: plant.outlet("row01a", 4),
        lambda: plant.switch_feed("feed-c", False, 0.0),
    ):
        with pytest.raises(UsageError):
            ask()


ACTS = st.sampled_from([*Act, "PowerCycle", "GracefulRestart", "ForceRestart", "PushPowerButton"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), ACTS, st.floats(0, 8)), max_size=25))
def test_whatever_is_commanded_a_host_is_on_only_with_a_live_outlet_and_sums_agree(
    commands: list[tuple[int, Act | str, float]],
) -> None:
    hall = Plant.hall(nodes=4, nodes_per_row=2, timing=Timing(bmc_boot_s=3.0, boot_s=5.0))
    ids = list(hall.nodes)
    now_s = 0.0
    for index, what, pause_s in commands:
        now_s += pause_s
        hall.command(ids[index], what, now_s)
        total = 0.0
        for node in hall.nodes.values():
            watts = hall.true_node_watts(node.id, now_s)
            total += watts
            if hall.power(node.id, now_s) is Power.ON:
                assert node.has_power
                assert watts >= 0.9 * H100X8.idle_w
            else:
                assert watts == (H100X8.standby_w if node.has_power else 0)
        assert hall.true_site_watts(now_s) == pytest.approx(total, abs=0.01)
    for node_id in ids:
        hall.command(node_id, Act.OUTLET_OFF, now_s)
    assert hall.true_site_watts(now_s) == 0


def test_a_stop_of_ten_thousand_nodes_with_a_minute_of_metering_costs_little() -> None:
    hall = Plant.hall(nodes=10_000)
    began = time.process_time()
    for node_id in hall.nodes:
        hall.command(node_id, Act.SOFT_OFF, 0.0)
    for second in range(60):
        for unit in hall.units:
            assert not math.isnan(hall.unit_watts(unit, float(second)) or 0.0)
        hall.true_site_watts(float(second))
    assert hall.true_site_watts(60.0) == 10_000 * H100X8.standby_w
    assert time.process_time() - began < 3.0
