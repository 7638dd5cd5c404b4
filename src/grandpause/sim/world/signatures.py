"""Signatures by a table, so that a world's people can sign thousands of statements.

Real signatures are fuzzed elsewhere; here everything else about them is real: which key signed which bytes.
The public keys are real ones, since the core refuses points that are none.
"""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grandpause.core.envelope import Envelope, Signature
from grandpause.core.keys import PublicKey


@cache
def public_key(number: int) -> PublicKey:
    """Return the public key of a number; the same one in every world."""
    private = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    return PublicKey(algorithm="ed25519", public=private.public_key().public_bytes_raw())


class SignatureTable:
    """Knows which key signed which bytes; nothing else is a signature."""

    def __init__(self) -> None:
        self._made: dict[bytes, tuple[bytes, bytes]] = {}

    def signed(self, envelope: Envelope, *keys: PublicKey) -> bytes:
        """Return the envelope's bytes with a signature of each key."""
        message = envelope.signed_bytes
        made = []
        for key in keys:
            value = hashlib.sha512(key.public + message).digest()
            self._made[value] = (key.public, message)
            made.append(Signature(key.key_id, value))
        return envelope.with_signatures(tuple(made)).to_bytes()

    def check(self, key: PublicKey, message: bytes, value: bytes) -> bool:
        """Tell whether ``key`` signed ``message`` so; takes the place of ``PublicKey.verifies``."""
        return self._made.get(value) == (key.public, message)
