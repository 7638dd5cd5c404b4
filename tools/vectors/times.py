"""One charter's time: what two clocks show, and the interval that follows."""

from __future__ import annotations

from tools.vectors.cast import T0, Json

HOUR = 3_600
DAY = 24 * HOUR
UNKNOWN = 3_650 * DAY
"""How much later than what was stored it may be while the clock is certainly wrong."""


# Where the wall clock is not believed, the doubt grows by 200 ppm of the time that passed: 0.72 s an hour.


def _case(name: str, floor_s: int, *looks: tuple[int, int, int, int, bool]) -> Json:
    """Return a case; each look is (wall, boot-time, earliest, latest, stepped)."""
    return {
        "id": name,
        "error_s": 5,
        "floor_s": floor_s,
        "looks": [
            {"wall_s": wall, "monotonic_s": boot, "earliest": low, "latest": high, "stepped": stepped}
            for wall, boot, low, high, stepped in looks
        ],
    }


def cases() -> Json:
    """Return the content of time.json."""
    return {
        "cases": [
            _case(
                "the-stated-error-on-both-sides",
                0,
                (T0, 100, T0 - 5, T0 + 6, False),
                (T0 + 60, 160, T0 + 55, T0 + 66, False),
            ),
            _case(
                "a-step-forwards-moves-neither-end",
                0,
                (T0, 0, T0 - 5, T0 + 6, False),
                (T0 + 2 * HOUR, HOUR, T0 + HOUR - 6, T0 + HOUR + 6, True),
                (T0 + 2 * HOUR, 2 * HOUR, T0 + 2 * HOUR - 5, T0 + 2 * HOUR + 6, False),
            ),
            _case(
                "a-step-backwards-moves-neither-end",
                0,
                (T0, 0, T0 - 5, T0 + 6, False),
                (T0 - HOUR, HOUR, T0 + HOUR - 6, T0 + HOUR + 6, True),
            ),
            _case(
                "a-clock-that-creeps-is-not-followed",
                0,
                (T0, 0, T0 - 5, T0 + 6, False),
                (T0 + 14, 10, T0 + 9, T0 + 20, False),
                (T0 + 28, 20, T0 + 14, T0 + 26, True),
            ),
            _case(
                "at-a-boot-with-a-clock-that-is-behind-nobody-knows-how-late-it-is",
                T0,
                (T0 - HOUR, 0, T0 - HOUR - 5, T0 + UNKNOWN, True),
                (T0 - HOUR + 60, 60, T0 - HOUR + 55, T0 + 59 + UNKNOWN, True),
            ),
            _case(
                "a-clock-behind-by-no-more-than-its-error-is-believed",
                T0,
                (T0 - 5, 0, T0 - 10, T0 + 1, False),
                (T0 + 55, 60, T0 + 50, T0 + 61, False),
            ),
            _case(
                "a-clock-that-is-an-hour-behind-is-so-still-an-hour-later",
                T0,
                (T0 - HOUR, 0, T0 - HOUR - 5, T0 + UNKNOWN, True),
                (T0 + 60, HOUR + 60, T0 + 55, T0 + HOUR + 59 + UNKNOWN, True),
            ),
            _case(
                "a-clock-that-was-behind-and-is-set-is-looked-at-as-at-a-boot",
                T0,
                (T0 - 30 * DAY, 0, T0 - 30 * DAY - 5, T0 + UNKNOWN, True),
                (T0 + 2 * DAY, 60, T0 + 2 * DAY - 5, T0 + 2 * DAY + 6, False),
                (T0 + 9 * DAY, 120, T0 + 2 * DAY + 54, T0 + 2 * DAY + 66, True),
            ),
            _case(
                "a-boot-with-a-clock-that-is-ahead-is-believed",
                T0,
                (T0 + DAY, 0, T0 + DAY - 5, T0 + DAY + 6, False),
                (T0 + 60, 60, T0 + DAY + 54, T0 + DAY + 66, True),
            ),
        ]
    }
