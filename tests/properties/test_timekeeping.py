from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.makers import DAY, T0
from grandpause.core.timekeeping import DRIFT_PPM, TimeKeeper

steps = st.lists(st.tuples(st.floats(0, DAY), st.integers(-30 * DAY, 30 * DAY)), max_size=30)


@given(st.integers(0, 3_600), steps)
def test_whatever_the_wall_clock_does_neither_end_leaves_boot_time_by_more_than_error_and_drift(
    error_s: int, moves: list[tuple[float, int]]
) -> None:
    keeper = TimeKeeper(error_s=error_s)
    keeper.observe(wall_s=T0, monotonic_s=0.0)
    passed = 0.0
    earliest = 0
    for seconds, lie in moves:
        passed += seconds
        now = keeper.observe(wall_s=T0 + int(passed) + lie, monotonic_s=passed)
        slack = 2 * error_s + passed * DRIFT_PPM / 1_000_000 + 2
        assert earliest <= now.earliest <= T0 + passed + slack
        assert now.latest >= now.earliest
        assert T0 + passed - slack <= now.latest <= T0 + passed + slack
        earliest = now.earliest


@given(st.integers(1, 3_600), st.lists(st.floats(0, DAY), max_size=20), st.data())
def test_with_clocks_that_keep_their_error_the_true_time_is_always_inside(
    error_s: int, delays: list[float], data: st.DataObject
) -> None:
    keeper = TimeKeeper(error_s=error_s)
    true_s = float(T0)
    for delay in [0.0, *delays]:
        true_s += delay
        error = data.draw(st.floats(-error_s / 2, error_s / 2))
        now = keeper.observe(wall_s=true_s + error, monotonic_s=true_s - T0)
        assert now.earliest <= true_s <= now.latest
        assert not keeper.stepped


@given(st.integers(0, T0 + DAY), st.integers(0, 60), st.integers(0, T0 + DAY))
def test_after_a_boot_latest_is_never_before_what_was_stored(wall_s: int, error_s: int, floor_s: int) -> None:
    keeper = TimeKeeper(error_s=error_s, floor_s=floor_s)
    now = keeper.observe(wall_s=wall_s, monotonic_s=1.0)
    assert now.latest >= floor_s
    assert now.earliest <= max(wall_s, 0)
