"""Public keys and their algorithms: a table, ready for more. (spec/keys.md)

A key's id is SHA-256(algorithm || 0x00 || public key) and is always computed here, never believed.
Keys under which one signature verifies any message (low order), and second encodings of one key
(non-canonical), are refused before they enter a charter: OpenSSL accepts both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from grandpause.errors import StatementError

_P = 2**255 - 19
_D = -121_665 * pow(121_666, -1, _P) % _P
_SIGN_BIT = 1 << 255
# The y coordinates of the eight points whose order divides 8 (RFC 8032 curve; the list is that of
# libsodium's ge25519_has_small_order and of C2SP/CCTV's ed25519 vectors).
_ORDER_EIGHT = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_LOW_ORDER_Y = frozenset({0, 1, _P - 1, _ORDER_EIGHT, _P - _ORDER_EIGHT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One signature algorithm.

    Attributes:
        name: as written in statements.
        public_size: bytes of a public key.
        signature_size: bytes of a signature.
        check: raises StatementError for a public key that must not be used.
        verify: tells whether (public key, message, signature) is valid.
    """

    name: str
    public_size: int
    signature_size: int
    check: Callable[[bytes], None]
    verify: Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that passed its algorithm's checks."""

    algorithm: str
    public: bytes

    def __post_init__(self) -> None:
        algorithm_named(self.algorithm).check(self.public)

    @property
    def key_id(self) -> str:
        """SHA-256 over algorithm and key, in hex."""
        return key_id(self.algorithm, self.public)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` over ``message`` was made with this key."""
        algorithm = algorithm_named(self.algorithm)
        return len(signature) == algorithm.signature_size and algorithm.verify(
            self.public, message, signature
        )


def key_id(algorithm: str, public: bytes) -> str:
    """Return SHA-256(algorithm || 0x00 || public key) in hex."""
    return hashlib.sha256(algorithm.encode() + b"\0" + public).hexdigest()


def algorithm_named(name: str) -> Algorithm:
    """Return the algorithm. Raises StatementError for one that this version does not know."""
    if name not in ALGORITHMS:
        raise StatementError(f"unknown signature algorithm {name!r}; known: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


@lru_cache(maxsize=1_024)
def _check_ed25519(public: bytes) -> None:
    if len(public) != 32:  # noqa: PLR2004
        raise StatementError(f"an Ed25519 public key has 32 bytes, not {len(public)}")
    number = int.from_bytes(public, "little")
    y = number & ~_SIGN_BIT
    if y >= _P:
        raise StatementError("non-canonical Ed25519 public key (y is not below 2^255 - 19)")
    if y in _LOW_ORDER_Y:
        raise StatementError("low-order Ed25519 public key: one signature would verify any message")
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(x_squared, (_P - 1) // 2, _P) != 1:
        raise StatementError("not a point of the Ed25519 curve")


def _verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


ALGORITHMS: Mapping[str, Algorithm] = {
    "ed25519": Algorithm(
        name="ed25519",
        public_size=32,
        signature_size=64,
        check=_check_ed25519,
        verify=_verify_ed25519,
    ),
}
