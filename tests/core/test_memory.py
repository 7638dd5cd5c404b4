from __future__ import annotations

from typing import Any

import pytest

from core.makers import CONTROLLER, HOUR, NOW, SITE, T0, Cast, at, limit, limit_power, name_of, nonce, restart
from grandpause.core.ceiling import InForce
from grandpause.core.memory import Memory, check_restart, disarmed, latched, restarted
from grandpause.core.model import CapKey, Caps, Interval, Profile, Unit
from grandpause.core.statement.acts import Limit, Restart, RestartPurpose
from grandpause.core.statement.charter import Returns
from grandpause.errors import TrustError

COMPUTE = CapKey("site", Unit.COMPUTE)
FULL = Caps()


def binding(act: Limit, *, returns: Returns = Returns.RESTART) -> InForce:
    return InForce(name=name_of(act), limit=act, power=limit_power("limit", "q", returns=returns))


def armed(**changes: Any) -> Memory:
    fields: dict[str, Any] = {"nonce": nonce(1), "armed": True}
    return Memory(**(fields | changes))


def raised(
    memory: Memory, act: Restart, *, ceiling: Caps = FULL, now: Interval = NOW, site: str = SITE
) -> Memory:
    return restarted(
        memory,
        name_of(act),
        act,
        site=site,
        controller=CONTROLLER,
        ceiling=ceiling,
        now=now,
        fresh_nonce=nonce(9),
    )


def test_a_limit_that_returns_by_restart_lowers_the_latch(operator: Cast) -> None:
    act = limit(operator)
    memory = latched(armed(), [binding(act)], fresh_nonce=nonce(2))
    assert memory.latch == act.caps
    assert memory.latched == {name_of(act)}
    assert memory.nonce == nonce(2)


def test_the_latch_stays_when_the_limit_is_over(operator: Cast) -> None:
    act = limit(operator)
    memory = latched(armed(), [binding(act)], fresh_nonce=nonce(2))
    after = latched(memory, [], fresh_nonce=nonce(3))
    assert after.latch == act.caps
    assert after.latched == frozenset()
    assert after.nonce == nonce(2)
    assert latched(after, [], fresh_nonce=nonce(4)) is after


def test_a_limit_that_returns_by_itself_never_touches_the_latch(operator: Cast) -> None:
    found = binding(limit(operator), returns=Returns.ITSELF)
    assert latched(armed(), [found], fresh_nonce=nonce(2)) == armed()


def test_an_unarmed_site_lowers_no_latch(operator: Cast) -> None:
    memory = armed(armed=False)
    assert latched(memory, [binding(limit(operator))], fresh_nonce=nonce(2)) is memory


def test_the_latch_only_ever_goes_down_and_looking_again_changes_nothing(operator: Cast) -> None:
    high, low = limit(operator, ceiling=90_000), limit(operator, ceiling=10_000, nonce=nonce(8))
    memory = latched(armed(), [binding(low)], fresh_nonce=nonce(2))
    both = latched(memory, [binding(low), binding(high)], fresh_nonce=nonce(3))
    assert both.latch == low.caps
    assert both.nonce == nonce(3)
    assert latched(both, [binding(high), binding(low)], fresh_nonce=nonce(4)) is both
    only_high = latched(both, [binding(high)], fresh_nonce=nonce(5))
    assert (only_high.latch, only_high.nonce) == (low.caps, nonce(3))


def test_the_latch_remembers_the_hardest_profile_and_the_strictest_category(operator: Cast) -> None:
    memory = latched(armed(), [binding(limit(operator, category=2))], fresh_nonce=nonce(2))
    assert (memory.adversarial, memory.category) == (False, 2)
    hard = limit(operator, profile=Profile.ADVERSARIAL, category=0, nonce=nonce(7))
    memory = latched(memory, [binding(hard)], fresh_nonce=nonce(3))
    assert (memory.adversarial, memory.category) == (True, 0)
    memory = latched(memory, [], fresh_nonce=nonce(4))
    assert (memory.adversarial, memory.category) == (True, 0)


def test_a_restart_raises_the_latch_ends_the_standby_and_makes_the_nonce_new(operator: Cast) -> None:
    memory = armed(latch=Caps({COMPUTE: 1}), standby=frozenset({"n1"}), adversarial=True, category=0)
    act = restart(operator, nonce(1))
    after = raised(memory, act)
    assert (after.latch, after.standby, after.nonce) == (Caps(), None, nonce(9))
    assert (after.adversarial, after.category, after.armed) == (False, 2, True)
    assert after.used == {name_of(act)}


def test_a_restart_is_clamped_to_the_ceiling(operator: Cast) -> None:
    act = restart(operator, nonce(1), caps=Caps({COMPUTE: 800_000}))
    low = Caps({COMPUTE: 50_000, CapKey("site", Unit.SITE_WATTS): 7})
    assert raised(armed(latch=Caps({COMPUTE: 1})), act, ceiling=low).latch == low
    assert raised(armed(latch=Caps({COMPUTE: 1})), act).latch == act.caps


