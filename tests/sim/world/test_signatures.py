"""The table takes the place of signatures, so it has to refuse what a signature would."""

from __future__ import annotations

from grandpause.core.envelope import Envelope, Kind, Signature, parse
from grandpause.core.keys import PublicKey
from grandpause.sim.world.signatures import SignatureTable, public_key

ONE, OTHER = public_key(1), public_key(2)
ENVELOPE = Envelope(kind=Kind.READING, payload=b'{"a":1}')
CHANGED = Envelope(kind=Kind.READING, payload=b'{"a":2}')


def test_a_number_has_one_key_and_the_core_takes_it() -> None:
    assert public_key(1) == ONE
    assert PublicKey(algorithm="ed25519", public=ONE.public) == ONE
    assert ONE.key_id != OTHER.key_id


def test_what_a_key_signed_is_its_signature_and_nothing_else_is() -> None:
    table = SignatureTable()
    envelope = parse(table.signed(ENVELOPE, ONE))
    [made] = envelope.signatures
    assert made.key_id == ONE.key_id
    assert table.check(ONE, ENVELOPE.signed_bytes, made.value)
    assert not table.check(OTHER, ENVELOPE.signed_bytes, made.value), "another key"
    assert not table.check(ONE, CHANGED.signed_bytes, made.value), "another message"
    assert not table.check(ONE, ENVELOPE.signed_bytes, bytes(64)), "never made"
    assert not SignatureTable().check(ONE, ENVELOPE.signed_bytes, made.value), "made in another world"


def test_several_keys_sign_one_envelope() -> None:
    table = SignatureTable()
    envelope = parse(table.signed(ENVELOPE, ONE, OTHER))
    assert {each.key_id for each in envelope.signatures} == {ONE.key_id, OTHER.key_id}
    assert not any(
        table.check(key, ENVELOPE.signed_bytes, each.value)
        for key in (ONE, OTHER)
        for each in envelope.signatures
        if each.key_id != key.key_id
    )
    assert all(isinstance(each, Signature) for each in envelope.signatures)
