"""The chain of charters: who may write the next version, and what a fork does."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from core.makers import (
    CONTROLLER,
    DAY,
    NOW,
    SITE,
    T0,
    Cast,
    admitted,
    at,
    council_cast,
    lift,
    limit,
    member,
    name_of,
    nonce,
    operator_cast,
    restart,
    sealed,
    signer,
    successor,
)
from grandpause.core.ceiling import REPEAL_GRACE_S, ceiling
from grandpause.core.envelope import Kind
from grandpause.core.model import Caps, Interval
from grandpause.core.quorum import Body, Roster
from grandpause.core.statement.acts import Limit, Restart
from grandpause.core.statement.charter import Charter, weak_points
from grandpause.core.trust import Standing, TrustedSet

COUNCIL = council_cast(5)


def with_member_replaced(cast: Cast, out: str, seed: int) -> Cast:
    """Return the successor in which the body of ``out`` has another person."""
    new = signer(seed)
    bodies = tuple(
        Body(id=body.id, label=body.label, threshold=1, members=(member("new", new),))
        if body.members[0].id == out
        else body
        for body in cast.charter.roster.bodies
    )
    people = {**{name: key for name, key in cast.people.items() if name != out}, "new": new}
    return successor(cast, people=people, roster=Roster(bodies, cast.charter.roster.groups))


def version_two_of(act: Limit) -> Limit:
    return replace(act, under=replace(act.under, version=2))


def test_a_successor_needs_the_old_quorum() -> None:
    second = with_member_replaced(COUNCIL, "b5", 900)
    trusted = COUNCIL.trusted()
    by_new = second.some("b1", "b2", "b3", "new")
    assert admitted(trusted, second.charter, *by_new).standing is Standing.PENDING
    assert trusted.newest.version == 1
    assert admitted(trusted, second.charter, *COUNCIL.some("b4")).standing is Standing.COUNTS
    assert trusted.newest == second.charter


def test_a_successor_needs_its_own_quorum() -> None:
    """The old quorum cannot appoint people who did not agree."""
    new = {f"n{index}": signer(800 + index) for index in range(1, 6)}
    bodies = tuple(
        Body(id=f"body{each[1:]}", label=each, threshold=1, members=(member(each, new[each]),))
        for each in new
    )
    second = successor(COUNCIL, people=new, roster=Roster(bodies, COUNCIL.charter.roster.groups))
    trusted = COUNCIL.trusted()
    old = COUNCIL.some("b1", "b2", "b3", "b4", "b5")
    assert admitted(trusted, second.charter, *old).standing is Standing.PENDING
    assert admitted(trusted, second.charter, *second.some("n1", "n2", "n3")).standing is Standing.PENDING
    assert admitted(trusted, second.charter, *second.some("n4")).standing is Standing.COUNTS


def test_a_removed_key_signs_nothing_under_the_new_version() -> None:
    second = with_member_replaced(COUNCIL, "b5", 900)
    trusted = COUNCIL.trusted()
    admitted(trusted, second.charter, *COUNCIL.some("b1", "b2", "b3", "b4"), *second.some("new"))
    act = version_two_of(limit(COUNCIL))
    assert admitted(trusted, act, *COUNCIL.some("b1", "b2", "b5")).standing is Standing.PENDING
    assert admitted(trusted, act, *second.some("new")).standing is Standing.COUNTS


def chain(versions: int) -> list[Cast]:
    casts = [COUNCIL]
    for number in range(2, versions + 1):
        casts.append(successor(casts[-1], title=f"Version {number}"))
    return casts


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_chain_grows_in_whatever_order_its_versions_arrive(order: tuple[int, ...]) -> None:
    casts = chain(4)
    trusted = TrustedSet(COUNCIL.id)
    for index in order:
        trusted.admit(casts[index].data(), now=NOW)
    assert trusted.newest == casts[-1].charter
    assert [trusted.charters(each.charter.version) for each in casts] == [(each.charter,) for each in casts]
    assert not trusted.forked


def test_a_version_whose_predecessor_is_missing_waits() -> None:
    casts = chain(3)
    trusted = COUNCIL.trusted()
    skipped = trusted.admit(casts[2].data(), now=NOW)
    assert skipped.standing is Standing.WAITING
    assert "version 2" in skipped.why
    assert trusted.newest.version == 1


def test_a_version_that_names_another_predecessor_never_counts() -> None:
    lost = replace(successor(COUNCIL).charter, previous="ab" * 32)
    trusted = COUNCIL.trusted()
    assert trusted.admit(sealed(lost, *COUNCIL.people.values()), now=NOW).standing is Standing.WAITING
    jumped = replace(successor(COUNCIL).charter, version=3)
    assert trusted.admit(sealed(jumped, *COUNCIL.people.values()), now=NOW).standing is Standing.WAITING
    assert trusted.newest.version == 1


def test_a_version_again_changes_nothing() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    assert trusted.admit(second.data(), now=NOW).changed
    assert not trusted.admit(second.data(), now=NOW).changed
    assert not trusted.forked


def test_a_version_that_is_complete_too_late_never_counts() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    late = trusted.admit(second.data(), now=at(second.charter.void_after + 1))
    assert late.standing is Standing.VOID
    assert trusted.newest.version == 1


def forked(cast: Cast) -> tuple[TrustedSet, Charter, Charter]:
    trusted = cast.trusted()
    one, other = successor(cast, title="One way"), successor(cast, title="The other way")
    trusted.admit(one.data(), now=NOW)
    assert not trusted.forked
    trusted.admit(other.data(), now=NOW)
    return trusted, one.charter, other.charter


def test_two_successors_are_a_fork_and_limits_of_both_count() -> None:
    trusted, one, other = forked(COUNCIL)
    assert trusted.forked
    assert set(map(name_of, trusted.charters(2))) == {name_of(one), name_of(other)}
    act = version_two_of(limit(COUNCIL))
    assert admitted(trusted, act, *COUNCIL.some("b1", "b2", "b3")).standing is Standing.COUNTS
    assert len(ceiling(trusted, site=SITE, now=NOW).in_force) == 1


def test_two_successors_stop_every_lift_even_one_that_counted_before() -> None:
    trusted = COUNCIL.trusted()
    act = limit(COUNCIL)
    everyone = COUNCIL.some("b1", "b2", "b3", "b4")
    admitted(trusted, act, *everyone)
    admitted(trusted, lift(COUNCIL, act), *everyone)
    assert not ceiling(trusted, site=SITE, now=NOW).caps
    for title in ("One way", "The other way"):
        trusted.admit(successor(COUNCIL, title=title).data(), now=NOW)
    assert ceiling(trusted, site=SITE, now=NOW).caps == act.caps
    later = admitted(trusted, lift(COUNCIL, act, nonce=nonce(7)), *everyone)
    assert later.standing is Standing.VOID
    assert "two successors" in later.why
    assert ceiling(trusted, site=SITE, now=NOW).caps == act.caps


def test_two_successors_stop_every_restart() -> None:
    everyone = COUNCIL.some("b1", "b2", "b3", "b4")
    before = restart(COUNCIL, nonce(1))
    trusted = COUNCIL.trusted()
    assert admitted(trusted, before, *everyone).standing is Standing.COUNTS
    for title in ("One way", "The other way"):
        trusted.admit(successor(COUNCIL, title=title).data(), now=NOW)
    assert trusted.counting(Kind.RESTART) == ()
    after = restart(COUNCIL, nonce(2))
    for version in (1, 2):
        act = replace(after, under=replace(after.under, version=version))
        assert admitted(trusted, act, *everyone).standing is Standing.VOID


def test_a_limit_counts_where_only_one_of_two_successors_knows_its_power() -> None:
    one = successor(COUNCIL, title="With the power")
    powers = tuple(each for each in COUNCIL.charter.powers if each.id != "watts-for-a-while")
    other = successor(COUNCIL, powers=powers, waives=weak_points(COUNCIL.charter.roster, powers))
    act = version_two_of(limit(COUNCIL, power="watts-for-a-while"))
    for order in permutations((one.data(), other.data(), sealed(act, *COUNCIL.some("b1", "b2")))):
        trusted = COUNCIL.trusted()
        for data in order:
            # Between the two successors the act may be refused; whoever sent it sends it again.
            try:
                trusted.admit(data, now=NOW)
            except Exception:  # noqa: BLE001
                assert trusted.charters(2) == (other.charter,)
        trusted.admit(order[order.index(sealed(act, *COUNCIL.some("b1", "b2")))], now=NOW)
        assert len(ceiling(trusted, site=SITE, now=NOW).in_force) == 1


def restart_under(version: int) -> Restart:
    act = restart(COUNCIL, nonce(1), nonces={CONTROLLER: nonce(1)}, caps=Caps())
    return replace(act, under=replace(act.under, version=version))


def test_a_removed_restart_quorum_raises_nothing() -> None:
    """Otherwise the keys that a new charter takes away could still raise every latch."""
    trusted = COUNCIL.trusted()
    trusted.admit(successor(COUNCIL).data(), now=NOW)
    everyone = COUNCIL.some("b1", "b2", "b3", "b4")
    old = admitted(trusted, restart_under(1), *everyone)
    assert old.standing is Standing.VOID
    assert "newest charter's quorum, version 2" in old.why
    assert admitted(trusted, restart_under(2), *everyone).standing is Standing.COUNTS


def test_a_charter_of_other_people_under_the_same_title_is_no_successor(operator: Cast) -> None:
    thief = operator_cast(seed=700)
    second = replace(thief.charter, version=2, previous=operator.id)
    trusted = operator.trusted()
    stolen = trusted.admit(sealed(second, *thief.people.values()), now=NOW)
    assert stolen.standing is Standing.PENDING
    assert trusted.newest == operator.charter
    assert second.expires > T0 + DAY


# What the operator installs, and what is learned of the time. (ADR 0016)

LATE = at(T0 + 31 * DAY)
UNKNOWN = Interval(earliest=T0, latest=T0 + 3_650 * DAY)
"""What a controller knows of the time while its clock is behind what it stored."""


def test_a_version_that_the_operator_installed_counts_however_late() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    assert trusted.admit(second.data(), now=LATE).standing is Standing.VOID
    again = trusted.admit(second.data(), now=LATE, installed=True)
    assert (again.standing, again.changed) == (Standing.COUNTS, True)
    assert trusted.newest == second.charter


def test_what_was_installed_once_stays_so_when_it_comes_again_by_another_way() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    trusted.admit(second.data(), now=LATE, installed=True)
    again = trusted.admit(second.data(), now=at(T0 + 90 * DAY))
    assert (again.standing, again.changed) == (Standing.COUNTS, False)


def test_to_install_a_version_takes_its_quorums_all_the_same() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    by_one = trusted.admit(second.data("b1"), now=NOW, installed=True)
    assert by_one.standing is Standing.PENDING
    assert trusted.newest.version == 1


def test_a_version_that_came_before_anybody_knew_the_time_counts_once_it_is_known() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    act = version_two_of(limit(COUNCIL))
    assert trusted.admit(second.data(), now=UNKNOWN).standing is Standing.VOID
    assert admitted(trusted, act, *COUNCIL.some("b1", "b2", "b3"), now=UNKNOWN).standing is Standing.WAITING
    trusted.learn(at(T0 + DAY))
    assert trusted.newest == second.charter
    assert ceiling(trusted, site=SITE, now=NOW).caps == act.caps, "what waited for it is judged again"


def test_a_version_that_was_late_even_so_stays_void_whatever_is_learned() -> None:
    trusted = COUNCIL.trusted()
    second = successor(COUNCIL)
    trusted.admit(second.data(), now=at(second.charter.void_after + 1))
    trusted.learn(at(second.charter.void_after + 1))
    trusted.learn(at(second.charter.void_after + DAY))
    assert trusted.newest.version == 1


def test_a_date_is_narrowed_and_never_moved_on() -> None:
    trusted = COUNCIL.trusted()
    act = limit(COUNCIL)
    admitted(trusted, act, *COUNCIL.some("b1", "b2", "b3"), now=UNKNOWN)

    def dated() -> Interval | None:
        entry = trusted.entry(name_of(act))
        assert entry is not None
        return entry.completed

    for learned in (T0 + 9 * DAY, T0 + 3 * DAY):
        trusted.learn(at(learned))
        assert dated() == Interval(earliest=T0, latest=learned)
    trusted.learn(at(T0 + 5 * DAY))
    assert dated() == Interval(earliest=T0, latest=T0 + 3 * DAY)


def test_a_lift_that_nobody_could_date_ends_its_limit_once_it_can_be_dated() -> None:
    trusted = COUNCIL.trusted()
    act = limit(COUNCIL)
    everyone = COUNCIL.some("b1", "b2", "b3", "b4")
    admitted(trusted, act, *everyone)
    end = lift(COUNCIL, act)
    assert admitted(trusted, end, *everyone, now=UNKNOWN).standing is Standing.VOID
    assert ceiling(trusted, site=SITE, now=NOW).caps == act.caps
    trusted.learn(at(T0 + DAY))
    assert not ceiling(trusted, site=SITE, now=at(T0 + DAY)).caps


def test_a_lift_of_a_superseded_quorum_counts_only_if_it_surely_came_first() -> None:
    """While nobody knows the time both may have come first; then the limit stands."""
    for lift_first in (True, False):
        trusted = COUNCIL.trusted()
        act, everyone = limit(COUNCIL), COUNCIL.some("b1", "b2", "b3", "b4")
        admitted(trusted, act, *everyone)
        moments = [at(T0 + 60), at(T0 + 120)]
        ended_at, changed_at = moments if lift_first else moments[::-1]
        trusted.admit(successor(COUNCIL).data(), now=changed_at)
        admitted(trusted, lift(COUNCIL, act), *everyone, now=ended_at)
        trusted.learn(at(T0 + 180))
        assert bool(ceiling(trusted, site=SITE, now=at(T0 + 180)).caps) is not lift_first


def test_what_is_learned_repeals_nothing_that_was_in_time() -> None:
    """A version that came while nobody knew the time is dated late: that repeals less, never more."""
    start = T0 + DAY + REPEAL_GRACE_S + 1
    act = limit(COUNCIL, start=start, until=start + DAY)
    trusted = COUNCIL.trusted()
    admitted(trusted, act, *COUNCIL.some("b1", "b2", "b3"))
    long = replace(successor(COUNCIL).charter, void_after=T0 + 4_000 * DAY)
    admitted(trusted, long, *COUNCIL.some("b1", "b2", "b3", "b4"), now=UNKNOWN)
    assert ceiling(trusted, site=SITE, now=at(start)).caps == act.caps
    trusted.learn(at(T0 + DAY))
    assert not ceiling(trusted, site=SITE, now=at(start)).caps, "now it is known to have begun too late"
