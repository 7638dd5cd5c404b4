"""From an envelope's payload to a statement, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from grandpause.core import canonical
from grandpause.core.envelope import Envelope, Kind
from grandpause.core.fields import Fields
from grandpause.core.statement.acts import Lift, Limit, Permit, Restart
from grandpause.core.statement.charter import Charter, read_charter
from grandpause.core.statement.facts import Declaration, Evidence, Reading, Status
from grandpause.errors import StatementError

Act: TypeAlias = Limit | Lift | Permit | Restart | Declaration
"""What names a charter, a version and a power, and needs that power's quorum."""

Statement: TypeAlias = Charter | Act | Status | Reading | Evidence

_READERS: Mapping[Kind, Callable[[Fields], Statement]] = {
    Kind.CHARTER: read_charter,
    Kind.LIMIT: Limit.read,
    Kind.LIFT: Lift.read,
    Kind.PERMIT: Permit.read,
    Kind.RESTART: Restart.read,
    Kind.DECLARATION: Declaration.read,
    Kind.STATUS: Status.read,
    Kind.READING: Reading.read,
    Kind.EVIDENCE: Evidence.read,
}


def decode(envelope: Envelope) -> Statement:
    """Return the statement in ``envelope``; nothing is verified here.

    Raises:
        StatementError: not canonical, a field unknown, missing, of the wrong type or out of range, or
            a kind that this version does not act on (refusal and drill are drafts).
    """
    reader = _READERS.get(envelope.kind)
    if reader is None:
        raise StatementError(f"statements of kind {envelope.kind} are a draft and not read by this version")
    fields = Fields(canonical.decode(envelope.payload), str(envelope.kind))
    statement = reader(fields)
    fields.close()
    return statement


def encode(statement: Statement) -> Envelope:
    """Return an envelope without signatures that holds ``statement``."""
    return Envelope(kind=statement.kind, payload=canonical.encode(dict(statement.to_value())))
