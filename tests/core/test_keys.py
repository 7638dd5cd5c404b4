from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.makers import signer
from grandpause.core.keys import ALGORITHMS, PublicKey, algorithm_named, key_id
from grandpause.errors import StatementError

# The eight points whose order divides 8, and the six further encodings of some of them that decoders let
# pass: C2SP/CCTV, ed25519/README.md ("eight plus six alternative encodings"); "Taming the many EdDSAs",
# table 6b.
LOW_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)
ALTERNATIVE = (
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
RFC_8032 = (  # 7.1, tests 1 to 3: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
            "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
            "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)
ORDER = 2**252 + 27742317777372353535851937790883648493


def public_key(text: str) -> PublicKey:
    return PublicKey(algorithm="ed25519", public=bytes.fromhex(text))


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify(public: str, message: str, signature: str) -> None:
    key = public_key(public)
    assert key.verifies(bytes.fromhex(message), bytes.fromhex(signature))
    assert not key.verifies(bytes.fromhex(message) + b"x", bytes.fromhex(signature))


@pytest.mark.parametrize("text", LOW_ORDER)
def test_a_low_order_key_is_refused(text: str) -> None:
    with pytest.raises(StatementError, match="low-order"):
        public_key(text)


@pytest.mark.parametrize("text", ALTERNATIVE)
def test_another_encoding_of_a_low_order_key_is_refused(text: str) -> None:
    with pytest.raises(StatementError, match=r"low-order|non-canonical"):
        public_key(text)


def test_every_encoding_with_y_of_the_prime_or_more_is_refused() -> None:
    for y in range(2**255 - 19, 2**255):
        for sign in (0, 1 << 255):
            with pytest.raises(StatementError, match="non-canonical"):
                PublicKey(algorithm="ed25519", public=(y | sign).to_bytes(32, "little"))


def test_the_library_below_would_take_a_low_order_key_under_which_anything_verifies() -> None:
    # If this fails one day, the library has learned it too; our own check stays.
    identity = bytes.fromhex(LOW_ORDER[0])
    forged = identity + bytes(32)
    for message in (b"raise", b"the ceiling"):
        Ed25519PublicKey.from_public_bytes(identity).verify(forged, message)


@pytest.mark.parametrize("text", ["02" + "00" * 31, "07" + "00" * 31])
def test_bytes_that_are_no_point_are_refused(text: str) -> None:
    with pytest.raises(StatementError, match="not a point"):
        public_key(text)


@pytest.mark.parametrize("size", [0, 31, 33, 57, 64])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(StatementError, match=f"has 32 bytes, not {size}"):
        PublicKey(algorithm="ed25519", public=b"\x09" * size)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(StatementError, match="unknown signature algorithm 'rsa'"):
        PublicKey(algorithm="rsa", public=b"\x09" * 32)
    assert algorithm_named("ed25519") is ALGORITHMS["ed25519"]


def test_the_key_id_is_computed_from_algorithm_and_key() -> None:
    key = signer(1).public_key
    assert key.key_id == hashlib.sha256(b"ed25519\x00" + key.public).hexdigest()
    assert key_id("ed25519", key.public) != key_id("ed25519x", key.public)


def test_a_signature_of_another_form_does_not_verify() -> None:
    mine = signer(1)
    good = mine.sign(b"x")
    assert mine.public_key.verifies(b"x", good)
    for bad in (b"", good[:-1], good + b"\0", bytes(64), good[32:] + good[:32]):
        assert not mine.public_key.verifies(b"x", bad)


def test_a_second_spelling_of_a_signature_does_not_verify() -> None:
    # S + L is the same scalar: accepting it would make signatures malleable (RFC 8032, 8.4).
    mine = signer(1)
    good = mine.sign(b"x")
    scalar = int.from_bytes(good[32:], "little") + ORDER
    assert not mine.public_key.verifies(b"x", good[:32] + scalar.to_bytes(32, "little"))


def test_the_keys_of_a_thousand_seeds_are_all_accepted_and_distinct() -> None:
    assert len({signer(seed).key_id for seed in range(1, 1_001)}) == 1_000


def test_a_key_that_was_refused_once_is_refused_again() -> None:
    """What was found good is remembered, since the same keys come again and again; a refusal is not."""
    for text in LOW_ORDER:
        for _ in range(3):
            with pytest.raises(StatementError):
                public_key(text)
    for _ in range(3):
        assert PublicKey(algorithm="ed25519", public=signer(1).public_key.public).key_id
