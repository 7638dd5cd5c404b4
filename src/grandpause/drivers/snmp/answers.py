"""What came back from an agent: values as Bindings, and errors by name and by what the caller can do."""

from __future__ import annotations

from typing import Any

from pyasn1.type import univ
from pysnmp.proto import errind, rfc1902, rfc1905

from grandpause.drivers.snmp.values import Binding, Kind, Peer
from grandpause.errors import DeviceRefused, DeviceUnreachable

STATUS_NAMES = (
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType",
    "wrongLength", "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable",
    "commitFailed", "undoFailed", "authorizationError", "notWritable", "inconsistentName",
)  # fmt: skip
"""RFC 3416, section 3: error-status."""

PASSING = frozenset({"genErr", "resourceUnavailable", "commitFailed", "undoFailed"})
"""A busy agent gives these; the same request may be taken a moment later."""

NOT_TRUSTED = (
    errind.AuthenticationError,
    errind.AuthenticationFailure,
    errind.DecryptionError,
    errind.UnknownSecurityName,
    errind.UnknownUserName,
    errind.UnsupportedSecurityLevel,
    errind.WrongDigest,
)


class NoAnswer(DeviceUnreachable):
    """Nothing came back in time: no agent, a wrong community, or a lost datagram; these look alike."""

    code = "device-no-answer"


def binding(value: Any) -> Binding:
    """Turn a decoded value into a Binding; a text is read as UTF-8, whatever else is in it replaced."""
    if isinstance(value, rfc1905.NoSuchObject | rfc1905.NoSuchInstance | rfc1905.EndOfMibView):
        return Binding(kind=Kind.ABSENT, text=type(value).__name__)
    if isinstance(value, rfc1902.ObjectName | univ.ObjectIdentifier):
        return Binding(kind=Kind.OID, text=".".join(str(arc) for arc in tuple(value)))
    if isinstance(value, rfc1902.Counter32 | rfc1902.Counter64 | rfc1902.TimeTicks):
        return Binding(kind=Kind.OTHER, text=type(value).__name__)
    if isinstance(value, rfc1902.Gauge32 | rfc1902.Unsigned32):
        return Binding(kind=Kind.GAUGE, number=int(value))
    if isinstance(value, univ.Integer):
        return Binding(kind=Kind.INTEGER, number=int(value))
    if isinstance(value, rfc1902.IpAddress | rfc1902.Opaque) or not isinstance(value, univ.OctetString):
        return Binding(kind=Kind.OTHER, text=type(value).__name__)
    return Binding(kind=Kind.TEXT, text=bytes(value).decode("utf-8", "replace").rstrip("\0"))


def no_answer(peer: Peer, within_s: float) -> NoAnswer:
    """Return the error for silence."""
    return NoAnswer(
        f"no answer within {within_s:.3g} s",
        where=str(peer),
        hint="no agent there, a wrong community or SNMP version, or a lost datagram",
    )


def raise_indication(indication: Any, peer: Peer, within_s: float) -> None:
    """Raise for what the SNMP engine found wrong; return where it found nothing."""
    if indication is None:
        return
    if isinstance(indication, errind.RequestTimedOut):
        raise no_answer(peer, within_s)
    name = type(indication).__name__
    if isinstance(indication, NOT_TRUSTED):
        raise DeviceRefused(f"SNMP v3: {name}", where=str(peer), hint="compare user, pass phrases, protocols")
    raise DeviceUnreachable(f"no usable answer: {name}", where=str(peer))


def raise_status(status: int, index: int, questions: list[tuple[Any, Any]], peer: Peer) -> None:
    """Raise for an error-status; a passing one may be tried again, every other is a refusal."""
    if status == 0:
        return
    name = STATUS_NAMES[status] if 0 < status < len(STATUS_NAMES) else f"error-status {status}"
    culprit = f" at {questions[index - 1][0]}" if 0 < index <= len(questions) else ""
    if name in PASSING:
        raise DeviceUnreachable(f"answered {name}{culprit}", where=str(peer), hint="the agent may be busy")
    raise DeviceRefused(f"answered {name}{culprit}", where=str(peer))
