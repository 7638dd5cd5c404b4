"""What a signature is worth to the world's own reckoning, held against the core's, person by person."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from grandpause.core.model import Caps, Interval
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.trust import Standing, TrustedSet
from grandpause.errors import TrustError
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.people import (
    BOUNDED,
    CURTAIL,
    GRID,
    OUTSIDERS,
    STAFF,
    UTILITY,
    Need,
    People,
    Posted,
    Statement,
    keys_of,
)
from grandpause.sim.world.signatures import SignatureTable
from sim.world.small import HOUR_S, NONCE, SITE

EVERYBODY = (*STAFF, *UTILITY, *OUTSIDERS)
NOW = Interval(earliest=EPOCH_S, latest=EPOCH_S)


@pytest.fixture
def table() -> SignatureTable:
    return SignatureTable()


@pytest.fixture
def people(table: SignatureTable) -> People:
    return People(random.Random(5), table)


def statements(people: People) -> dict[str, Statement]:
    """Return one statement of every sort that people make."""
    limit = people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S)
    return {
        "limit": limit,
        "bounded limit": people.limit(BOUNDED, start=EPOCH_S, lasts_s=HOUR_S, ceiling=500_000),
        "curtailment": people.limit(CURTAIL, start=EPOCH_S, lasts_s=HOUR_S),
        "grid call": people.limit(GRID, start=EPOCH_S, lasts_s=HOUR_S),
        "lift": people.lift(["ab" * 32], now=EPOCH_S),
        "suspension": people.suspension("limit", now=EPOCH_S, lasts_s=HOUR_S),
        "grid's lift": people.lift(["ab" * 32], now=EPOCH_S, grid=True),
        "restart": people.restart(SITE, NONCE, Caps(), now=EPOCH_S, purpose=RestartPurpose.RAISE),
        "permission": people.restart(SITE, NONCE, Caps(), now=EPOCH_S, purpose=RestartPurpose.DISARM),
        "next version": people.successor(("ada", "bo", "cy", "eve"), bounded=True, now=EPOCH_S),
    }


def core_says(people: People, table: SignatureTable, posted: Posted) -> bool:
    """Tell whether the core counts a statement, fed through its door under both charters."""
    for charter_id, files in people.files():
        trusted = TrustedSet(charter_id, check=table.check)
        for each in files:
            trusted.admit(each, now=NOW)
        try:
            standings = [trusted.admit(data, now=NOW).standing for data, _ in posted.pieces]
        except TrustError:
            continue
        if standings[-1] is Standing.COUNTS:
            return True
    return False


def test_what_people_agreed_on_is_what_the_core_counts_whoever_signs(
    people: People, table: SignatureTable
) -> None:
    counted = 0
    for kind, statement in statements(people).items():
        for size in (1, 2, 3):
            for signers in combinations(EVERYBODY, size):
                posted = people.post(statement, signers, whole=True)
                complete = posted.complete(signers)
                assert core_says(people, table, posted) is complete, (kind, signers)
                counted += complete
    assert counted > 200


def test_envelopes_of_one_person_each_unite(people: People, table: SignatureTable) -> None:
    limit = people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S)
    posted = people.post(limit, ("ada", "di"), whole=False)
    assert [signers for _, signers in posted.pieces] == [("ada",), ("di",)]
    assert posted.signers == {"ada", "di"}
    assert core_says(people, table, posted)


def test_two_keys_of_one_person_are_one_person(people: People, table: SignatureTable) -> None:
    assert len(keys_of("ada")) == 2
    posted = people.post(people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S), ("ada",), whole=True)
    assert not posted.complete(("ada", "ada"))
    assert not core_says(people, table, posted)


def test_a_need_counts_different_people_of_its_list() -> None:
    need = Need(of=frozenset({"ada", "bo"}), least=2)
    assert need.met(["ada", "bo", "mallory"])
    assert not need.met(["ada", "ada"])
    assert not need.met(["ada", "mallory"])
    assert not Need(of=frozenset(), least=1).met(EVERYBODY)


def test_limits_of_powers_that_return_by_restart_latch_and_no_others(people: People) -> None:
    latching = {
        kind for kind, each in statements(people).items() if people.post(each, ("ada",), whole=True).latches
    }
    assert latching == {"limit", "bounded limit"}


def test_who_left_signs_nothing_under_the_next_version_and_who_came_does(
    people: People, table: SignatureTable
) -> None:
    members = ("ada", "bo", "cy", "eve")
    charter = people.successor(members, bounded=False, now=EPOCH_S)
    posted = people.post(charter, ("ada", "bo"), whole=True)
    assert posted.complete(("ada", "bo"))
    people.agree(posted, charter, members)
    assert people.version == 2
    assert people.members_of(1) == {"ada", "bo", "cy", "di"}
    limit = people.limit("limit", start=EPOCH_S, lasts_s=HOUR_S)
    assert limit.under.version == 2
    for signers, enough in ((("ada", "eve"), True), (("ada", "di"), False)):
        one = people.post(limit, signers, whole=True)
        assert one.complete(signers) is enough
        assert core_says(people, table, one) is enough


def test_a_repealed_power_is_nobodys(people: People, table: SignatureTable) -> None:
    charter = people.successor(STAFF[:4], bounded=False, now=EPOCH_S)
    people.agree(people.post(charter, ("ada", "bo"), whole=True), charter, STAFF[:4])
    limit = people.limit(BOUNDED, start=EPOCH_S, lasts_s=HOUR_S, ceiling=500_000)
    posted = people.post(limit, STAFF[:4], whole=True)
    assert not posted.complete(STAFF[:4])
    assert not core_says(people, table, posted)


def test_the_files_of_a_site_hold_every_version_that_was_agreed_on(people: People) -> None:
    members = ("ada", "bo", "cy", "eve")
    charter = people.successor(members, bounded=True, now=EPOCH_S)
    posted = people.post(charter, ("ada", "bo"), whole=False)
    people.agree(posted, charter, members)
    (staff, files), (grid, grids) = people.files()
    assert (staff, grid) == (people.charter_id, people.grid_id)
    assert (len(files), len(grids)) == (3, 1)
    assert [data for data, _ in posted.pieces] == files[1:]
