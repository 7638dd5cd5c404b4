"""RFC 3339 times in UTC with whole seconds, to and from Unix seconds, without a clock.

The proleptic Gregorian arithmetic is Howard Hinnant's ("chrono-compatible low-level date
algorithms"); leap seconds are refused, as Unix time has none.
"""

from __future__ import annotations

import re

from grandpause.errors import StatementError

_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2


def parse_time(text: str) -> int:
    """Return Unix seconds for a time of the form ``2026-11-22T08:00:00Z``.

    Raises:
        StatementError: any other form, or a day that the calendar does not have.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise StatementError(f"{text[:40]!r} is no time of the form 2026-11-22T08:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if year < 1970 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004
        raise StatementError(f"{text} is no time of the calendar after 1970")
    leap = month == _FEBRUARY and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTH_DAYS[month - 1] + leap:
        raise StatementError(f"{text} is no day of the calendar")
    return _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second


def format_time(unix_s: int) -> str:
    """Return ``unix_s`` as RFC 3339 in UTC, whole seconds."""
    days, rest = divmod(unix_s, 86_400)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3_600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _days(year: int, month: int, day: int) -> int:
    year -= month <= _FEBRUARY
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _date(days: int) -> tuple[int, int, int]:
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = (shifted + 2) % 12 + 1
    return year + era * 400 + (month <= _FEBRUARY), month, of_year - (153 * shifted + 2) // 5 + 1
