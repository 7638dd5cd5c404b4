"""What a meter shows, sound and with every fault. A meter that is wrong must not be wrong by accident."""

from __future__ import annotations

import pytest

from grandpause.sim.world.hall import STANDBY_W, Hall, MeterBox
from sim.world.small import hall


def boxes(made: Hall) -> dict[str, MeterBox]:
    return {each.id: each for each in made.boxes}


def truth(made: Hall, box: MeterBox) -> dict[str, int]:
    return {name: sum(each.draw_w for each in covered) for name, covered in box.channels.items()}


def after_a_change(fault: str, box_id: str = "row1") -> tuple[Hall, MeterBox, dict[str, int], int]:
    """Read at 100 s, break the meter, switch a machine off, read at 160 s."""
    made = hall(elements=32)
    box = boxes(made)[box_id]
    box.look(100)
    before = truth(made, box)
    box.fault = fault
    made.turn(made.machines["n001"], on=False)
    return made, box, before, box.look(160)


@pytest.mark.parametrize("box_id", ["row1", "row2", "feed1"])
def test_a_sound_meter_shows_what_is_drawn_channel_by_channel(box_id: str) -> None:
    made, box, before, changed = after_a_change("", box_id)
    assert box.shown == truth(made, box)
    assert box.at_s == 160
    assert changed == sum(before[name] != value for name, value in box.shown.items())
    assert changed == (0 if box_id == "row2" else 1)


def test_a_stuck_meter_shows_the_old_watts_with_a_new_date() -> None:
    made, box, before, changed = after_a_change("stuck")
    assert (box.shown, box.at_s, changed) == (before, 160, 0)
    assert box.shown != truth(made, box)


def test_a_stale_meter_shows_the_old_watts_with_their_old_date() -> None:
    _, box, before, changed = after_a_change("stale")
    assert (box.shown, box.at_s, changed) == (before, 100, 0)


def test_a_meter_at_zero_shows_nought_on_every_channel() -> None:
    _, box, _, changed = after_a_change("zero")
    assert set(box.shown.values()) == {0}
    assert (box.at_s, changed) == (160, 16)


@pytest.mark.parametrize("blind", [("3",), ("1", "16"), tuple(map(str, range(1, 17)))])
def test_a_meter_without_numbers_shows_no_value_on_some_channels_and_never_nought(
    blind: tuple[str, ...],
) -> None:
    made, box, _, _ = after_a_change("nan")
    box.blind = blind
    box.look(220)
    assert box.shown == truth(made, box) | dict.fromkeys(blind)
    assert {each.channel for each in box.read().samples if each.watts is None} == set(blind)


def test_a_swapped_meter_shows_what_its_neighbour_covers_on_its_own_channels() -> None:
    made, box, _, _ = after_a_change("swapped")
    other = boxes(made)["row2"]
    assert box.other is other
    assert box.shown == truth(made, other)
    assert list(box.shown) == list(box.channels)


def test_meters_are_swapped_only_with_one_of_as_many_channels_and_never_with_themselves() -> None:
    assert all(each.other is None for each in hall(elements=8).boxes), "a single row has no neighbour"
    for each in hall(elements=40).boxes:
        if each.other is not None:
            assert each.other is not each
            assert len(each.other.channels) == len(each.channels)


def test_a_mended_meter_shows_the_truth_again() -> None:
    made, box, _, _ = after_a_change("zero")
    box.fault = ""
    assert box.look(220) == 16
    assert box.shown == truth(made, box)
    assert STANDBY_W in box.shown.values()


def test_a_read_gives_every_channel_with_the_meters_own_date_or_the_one_asked_for() -> None:
    _, box, _, _ = after_a_change("")
    read = box.read()
    assert {(each.meter, each.at_s) for each in read.samples} == {("row1", 160)}
    assert {each.channel: each.watts for each in read.samples} == box.shown
    assert {each.at_s for each in box.read(130).samples} == {130}
    assert read.envelope is None
