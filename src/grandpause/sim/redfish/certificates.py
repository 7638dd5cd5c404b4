"""Self-signed certificates of simulated BMCs, as real BMCs leave the factory with."""

from __future__ import annotations

import base64
import hashlib
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """A certificate with its key.

    Attributes:
        context: the server side's TLS context with both loaded.
        certificate_pem: the certificate; self-signed, so it serves as its own authority.
        pin_hex: SHA-256 over the SubjectPublicKeyInfo, in hex.
    """

    context: ssl.SSLContext
    certificate_pem: bytes
    pin_hex: str

    @property
    def pin_base64(self) -> str:
        """The same pin in base64, as RFC 7469 writes it."""
        return base64.b64encode(bytes.fromhex(self.pin_hex)).decode()


def self_signed(name: str, *, addresses: Iterable[str] = ()) -> ServerCertificate:
    """Make a key (EC P-256) and a certificate for ``name`` and the IP ``addresses``, valid for 30 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), *(x509.IPAddress(ip_address(address)) for address in addresses)]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public_key = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ServerCertificate(
        context=_server_context(certificate_pem + key_pem),
        certificate_pem=certificate_pem,
        pin_hex=hashlib.sha256(public_key).hexdigest(),
    )


def _server_context(chain_and_key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # session tickets cost a write a handshake, and BMCs' clients rarely resume
    with tempfile.NamedTemporaryFile() as file:  # ssl loads keys from files only; mode 0600, gone at once
        file.write(chain_and_key)
        file.flush()
        context.load_cert_chain(file.name)
    return context
