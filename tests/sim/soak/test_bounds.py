"""The bound on failures on demand, against an exact reckoning in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from grandpause.sim.soak.bounds import at_most, exact_bound_without_failure, upper_bound


def exactly_at_most(failures: int, demands: int, probability: Fraction) -> Fraction:
    return sum(
        (
            comb(demands, each) * probability**each * (1 - probability) ** (demands - each)
            for each in range(failures + 1)
        ),
        Fraction(0),
    )


@pytest.mark.parametrize(("failures", "demands"), [(1, 2), (1, 10), (3, 40), (7, 300), (99, 700)])
def test_the_bound_is_where_so_few_failures_have_a_chance_of_five_percent(
    failures: int, demands: int
) -> None:
    bound = Fraction(upper_bound(failures, demands))
    assert float(exactly_at_most(failures, demands, bound)) == pytest.approx(0.05, rel=1e-9)


def test_the_tail_is_the_exact_one() -> None:
    for failures, demands, probability in ((0, 5, 0.3), (2, 50, 0.01), (40, 100, 0.5)):
        exact = exactly_at_most(failures, demands, Fraction(probability))
        assert at_most(failures, demands, probability) == pytest.approx(float(exact), rel=1e-11)


def test_known_bounds() -> None:
    # Clopper and Pearson's tables, one-sided 95 %: 1 of 10 is 0.394, 2 of 20 is 0.283.
    assert upper_bound(1, 10) == pytest.approx(0.3942, abs=5e-5)
    assert upper_bound(2, 20) == pytest.approx(0.2826, abs=5e-5)


def test_without_a_failure_it_is_three_by_the_demands() -> None:
    assert upper_bound(0, 30_000) == 1e-4
    assert exact_bound_without_failure(30_000) == pytest.approx(1 - 0.05 ** (1 / 30_000), rel=1e-9)
    assert exact_bound_without_failure(30_000) < upper_bound(0, 30_000)


def test_it_never_promises_more_than_was_seen() -> None:
    for demands in (10, 300, 10**7):
        bounds = [upper_bound(failures, demands) for failures in range(min(demands, 100) + 1)]
        assert bounds == sorted(bounds)
        assert all(0 < each <= 1 for each in bounds)
    assert upper_bound(0, 0) == upper_bound(3, 2) == upper_bound(0, 2) == 1.0
    assert upper_bound(5, 10**7) == pytest.approx(10.513 / 10**7, rel=1e-3)
