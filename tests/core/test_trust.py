"""The one door: what is refused, what waits, what counts."""

from __future__ import annotations

from collections.abc import Sequence
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
    declaration,
    evidence,
    lift,
    limit,
    name_of,
    nonce,
    operator_cast,
    permit,
    reading,
    restart,
    sealed,
    signer,
    status,
    with_signatures,
)
from grandpause.core.envelope import Kind, Signature, parse
from grandpause.core.model import Unit
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.trust import (
    MAX_SIGNATURES,
    MAX_WAITING,
    LogPlace,
    Standing,
    TrustedSet,
    charter_id_of,
    charter_named_by,
    decode_only,
    signed_by,
)
from grandpause.errors import StatementError, TrustError
from grandpause.signers.file import FileSigner

STRANGER = operator_cast(seed=500)


def standing(trusted: TrustedSet, statement: Statement) -> Standing | None:
    entry = trusted.entry(name_of(statement))
    return entry.standing if entry else None


def forged(statement: Statement, keys: Sequence[FileSigner], value: bytes = bytes(64)) -> bytes:
    """Return the statement with signatures under good key ids that are no signatures."""
    envelope = encode(statement)
    return envelope.with_signatures(tuple(Signature(each.key_id, value) for each in keys)).to_bytes()


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


def test_an_act_waits_for_its_quorum_and_signatures_unite_from_several_envelopes(operator: Cast) -> None:
    trusted = operator.trusted()
    one, two = operator.some("m1", "m2")
    first = admitted(trusted, limit(operator), one)
    assert first.standing is Standing.PENDING
    assert "1 of 2 needed" in first.why
    second = admitted(trusted, limit(operator), two)
    assert (second.standing, second.changed, second.why) == (Standing.COUNTS, True, "")
    entry = trusted.entry(second.name)
    assert entry is not None
    assert entry.signers == {one.key_id, two.key_id}
    assert parse(entry.envelope.to_bytes()) == with_signatures(encode(limit(operator)), one, two)


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


def test_an_act_of_a_version_that_is_not_known_waits_and_is_judged_when_it_comes(operator: Cast) -> None:
    trusted = operator.trusted()
    second = replace(operator.charter, version=2, previous=operator.id)
    act = limit(operator)
    act = replace(act, under=replace(act.under, version=2))
    early = admitted(trusted, act, *operator.some("m1", "m2"))
    assert early.standing is Standing.WAITING
    assert "version 2 is not known" in early.why
    admitted(trusted, second, *operator.some("m1", "m2"))
    assert standing(trusted, act) is Standing.COUNTS


def test_what_waited_and_then_goes_beyond_its_power_never_counts(operator: Cast) -> None:
    trusted = operator.trusted()
    second = replace(operator.charter, version=2, previous=operator.id)
    act = limit(operator, power="limit-bounded", ceiling=1)
    act = replace(act, under=replace(act.under, version=2))
    admitted(trusted, act, *operator.some("m1", "m2"))
    admitted(trusted, second, *operator.some("m1", "m2"))
    entry = trusted.entry(name_of(act))
    assert entry is not None
    assert entry.standing is Standing.VOID
    assert "lower than" in entry.why


def waiting_act(cast: Cast, number: int) -> Statement:
    act = limit(cast, nonce=nonce(number))
    return replace(act, under=replace(act.under, version=9))


def test_no_more_than_a_thousand_statements_wait(operator: Cast) -> None:
    trusted = operator.trusted()
    for number in range(MAX_WAITING):
        trusted.admit(sealed(waiting_act(operator, number)), now=NOW)
    with pytest.raises(TrustError, match="already 1000 statements wait"):
        trusted.admit(sealed(waiting_act(operator, MAX_WAITING)), now=NOW)
    known = limit(operator)
    assert admitted(trusted, known, *operator.some("m1", "m2")).standing is Standing.COUNTS
    # More signatures for what waits already are still taken.
    assert admitted(trusted, waiting_act(operator, 7), *operator.some("m1")).changed


def test_a_flood_of_invented_signatures_neither_grows_the_set_nor_pushes_a_good_one_out(
    operator: Cast,
) -> None:
    trusted = operator.trusted()
    second = replace(operator.charter, version=2, previous=operator.id)
    act = replace(limit(operator), under=replace(limit(operator).under, version=2))
    admitted(trusted, act, *operator.some("m1", "m2"))
    envelope = encode(act)
    for flood in range(4):
        junk = tuple(Signature(f"{flood * 256 + index:064x}", b"junk") for index in range(256))
        trusted.admit(envelope.with_signatures(junk).to_bytes(), now=NOW)
    entry = trusted.entry(name_of(act))
    assert entry is not None
    assert len(entry.unverified) <= MAX_SIGNATURES
    admitted(trusted, second, *operator.some("m1", "m2"))
    assert standing(trusted, act) is Standing.COUNTS


