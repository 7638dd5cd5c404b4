"""The ledger: what must bind and what may, counted apart from the core."""

from __future__ import annotations

import pytest

from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.ledger import DOUBT_S, REPEAL_GRACE_S, Ledger
from grandpause.sim.world.people import BOUNDED, CURTAIL, GRID, LIFT_HALL, ONE_HALL, UTILITY
from grandpause.sim.world.settings import DAY_S
from sim.world.small import HOUR_S, NONCE, SITE, Desk

COMPUTE = CapKey("site", Unit.COMPUTE)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_limit_surely_binds_in_its_window_and_may_bind_as_far_around_it_as_clocks_differ(
    desk: Desk,
) -> None:
    limit = desk.limited(start_s=10 * HOUR_S, lasts_s=HOUR_S)
    start, end = 10.0 * HOUR_S, 11.0 * HOUR_S
    for moment, must, may in (
        (start - DOUBT_S - 1, False, False),
        (start - DOUBT_S, False, True),
        (start - 1, False, True),
        (start, True, True),
        (end, True, True),
        (end + 1, False, True),
        (end + DOUBT_S, False, True),
        (end + DOUBT_S + 1, False, False),
    ):
        assert (limit.name in desk.must(moment), limit.name in desk.may(moment)) == (must, may), moment


def test_a_limit_binds_once_enough_people_signed_whenever_their_envelopes_come(desk: Desk) -> None:
    limit = desk.people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S)
    desk.hears(limit, "ada", at_s=5.0)
    assert desk.must(10.0) == desk.may(10.0) == set()
    desk.hears(limit, "mallory", at_s=6.0)
    assert desk.may(10.0) == set()
    posted = desk.hears(limit, "cy", at_s=9.0)
    assert desk.must(10.0) == {posted.name}
    assert desk.ledger.heard[posted.name] == {"ada", "cy", "mallory"}


def test_a_limit_for_another_site_is_no_matter_of_this_one(desk: Desk) -> None:
    desk.limited(scope=Scope(kind=ScopeKind.SITES, sites=("site-2",)))
    assert desk.may(10.0) == set()


def test_a_lift_of_enough_people_ends_what_it_names_and_nothing_else(desk: Desk) -> None:
    ended, other = desk.limited(), desk.limited(ceiling=1)
    lift = desk.people.lift([ended.name], now=EPOCH_S)
    desk.hears(lift, "ada", at_s=60.0)
    assert desk.must(61.0) == {ended.name, other.name}, "one of them is not enough"
    desk.hears(lift, "bo", at_s=70.0)
    assert desk.must(71.0) == desk.may(71.0) == {other.name}


def test_a_lift_of_one_charter_ends_no_limit_of_another(desk: Desk) -> None:
    call = desk.limited("uma", power=GRID)
    desk.hears(desk.people.lift([call.name], now=EPOCH_S), "ada", "bo")
    assert desk.must(10.0) == {call.name}
    desk.hears(desk.people.lift([call.name], now=EPOCH_S, grid=True), "uma")
    assert desk.must(10.0) == {call.name}, "the utility lifts by two"
    desk.hears(desk.people.lift([call.name], now=EPOCH_S, grid=True), *UTILITY[:2])
    assert desk.must(10.0) == desk.may(10.0) == set()


@pytest.mark.parametrize(
    ("late_s", "must", "may"),
    [(-DOUBT_S - 1, False, False), (-60.0, False, True), (60.0, False, True), (DOUBT_S + 1, True, True)],
)
def test_a_lift_that_came_after_its_date_ends_nothing_and_near_it_nobody_knows(
    desk: Desk, late_s: float, *, must: bool, may: bool
) -> None:
    limit = desk.limited(lasts_s=20 * DAY_S)
    lift = desk.people.lift([limit.name], now=EPOCH_S)
    came_s = lift.void_after - EPOCH_S + late_s
    desk.hears(lift, "ada", "bo", at_s=came_s)
    assert (limit.name in desk.must(came_s), limit.name in desk.may(came_s)) == (must, may)


