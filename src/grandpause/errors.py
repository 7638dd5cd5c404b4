"""Every error of Grandpause, by whose fault it is and what the caller can do.

    GrandpauseError
    ├── FormError            the input is malformed: mend the input                        exit 2
    │   ├── StatementError   bytes that are no acceptable statement or envelope
    │   ├── SiteFileError    a site file that cannot be used
    │   ├── BundleError      an evidence bundle whose files are missing, extra or unreadable
    │   └── UsageError       a command given arguments that do not go together
    ├── TrustError           well formed, but signature, quorum, digest or power say no    exit 3
    ├── StaleError           too old to say anything about now                             exit 4
    ├── DeviceError          a device's fault: the conductor escalates, nothing else
    │   ├── DeviceRefused    it answered no: the same request again is useless
    │   └── DeviceUnreachable  no (complete) answer in time: may be tried again
    └── OwnFault             our own fault                                                 exit 5
        ├── StoreError       the disk did not keep a promise: safe state, exit, no retry
        └── IllegalEvent     a state machine was given an event that its table does not know

No error ever raises a ceiling: an input that fails is left out, and what was in force stays in force.
"""

from __future__ import annotations

from typing import ClassVar


class GrandpauseError(Exception):
    """Root of all errors.

    Attributes:
        code: stable, machine-readable; may be matched by scripts.
        where: the file, field, node or meter at fault; empty if none applies.
        hint: what to do next; empty if there is nothing to do.
        exit_code: the process's exit code where the error ends a command.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"

    def at(self, place: str) -> GrandpauseError:
        """Return the same error with ``place`` (a file, say) put before where it happened."""
        where = f"{place}: {self.where}" if self.where else place
        return type(self)(self.message, where=where, hint=self.hint)


class FormError(GrandpauseError):
    """The input is malformed."""

    code = "form"
    exit_code = 2


class StatementError(FormError):
    """Bytes that are no acceptable statement or envelope."""

    code = "statement"


class SiteFileError(FormError):
    """A site file that cannot be used."""

    code = "site-file"


class BundleError(FormError):
    """An evidence bundle that is incomplete or unreadable."""

    code = "bundle"


class UsageError(FormError):
    """Arguments that do not go together, or a file that is not where it should be."""

    code = "usage"


class TrustError(GrandpauseError):
    """Well formed, but refused: signature, quorum, digest, power, or time."""

    code = "trust"
    exit_code = 3


class StaleError(GrandpauseError):
    """Too old to say anything about now."""

    code = "stale"
    exit_code = 4


class DeviceError(GrandpauseError):
    """A device's fault."""

    code = "device"
    exit_code = 1


class DeviceRefused(DeviceError):
    """The device answered no; the same request again is useless."""

    code = "device-refused"


class DeviceUnreachable(DeviceError):
    """No complete answer within the time allowed; may be tried again."""

    code = "device-unreachable"


class OwnFault(GrandpauseError):
    """Our own fault."""

    code = "own-fault"


class StoreError(OwnFault):
    """The disk did not keep a promise."""

    code = "store"


class IllegalEvent(OwnFault):
    """A state machine was given an event that its table does not know; nothing changed."""

    code = "illegal-event"
