"""Properties of the core, searched by hypothesis; the core is watched here too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from core.purity import watched

settings.register_profile(
    "core", max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("core")


@pytest.fixture(autouse=True)
def pure_core() -> Iterator[list[str]]:
    with watched() as caught:
        yield caught
    assert not caught, "core code touched the world"