def test_a_suspension_suspends_its_power_for_its_time(desk: Desk) -> None:
    limit = desk.limited(lasts_s=24 * HOUR_S)
    other = desk.limited(power=CURTAIL, lasts_s=24 * HOUR_S)
    desk.hears(
        desk.people.suspension("limit", now=EPOCH_S + 3 * HOUR_S, lasts_s=9 * HOUR_S), "ada", "bo", at_s=1.0
    )
    for hour, must, may in ((0.5, True, True), (3.1, False, True), (7.5, False, False), (15.0, True, True)):
        moment = hour * HOUR_S
        assert (limit.name in desk.must(moment), limit.name in desk.may(moment)) == (must, may), hour
        assert other.name in desk.must(moment)


def test_a_fork_takes_every_lift_back_of_this_charter_alone(desk: Desk) -> None:
    limit, call = desk.limited(), desk.limited("uma", power=GRID)
    desk.hears(desk.people.lift([limit.name], now=EPOCH_S), "ada", "bo")
    desk.hears(desk.people.lift([call.name], now=EPOCH_S, grid=True), *UTILITY[:2])
    members = desk.people.members[0]
    for _ in range(2):
        desk.hears(desk.people.successor(members, bounded=True, now=EPOCH_S), "ada", "bo")
    assert desk.ledger.forked
    assert desk.must(10.0) == {limit.name}


@pytest.mark.parametrize(
    ("after_s", "must", "may"), [(-10.0, False, True), (10.0, False, True), (DOUBT_S + 1, True, True)]
)
def test_a_lift_of_a_superseded_version_ends_nothing_and_near_the_change_nobody_knows(
    desk: Desk, after_s: float, *, must: bool, may: bool
) -> None:
    limit = desk.limited(lasts_s=DAY_S)
    lift = desk.people.lift([limit.name], now=EPOCH_S)
    came_s = 2.0 * HOUR_S + after_s
    if after_s > 0:
        desk.succeeded(at_s=2.0 * HOUR_S)
    desk.hears(lift, "ada", "bo", at_s=came_s)
    if after_s < 0:
        desk.succeeded(at_s=2.0 * HOUR_S)
    moment = 5.0 * HOUR_S
    assert (limit.name in desk.must(moment), limit.name in desk.may(moment)) == (must, may)


@pytest.mark.parametrize(
    ("late_s", "must", "may"),
    [(-DOUBT_S - 1, True, True), (-60.0, False, True), (60.0, False, True), (DOUBT_S + 60, False, False)],
)
def test_a_limit_of_a_superseded_version_that_begins_after_seven_days_is_repealed(
    desk: Desk, late_s: float, *, must: bool, may: bool
) -> None:
    start_s = HOUR_S + REPEAL_GRACE_S + late_s
    limit = desk.limited(start_s=start_s)
    call = desk.limited("uma", power=GRID, start_s=start_s)
    desk.succeeded(at_s=float(HOUR_S))
    moment = start_s + 60
    assert (limit.name in desk.must(moment), limit.name in desk.may(moment)) == (must, may)
    assert call.name in desk.must(moment), "the grid's charter has one version"


def test_what_names_a_version_waits_for_it_in_whatever_order_things_come(desk: Desk) -> None:
    second = desk.people.successor(desk.people.members[0], bounded=True, now=EPOCH_S)
    two = desk.post(second, "ada", "bo")
    desk.people.agree(two, second, desk.people.members[0])
    third = desk.people.successor(desk.people.members[0], bounded=True, now=EPOCH_S)
    three = desk.post(third, "ada", "bo")
    desk.people.agree(three, third, desk.people.members[0])
    limit = desk.limited()
    desk.ledger.hear(three, ("ada", "bo"), 1.0, clock_right=True)
    assert (desk.ledger.newest, desk.may(10.0)) == (1, set())
    desk.ledger.hear(two, ("ada", "bo"), 2.0, clock_right=True)
    assert (desk.ledger.newest, desk.must(10.0)) == (3, {limit.name})
    assert not desk.ledger.forked


