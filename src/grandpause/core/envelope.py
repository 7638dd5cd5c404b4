"""The DSSE envelope: a payload, its type, and signatures over both. (spec/envelope.md)

A statement's name is SHA-256(PAE), so envelopes of one payload are one statement, whatever
signatures each of them carries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grandpause.core import canonical
from grandpause.core.canonical import Value
from grandpause.core.fields import Fields
from grandpause.errors import StatementError

_PREFIX: Final = "application/vnd.grandpause."
_SUFFIX: Final = "+json"
MAX_SIGNATURES: Final = 256


class Kind(StrEnum):
    """The kinds of statement; each has a payload type of its own."""

    CHARTER = "charter"
    LIMIT = "limit"
    LIFT = "lift"
    PERMIT = "permit"
    RESTART = "restart"
    REFUSAL = "refusal"
    DECLARATION = "declaration"
    STATUS = "status"
    READING = "reading"
    EVIDENCE = "evidence"
    DRILL = "drill"

    @property
    def payload_type(self) -> str:
        """The media type that is signed with the payload."""
        return f"{_PREFIX}{self.value}{_SUFFIX}"


@dataclass(frozen=True, slots=True, order=True)
class Signature:
    """One signature and the id of the key that is said to have made it."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with signatures (sorted by key id; one a key)."""

    kind: Kind
    payload: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """The pre-authentication encoding, which is what every key signs."""
        return pae(self.kind.payload_type, self.payload)

    @property
    def name(self) -> str:
        """The statement's name: SHA-256(PAE) in hex."""
        return hashlib.sha256(self.signed_bytes).hexdigest()

    def with_signatures(self, signatures: tuple[Signature, ...]) -> Envelope:
        """Return the same payload with ``signatures`` added; the first of a key stays."""
        by_key = {each.key_id: each for each in (*signatures, *self.signatures)}
        return Envelope(kind=self.kind, payload=self.payload, signatures=tuple(sorted(by_key.values())))

    def to_bytes(self) -> bytes:
        """Return the one encoding of this envelope.

        Raises:
            StatementError: it would be longer than 65,535 bytes.
        """
        data = canonical.encode(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.kind.payload_type,
                "signatures": [
                    {"keyid": each.key_id, "sig": base64.b64encode(each.value).decode()}
                    for each in self.signatures
                ],
            }
        )
        if len(data) > canonical.MAX_BYTES:
            raise StatementError(f"the envelope has {len(data)} bytes, more than {canonical.MAX_BYTES}")
        return data


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding (DSSE protocol 1.0.2)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse(data: bytes) -> Envelope:
    """Return the envelope that ``data`` encodes. No signature is verified here.

    Raises:
        StatementError: too long, not canonical, unknown type, a key twice, or bad base64.
    """
    fields = Fields(canonical.decode(data), "envelope")
    kind = _kind(fields)
    payload = _base64(fields, "payload")
    signatures = fields.each("signatures", _signature, most=MAX_SIGNATURES)
    fields.close()
    ids = [each.key_id for each in signatures]
    if ids != sorted(set(ids)):
        raise StatementError("must be sorted by keyid, one a key", where="envelope.signatures")
    return Envelope(kind=kind, payload=payload, signatures=signatures)


def _kind(fields: Fields) -> Kind:
    text = fields.text("payloadType", most=100)
    for kind in Kind:
        if text == kind.payload_type:
            return kind
    fields.refuse("payloadType", f"unknown statement type {text!r}")


def _signature(fields: Fields) -> Signature:
    return Signature(fields.hexadecimal("keyid", size=32), _base64(fields, "sig"))


def _base64(fields: Fields, name: str) -> bytes:
    text: Value = fields.take(name)
    if not isinstance(text, str):
        fields.refuse(name, "must be a base64 string")
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fields.refuse(name, "not base64")
    # b64decode accepts padding bits that are not zero: a second spelling of the same bytes.
    if base64.b64encode(value).decode() != text:
        fields.refuse(name, "not canonical base64")
    return value