def test_a_lift_or_restart_that_is_complete_too_late_is_void(operator: Cast) -> None:
    for act in (lift(operator, limit(operator)), restart(operator, nonce(1))):
        trusted = operator.trusted()
        admitted(trusted, act, *operator.some("m1"))
        late = admitted(trusted, act, *operator.some("m2"), now=at(act.void_after + 1))
        assert late.standing is Standing.VOID
        assert "after its void_after" in late.why
        again = admitted(trusted, act, *operator.some("m1", "m2"), now=NOW)
        assert again.standing is Standing.VOID


def test_a_lift_in_its_last_second_counts_and_doubt_about_the_clock_ends_it_earlier(operator: Cast) -> None:
    act = lift(operator, limit(operator))
    by = operator.some("m1", "m2")
    assert admitted(operator.trusted(), act, *by, now=at(act.void_after)).standing is Standing.COUNTS
    doubt = at(act.void_after, error_s=1)
    assert admitted(operator.trusted(), act, *by, now=doubt).standing is Standing.VOID


def test_a_proved_place_in_a_log_dates_a_statement(operator: Cast) -> None:
    act = lift(operator, limit(operator))
    place = LogPlace(log="log", index=7, dated=act.void_after)
    trusted = operator.trusted()
    data = sealed(act, *operator.some("m1", "m2"))
    assert trusted.admit(data, now=at(T0 + 90 * DAY), place=place).standing is Standing.COUNTS
    entry = trusted.entry(name_of(act))
    assert entry is not None
    assert (entry.dated, entry.place) == (act.void_after, place)
    trusted.admit(data, now=NOW)
    assert trusted.entry(name_of(act)) == entry


def test_a_declaration_counts_when_every_controller_that_it_names_has_signed(operator: Cast) -> None:
    trusted = operator.trusted()
    boxes = {"controller-a": signer(50), "controller-b": signer(51)}
    declared = declaration(operator, boxes)
    first = admitted(trusted, declared, *operator.some("m1", "m2"), boxes["controller-a"])
    assert first.standing is Standing.PENDING
    assert "every controller" in first.why
    trusted.admit(forged(declared, [boxes["controller-b"]]), now=NOW)
    assert standing(trusted, declared) is Standing.PENDING
    assert admitted(trusted, declared, boxes["controller-b"]).standing is Standing.COUNTS


def test_a_declaration_by_its_controllers_alone_does_not_count(operator: Cast) -> None:
    trusted = operator.trusted()
    box = signer(50)
    assert admitted(trusted, declaration(operator, {"controller-a": box}), box).standing is Standing.PENDING


def test_a_signed_reading_is_its_bodys(operator: Cast) -> None:
    trusted = operator.trusted()
    said = reading(operator)
    assert trusted.reader_of(sealed(said, *operator.some("gateway"))) == (said, "utility")
    assert trusted.reader_of(sealed(said, *operator.some("m1")))[1] == "operator"


def test_a_reading_that_nobody_of_the_charter_signed_is_refused(operator: Cast) -> None:
    trusted = operator.trusted()
    for data in (
        sealed(reading(operator)),
        sealed(reading(operator), *STRANGER.some("gateway")),
        forged(reading(operator), operator.some("gateway")),
    ):
        with pytest.raises(TrustError, match="no valid signature"):
            trusted.reader_of(data)


def test_what_is_no_reading_of_this_charter_is_refused(operator: Cast) -> None:
    trusted = operator.trusted()
    with pytest.raises(TrustError, match="a limit is no reading"):
        trusted.reader_of(sealed(limit(operator), *operator.some("m1")))
    with pytest.raises(TrustError, match="names another charter"):
        trusted.reader_of(sealed(reading(STRANGER), *operator.some("gateway")))


def test_a_charter_is_pinned_by_its_first_version_only(operator: Cast) -> None:
    assert charter_id_of(operator.data()) == operator.id
    second = replace(operator.charter, version=2, previous=operator.id)
    for data in (sealed(second), sealed(limit(operator))):
        with pytest.raises(TrustError, match="pinned by its version 1"):
            charter_id_of(data)


def test_the_charter_that_bytes_name_is_read_without_trusting_them(operator: Cast) -> None:
    second = replace(operator.charter, version=2, previous=operator.id)
    assert charter_named_by(operator.data()) == operator.id
    assert charter_named_by(sealed(limit(operator))) == operator.id
    assert charter_named_by(sealed(reading(operator))) == operator.id
    assert charter_named_by(sealed(second)) is None
    envelope, statement = decode_only(sealed(limit(operator)))
    assert (envelope.kind, statement) == (Kind.LIMIT, limit(operator))


def test_whether_one_key_signed_is_told(operator: Cast) -> None:
    one, two = operator.some("m1", "m2")
    envelope = with_signatures(encode(limit(operator)), one)
    assert signed_by(envelope, one.public_key)
    assert not signed_by(envelope, two.public_key)
    assert not signed_by(parse(forged(limit(operator), [one])), one.public_key)


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
