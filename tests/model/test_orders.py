"""Every order of arrival: small sets, all their permutations, the same caps as the model's, at many moments.

One set counts as one world here, whatever the number of its orders (24 for four envelopes). All arrive at
one moment, since without a log a statement is dated by its arrival (ADR 0008).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from core.makers import DAY, HOUR, SITE, T0
from grandpause.core.ceiling import ceiling
from grandpause.core.envelope import Kind
from grandpause.core.model import Caps, Interval
from grandpause.core.trust import TrustedSet
from grandpause.errors import TrustError
from model import casts
from model.casts import CLOCK_ERROR_S, PARTS, Item
from model.facts import Fact
from model.reference import Opinion, Site
from model.worlds import EVENT, World

SETS = int(os.environ.get("MODEL_WORLDS", "6000")) // 80
SEED = int(os.environ.get("MODEL_SEED", "1"))
ARRIVALS = 4
NOW = Interval(earliest=T0 - CLOCK_ERROR_S, latest=T0 + CLOCK_ERROR_S + 1)
MOMENTS = (-HOUR, 0, 1, HOUR, 2 * HOUR, DAY, DAY + 1, 7 * DAY, 7 * DAY + HOUR, 8 * DAY, 31 * DAY)
Account: TypeAlias = "tuple[bool, frozenset[str], list[tuple[Caps, dict[str, bool]]]]"
"""Forked or not, the charters that count, and at each moment the caps and the limits that make them."""


@dataclass(slots=True, kw_only=True)
class Table:
    """Where a world's statements are laid down instead of arriving (``worlds.Site``)."""

    arrivals: list[tuple[Item, Sequence[str], bool]] = field(default_factory=list)
    shown: list[tuple[str, int]] = field(default_factory=lambda: [("00" * 16, 0)])
    tally: dict[str, int] = field(default_factory=dict)
    wall_s: int = T0

    def receive(self, item: Item, keys: Sequence[str], *, forged: bool = False, twice: bool = False) -> None:
        if not twice:
            self.arrivals.append((item, keys, forged))

    def arm(self) -> None:
        """Nobody is here to be armed; nor does anything else happen."""

    disarm = compare = arm

    def wait_until(self, wall_s: int) -> None:
        """Time does not pass on a table."""

    def reboot(self, *, disk_lost: bool) -> None:
        """Nothing boots on a table."""


def laid_down(data: bytes) -> list[tuple[Item, Sequence[str], bool]]:
    """Return up to four arrivals: limits, lifts, charters, and more signatures."""
    table = Table()
    world = World(data, lambda _: table)
    for kind in data[2 : 2 + ARRIVALS]:
        (world.limit, world.limit, world.lift, world.lift, world.charter, world.charter, world.again)[
            kind % 7
        ]()
    return table.arrivals[:ARRIVALS]


def said_by_production(arrivals: Sequence[tuple[Item, Sequence[str], bool]]) -> Account:
    first = casts.operator_version()[1]
    trusted = TrustedSet(first.act.name, check=casts.signature_is_right)
    trusted.admit(casts.signed(first.envelope, ("a1", "b1", "c1", "d1")), now=NOW)
    # What was refused for want of a charter is sent again, as any sender would.
    for _ in range(2):
        for item, keys, forged in arrivals:
            try:
                trusted.admit(casts.signed(item.envelope, keys, forged=forged), now=NOW)
            except TrustError:
                continue
    found = []
    for shift in MOMENTS:
        now = Interval(earliest=T0 + shift - CLOCK_ERROR_S, latest=T0 + shift + CLOCK_ERROR_S + 1)
        each = ceiling(trusted, site=SITE, now=now)
        found.append((each.caps, {one.name: one.latches for one in each.in_force}))
    chain = frozenset(each.name for each in trusted.counting(Kind.CHARTER))
    return trusted.forked, chain, found


def said_by_the_model(arrivals: Sequence[tuple[Item, Sequence[str], bool]]) -> Account:
    facts = [
        Fact(
            act=item.act,
            keys=frozenset() if forged else frozenset(keys),
            moment=(number, NOW.earliest, NOW.latest),
        )
        for number, (item, keys, forged) in enumerate(arrivals, start=1)
    ]
    opinion = Opinion(facts, casts.operator_version()[1].act)
    site = Site(PARTS[SITE])
    found = []
    for shift in MOMENTS:
        now = (0, T0 + shift - CLOCK_ERROR_S, T0 + shift + CLOCK_ERROR_S + 1)
        caps = list(opinion.caps(site, now))
        found.append((casts.lowest([each[1:3] for each in caps]), {each[0]: each[3] for each in caps}))
    return opinion.forked, frozenset(charter.name for charter, _ in opinion.chain), found


@pytest.mark.timeout(3_600)
def test_every_order_of_arrival_gives_the_ceiling_of_the_model() -> None:
    sets = 0
    orders = 0
    binding = 0

    @seed(SEED)
    @settings(max_examples=SETS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=2 + EVENT * 5, max_size=2 + EVENT * 5))
    def search(data: bytes) -> None:
        nonlocal sets, orders, binding
        arrivals = laid_down(data)
        wanted = said_by_the_model(arrivals)
        for order in permutations(arrivals):
            words = [
                f"{item.words} signed by {', '.join(keys) or 'nobody'}{' (forged)' if forged else ''}"
                for item, keys, forged in order
            ]
            assert said_by_production(order) == wanted, "in this order:\n" + "\n".join(words)
            orders += 1
        sets += 1
        binding += any(caps for caps, _ in wanted[2])

    search()
    assert sets >= SETS
    assert orders > 10 * sets
    assert binding
