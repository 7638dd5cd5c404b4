"""The production keeper beside the reference model, on random worlds.

One world is the history of one site: it boots with one or two pinned charters, and then up to eight things
happen (statements with some signatures arrive, again, forged or late; charters change and fork; time passes;
the controller boots, or loses its disk; people arm and disarm). After each, ceiling, allowed caps, latch,
standby, nonce, arming, limits in force, chain of charters and forks must be the same on both sides.

MODEL_WORLDS says how many worlds (a full run: 60000), MODEL_SEED where they begin.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from model.worlds import WORLD, World

WORLDS = int(os.environ.get("MODEL_WORLDS", "6000"))
SEED = int(os.environ.get("MODEL_SEED", "1"))
PARTS = 4
OFTEN = (
    "limits in force",
    "latches",
    "second versions",
    "forks",
    "restarts used",
    "disarmed by permission",
    "disarming refused",
)
"""What some hundred worlds must have held, or they tested less than they say."""


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_keeper_says_what_the_model_says(part: int) -> None:
    tally: Counter[str] = Counter()

    @seed(SEED * PARTS + part)
    @settings(
        max_examples=WORLDS // PARTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=WORLD, max_size=WORLD))
    def search(data: bytes) -> None:
        tally["worlds"] += 1
        tally.update(World(data).run().tally)

    search()
    assert tally["worlds"] >= WORLDS // PARTS
    if WORLDS // PARTS >= 500:
        assert all(tally[each] for each in OFTEN), tally