def test_a_version_that_came_too_late_never_counts_unless_the_operator_installed_it(desk: Desk) -> None:
    charter = desk.people.successor(desk.people.members[0], bounded=True, now=EPOCH_S)
    posted = desk.post(charter, "ada", "bo")
    late_s = 31.0 * DAY_S
    desk.ledger.hear(posted, ("ada", "bo"), late_s, clock_right=True)
    assert desk.ledger.newest == 1
    desk.ledger.hear(posted, ("ada", "bo"), late_s, clock_right=True, installed=True)
    assert desk.ledger.newest == 2
    assert not desk.ledger.doubtful


@pytest.mark.parametrize(
    ("late_s", "right", "installed", "doubtful"),
    [
        (-9 * DAY_S, True, False, False),
        (-9 * DAY_S, False, False, True),
        (-9 * DAY_S, False, True, True),
        (-9 * DAY_S, True, True, False),
        (-60, True, False, True),
        (60, True, False, True),
        (60, True, True, False),
    ],
)
def test_a_version_under_a_wrong_clock_or_near_its_date_leaves_doubt(
    desk: Desk, late_s: float, *, right: bool, installed: bool, doubtful: bool
) -> None:
    charter = desk.people.successor(desk.people.members[0], bounded=True, now=EPOCH_S)
    posted = desk.post(charter, "ada", "bo")
    at_s = charter.void_after - EPOCH_S + late_s
    desk.ledger.hear(posted, ("ada", "bo"), at_s, clock_right=right, installed=installed)
    assert desk.ledger.doubtful is doubtful


# The latch.


def lowered(desk: Desk, at_s: float = 10.0, *, armed: bool = True, safe: bool = True) -> Ledger:
    desk.ledger.lower_latch(at_s, armed=armed, safe=safe, honest=safe)
    return desk.ledger


def test_limits_that_return_by_restart_lower_the_latch_of_an_armed_site_and_no_others_do(desk: Desk) -> None:
    desk.limited("ada", power=BOUNDED, ceiling=600_000)
    desk.limited(power=CURTAIL, ceiling=1)
    desk.limited("uma", power=GRID, unit=Unit.IT_WATTS, ceiling=1)
    assert lowered(desk, armed=False).latch == {}
    assert lowered(desk).latch == {COMPUTE: 600_000}
    desk.limited(ceiling=250_000)
    assert lowered(desk).latch == {COMPUTE: 250_000}
    assert lowered(desk, 2.0 * HOUR_S).latch == {COMPUTE: 250_000}, "it stays when the limits are over"
    assert desk.ledger.latchable == {COMPUTE: {600_000, 250_000}}


def test_with_a_clock_that_may_be_wrong_the_latch_must_nothing_and_may_everything(desk: Desk) -> None:
    desk.limited(ceiling=250_000, start_s=9.0 * DAY_S)
    ledger = lowered(desk, safe=False)
    assert ledger.latch == {}
    assert ledger.latchable == {COMPUTE: {250_000}}


def test_a_restart_sets_the_latch_ends_the_standby_and_is_used(desk: Desk) -> None:
    desk.limited(ceiling=250_000)
    lowered(desk)
    restart = desk.people.restart(
        SITE, NONCE, Caps({COMPUTE: 700_000}), now=EPOCH_S, purpose=RestartPurpose.RAISE
    )
    posted = desk.hears(restart, "ada", "bo")
    assert desk.ledger.may_restart(posted.name, NONCE) == ""
    desk.ledger.restarted(posted.name, 2.0 * HOUR_S)
    assert (desk.ledger.latch, desk.ledger.standby) == ({COMPUTE: 700_000}, False)
    assert desk.ledger.may_restart(posted.name, NONCE) == "was used before"


def test_a_restart_while_limits_hold_leaves_a_latch_that_may_be_theirs(desk: Desk) -> None:
    """The controller clamps it, whether or not the site is armed."""
    desk.limited(ceiling=250_000)
    desk.limited(power=CURTAIL, ceiling=1)
    desk.ledger.restarted(restart_of(desk, "ada", "bo"), 10.0)
    assert desk.ledger.latch == {}
    assert desk.ledger.latchable == {COMPUTE: {250_000}}


