"""Where a node's BMC is, whom it must prove to be, and how much the driver may hold at once.

All are values that the site file's loader builds; nothing here reads a file or opens a socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from grandpause.errors import SiteFileError

_RESOURCE_ID = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:@!$&'()*+,;=-]+"
_SYSTEM = re.compile(rf"/redfish/v1/Systems/{_RESOURCE_ID}/?")
_RESET = re.compile(rf"(/redfish/v1/Systems/{_RESOURCE_ID})/Actions/ComputerSystem\.Reset/?")
_RESOURCE = re.compile(rf"/redfish/v1(?:/{_RESOURCE_ID})*/?")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PIN_BYTES = 32
_LAST_PORT = 65_535


class Auth(StrEnum):
    """How credentials are sent."""

    BASIC = "basic"
    """With every request: one request fewer on the stop path."""
    SESSION = "session"
    """Once, for a token that is renewed once when the BMC no longer knows it. BMCs allow few sessions and
    end an unused one themselves; one more request before the first command of a cold stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to a BMC. The password never shows in a repr, an error or a log."""

    user: str
    password: str = field(repr=False)
    auth: Auth = Auth.BASIC

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise SiteFileError("a BMC's user name is empty or holds a colon (RFC 7617)", where="user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """TLS to a BMC whose key is known: SHA-256 of its SubjectPublicKeyInfo, for self-signed certificates.

    The pin replaces chain and name: whoever holds the key is the BMC. Several pins allow a key to change.
    """

    pins: frozenset[bytes]

    def __post_init__(self) -> None:
        if not self.pins or any(len(pin) != _PIN_BYTES for pin in self.pins):
            raise SiteFileError("a pin is a SHA-256 of 32 bytes, and there is at least one", where="pin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """TLS to a BMC with a certificate of a known authority, checked for chain, dates and name.

    Attributes:
        authorities_pem: the site's own authorities; empty for those of the operating system.
        name: the name in the certificate, where it differs from the host that is dialled.
    """

    authorities_pem: str = field(default="", repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHttp:
    """No TLS at all: credentials and commands can be read and altered. For simulators; `check` warns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One element's BMC.

    Attributes:
        host: address (better) or name; a name makes the stop depend on name service.
        port: TCP port.
        security: how the BMC proves who it is.
        credentials: None for a BMC that asks for none.
        system: the path of the element's system, where several stand behind one address; else empty.
        reset: the Reset action's path, where it is known for certain; else empty.
    """

    host: str
    port: int = 443
    security: Pinned | Verified | PlainHttp
    credentials: Credentials | None
    system: str = ""
    reset: str = ""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise SiteFileError(f"not a host or address: {self.host!r}", where="host")
        if not 0 < self.port <= _LAST_PORT:
            raise SiteFileError(f"not a TCP port: {self.port}", where="port")
        if self.system and not is_system_path(self.system):
            raise SiteFileError(f"not the path of a system: {self.system!r}", where="system")
        if self.reset and not is_reset_path(self.reset, system=self.system):
            raise SiteFileError(
                f"not a ComputerSystem.Reset of the system {self.system!r}: {self.reset!r}",
                where="reset",
                hint="nothing else is ever sent a POST",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the driver holds at once. None of these is a time-out: those are the caller's.

    Attributes:
        window: connections in handshake or request at once. More only queues in the BMCs and in us.
        lend_after_s: a request without an answer for so long lends its slot to the next one, and goes on.
        lent: at most so many slots are lent; with ``window`` it bounds the open files of a stop.
        kept: idle connections kept, the least recently used closed first (20 to 23 KB each).
        stop_body: bytes of a body on the stop path (commands, claims, what is learned at stop time).
        check_body: bytes of a body elsewhere.
        header: bytes of status line and headers.
    """

    window: int = 300
    lend_after_s: float = 1.0
    lent: int = 3_000
    kept: int = 2_000
    stop_body: int = 65_536
    check_body: int = 1_048_576
    header: int = 16_384

    def __post_init__(self) -> None:
        counts = (self.window, self.stop_body, self.check_body, self.header)
        if min(counts) < 1 or min(self.lent, self.kept) < 0 or self.lend_after_s <= 0:
            raise SiteFileError("limits of the Redfish driver must be positive", where="redfish")


def is_system_path(path: str) -> bool:
    """Tell whether ``path`` names one system of the collection, and nothing else."""
    return _SYSTEM.fullmatch(path) is not None


def is_reset_path(path: str, *, system: str) -> bool:
    """Tell whether ``path`` is ComputerSystem.Reset of ``system`` (of any one system, if that is empty).

    This is the only kind of path that a command is ever sent to: resets of chassis, managers, keys and
    databases are advertised in the same words and do other things.
    """
    match = _RESET.fullmatch(path)
    return match is not None and (not system or match.group(1) == system.rstrip("/"))


def is_resource_path(path: str) -> bool:
    """Tell whether ``path`` may be asked for: below the service root, no query, no parent folder."""
    return _RESOURCE.fullmatch(path) is not None
