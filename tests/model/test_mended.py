"""What the reference model found in production, each in its smallest form, since it was mended."""

from __future__ import annotations

from itertools import count

import pytest

from core.makers import CONTROLLER, HOUR, SITE, T0, Cast, limit, nonce, restart
from grandpause.core.ceiling import ceiling
from grandpause.core.model import Interval, Unit
from grandpause.core.statement.acts import RestartPurpose, Under
from grandpause.core.statement.charter import Charter, PowerRule, Right
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.trust import TrustedSet
from grandpause.errors import TrustError
from grandpause.site.keeper import Keeper
from grandpause.stores.memory import MemoryStore
from model import casts
from model.beside import Clock
from model.casts import CLOCK_ERROR_S, HALL, Item

FIRST = casts.operator_version()[1]
CAST = Cast(charter=casts.operator_version()[0], people={})
KEYS = ("a1", "b1", "c1", "d1", "e1", "u1")
NOW = Interval(earliest=T0 - CLOCK_ERROR_S, latest=T0 + CLOCK_ERROR_S + 1)


def signed(statement: Statement) -> bytes:
    return casts.signed(encode(statement), KEYS)


def whole(item: Item) -> bytes:
    return casts.signed(item.envelope, KEYS)


def booted(*charters: Item, clock: Clock | None = None, files: tuple[bytes, ...] = ()) -> Keeper:
    """Return a new, armed site that pins these charters."""
    numbers = count(1)
    keeper = Keeper.boot(
        site=SITE,
        controller=CONTROLLER,
        store=MemoryStore(),
        clock=clock or Clock(),
        fresh_nonce=lambda: nonce(next(numbers)),
        charters=[(each.act.name, [whole(each), *files]) for each in charters or (FIRST,)],
        elements=["n1"],
        check=casts.signature_is_right,
    )
    keeper.arm()
    return keeper


def test_whether_a_limit_latches_after_a_fork_does_not_depend_on_the_order_of_arrival() -> None:
    sides = [whole(casts.operator_version(each)[1]) for each in (0, 7)]
    act = signed(limit(CAST, under=Under(charter=FIRST.act.name, version=2, power="limit")))
    latches = []
    for order in (sides, sides[::-1]):
        trusted = TrustedSet(FIRST.act.name, check=casts.signature_is_right)
        for data in (whole(FIRST), *order, act):
            trusted.admit(data, now=NOW)
        latches.append([each.latches for each in ceiling(trusted, site=SITE, now=NOW).in_force])
    assert latches == [[True], [True]]


def test_the_clock_error_after_a_fork_does_not_depend_on_the_order_of_arrival() -> None:
    sides = [whole(casts.operator_version(each)[1]) for each in (0, 6)]
    errors = []
    for order in (sides, sides[::-1]):
        trusted = TrustedSet(FIRST.act.name, check=casts.signature_is_right)
        for data in (whole(FIRST), *order):
            trusted.admit(data, now=NOW)
        errors.append(trusted.clock_error_s)
    assert errors == [65, 65]


def test_a_permission_to_disarm_is_worthless_after_a_latching_limit_came_into_force() -> None:
    clock = Clock()
    keeper = booted(clock=clock)
    keeper.receive(signed(limit(CAST, start=T0 + HOUR)))
    permission = restart(CAST, keeper.memory.nonce, purpose=RestartPurpose.DISARM)
    keeper.receive(signed(permission))
    clock.now = T0 + 2 * HOUR
    with pytest.raises(TrustError, match="restart quorum"):
        keeper.disarm()


def test_a_restart_that_waited_for_its_charter_is_used_when_the_charter_comes() -> None:
    keeper = booted()
    under = Under(charter=FIRST.act.name, version=2, power="restart")
    keeper.receive(signed(restart(CAST, keeper.memory.nonce, under=under)))
    keeper.receive(whole(casts.operator_version(0)[1]))
    assert keeper.memory.standby is None


def test_a_later_version_of_the_second_pinned_charter_reaches_its_set() -> None:
    keeper = booted(casts.grid(), FIRST)
    keeper.receive(whole(casts.operator_version(0)[1]))
    assert [each.newest.version for each in keeper.charters] == [1, 2]


def test_a_restart_is_late_by_the_clock_of_its_own_charter() -> None:
    keeper = booted(casts.grid(), FIRST)
    late = restart(CAST, keeper.memory.nonce, void_after=T0 + CLOCK_ERROR_S + 1)
    keeper.receive(signed(late))
    assert keeper.memory.standby is None


def test_a_power_to_restart_one_hall_restarts_no_site() -> None:
    fields = {each: getattr(CAST.charter, each) for each in Charter.__dataclass_fields__}
    others = tuple(each for each in CAST.charter.powers if each.right is not Right.RESTART)
    only_the_hall = PowerRule(id="restart", right=Right.RESTART, quorum="two", scope=HALL)
    charter = Charter(**(fields | {"powers": (*others, only_the_hall)}))
    keeper = booted(casts.charter_item(charter, "", "a hall's restart"))
    under = Under(charter=encode(charter).name, version=1, power="restart")
    with pytest.raises(TrustError):
        keeper.receive(signed(restart(CAST, keeper.memory.nonce, under=under)))
    assert keeper.memory.standby is not None


def test_a_charter_in_a_file_at_boot_is_dated_by_the_latest_moment_it_can_be() -> None:
    keeper = booted(files=(whole(casts.operator_version(0)[1]),))
    (entry,) = [
        each for each in keeper.charters[0].entries if each.name == casts.operator_version(0)[1].act.name
    ]
    assert entry.dated is not None
    assert entry.dated >= NOW.latest


def test_a_permission_for_another_site_hides_none_for_this_one() -> None:
    keeper = booted()
    keeper.receive(signed(limit(CAST, unit=Unit.IT_WATTS)))
    shown = keeper.memory.nonce
    mine = restart(CAST, shown, purpose=RestartPurpose.DISARM)
    others = [
        restart(CAST, shown, purpose=RestartPurpose.DISARM, site=casts.ELSEWHERE, reason=f"number {each}")
        for each in range(20)
    ]
    first = next(each for each in others if encode(each).name < encode(mine).name)
    for each in (mine, first):
        keeper.receive(signed(each))
    keeper.disarm()
    assert not keeper.memory.armed
