"""From an agent's answers to watts: one row, or the sum of a whole set of rows. Never 0 for "missing"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from grandpause.drivers.snmp.profile import Gauge, Total
from grandpause.drivers.snmp.values import Binding, Kind

MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Watts, or why there are none.

    Attributes:
        watts: exact; None where there is no usable value.
        why_not: one line; empty where there is a value.
        there: whether the agent has the object at all.
    """

    watts: Fraction | None
    why_not: str = ""
    there: bool = True


def read_row(gauge: Gauge, row: str, answers: Mapping[str, Binding]) -> Reading:
    """Turn the answers for one row into watts.

    No value: a missing object, a text, a counter, a negative number (how cards say "not measured"), an
    absurd number, a guard that does not hold, digits that are missing.
    """
    value = answers[f"{gauge.column}.{row}"]
    if value.kind is Kind.ABSENT:
        return Reading(watts=None, why_not=f"no object {gauge.column}.{row} ({value.text})", there=False)
    if value.number is None:
        return Reading(watts=None, why_not=f"{gauge.column}.{row} is no number ({value.kind})")
    if value.number < 0:
        return Reading(watts=None, why_not=f"not measured: {value.number}")
    for guard in gauge.guards:
        beside = answers[f"{guard.column}.{row}"]
        if beside.kind is Kind.ABSENT and guard.may_be_absent:
            continue
        if beside.number not in guard.values:
            seen = beside.text if beside.number is None else beside.number
            return Reading(watts=None, why_not=f"{guard.column}.{row} is {seen}: no watts, or not available")
    digits = _digits(gauge, row, answers)
    if digits is None:
        return Reading(watts=None, why_not=f"no unit: decimal digits at {gauge.digits_column}.{row} missing")
    watts = value.number * gauge.watts_a_count / 10**digits
    if watts > gauge.maximum_w:
        return Reading(watts=None, why_not=f"absurd: {float(watts):.6g} W is over {gauge.maximum_w} W")
    return Reading(watts=watts)


def present_rows(total: Total, answers: Mapping[str, Binding]) -> tuple[str, ...] | None:
    """Return the set of rows that is there; None where what is there is no whole set."""
    there = {row for row in total.rows if answers[f"{total.gauge.column}.{row}"].kind is not Kind.ABSENT}
    return next((rows for rows in total.row_sets if set(rows) == there), None)


def read_sum(gauge: Gauge, rows: Sequence[str], answers: Mapping[str, Binding]) -> Reading:
    """Add rows; one without a value leaves the whole without."""
    watts = Fraction(0)
    for row in rows:
        reading = read_row(gauge, row, answers)
        if reading.watts is None:
            return reading
        watts += reading.watts
    if watts > gauge.maximum_w:
        return Reading(watts=None, why_not=f"absurd: {float(watts):.6g} W is over {gauge.maximum_w} W")
    return Reading(watts=watts)


def whole_watts(watts: Fraction) -> int:
    """Round to whole watts, halves up: a trace of power never becomes less than it is."""
    return int(watts + Fraction(1, 2))


def _digits(gauge: Gauge, row: str, answers: Mapping[str, Binding]) -> int | None:
    if gauge.digits_column is None:
        return 0
    digits = answers[f"{gauge.digits_column}.{row}"].number
    return digits if digits is not None and 0 <= digits <= MOST_DIGITS else None