def test_a_restart_counts_once(operator: Cast) -> None:
    act = restart(operator, nonce(1))
    after = raised(armed(), act)
    with pytest.raises(TrustError, match="was used already"):
        raised(after, act)
    # Even if the old nonce came back, as it does with an old image of the disk.
    with pytest.raises(TrustError, match="was used already"):
        raised(armed(used=after.used), act)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"site": "another"}, "is for site another"),
        ({"nonces": {CONTROLLER: nonce(2)}}, "does not name this controller's present nonce"),
        ({"nonces": {"controller-b": nonce(1)}}, "does not name this controller's present nonce"),
        ({"purpose": RestartPurpose.DISARM}, "allows to disarm, not to restart"),
    ],
)
def test_a_restart_for_another_site_boot_or_purpose_is_refused(
    operator: Cast, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrustError, match=message):
        raised(armed(), restart(operator, nonce(1), **changes))


def test_a_restart_that_comes_too_late_is_refused_and_doubt_counts_as_late(operator: Cast) -> None:
    act = restart(operator, nonce(1))
    assert raised(armed(), act, now=at(act.void_after)).used
    with pytest.raises(TrustError, match="after its void_after"):
        raised(armed(), act, now=at(act.void_after, error_s=1))


def test_a_restart_names_every_controller_but_only_its_own_nonce_is_this_ones(operator: Cast) -> None:
    act = restart(operator, nonce(1), nonces={CONTROLLER: nonce(1), "controller-b": nonce(5)})
    check_restart(armed(), name_of(act), act, site=SITE, controller=CONTROLLER)
    with pytest.raises(TrustError, match="present nonce"):
        check_restart(armed(), name_of(act), act, site=SITE, controller="controller-b")


def test_a_latching_limit_makes_every_earlier_restart_worthless(operator: Cast) -> None:
    act = restart(operator, nonce(1))
    memory = latched(armed(), [binding(limit(operator))], fresh_nonce=nonce(2))
    with pytest.raises(TrustError, match="present nonce"):
        raised(memory, act)


def test_a_restart_under_a_standing_adversarial_limit_leaves_its_latch_adversarial(operator: Cast) -> None:
    """The limit lowers the new latch again; when it is over, that latch must still be its own."""
    act = limit(operator, profile=Profile.ADVERSARIAL, category=0)
    memory = latched(armed(), [binding(act)], fresh_nonce=nonce(2))
    memory = raised(memory, restart(operator, nonce(2)), ceiling=act.caps)
    memory = latched(memory, [binding(act)], fresh_nonce=nonce(3))
    memory = latched(memory, [], fresh_nonce=nonce(4))
    assert memory.latch == act.caps
    assert (memory.adversarial, memory.category) == (True, 0)


def gone(memory: Memory, act: Restart | None = None, *, ceiling: Caps = FULL, now: Interval = NOW) -> Memory:
    permission = None if act is None else (name_of(act), act)
    return disarmed(memory, ceiling=ceiling, permission=permission, site=SITE, controller=CONTROLLER, now=now)


def test_a_free_site_may_disarm_by_itself_and_an_unarmed_one_stays_so() -> None:
    assert gone(armed()) == Memory(nonce=nonce(1))
    unarmed = Memory(nonce=nonce(1), latch=Caps({COMPUTE: 1}))
    assert gone(unarmed) is unarmed


@pytest.mark.parametrize(
    ("memory", "ceiling"),
    [
        (armed(latch=Caps({COMPUTE: 0})), FULL),
        (armed(standby=frozenset()), FULL),
        (armed(), Caps({COMPUTE: 0})),
    ],
)
def test_while_anything_binds_disarming_takes_the_restart_quorum(
    operator: Cast, memory: Memory, ceiling: Caps
) -> None:
    with pytest.raises(TrustError, match="takes the restart quorum"):
        gone(memory, ceiling=ceiling)
    act = restart(operator, nonce(1), purpose=RestartPurpose.DISARM)
    after = gone(memory, act, ceiling=ceiling)
    assert not after.armed
    assert (after.latch, after.standby) == (memory.latch, memory.standby)
    assert after.used == {name_of(act)}
    assert after.nonce == memory.nonce


@pytest.mark.parametrize(
    ("changes", "now", "message"),
    [
        ({"purpose": RestartPurpose.RAISE}, NOW, "is a restart, not a permission to disarm"),
        ({"nonces": {CONTROLLER: nonce(2)}}, NOW, "present nonce"),
        ({"site": "another"}, NOW, "is for site another"),
        ({}, at(T0 + 7 * 24 * HOUR + 1), "after its void_after"),
    ],
)
def test_a_permission_to_disarm_is_as_bound_as_a_restart(
    operator: Cast, changes: dict[str, Any], now: Interval, message: str
) -> None:
    act = restart(operator, nonce(1), **({"purpose": RestartPurpose.DISARM} | changes))
    with pytest.raises(TrustError, match=message):
        gone(armed(standby=frozenset()), act, now=now)


def test_a_permission_to_disarm_is_used_once(operator: Cast) -> None:
    act = restart(operator, nonce(1), purpose=RestartPurpose.DISARM)
    with pytest.raises(TrustError, match="was used already"):
        gone(armed(standby=frozenset(), used=frozenset({name_of(act)})), act)


def test_what_binds_is_a_latch_a_ceiling_or_a_standby() -> None:
    assert not armed().binds(FULL)
    assert armed(standby=frozenset()).binds(FULL)
    assert armed(latch=Caps({COMPUTE: 5})).binds(FULL)
    assert armed().binds(Caps({COMPUTE: 5}))
