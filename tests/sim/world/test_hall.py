from __future__ import annotations

import pytest

from grandpause.core.model import Power, Reply
from grandpause.sim.world.hall import COMPUTE, RATED_W, STANDBY_W, Hall, Machine
from sim.world.small import hall

PARTS = ("site", "hall:h1", "hall:h2")


def recounted(of: Hall) -> tuple[dict[str, int], dict[str, int]]:
    """Count watts and compute anew, machine by machine."""
    machines = of.machines.values()
    return (
        {part: sum(each.draw_w for each in machines if part in each.parts) for part in PARTS},
        {part: COMPUTE * sum(each.on for each in machines if part in each.parts) for part in PARTS},
    )


def first(of: Hall) -> Machine:
    return of.machines["n001"]


def test_machines_stand_in_two_halls_and_all_of_them_run() -> None:
    made = hall(elements=8)
    assert [each.parts[1] for each in made.machines.values()] == ["hall:h1"] * 4 + ["hall:h2"] * 4
    assert made.total_compute == {"site": 8 * COMPUTE, "hall:h1": 4 * COMPUTE, "hall:h2": 4 * COMPUTE}
    assert (made.watts, made.compute_on) == recounted(made)
    assert all(each.on and each.fed and each.draw_w <= RATED_W for each in made.machines.values())


def test_the_sums_follow_every_machine_whatever_happens_to_it() -> None:
    made = hall(elements=8)
    machines = list(made.machines.values())
    made.turn(machines[0], on=False, by_command=True)
    made.turn(machines[0], on=False)
    made.turn(machines[1], on=True)
    made.feed(machines[2:6], live=False, restart=False)
    made.turn(machines[0], on=True)
    made.feed(machines[2:4], live=True, restart=True)
    made.feed(machines[4:6], live=True, restart=False)
    assert (made.watts, made.compute_on) == recounted(made)
    assert [each.on for each in machines] == [True] * 4 + [False] * 2 + [True] * 2


def test_a_machine_that_is_off_draws_its_standby_and_without_a_feed_nothing() -> None:
    made = hall()
    machine = first(made)
    made.turn(machine, on=False)
    assert machine.draw_w == STANDBY_W
    made.feed([machine], live=False, restart=False)
    assert machine.draw_w == 0
    made.feed([machine], live=True, restart=False)
    assert (machine.draw_w, machine.on) == (STANDBY_W, False)


def test_only_what_a_command_took_down_counts_for_the_ramp_and_once() -> None:
    drops: list[tuple[Machine, int]] = []
    made = hall(drops=drops)
    one, two, three = list(made.machines.values())[:3]
    made.turn(one, on=False, by_command=True)
    made.turn(one, on=False, by_command=True)
    made.turn(two, on=False)
    made.feed([three], live=False, restart=False)
    assert drops == [(one, one.running_w - STANDBY_W)]


def test_what_changed_is_seen_by_whoever_looks_next() -> None:
    made = hall()
    assert made.changed == {}
    made.turn(first(made), on=False)
    made.feed([made.machines["n003"]], live=False, restart=False)
    assert set(made.changed) == {"n001", "n003"}


def test_what_was_on_its_way_before_a_machine_was_started_again_is_over() -> None:
    made = hall()
    machine = first(made)
    before = machine.going
    made.turn(machine, on=False)
    made.turn(machine, on=True)
    assert machine.going > before


@pytest.mark.parametrize(
    ("state", "reply"),
    [
        ({}, Reply.ACCEPTED),
        ({"hangs": True}, Reply.TIMED_OUT),
        ({"flickers": True}, Reply.UNREACHABLE),
        ({"fed": False}, Reply.UNREACHABLE),
        ({"lies": True}, Reply.ACCEPTED),
        ({"deaf": True}, Reply.ACCEPTED),
        ({"on": False}, Reply.ACCEPTED),
    ],
)
def test_how_a_bmc_takes_a_request(state: dict[str, bool], reply: Reply) -> None:
    made = hall()
    machine = first(made)
    for name, value in state.items():
        setattr(machine, name, value)
    assert made.receive(machine) is reply


@pytest.mark.parametrize(
    ("on", "lies", "told_off", "says"),
    [
        (True, False, False, Power.ON),
        (True, False, True, Power.ON),
        (True, True, False, Power.ON),
        (True, True, True, Power.OFF),
        (False, True, True, Power.OFF),
        (False, False, False, Power.OFF),
    ],
)
def test_a_lying_bmc_says_off_once_it_was_told_to(
    *, on: bool, lies: bool, told_off: bool, says: Power
) -> None:
    machine = first(hall())
    machine.on, machine.lies, machine.told_off = on, lies, told_off
    assert machine.claim() is says


def test_a_feed_that_was_cut_makes_a_lying_bmc_forget_what_it_was_told() -> None:
    made = hall()
    machine = first(made)
    machine.lies = machine.told_off = True
    made.feed([machine], live=False, restart=False)
    made.feed([machine], live=True, restart=True)
    assert machine.claim() is Power.ON


def test_the_table_declares_every_machine_and_every_channel_and_the_halls_as_they_are_named() -> None:
    made = hall(elements=40)
    table = made.table({"h2": "annex"})
    assert set(table.by_id) == set(made.machines)
    assert {each.hall for each in table.elements} == {"h1", "annex"}
    for row in table.meters:
        box = next(each for each in made.boxes if each.id == row.id)
        assert row.channels == {name: tuple(one.id for one in each) for name, each in box.channels.items()}
    paths = {each.path: each.owner for each in table.meters}
    assert paths == {"row": "operator", "feed": "utility"}
    for path in paths:
        covered = {
            one for row in table.meters if row.path == path for each in row.channels.values() for one in each
        }
        assert covered == set(made.machines)


def test_while_something_binds_a_machine_counts_to_the_old_name_of_its_hall_and_the_new() -> None:
    made = hall(elements=8)
    made.turn(first(made), on=False)
    made.declare({}, {"h1": "h2"})
    assert first(made).parts == ("site", "hall:h1", "hall:h2")
    assert made.machines["n005"].parts == ("site", "hall:h2")
    assert made.total_compute == {"site": 8 * COMPUTE, "hall:h1": 4 * COMPUTE, "hall:h2": 4 * COMPUTE}
    assert made.compute_on == {"site": 7 * COMPUTE, "hall:h1": 3 * COMPUTE, "hall:h2": 7 * COMPUTE}
    assert made.watts["hall:h2"] == made.watts["site"]
    made.turn(first(made), on=True)
    assert (made.watts, made.compute_on) == recounted(made)


def test_a_name_that_holds_for_good_is_the_only_one_and_changes_no_sum_of_the_site() -> None:
    made = hall(elements=8)
    before = made.watts["site"]
    made.declare({"h1": "annex"}, {"h1": "annex"})
    assert first(made).parts == ("site", "hall:annex")
    assert set(made.watts) == {"site", "hall:annex", "hall:h2"}
    assert made.watts["site"] == before


def test_the_feed_is_metered_as_one_or_row_by_row() -> None:
    counts = {
        sum(each.id.startswith("feed") for each in hall(elements=32, seed=seed).boxes) for seed in range(20)
    }
    assert counts == {1, 2}
