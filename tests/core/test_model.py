from __future__ import annotations

import pytest

from grandpause.core.model import CapKey, Caps, Interval, Unit, lowest
from grandpause.errors import OwnFault

COMPUTE = CapKey("site", Unit.COMPUTE)
WATTS = CapKey("site", Unit.SITE_WATTS)


def test_an_interval_may_be_a_moment_and_not_run_backwards() -> None:
    assert Interval.around(100, error_s=5) == Interval(earliest=95, latest=105)
    assert Interval.around(100, error_s=0) == Interval(earliest=100, latest=100)
    with pytest.raises(OwnFault, match="ends before it begins"):
        Interval(earliest=2, latest=1)


def test_a_negative_cap_cannot_be() -> None:
    with pytest.raises(OwnFault, match="negative cap -1"):
        Caps({COMPUTE: -1})


def test_no_cap_is_no_cap_and_not_zero() -> None:
    assert not Caps()
    assert Caps().get("site", Unit.COMPUTE) is None
    assert Caps({COMPUTE: 0})
    assert Caps({COMPUTE: 0}).get("site", Unit.COMPUTE) == 0


def test_the_lower_of_two_holds_key_by_key() -> None:
    merged = Caps({COMPUTE: 5, WATTS: 9}).lowered(Caps({COMPUTE: 7, WATTS: 3}))
    assert merged == Caps({COMPUTE: 5, WATTS: 3})
    assert Caps({COMPUTE: 5}).lowered(Caps({WATTS: 3})) == Caps({COMPUTE: 5, WATTS: 3})
    assert lowest([]) == Caps()


def test_caps_come_in_one_order() -> None:
    caps = Caps({WATTS: 1, COMPUTE: 2, CapKey("hall:h1", Unit.COMPUTE): 3})
    assert [key.part for key, _ in caps] == ["hall:h1", "site", "site"]


def test_caps_exceed_others_where_they_allow_more_anywhere() -> None:
    assert Caps().exceeds(Caps({COMPUTE: 5}))
    assert Caps({COMPUTE: 6}).exceeds(Caps({COMPUTE: 5}))
    assert not Caps({COMPUTE: 5}).exceeds(Caps({COMPUTE: 5}))
    assert not Caps({COMPUTE: 5, WATTS: 1}).exceeds(Caps({COMPUTE: 5}))
    assert Caps({WATTS: 1}).exceeds(Caps({COMPUTE: 5}))
    assert not Caps({COMPUTE: 5}).exceeds(Caps())
