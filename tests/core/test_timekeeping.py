from __future__ import annotations

from core.makers import DAY, HOUR, T0
from grandpause.core.timekeeping import DRIFT_PPM, TimeKeeper


def keeper(*, error_s: int = 5, floor_s: int = 0) -> TimeKeeper:
    return TimeKeeper(error_s=error_s, floor_s=floor_s)


def test_the_stated_error_moves_both_ends() -> None:
    now = keeper().observe(wall_s=T0, monotonic_s=1_000.0)
    assert (now.earliest, now.latest) == (T0 - 5, T0 + 6)


def test_time_goes_on_with_both_clocks() -> None:
    time = keeper()
    time.observe(wall_s=T0, monotonic_s=0.0)
    now = time.observe(wall_s=T0 + HOUR, monotonic_s=float(HOUR))
    assert (now.earliest, now.latest) == (T0 + HOUR - 5, T0 + HOUR + 6)
    assert not time.stepped


def test_a_step_forward_moves_neither_end_and_is_an_alarm() -> None:
    time = keeper()
    time.observe(wall_s=T0, monotonic_s=0.0)
    now = time.observe(wall_s=T0 + 60 + DAY, monotonic_s=60.0)
    assert time.stepped
    assert now.earliest <= T0 + 60 - 5
    assert T0 + 60 <= now.latest <= T0 + 60 + 10


def test_a_step_back_moves_neither_end_and_is_an_alarm() -> None:
    time = keeper()
    first = time.observe(wall_s=T0, monotonic_s=0.0)
    now = time.observe(wall_s=T0 - DAY, monotonic_s=60.0)
    assert time.stepped
    assert now.earliest >= first.earliest
    assert now.latest >= T0 + 60


def test_a_clock_that_is_set_right_again_is_believed_again() -> None:
    time = keeper()
    time.observe(wall_s=T0, monotonic_s=0.0)
    time.observe(wall_s=T0 + DAY, monotonic_s=60.0)
    now = time.observe(wall_s=T0 + 120, monotonic_s=120.0)
    assert not time.stepped
    assert (now.earliest, now.latest) == (T0 + 120 - 5, T0 + 120 + 6)


def test_a_clock_that_creeps_by_many_steps_below_its_error_is_a_step_too() -> None:
    """Otherwise an hour of small steps would run out any limit."""
    time = keeper(error_s=60)
    wall, monotonic = T0, 0.0
    now = time.observe(wall_s=wall, monotonic_s=monotonic)
    for _ in range(3_600):
        monotonic += 1
        wall += 1 + 50
        now = time.observe(wall_s=wall, monotonic_s=monotonic)
    assert time.stepped
    assert now.earliest <= T0 + 3_600 + 60


def test_earliest_never_goes_back() -> None:
    time = keeper()
    earliest = 0
    for second in range(100):
        wall = T0 + second + (-1) ** second * 4
        now = time.observe(wall_s=wall, monotonic_s=float(second))
        assert now.earliest >= earliest
        assert now.latest >= now.earliest
        earliest = now.earliest


def test_doubt_grows_by_the_drift_while_the_clocks_disagree() -> None:
    time = keeper()
    time.observe(wall_s=T0, monotonic_s=0.0)
    passed = 10 * DAY
    now = time.observe(wall_s=T0, monotonic_s=float(passed))
    drift = passed * DRIFT_PPM // 1_000_000
    assert time.stepped
    assert T0 + passed - 5 - drift - 1 <= now.earliest <= T0 + passed - 5 - drift + 1
    assert T0 + passed + 5 + drift - 1 <= now.latest <= T0 + passed + 5 + drift + 2


def test_a_clock_that_drifts_as_quartz_does_stays_believed_for_a_year() -> None:
    time = keeper()
    for day in range(366):
        passed = day * DAY
        time.observe(wall_s=T0 + passed + passed * 100 // 1_000_000, monotonic_s=float(passed))
        assert not time.stepped


def test_after_a_boot_with_a_clock_behind_what_was_stored_both_may_be_true() -> None:
    """An expired limit or permit must not look valid because the controller was down (facts.md)."""
    time = keeper(floor_s=T0)
    now = time.observe(wall_s=T0 - 30 * DAY, monotonic_s=3.0)
    assert time.stepped
    assert now.earliest <= T0 - 30 * DAY
    assert now.latest >= T0


def test_after_a_boot_with_a_clock_in_1970_latest_is_still_what_was_stored() -> None:
    now = keeper(floor_s=T0).observe(wall_s=7, monotonic_s=3.0)
    assert now.latest >= T0
    assert now.earliest <= 7


def test_a_boot_with_a_good_clock_is_no_step() -> None:
    time = keeper(floor_s=T0)
    time.observe(wall_s=T0 + HOUR, monotonic_s=3.0)
    assert not time.stepped
