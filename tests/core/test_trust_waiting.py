"""The one door: what waits, what is void, what is said without being an act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.makers import (
    DAY,
    NOW,
    T0,
    Cast,
    admitted,
    at,
    declaration,
    forged,
    lift,
    limit,
    name_of,
    nonce,
    operator_cast,
    reading,
    restart,
    sealed,
    signer,
    standing,
    with_signatures,
)
from grandpause.core.envelope import Kind, Signature, parse
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.trust import (
    MAX_SIGNATURES,
    MAX_WAITING,
    LogPlace,
    Standing,
    charter_id_of,
    charter_named_by,
    decode_only,
    signed_by,
)
from grandpause.errors import TrustError

STRANGER = operator_cast(seed=500)


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
