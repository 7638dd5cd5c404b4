"""Public keys: their ids, those that must never enter a charter, and signatures good and bad."""

from __future__ import annotations

from typing import Final

from tools.vectors.cast import PEOPLE, Json, seed_of, signer

_P: Final = 2**255 - 19
_ORDER_EIGHT: Final = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
_ORDER_EIGHT_NEGATED: Final = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
MESSAGE: Final = b"DSSEv1 1 x 1 y"


def _number(y: int, *, sign: bool = False) -> str:
    return (y | (sign << 255)).to_bytes(32, "little").hex()


def _with_sign(text: str) -> str:
    raw = bytearray.fromhex(text)
    raw[31] |= 0x80
    return raw.hex()


def _refused() -> dict[str, tuple[str, str]]:
    """Return id -> (key, why)."""
    low, twice, off = "low order", "non-canonical", "not a point of the curve"
    return {
        "identity": (_number(1), low),
        "identity-with-sign": (_number(1, sign=True), low),
        "order-2": (_number(_P - 1), low),
        "order-2-with-sign": (_number(_P - 1, sign=True), low),
        "order-4": (_number(0), low),
        "order-4-with-sign": (_number(0, sign=True), low),
        "order-8": (_ORDER_EIGHT, low),
        "order-8-with-sign": (_with_sign(_ORDER_EIGHT), low),
        "order-8-negated": (_ORDER_EIGHT_NEGATED, low),
        "order-8-negated-with-sign": (_with_sign(_ORDER_EIGHT_NEGATED), low),
        "p-for-0": (_number(_P), twice),
        "p-plus-1-for-1": (_number(_P + 1), twice),
        "p-plus-3-for-3": (_number(_P + 3), twice),
        "largest": (_number(2**255 - 1), twice),
        "largest-with-sign": (_number(2**255 - 1, sign=True), twice),
        "y-is-2": (_number(2), off),
        "31-bytes": ("00" * 31, "length"),
        "33-bytes": ("00" * 33, "length"),
        "empty": ("", "length"),
    }


def cases() -> Json:
    """Return the content of keys.json."""
    good = signer("ada").sign(MESSAGE)
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(good[32:], "little")
    second = good[:32] + (s + order).to_bytes(32, "little")
    return {
        "keys": [
            {
                "id": name,
                "alg": "ed25519",
                "private": seed_of(name).hex(),
                "public": signer(name).public_key.public.hex(),
                "keyid": signer(name).key_id,
            }
            for name in PEOPLE
        ],
        "refused": [
            {"id": name, "alg": "ed25519", "public": key, "why": why, "code": "statement"}
            for name, (key, why) in _refused().items()
        ]
        + [
            {
                "id": "unknown-algorithm",
                "alg": "rsa",
                "public": signer("ada").public_key.public.hex(),
                "why": "unknown algorithm",
                "code": "statement",
            }
        ],
        "signatures": [
            {"id": name, "key": "ada", "message": MESSAGE.hex(), "signature": value.hex(), "valid": valid}
            for name, value, valid in (
                ("good", good, True),
                ("one-bit-of-r", bytes([good[0] ^ 1]) + good[1:], False),
                ("one-bit-of-s", good[:32] + bytes([good[32] ^ 1]) + good[33:], False),
                ("s-plus-the-group-order", second, False),
                ("63-bytes", good[:-1], False),
                ("65-bytes", good + b"\0", False),
                ("by-another-key", signer("bo").sign(MESSAGE), False),
            )
        ],
    }