def test_a_lift_of_the_power_over_one_hall_ends_limits_of_that_hall_only(desk: Desk) -> None:
    whole, one = desk.limited(), desk.limited(scope=ONE_HALL)
    lift = desk.people.lift(sorted([whole.name, one.name]), now=EPOCH_S, power=LIFT_HALL)
    desk.hears(lift, "ada", "bo")
    assert desk.must(10.0) == desk.may(10.0) == {whole.name}


# Restarts that may not be used.


def restart_of(
    desk: Desk, *signers: str, site: str = SITE, purpose: RestartPurpose = RestartPurpose.RAISE
) -> str:
    restart = desk.people.restart(site, NONCE, Caps(), now=EPOCH_S, purpose=purpose)
    return desk.hears(restart, *signers).name


def test_a_restart_of_too_few_people_may_not_be_used(desk: Desk) -> None:
    name = restart_of(desk, "ada")
    assert desk.ledger.may_restart(name, NONCE) == "was signed by ['ada'] only"
    assert (
        desk.ledger.may_restart(restart_of(desk, "ada", "uma"), NONCE) == "was signed by ['ada', 'uma'] only"
    )


def test_what_is_no_restart_may_not_be_used_as_one(desk: Desk) -> None:
    permission = restart_of(desk, "ada", "bo", purpose=RestartPurpose.DISARM)
    assert desk.ledger.may_restart(permission, NONCE) == "is no restart"
    assert desk.ledger.may_restart(desk.limited().name, NONCE) == "is no restart"


def test_a_restart_for_another_site_or_nonce_may_not_be_used(desk: Desk) -> None:
    other = restart_of(desk, "ada", "bo", site="site-2")
    assert desk.ledger.may_restart(other, NONCE) == "was signed for another site or nonce"
    name = restart_of(desk, "ada", "bo")
    assert desk.ledger.may_restart(name, "00" * 16) == "was signed for another site or nonce"


def test_a_restart_of_a_superseded_version_may_not_be_used(desk: Desk) -> None:
    name = restart_of(desk, "ada", "bo")
    desk.succeeded(at_s=60.0)
    assert desk.ledger.may_restart(name, NONCE) == "was signed under an older version"
    desk.ledger.doubtful = True
    assert desk.ledger.may_restart(name, NONCE) == "", "the controller may not know the newer one"


def test_after_a_fork_no_restart_may_be_used(desk: Desk) -> None:
    for _ in range(2):
        desk.hears(desk.people.successor(desk.people.members[0], bounded=True, now=EPOCH_S), "ada", "bo")
    desk.people.chain.append(desk.people.chain[0])
    desk.people.members.append(desk.people.members[0])
    name = restart_of(desk, "ada", "bo")
    assert "two successors" in desk.ledger.may_restart(name, NONCE)


# Images of the disk.


def test_an_image_keeps_what_was_and_takes_nothing_that_comes_later(desk: Desk) -> None:
    limit = desk.limited()
    lowered(desk)
    image = desk.ledger.image()
    desk.hears(desk.people.lift([limit.name], now=EPOCH_S), "ada", "bo")
    desk.limited(ceiling=1)
    desk.succeeded(at_s=60.0)
    lowered(desk)
    assert [posted.name for posted, _ in image.must_bind(70.0)] == [limit.name]
    assert (image.latch, image.newest) == ({COMPUTE: 0}, 1)
    assert len(image.heard) == 1


def test_a_disk_that_goes_back_forgets_but_no_restart_is_new_again(desk: Desk) -> None:
    image = desk.ledger.image()
    name = restart_of(desk, "ada", "bo")
    desk.ledger.restarted(name, 10.0)
    desk.limited()
    lowered(desk)
    for base in (image, None):
        back = desk.ledger.goes_back_to(base)
        assert (back.heard, back.latch, back.forgot) == ({}, {}, 1)
        assert back.standby
        assert back.used == {name}
    again = desk.ledger.goes_back_to(image).goes_back_to(image)
    assert again.forgot == 2
