"""Small values of the SNMP driver: where a device is, what it is asked with, which outlet is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address

from grandpause.errors import SiteFileError

SNMP_PORT = 161
LAST_PORT = 65_535
LEAST_SECRET = 8
"""RFC 3414, 11.2: a pass phrase has at least eight characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an agent listens: an IPv4 address and a UDP port.

    A host name is refused: no name server may stand on the stop path.
    """

    host: str
    port: int = SNMP_PORT

    def __post_init__(self) -> None:
        try:
            IPv4Address(self.host)
        except AddressValueError as error:
            raise SiteFileError(
                f"{self.host!r} is no IPv4 address", where="address", hint="write the address, not a name"
            ) from error
        if not 0 < self.port <= LAST_PORT:
            raise SiteFileError(f"no UDP port: {self.port}", where=self.host)

    def __str__(self) -> str:
        return self.host if self.port == SNMP_PORT else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """What SNMP v2c is asked with. It crosses the network in clear."""

    name: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise SiteFileError("an empty community", where="community")


class Authentication(StrEnum):
    """How SNMP v3 messages are authenticated (RFC 3414, RFC 7860). MD5 is there for old cards only."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


class Privacy(StrEnum):
    """How SNMP v3 messages are kept private (RFC 3826, and the 256-bit draft of many vendors)."""

    NONE = "none"
    AES128 = "aes128"
    AES256 = "aes256"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of SNMP v3: always authenticated; private unless the site file says "none"."""

    name: str
    authentication: Authentication
    authentication_secret: str = field(repr=False)
    privacy: Privacy = Privacy.AES128
    privacy_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        secrets = {"authentication": self.authentication_secret}
        if self.privacy is not Privacy.NONE:
            secrets["privacy"] = self.privacy_secret
        for kind, secret in secrets.items():
            if len(secret) < LEAST_SECRET:
                raise SiteFileError(
                    f"the {kind} pass phrase has fewer than {LEAST_SECRET} characters", where=self.name
                )


Credential = Community | User


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One agent and what to ask it with."""

    address: Address
    credential: Credential

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """One outlet of one power unit.

    Attributes:
        peer: the unit's agent.
        number: the outlet's number as the unit counts them (from 1 on all known units).
        unit: the place in a chain of units behind one agent; None where the profile knows no chains, or
            for its default.
    """

    peer: Peer
    number: int
    unit: int | None = None

    def __post_init__(self) -> None:
        if self.number < 0 or (self.unit is not None and self.unit < 0):
            raise SiteFileError(f"no outlet: {self.number}", where=str(self.peer))

    def __str__(self) -> str:
        chained = "" if self.unit is None else f"unit {self.unit} "
        return f"{self.peer} {chained}outlet {self.number}"

    @property
    def place(self) -> tuple[Address, int | None, int]:
        """What makes it this outlet and no other, whatever it is asked with."""
        return self.peer.address, self.unit, self.number


class Kind(StrEnum):
    """What sort of value an agent gave; counters and time ticks are no measured watts."""

    INTEGER = "integer"
    GAUGE = "gauge"
    TEXT = "text"
    OID = "oid"
    ABSENT = "absent"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One object as an agent gave it.

    Attributes:
        kind: its sort; ``ABSENT`` for noSuchObject, noSuchInstance and endOfMibView.
        number: the value of an integer or gauge; None for every other kind.
        text: the value of a text or object identifier, or what is missing and how.
    """

    kind: Kind
    number: int | None = None
    text: str = ""
