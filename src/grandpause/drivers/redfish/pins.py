"""SPKI pins: the SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469, part 2.4).

BMC certificates are often odd (negative serials, empty names, dates of 1970), and a pin judges none of
that. So the key's bytes are cut out by position instead of by a full X.509 parser.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from grandpause.errors import DeviceRefused, SiteFileError

_SEQUENCE = 0x30
_EXPLICIT_VERSION = 0xA0
_LONG_FORM = 0x80
_MOST_LENGTH_BYTES = 4
_PREFIX = "sha256//"
_PIN_BYTES = 32
_FIELDS_BEFORE_KEY = 5
"""serialNumber, signature, issuer, validity, subject (RFC 5280, part 4.1)."""


def pin_of_certificate(certificate: bytes) -> bytes:
    """Return the 32-byte pin of a DER certificate.

    Raises:
        DeviceRefused: the bytes are no certificate.
    """
    return hashlib.sha256(public_key_info(certificate)).digest()


def public_key_info(certificate: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a DER certificate, tag and length included."""
    outer, body, end = _element(certificate, 0)
    if outer != _SEQUENCE or end != len(certificate):
        raise DeviceRefused("the certificate is not one DER sequence")
    tag, place, end = _element(certificate, body)
    if tag != _SEQUENCE:
        raise DeviceRefused("the certificate has no body")
    tag, _, after = _element(certificate, place)
    if tag == _EXPLICIT_VERSION:
        place = after
    for _ in range(_FIELDS_BEFORE_KEY):
        _, _, place = _element(certificate, place)
    tag, _, after = _element(certificate, place)
    if tag != _SEQUENCE or after > end:
        raise DeviceRefused("the certificate has no public key")
    return certificate[place:after]


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (tag, where its content begins, where it ends) of the DER element at ``at``."""
    if at + 2 > len(data):
        raise DeviceRefused("the certificate ends too soon")
    tag, length, content = data[at], data[at + 1], at + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        if not 0 < count <= _MOST_LENGTH_BYTES:
            raise DeviceRefused("the certificate has a length that DER does not allow")
        length = int.from_bytes(data[content : content + count], "big")
        content += count
    if content + length > len(data):
        raise DeviceRefused("the certificate ends too soon")
    return tag, content, content + length


def format_pin(pin: bytes) -> str:
    """Return a pin as text, in the form of curl's ``--pinnedpubkey``: ``sha256//BASE64``."""
    return _PREFIX + base64.b64encode(pin).decode("ascii")


def parse_pin(text: str) -> bytes:
    """Return the 32 bytes of ``sha256//BASE64`` or of 64 hexadecimal digits.

    Raises:
        SiteFileError: it is neither.
    """
    try:
        if text.startswith(_PREFIX):
            pin = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        else:
            pin = bytes.fromhex(text) if text.isalnum() else b""
    except (binascii.Error, ValueError):
        pin = b""
    if len(pin) != _PIN_BYTES:
        raise SiteFileError(
            f"not a pin: {text!r}",
            where="pin",
            hint="write sha256//BASE64 or 64 hexadecimal digits; `site check --pin` prints it",
        )
    return pin
