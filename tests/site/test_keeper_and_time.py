"""The keeper beside limits that return by themselves, and under clocks that are wrong. (ADR 0015, 0016)

With people whose signatures a table checks, since the operator's template has no such power.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.trust import Standing
from grandpause.sim.world.people import CURTAIL
from grandpause.sim.world.settings import DAY_S
from sim.world.bench import Bench, started
from sim.world.small import HOUR_S, SITE

COMPUTE = CapKey("site", Unit.COMPUTE)
NONE = Caps()


@pytest.fixture
def bench() -> Bench:
    """A controller that is armed and out of its first standby."""
    return started()


def restarts(bench: Bench, *, caps: Caps = NONE, lasts_s: int = DAY_S) -> Standing:
    act = bench.people.restart(
        SITE, bench.keeper.memory.nonce, caps, now=bench.unix, purpose=RestartPurpose.RAISE
    )
    return bench.receives(replace(act, void_after=bench.unix + lasts_s)).standing


def caps_of(bench: Bench) -> int | None:
    return bench.keeper.decide().caps.get("site", Unit.COMPUTE)


def test_a_restart_beside_a_limit_that_returns_by_itself_leaves_no_latch(bench: Bench) -> None:
    """Otherwise an hour of the grid's would hold the site until people restart it once more."""
    bench.limited(ceiling=100_000, lasts_s=HOUR_S)
    bench.limited(power=CURTAIL, ceiling=300_000, lasts_s=5 * HOUR_S)
    bench.passes(2.0 * HOUR_S)
    assert restarts(bench) is Standing.COUNTS
    assert bench.keeper.memory.latch == NONE
    assert caps_of(bench) == 300_000, "it binds all the same"
    bench.passes(4.0 * HOUR_S)
    assert caps_of(bench) is None


def test_a_limit_that_returns_by_itself_never_touches_the_latch_at_any_look(bench: Bench) -> None:
    bench.limited(power=CURTAIL, ceiling=300_000)
    for _ in range(3):
        bench.passes(600.0)
        bench.boots()
        assert bench.keeper.memory.latch == NONE
        assert caps_of(bench) == 300_000


def test_a_restart_beside_a_limit_that_latches_is_clamped_to_it(bench: Bench) -> None:
    bench.limited(ceiling=100_000)
    bench.limited(power=CURTAIL, ceiling=50_000)
    restarts(bench, caps=Caps({COMPUTE: 700_000}))
    assert bench.keeper.memory.latch == Caps({COMPUTE: 100_000})


def test_a_restart_of_an_unarmed_site_is_clamped_too() -> None:
    bench = Bench()
    bench.limited(ceiling=100_000)
    assert bench.keeper.memory.latch == NONE
    restarts(bench)
    assert bench.keeper.memory.standby is None
    assert bench.keeper.memory.latch == Caps({COMPUTE: 100_000})


def test_a_restart_does_not_disturb_a_limit_that_returns_by_itself_and_its_nonce_is_new(bench: Bench) -> None:
    before = bench.keeper.memory.nonce
    bench.limited(power=CURTAIL, ceiling=50_000)
    assert bench.keeper.memory.nonce == before, "nothing latched"
    restarts(bench)
    assert bench.keeper.memory.nonce != before


def behind(bench: Bench) -> Bench:
    """Let the machine boot with a clock that is 400 days behind, after an hour of service."""
    bench.passes(float(HOUR_S))
    bench.clock.boot()
    bench.clock.off_s = -400.0 * DAY_S
    bench.boots()
    assert bench.keeper.clock_stepped
    return bench


def test_under_a_clock_that_is_behind_a_limit_that_begins_now_acts_now(bench: Bench) -> None:
    behind(bench).limited(ceiling=100_000)
    assert caps_of(bench) == 100_000


def test_under_a_clock_that_is_behind_nothing_that_a_date_makes_void_raises(bench: Bench) -> None:
    bench.limited(ceiling=100_000, lasts_s=HOUR_S)
    behind(bench)
    assert restarts(bench) is Standing.VOID
    assert caps_of(bench) == 100_000


def test_once_the_clock_is_set_the_same_restart_is_used_when_it_comes_again(bench: Bench) -> None:
    bench.limited(ceiling=100_000, lasts_s=HOUR_S)
    bench.passes(float(HOUR_S))
    behind(bench)
    act = bench.people.restart(
        SITE, bench.keeper.memory.nonce, NONE, now=bench.unix, purpose=RestartPurpose.RAISE
    )
    assert bench.receives(act).standing is Standing.VOID
    bench.clock.off_s = 0.0
    bench.passes(60.0)
    assert not bench.keeper.clock_stepped
    assert bench.receives(act).standing is Standing.COUNTS
    assert caps_of(bench) is None


def test_a_charter_that_the_operator_installs_late_counts_and_goes_on_counting(bench: Bench) -> None:
    people = bench.people
    charter = people.successor(people.members[0], bounded=True, now=bench.unix)
    posted = people.post(charter, ("ada", "bo"), whole=True)
    bench.now_s += 40.0 * DAY_S
    with_it = bench.receives(charter)
    assert with_it.standing is Standing.VOID
    assert "name its file in the site file" in with_it.why
    people.agree(posted, charter, people.members[0])
    for _ in range(2):
        bench.boots()
        assert bench.keeper.charters[0].newest.version == 2


def test_what_a_stranger_sent_under_a_version_that_is_installed_later_stops_no_boot(bench: Bench) -> None:
    """It waited, so nobody's signature was looked at; now its charter is known, and it is worth nothing."""
    people = bench.people
    charter = people.successor(people.members[0], bounded=True, now=bench.unix)
    posted = people.post(charter, ("ada", "bo"), whole=True)
    bench.now_s += 40.0 * DAY_S
    assert bench.receives(charter).standing is Standing.VOID
    people.agree(posted, charter, people.members[0])
    act = people.limit(CURTAIL, start=bench.unix, lasts_s=HOUR_S)
    assert bench.receives(act, "mallory").standing is Standing.WAITING
    bench.boots()
    assert bench.keeper.charters[0].newest.version == 2
    assert caps_of(bench) is None
