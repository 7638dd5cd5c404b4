from __future__ import annotations

import pytest

from grandpause.core.proving import LEAST_SAMPLES
from grandpause.core.statement.facts import Reading
from grandpause.errors import TrustError
from grandpause.ports import MeterRead, Sample
from grandpause.site.observation import Observation

WINDOW_S = 60


def read(at_s: int, **watts: int | None) -> MeterRead:
    return MeterRead(
        samples=tuple(
            Sample(meter="row1", channel=channel, watts=value, at_s=at_s) for channel, value in watts.items()
        )
    )


def refuse(_data: bytes) -> tuple[Reading, str]:
    raise TrustError("no reading of ours")


def take(seen: Observation, reading: MeterRead) -> None:
    seen.take("row1", reading, wall_s=1_000, window_s=WINDOW_S, check=refuse)


def test_a_missing_value_stays_missing_and_the_channel_is_named() -> None:
    seen = Observation()
    take(seen, read(1_000, one=8_000, two=None))
    (snapshot,) = seen.history["row1"]
    assert snapshot.watts == {"one": 8_000, "two": None}
    assert seen.problems == {"row1": "channel two: no value"}


def test_a_value_that_is_back_ends_the_problem() -> None:
    seen = Observation()
    take(seen, read(1_000, one=None))
    take(seen, read(1_001, one=0))
    assert seen.history["row1"][-1].watts == {"one": 0}
    assert seen.problems == {}


def test_a_reading_that_nobody_signed_as_it_says_leaves_no_trace_but_a_problem() -> None:
    seen = Observation()
    take(seen, MeterRead(samples=read(1_000, one=5).samples, envelope=b"{}"))
    assert not seen.history
    assert "no reading of ours" in seen.problems["row1"]


@pytest.mark.parametrize("step_s", [1, 30])
def test_readings_older_than_the_window_go_but_never_the_last_few(step_s: int) -> None:
    seen = Observation()
    for at_s in range(1_000, 1_000 + 100 * step_s, step_s):
        take(seen, read(at_s, one=1))
    kept = [each.at_s for each in seen.history["row1"]]
    assert len(kept) >= LEAST_SAMPLES
    assert kept[-1] - kept[0] <= max(WINDOW_S, (LEAST_SAMPLES - 1) * step_s)


def test_a_repeated_reading_shows_the_same_at_a_later_time() -> None:
    seen = Observation()
    take(seen, read(1_000, one=7, two=None))
    seen.repeat("row1", at_s=1_060, window_s=WINDOW_S)
    first, second = seen.history["row1"]
    assert second.watts == first.watts
    assert (first.at_s, second.at_s) == (1_000, 1_060)
