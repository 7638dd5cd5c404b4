"""Every test of the core runs under watch: the core may not touch the world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.makers import Cast, council_cast, operator_cast
from core.purity import watched


@pytest.fixture(autouse=True)
def pure_core() -> Iterator[list[str]]:
    with watched() as caught:
        yield caught
    assert not caught, "core code touched the world"


@pytest.fixture(scope="session")
def operator() -> Cast:
    """Three members of one body, and a utility that owns a meter."""
    return operator_cast()


@pytest.fixture(scope="session")
def council() -> Cast:
    """Five independent bodies of one member each."""
    return council_cast(5)
