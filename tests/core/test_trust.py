"""The one door: what is refused, what waits, what counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import pytest

from core.makers import (
    DAY,
    NOW,
    SITE,
    T0,
    Cast,
    admitted,
    at,
    evidence,
    forged,
    lift,
    limit,
    nonce,
    operator_cast,
    permit,
    reading,
    restart,
    sealed,
    standing,
    status,
)
from grandpause.core.envelope import Kind, Signature
from grandpause.core.keys import PublicKey
from grandpause.core.model import Unit
from grandpause.core.statement.codec import encode
from grandpause.core.trust import Standing, TrustedSet, opened
from grandpause.errors import StatementError, TrustError

STRANGER = operator_cast(seed=500)


def test_nothing_counts_before_the_charter(operator: Cast) -> None:
    trusted = TrustedSet(operator.id)
    with pytest.raises(TrustError, match="no charter has been admitted"):
        _ = trusted.newest
    assert admitted(trusted, limit(operator), *operator.some("m1", "m2")).standing is Standing.WAITING
    assert trusted.counting(Kind.LIMIT) == ()


def test_only_the_pinned_charter_is_taken(operator: Cast) -> None:
    trusted = TrustedSet(operator.id)
    with pytest.raises(TrustError, match="is not the pinned charter"):
        trusted.admit(STRANGER.data(), now=NOW)
    assert trusted.entries == ()
    trusted.admit(operator.data(), now=NOW)
    assert trusted.newest == operator.charter


def test_a_charter_with_one_changed_word_is_not_the_pinned_one(operator: Cast) -> None:
    almost = replace(operator.charter, title="Hall of the tests.")
    with pytest.raises(TrustError, match="is not the pinned charter"):
        TrustedSet(operator.id).admit(sealed(almost, *operator.some("m1", "m2")), now=NOW)


def test_the_first_charter_needs_its_own_quorum(operator: Cast) -> None:
    trusted = TrustedSet(operator.id)
    assert trusted.admit(operator.data("m1"), now=NOW).standing is Standing.PENDING
    assert not trusted.charters(1)
    assert trusted.admit(operator.data("m2"), now=NOW).standing is Standing.COUNTS
    assert trusted.charters(1) == (operator.charter,)


def test_a_pinned_charter_counts_however_late_it_is_installed(operator: Cast) -> None:
    trusted = TrustedSet(operator.id)
    late = at(operator.charter.void_after + DAY)
    assert trusted.admit(operator.data(), now=late).standing is Standing.COUNTS


def test_an_act_of_another_charter_is_refused(operator: Cast) -> None:
    trusted = operator.trusted()
    with pytest.raises(TrustError, match="names another charter") as refusal:
        admitted(trusted, limit(STRANGER), *operator.some("m1", "m2"))
    assert refusal.value.where == "limit.charter"


def test_a_signature_for_another_charter_of_the_same_people_does_not_count(operator: Cast) -> None:
    other = operator_cast(title="Another hall of the same people")
    data = sealed(limit(other), *other.some("m1", "m2"))
    with pytest.raises(TrustError, match="names another charter"):
        operator.trusted().admit(data, now=NOW)


@pytest.mark.parametrize("of", [reading, status, evidence])
def test_what_is_no_act_is_not_taken(operator: Cast, of: object) -> None:
    assert callable(of)
    with pytest.raises(TrustError, match="is no act"):
        admitted(operator.trusted(), of(operator), *operator.some("m1", "m2"))


def test_a_permit_is_refused_without_a_log(operator: Cast) -> None:
    with pytest.raises(TrustError, match="a permit needs a log"):
        admitted(operator.trusted(), permit(operator), *operator.some("m1", "m2", "m3"))


def test_every_quorum_of_the_council_refuses_one_signer_fewer(council: Cast) -> None:
    for two in combinations(council.people, 2):
        trusted = council.trusted()
        assert admitted(trusted, limit(council), *council.some(*two)).standing is Standing.PENDING
    for members in combinations(council.people, 3):
        trusted = council.trusted()
        assert admitted(trusted, limit(council), *council.some(*members)).standing is Standing.COUNTS
        undone = lift(council, limit(council))
        assert admitted(trusted, undone, *council.some(*members)).standing is Standing.PENDING


def test_an_act_without_any_valid_signature_is_refused(operator: Cast) -> None:
    trusted = operator.trusted()
    for data in (
        sealed(limit(operator)),
        sealed(limit(operator), *STRANGER.some("m1", "m2")),
        forged(limit(operator), operator.some("m1", "m2")),
    ):
        with pytest.raises(TrustError, match="no valid signature") as refusal:
            trusted.admit(data, now=NOW)
        assert refusal.value.where == "limit.signatures"
        assert standing(trusted, limit(operator)) is None


def test_an_act_beyond_its_power_is_refused_however_many_signed(operator: Cast) -> None:
    low = limit(operator, power="limit-bounded", ceiling=1)
    with pytest.raises(TrustError, match="lower than"):
        admitted(operator.trusted(), low, *operator.some("m1", "m2", "m3"))


def test_a_bad_signature_under_a_good_key_id_does_not_block_the_good_one(operator: Cast) -> None:
    trusted = operator.trusted()
    one, two = operator.some("m1", "m2")
    admitted(trusted, limit(operator), one)
    for _ in range(3):
        trusted.admit(forged(limit(operator), [two]), now=NOW)
    assert standing(trusted, limit(operator)) is Standing.PENDING
    assert admitted(trusted, limit(operator), two).standing is Standing.COUNTS


def test_a_signature_swapped_between_two_keys_does_not_count(operator: Cast) -> None:
    one, two = operator.some("m1", "m2")
    envelope = encode(limit(operator))
    good, other = (each.sign(envelope.signed_bytes) for each in (one, two))
    swapped = envelope.with_signatures((Signature(one.key_id, other), Signature(two.key_id, good)))
    with pytest.raises(TrustError, match="no valid signature"):
        operator.trusted().admit(swapped.to_bytes(), now=NOW)


def test_signatures_of_unknown_keys_are_skipped(operator: Cast) -> None:
    trusted = operator.trusted()
    by = (*operator.some("m1"), *STRANGER.some("m1", "m2", "m3"))
    assert admitted(trusted, limit(operator), *by).standing is Standing.PENDING
    assert admitted(trusted, limit(operator), *operator.some("m2")).standing is Standing.COUNTS


def test_the_same_envelope_again_changes_nothing(operator: Cast) -> None:
    trusted = operator.trusted()
    by = operator.some("m1", "m2")
    assert admitted(trusted, limit(operator), *by).changed
    before = trusted.entries
    again = admitted(trusted, limit(operator), *by, now=at(T0 + DAY))
    assert not again.changed
    assert trusted.entries == before


def test_fewer_signatures_later_take_nothing_away(operator: Cast) -> None:
    trusted = operator.trusted()
    admitted(trusted, limit(operator), *operator.some("m1", "m2"))
    assert admitted(trusted, limit(operator), *operator.some("m1")).standing is Standing.COUNTS


def test_a_refusal_leaves_the_set_as_it_was(operator: Cast) -> None:
    trusted = operator.trusted()
    admitted(trusted, limit(operator), *operator.some("m1", "m2"))
    before = trusted.entries
    for data in (b"", b"{}", STRANGER.data(), sealed(permit(operator)), sealed(limit(STRANGER))):
        with pytest.raises((StatementError, TrustError)):
            trusted.admit(data, now=NOW)
    assert trusted.entries == before


def test_entries_come_in_one_order_whatever_came_first(operator: Cast) -> None:
    acts = [limit(operator, nonce=nonce(number), unit=Unit.COMPUTE) for number in range(4)]
    seen = set()
    for order in permutations(acts):
        trusted = operator.trusted()
        for act in order:
            admitted(trusted, act, *operator.some("m1", "m2"))
        seen.add(tuple(each.name for each in trusted.entries))
    assert len(seen) == 1


def test_the_site_is_no_part_of_the_door(operator: Cast) -> None:
    elsewhere = restart(operator, nonce(1), site=f"{SITE}-b")
    assert admitted(operator.trusted(), elsewhere, *operator.some("m1", "m2")).standing is Standing.COUNTS


def test_a_set_asks_the_check_that_it_was_given_and_by_default_the_keys(operator: Cast) -> None:
    """Simulated people sign by a table; whatever runs for real is held to real signatures."""
    asked: list[str] = []

    def table(key: PublicKey, message: bytes, value: bytes) -> bool:
        asked.append(key.key_id)
        return value == bytes(64) and bool(message)

    by_table = TrustedSet(operator.id, check=table)
    data = forged(operator.charter, operator.some("m1", "m2"))
    assert by_table.admit(data, now=NOW).standing is Standing.COUNTS
    assert set(asked) == {each.key_id for each in operator.some("m1", "m2")}
    assert by_table.admit(operator.data(), now=NOW).changed is False, "real signatures are none to this table"
    with pytest.raises(TrustError, match="no valid signature"):
        TrustedSet(operator.id).admit(data, now=NOW)


def test_what_an_envelope_says_is_remembered_and_never_taken_for_another(operator: Cast) -> None:
    data = sealed(limit(operator), *operator.some("m1", "m2"))
    again = bytes(bytearray(data))
    assert opened(data)[1] is opened(again)[1]
    other = sealed(limit(operator, ceiling=1), *operator.some("m1", "m2"))
    assert opened(other)[1] == limit(operator, ceiling=1)
    for _ in range(2):
        with pytest.raises(StatementError):
            opened(data[:-1])
