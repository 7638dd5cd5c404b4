"""Keys in files: PKCS#8 PEM for the private key (0600, maybe with a passphrase), JSON for the public one.

The private key file is what OpenSSL reads too (``openssl pkey -in FILE``).
"""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from grandpause.core.envelope import Envelope, Signature
from grandpause.core.keys import PublicKey
from grandpause.errors import StatementError, TrustError, UsageError
from grandpause.ports import Signer

PUBLIC_SCHEMA = "grandpause.key/1"


class FileSigner:
    """Signs with an Ed25519 private key (``ports.Signer``)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_key = PublicKey(algorithm="ed25519", public=public)

    @property
    def key_id(self) -> str:
        """SHA-256 over algorithm and public key, in hex."""
        return self.public_key.key_id

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``."""
        return self._private.sign(message)

    @classmethod
    def generate(cls) -> FileSigner:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    def write(self, private_file: Path, *, passphrase: bytes | None = None) -> Path:
        """Write the private key (mode 0600) and, beside it, ``.pub.json``; return the latter's path.

        Raises:
            UsageError: either file exists; a key is never overwritten.
        """
        public_file = public_path(private_file)
        encryption: KeySerializationEncryption = (
            BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        )
        data = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        for path in (private_file, public_file):
            if path.exists() or path.is_symlink():
                raise UsageError(
                    "exists already; a key is never overwritten", where=str(path), hint="choose another name"
                )
        private_file.parent.mkdir(parents=True, exist_ok=True)
        _create(private_file, data, 0o600)
        _create(public_file, public_json(self.public_key), 0o644)
        return public_file

    @classmethod
    def read(cls, private_file: Path, *, passphrase: bytes | None = None) -> FileSigner:
        """Read a private key.

        Raises:
            UsageError: no such file, not a key, a wrong or missing passphrase, or readable by others.
        """
        where = str(private_file)
        try:
            mode = private_file.stat().st_mode
            data = private_file.read_bytes()
        except OSError as cause:
            raise UsageError(f"cannot be read: {cause.strerror}", where=where) from cause
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError("is readable by others than its owner", where=where, hint=f"chmod 600 {where}")
        try:
            private = load_pem_private_key(data, passphrase)
        except TypeError as cause:
            raise UsageError("needs a passphrase, or has none", where=where) from cause
        except ValueError as cause:
            raise UsageError("is no private key, or the passphrase is wrong", where=where) from cause
        if not isinstance(private, Ed25519PrivateKey):
            raise UsageError("is no Ed25519 key", where=where)
        return cls(private)


def public_path(private_file: Path) -> Path:
    """Return where the public half of a key file lies."""
    return private_file.with_name(private_file.name.removesuffix(".pem") + ".pub.json")


def public_json(key: PublicKey) -> bytes:
    """Return a public key as the JSON that charters are made from."""
    value = {
        "schema": PUBLIC_SCHEMA,
        "alg": key.algorithm,
        "key": base64.b64encode(key.public).decode(),
        "keyid": key.key_id,
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def read_public(path: Path) -> PublicKey:
    """Read a public key file. The key id in it is not believed, but must agree.

    Raises:
        UsageError: not such a file, a bad key, or a key id that does not belong to the key.
    """
    try:
        value = json.loads(path.read_bytes())
        key = PublicKey(algorithm=value["alg"], public=base64.b64decode(value["key"], validate=True))
    except OSError as cause:
        raise UsageError(f"cannot be read: {cause.strerror}", where=str(path)) from cause
    except (ValueError, KeyError, TypeError, RecursionError, StatementError) as cause:
        raise UsageError(f"is no public key file: {cause}", where=str(path)) from cause
    if value.get("keyid") != key.key_id:
        raise UsageError("its keyid does not belong to its key", where=str(path))
    return key


def signed(envelope: Envelope, signer: Signer) -> Envelope:
    """Return ``envelope`` with the signer's signature added.

    Raises:
        TrustError: this key has signed it already.
    """
    if any(each.key_id == signer.key_id for each in envelope.signatures):
        raise TrustError(f"key {signer.key_id[:16]}… has signed this already", where="signatures")
    return envelope.with_signatures((Signature(signer.key_id, signer.sign(envelope.signed_bytes)),))


def _create(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
