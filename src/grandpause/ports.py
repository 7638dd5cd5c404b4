"""What the site controller needs of the world, as small protocols. Each docstring is a contract.

Nobody below retries, sleeps or escalates: deadlines, retries and escalation live in
``core.conductor`` alone, so that the same behaviour runs in production, drill and simulation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from grandpause.core.memory import Memory
from grandpause.core.model import Act, Interval, Power, Reply
from grandpause.core.stop import EffectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a device answered one command.

    Attributes:
        reply: accepted, refused, unreachable or timed out.
        detail: one line for people ("HTTP 401", "certificate pin differs"); no secrets.
    """

    reply: Reply
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a device says of one element's power.

    Attributes:
        power: on, off, or unknown where it did not say; unknown is a value, never "off".
        reply: how the question itself went (a claim of unknown with ``unreachable`` names a cause).
        detail: one line for people.
    """

    power: Power
    reply: Reply
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a preflight: ok, warn or fail, and the mend."""

    level: str
    subject: str
    message: str
    mend: str = ""


class Sample(NamedTuple):
    """One value of one channel of a meter.

    Attributes:
        meter: the meter's id in the site file.
        channel: what the value covers on that meter ("total", or an outlet number as text).
        watts: the value; None where the meter gave no usable value. Never 0 for "missing".
        at_s: Unix seconds at which the value was taken.
        detail: why there is no value; empty otherwise.
    """

    meter: str
    channel: str
    watts: int | None
    at_s: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRead:
    """What one question to a meter brought.

    Attributes:
        samples: one for every channel that the site file names, present or not.
        envelope: the signed reading as it came, byte for byte, where the meter's gateway signs.
    """

    samples: tuple[Sample, ...]
    envelope: bytes | None = None


class Clock(Protocol):
    """Where the controller's time comes from."""

    def wall_s(self) -> int:
        """Return the wall clock in Unix seconds."""

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment; never steps, counts while suspended (boot time)."""


class Actuator(Protocol):
    """Switches nodes (or outlets) through a management path and reads what they claim.

    Idempotent: a command that has already taken effect is accepted again. Nothing is retried here.
    Never raises for a device's fault: that is an Answer. Raises OwnFault for an unknown element.
    Cancelling a call frees its slot at once.
    """

    async def command(self, element: str, act: Act, *, within_s: float) -> Answer:
        """Send one command; return as soon as the device answered, or after ``within_s`` seconds."""

    async def claim(self, element: str, *, within_s: float) -> Claim:
        """Ask one element for its power state."""

    async def check(self, element: str, *, within_s: float) -> Sequence[Finding]:
        """Preflight: reach, credentials, what it can be told. Sends nothing that changes anything."""

    async def close(self) -> None:
        """Close every connection."""


class Meter(Protocol):
    """Reads one meter device.

    Never raises for a device's fault: a missing value is a Sample whose ``watts`` is None.
    """

    async def read(self, *, within_s: float) -> MeterRead:
        """Read every channel once."""

    async def check(self, *, within_s: float) -> Sequence[Finding]:
        """Preflight: reach, credentials, identity, plausibility."""

    async def close(self) -> None:
        """Close every connection."""


class Signer(Protocol):
    """Signs with one private key that it does not show."""

    @property
    def key_id(self) -> str:
        """SHA-256 over algorithm and public key, in hex."""

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``. Raises TrustError if the key refuses."""


class Feed(Protocol):
    """Brings statements to the site. A feed only brings bytes; it is trusted with nothing."""

    def arrivals(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (name for people, bytes) of each statement as it arrives, old ones first.

        May yield the same bytes again.
        """


class Notifier(Protocol):
    """Tells people. Never on the stop path: fire and forget; must not raise."""

    def notify(self, code: str, text: str) -> None:
        """Pass one line on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatement:
    """An admitted envelope as it came, with the time interval at which it was admitted."""

    charter: str
    data: bytes
    admitted: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One thing that happened, for people and auditors."""

    at_s: int
    code: str
    subject: str
    text: str


class Store(Protocol):
    """What the controller must never lose. Every write is durable when the call returns.

    Nothing is retried: after a failed write the pages count as clean, and a second try would lie.
    Each writing call raises StoreError, after which nothing may be written any more.
    """

    def statements(self) -> Sequence[StoredStatement]:
        """Return every statement, in the order in which they were added."""

    def memory(self) -> Memory | None:
        """Return the memory as last committed; None after a loss of state."""

    def value(self, name: str) -> bytes | None:
        """Return a named value as last committed."""

    def commit(
        self,
        *,
        statements: Sequence[StoredStatement] = (),
        memory: Memory | None = None,
        values: Mapping[str, bytes] | None = None,
        journal: Sequence[JournalLine] = (),
    ) -> None:
        """Add statements and journal lines, replace memory and values: all or nothing."""

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        """Write that these commands are about to be sent. Idempotent: a key is written once."""

    def effects(self, *, since_s: int = 0) -> Sequence[tuple[EffectKey, int]]:
        """Return every command that may have been sent since then, with its Unix second."""

    def journal(self, *, last: int) -> Sequence[JournalLine]:
        """Return the last lines, oldest first."""

    def close(self) -> None:
        """Close; nothing is lost."""
