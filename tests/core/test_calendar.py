from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grandpause.core.calendar import format_time, parse_time
from grandpause.errors import StatementError


def test_every_day_from_1970_to_2400_agrees_with_datetime() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for days in range((datetime(2400, 3, 2, tzinfo=UTC) - epoch).days):
        day = epoch + timedelta(days=days)
        text = f"{day.year:04}-{day.month:02}-{day.day:02}T{days % 24:02}:{days % 60:02}:{days % 59:02}Z"
        seconds = days * 86_400 + (days % 24) * 3_600 + (days % 60) * 60 + days % 59
        assert parse_time(text) == seconds
        assert format_time(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T00:00:00Z", 951_782_400),
        ("2026-11-22T08:00:00Z", 1_795_334_400),
        ("2038-01-19T03:14:08Z", 2**31),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_known_moments_are_the_published_seconds(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds
    assert format_time(seconds) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2026-11-22 08:00:00Z",
        "2026-11-22t08:00:00z",
        "2026-11-22T08:00:00+00:00",
        "2026-11-22T08:00:00.0Z",
        "2026-11-22T08:00:00Z\n",
        "+2026-11-22T08:00:00Z",
        "12026-11-22T08:00:00Z",
        "２026-11-22T08:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T08:60:00Z",
        "2026-12-31T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
    ],
)
def test_every_other_form_or_day_is_refused(text: str) -> None:
    with pytest.raises(StatementError, match=r"no time|no day"):
        parse_time(text)
