"""What an HTTP status means to the conductor, which repeats "unreachable" and "timed out", never "refused".

Refused: the same request again is useless, so the conductor escalates at once (soft off, force off,
outlet). Unreachable: the BMC may do it a moment later. A 500 is among these because Redfish's own
registry says "Resubmit the request" of an internal error (Base.InternalError), and because 401 aside the
codes that BMCs show for minutes after their own restart are 500 and 503. Where it persists, the stage's
deadline ends the repetition and the conductor escalates all the same.
"""

from __future__ import annotations

from grandpause.core.model import Power, Reply

_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)
_SERVER_FAULTS = range(500, 600)
_TRY_AGAIN = frozenset({408, 425, 429})
_NEVER_AGAIN = frozenset({501, 505})

MOVED_AWAY = frozenset({404, 405, 410})
"""What is known of the BMC no longer holds (new firmware): it is asked again, once."""

WRONG_STATE = frozenset({400, 409})
"""How BMCs say "it is off already", among other things."""

_POWER_OF_STATE = {
    "On": Power.ON,
    "Off": Power.OFF,
    "PoweringOff": Power.ON,
    "Paused": Power.ON,
}
"""ComputerSystem.PowerState. A node that is going off is not off, and one that is coming is unknown."""


def reply_of(status: int) -> Reply:
    """Return what a status says of one request."""
    if status in _SUCCESS:
        return Reply.ACCEPTED
    if status in _TRY_AGAIN or (status in _SERVER_FAULTS and status not in _NEVER_AGAIN):
        return Reply.UNREACHABLE
    return Reply.REFUSED


def detail_of(status: int) -> str:
    """Return a status as one phrase for people."""
    if status in _REDIRECTS:
        return f"HTTP {status} (redirects are not followed)"
    return f"HTTP {status}"


def power_of(state: object) -> Power:
    """Return what a PowerState claims; unknown for anything that is not plainly on or off."""
    return _POWER_OF_STATE.get(state, Power.UNKNOWN) if isinstance(state, str) else Power.UNKNOWN
