"""Who may use a simulated BMC: one user, by HTTP Basic or by Redfish sessions."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum, auto

from grandpause.sim.parts import Node


class Login(Enum):
    """How a request identified itself."""

    GOOD = auto()
    BAD = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The user name and password of every BMC of a farm; never shown by ``repr``."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password=***)"

    @classmethod
    def generated(cls) -> Credentials:
        """Make a user with a random password: simulated BMCs have no default password either."""
        return cls(user="operator", password=secrets.token_urlsafe(12))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session; it ends with the BMC's boot (``boot_s``: when the BMC came up)."""

    node_id: str
    session_id: str
    boot_s: float


class Access:
    """Checks credentials and keeps sessions, for all BMCs of a farm.

    Attributes:
        basic: HTTP Basic is accepted.
        sessions: sessions can be opened.
    """

    def __init__(self, credentials: Credentials, *, basic: bool = True, sessions: bool = True) -> None:
        self.credentials = credentials
        self.basic = basic
        self.sessions = sessions
        pair = f"{credentials.user}:{credentials.password}".encode()
        self._authorization = b"Basic " + base64.b64encode(pair)
        self._open: dict[str, OpenSession] = {}
        self._opened = 0

    def login(self, node: Node, headers: dict[bytes, bytes]) -> Login:
        """Judge the request's headers; a token counts only on the BMC that gave it, until it reboots."""
        token = headers.get(b"x-auth-token")
        if token is not None:
            session = self._open.get(token.decode("latin-1"))
            good = session is not None and (session.node_id, session.boot_s) == (node.id, node.bmc_up_s)
            return Login.GOOD if good else Login.BAD
        authorization = headers.get(b"authorization")
        if authorization is None:
            return Login.NONE
        good = self.basic and hmac.compare_digest(authorization, self._authorization)
        return Login.GOOD if good else Login.BAD

    def open_session(self, node: Node, user: object, password: object) -> tuple[str, str] | None:
        """Open a session; return its id and token, or None for wrong credentials."""
        if not (self.sessions and isinstance(user, str) and isinstance(password, str)):
            return None
        known = self.credentials
        right_user = hmac.compare_digest(user.encode(), known.user.encode())
        right_password = hmac.compare_digest(password.encode(), known.password.encode())
        if not (right_user and right_password):
            return None
        self._opened += 1
        token = secrets.token_hex(16)
        session_id = str(self._opened)
        self._open[token] = OpenSession(node_id=node.id, session_id=session_id, boot_s=node.bmc_up_s)
        return session_id, token

    def session_ids(self, node: Node) -> tuple[str, ...]:
        """Return the sessions that are open on one BMC."""
        return tuple(
            session.session_id
            for session in self._open.values()
            if (session.node_id, session.boot_s) == (node.id, node.bmc_up_s)
        )

    def close_session(self, node: Node, session_id: str) -> bool:
        """End one session of one BMC; False if there is none of this id."""
        for token, session in self._open.items():
            if session.node_id == node.id and session.session_id == session_id:
                del self._open[token]
                return True
        return False

    def expire_sessions(self) -> None:
        """End every session, as a time-out would."""
        self._open.clear()
