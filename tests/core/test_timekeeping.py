from __future__ import annotations

from core.makers import DAY, HOUR, T0
from grandpause.core.timekeeping import DRIFT_PPM, UNKNOWN_S, TimeKeeper


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


def test_behind_what_was_stored_nobody_knows_how_late_it_is() -> None:
    """A limit that begins now must act now, and no restart or lift that a date makes void may count."""
    time = keeper(floor_s=T0)
    now = time.observe(wall_s=T0 - HOUR, monotonic_s=50.0)
    assert (now.earliest, now.latest) == (T0 - HOUR - 5, T0 + UNKNOWN_S)
    later = time.observe(wall_s=T0 - HOUR + 600, monotonic_s=650.0)
    assert later.latest == T0 + 599 + UNKNOWN_S, "it goes on with the boot-time clock, less its drift"


def test_a_clock_that_is_behind_by_no_more_than_its_error_is_believed() -> None:
    time = keeper(floor_s=T0)
    now = time.observe(wall_s=T0 - 5, monotonic_s=0.0)
    assert not time.stepped
    assert now.latest < T0 + 60
    assert keeper(floor_s=T0).observe(wall_s=T0 - 6, monotonic_s=0.0).latest >= T0 + UNKNOWN_S


def test_what_is_certainly_past_moves_on_with_the_boot_time_clock() -> None:
    """A clock that is an hour behind is so still an hour later: that alone makes it no better."""
    time = keeper(floor_s=T0)
    time.observe(wall_s=T0 - HOUR, monotonic_s=0.0)
    now = time.observe(wall_s=T0 + 60, monotonic_s=HOUR + 60.0)
    assert time.stepped
    assert time.past_s == T0 + HOUR + 59
    assert now.latest >= T0 + UNKNOWN_S


def test_a_clock_that_was_behind_and_is_set_right_is_looked_at_as_at_a_boot() -> None:
    time = keeper(floor_s=T0)
    steps = []
    for wall, monotonic in ((T0 - 30 * DAY, 0.0), (T0 + 2 * DAY, 60.0), (T0 + 9 * DAY, 120.0)):
        now = time.observe(wall_s=wall, monotonic_s=monotonic)
        steps.append(time.stepped)
        if monotonic == 60.0:
            assert (now.earliest, now.latest) == (T0 + 2 * DAY - 5, T0 + 2 * DAY + 6)
            assert time.anchor == (T0 + 2 * DAY, 60.0)
    assert steps == [True, False, True], "from then on it is held to the second look"
    assert now.latest <= T0 + 2 * DAY + 60 + 7


def test_a_look_at_a_clock_that_is_certainly_wrong_is_handed_on_to_no_later_process() -> None:
    time = keeper(floor_s=T0)
    time.observe(wall_s=T0 - DAY, monotonic_s=0.0)
    assert time.anchor is None
    time.observe(wall_s=T0 + DAY, monotonic_s=60.0)
    assert time.anchor == (T0 + DAY, 60.0)


def test_a_clock_that_is_believed_is_never_looked_at_anew() -> None:
    time = keeper(floor_s=T0)
    time.observe(wall_s=T0 + HOUR, monotonic_s=0.0)
    anchor = time.anchor
    for wall in (T0 - DAY, T0 + HOUR + 120, T0 + 9 * DAY):
        time.observe(wall_s=wall, monotonic_s=120.0)
        assert time.anchor == anchor


def resumed(anchor: tuple[float, float], *, wall_s: int, monotonic_s: float, floor_s: int = 0) -> TimeKeeper:
    time = keeper(floor_s=floor_s)
    time.resume(anchor, wall_s=wall_s, monotonic_s=monotonic_s)
    return time


def test_a_restart_of_the_process_is_no_moment_to_believe_the_clock_anew() -> None:
    """Otherwise whoever sets the clock and kills the process ends any limit."""
    time = resumed((T0, 100.0), wall_s=T0 + 30 * DAY, monotonic_s=400.0, floor_s=T0 + 299)
    now = time.observe(wall_s=T0 + 30 * DAY, monotonic_s=400.0)
    assert time.stepped
    assert now.earliest <= T0 + 300
    assert now.latest >= T0 + 30 * DAY, "but it may be so late: more doubt never raises"


def test_a_process_that_goes_on_under_a_good_clock_notices_nothing() -> None:
    time = resumed((T0, 100.0), wall_s=T0 + 303, monotonic_s=400.0, floor_s=T0 + 290)
    now = time.observe(wall_s=T0 + 303, monotonic_s=400.0)
    assert not time.stepped
    assert (now.earliest, now.latest) == (T0 + 298, T0 + 309)
    assert time.anchor == (T0, 100.0)


def test_a_process_that_goes_on_under_a_clock_set_back_is_as_late_as_before() -> None:
    time = resumed((T0, 100.0), wall_s=T0 - DAY, monotonic_s=400.0)
    now = time.observe(wall_s=T0 - DAY, monotonic_s=400.0)
    assert time.stepped
    assert now.latest >= T0 + 300
    assert now.earliest >= T0 + 290, "the boot-time clock carries it on"


def test_a_first_look_at_a_clock_that_was_certainly_wrong_is_not_gone_on_from() -> None:
    time = resumed((T0 - DAY, 100.0), wall_s=T0 + 300, monotonic_s=400.0, floor_s=T0)
    assert time.anchor is None
    assert time.observe(wall_s=T0 + 300, monotonic_s=400.0).earliest == T0 + 295
