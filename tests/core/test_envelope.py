from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from core.makers import Cast, limit, sealed, signer, with_signatures
from grandpause.core import canonical
from grandpause.core.canonical import MAX_BYTES, Value
from grandpause.core.envelope import MAX_SIGNATURES, Envelope, Kind, Signature, pae, parse
from grandpause.core.statement.codec import encode
from grandpause.errors import StatementError

KEYID = "ab" * 32
LIMIT_TYPE = "application/vnd.grandpause.limit+json"


def raw(**changes: Value) -> bytes:
    fields: dict[str, Value] = {"payload": "e30=", "payloadType": LIMIT_TYPE, "signatures": []}
    return canonical.encode(fields | changes)


def signature(keyid: Value = KEYID, sig: Value = "AAAA") -> Value:
    return {"keyid": keyid, "sig": sig}


def test_the_pre_authentication_encoding_is_the_one_that_dsse_publishes() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md, "Test Vectors"
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_counted_in_bytes() -> None:
    assert pae("é", b"\x00\xff") == b"DSSEv1 2 \xc3\xa9 2 \x00\xff"
    assert pae("", b"") == b"DSSEv1 0  0 "


def test_the_name_is_the_digest_of_what_is_signed_and_not_of_the_signatures(operator: Cast) -> None:
    bare = encode(limit(operator))
    signed = with_signatures(bare, *operator.some("m1", "m2"))
    assert bare.name == signed.name == hashlib.sha256(bare.signed_bytes).hexdigest()
    assert bare.signed_bytes == b"DSSEv1 37 %b %d %b" % (
        LIMIT_TYPE.encode(),
        len(bare.payload),
        bare.payload,
    )


def test_the_same_payload_under_another_type_has_another_name() -> None:
    names = {Envelope(kind=kind, payload=b"{}").name for kind in Kind}
    assert len(names) == len(Kind)


def test_an_envelope_reads_back_as_it_was_written(operator: Cast) -> None:
    data = sealed(limit(operator), *operator.some("m3", "m1"))
    assert parse(data).to_bytes() == data
    assert [each.key_id for each in parse(data).signatures] == sorted(
        each.key_id for each in operator.some("m1", "m3")
    )


def test_the_first_signature_of_a_key_stays() -> None:
    first = Envelope(kind=Kind.LIMIT, payload=b"{}", signatures=(Signature(KEYID, b"one"),))
    assert first.with_signatures((Signature(KEYID, b"two"),)) == first


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"[]", "envelope", "must be an object"),
        (raw(extra=1), "envelope.extra", "unknown field"),
        (raw(payloadType="application/vnd.in-toto+json"), "envelope.payloadType", "unknown statement type"),
        (
            raw(payloadType=LIMIT_TYPE.upper()),
            "envelope.payloadType",
            "unknown statement type",
        ),
        (raw(payloadType=1), "envelope.payloadType", "must be a string"),
        (raw(payload=1), "envelope.payload", "must be a base64 string"),
        (raw(payload="e30"), "envelope.payload", "not base64"),
        (raw(payload="e30=\n"), "envelope.payload", "not base64"),
        (raw(payload="e3 0="), "envelope.payload", "not base64"),
        (raw(payload="-_-_"), "envelope.payload", "not base64"),
        (raw(payload="é30="), "envelope.payload", "not base64"),
        (raw(payload="e31="), "envelope.payload", "not canonical base64"),
        (raw(signatures={}), "envelope.signatures", "must be an array"),
        (raw(signatures=[signature(keyid="AB" * 32)]), "envelope.signatures[0].keyid", "lower-case"),
        (raw(signatures=[signature(keyid="ab")]), "envelope.signatures[0].keyid", "32 bytes"),
        (raw(signatures=[signature(sig="A")]), "envelope.signatures[0].sig", "not base64"),
        (raw(signatures=[{"keyid": KEYID}]), "envelope.signatures[0].sig", "missing field"),
        (
            raw(signatures=[{"keyid": KEYID, "sig": "", "cert": ""}]),
            "envelope.signatures[0].cert",
            "unknown field",
        ),
        (raw(signatures=[signature(), signature()]), "envelope.signatures", "sorted by keyid, one a key"),
        (
            raw(signatures=[signature(), signature(sig="BBBB")]),
            "envelope.signatures",
            "sorted by keyid, one a key",
        ),
        (
            raw(signatures=[signature(), signature(keyid="aa" * 32)]),
            "envelope.signatures",
            "sorted by keyid, one a key",
        ),
        (
            raw(signatures=[signature(keyid=f"{index:064x}") for index in range(MAX_SIGNATURES + 1)]),
            "envelope.signatures",
            "more than 256 items",
        ),
    ],
)
def test_a_wrong_envelope_is_refused_by_the_field(data: bytes, where: str, message: str) -> None:
    with pytest.raises(StatementError, match=message) as refusal:
        parse(data)
    assert refusal.value.where == where


def test_an_envelope_that_no_log_could_hold_is_neither_written_nor_read() -> None:
    most = (MAX_BYTES - len(raw(payload=""))) // 4 * 3
    largest = Envelope(kind=Kind.LIMIT, payload=b"x" * most)
    assert len(largest.to_bytes()) <= MAX_BYTES
    with pytest.raises(StatementError, match="more than 65535"):
        replace(largest, payload=b"x" * (most + 3)).to_bytes()
    with pytest.raises(StatementError, match="more than the 65535"):
        parse(raw(payload=base64.b64encode(b"x" * (most + 3)).decode()))


def test_any_flipped_bit_is_refused_or_changes_what_is_signed_or_breaks_a_signature(operator: Cast) -> None:
    (person,) = operator.some("m1")
    data = sealed(limit(operator), person)
    name = parse(data).name
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            try:
                envelope = parse(bytes(flipped))
            except StatementError:
                continue
            verified = any(
                each.key_id == person.key_id and person.public_key.verifies(envelope.signed_bytes, each.value)
                for each in envelope.signatures
            )
            assert not verified, f"bit {bit} of byte {position}"
            assert envelope.name != name or envelope.signatures != parse(data).signatures


def test_a_signature_of_one_statement_says_nothing_of_another(operator: Cast) -> None:
    one, other = encode(limit(operator)), encode(limit(operator, ceiling=60_000))
    mine = signer(1)
    assert mine.public_key.verifies(one.signed_bytes, mine.sign(one.signed_bytes))
    assert not mine.public_key.verifies(other.signed_bytes, mine.sign(one.signed_bytes))
