"""How likely a stop fails on demand, at most, by what was seen. (spec/soak.md 3)"""

from __future__ import annotations

from math import exp, expm1, lgamma, log, log1p
from typing import Final

DOUBT: Final = 0.05
"""One side, so 95 % confidence."""
_HALVINGS: Final = 200


def upper_bound(failures: int, demands: int) -> float:
    """Return the upper end of the one-sided 95 % interval of the probability of failure on demand.

    Without a failure it is the rule of three, 3 / demands, which lies a little above the exact bound. With
    failures it is that of Clopper and Pearson (Biometrika 26, 1934): the probability at which so few
    failures, or fewer, have a chance of 5 %. Nothing asked is nothing known: 1.
    """
    if failures >= demands:
        return 1.0
    if failures == 0:
        return min(1.0, 3 / demands)
    low, high = failures / demands, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if at_most(failures, demands, middle) > DOUBT:
            low = middle
        else:
            high = middle
    return high


def exact_bound_without_failure(demands: int) -> float:
    """Return 1 - 0.05 ** (1 / demands): the probability at which no failure has a chance of 5 %."""
    return -expm1(log(DOUBT) / demands) if demands else 1.0


def at_most(failures: int, demands: int, probability: float) -> float:
    """Return the chance of ``failures`` or fewer in ``demands`` independent trials (0 < probability < 1)."""
    chance = 0.0
    for count in range(failures + 1):
        ways = lgamma(demands + 1) - lgamma(count + 1) - lgamma(demands - count + 1)
        chance += exp(ways + count * log(probability) + (demands - count) * log1p(-probability))
    return chance
