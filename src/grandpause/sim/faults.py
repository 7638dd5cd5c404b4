"""How simulated BMCs and meters misbehave. A test says what goes wrong in words:

    plant.node("r01n05").bmc.hangs()
    plant.meter("row03a").sticks()

Each fault is a kind that was seen in the field (requirements: the ten bad BMCs; stuck, zero, NaN, stale
and swapped meters). ``recovers`` ends all of them. Faults change what is answered or shown; the simulated
truth itself lives in ``plant``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grandpause.errors import UsageError

OFFERED_RESET_TYPES = ("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "PowerCycle")
"""What a BMC offers unless told otherwise; the set of the Supermicro and Dell captures, less their extras."""


class Manner(StrEnum):
    """What becomes of one request."""

    ANSWERS = "answers"
    HANGS = "hangs"
    DROPS = "drops"
    FAILS = "fails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """How a BMC receives one request.

    Attributes:
        manner: whether it answers at all.
        status: the HTTP status where the manner is ``FAILS``; 200 otherwise.
        delay_s: seconds before it does anything.
        acts: whether a command takes effect although no good answer comes.
    """

    manner: Manner = Manner.ANSWERS
    status: int = 200
    delay_s: float = 0.0
    acts: bool = True


_WELL = Reception()


class Lie(StrEnum):
    """How a BMC that obeys no command speaks of it."""

    NONE = "none"
    SAYS_OFF = "says off"
    STAYS_ON = "stays on"


class Bmc:
    """The management controller of one node, with its manners.

    Attributes:
        reset_types: what its Reset action accepts.
        lie: whether it accepts commands without obeying, and what it says afterwards.
        told_off: a lying BMC was told to go off since the last power-on command.
        ignores_soft_off: the host's operating system never reacts to the power button.
        action_info: the reset types are offered through ``@Redfish.ActionInfo`` only, not inline.
    """

    __slots__ = (
        "_flicker",
        "_flicker_at",
        "_reception",
        "action_info",
        "ignores_soft_off",
        "lie",
        "reset_types",
        "told_off",
    )

    def __init__(self) -> None:
        self.recovers()
        self.action_info = False

    def recovers(self) -> None:
        """End every fault (a BMC that offers its reset types by ActionInfo goes on doing so)."""
        self._reception = _WELL
        self._flicker: tuple[int | None, ...] = ()
        self._flicker_at = 0
        self.lie = Lie.NONE
        self.told_off = False
        self.ignores_soft_off = False
        self.reset_types: tuple[str, ...] = OFFERED_RESET_TYPES

    def hangs(self, *, acts: bool = False) -> None:
        """Take every request and never answer; with ``acts`` commands take effect all the same."""
        self._receive(Manner.HANGS, acts=acts)

    def drops(self, *, acts: bool = False) -> None:
        """Close the connection at every request, without an answer."""
        self._receive(Manner.DROPS, acts=acts)

    def answers(self, status: int, *, acts: bool = False) -> None:
        """Answer every request with this HTTP status."""
        self._receive(Manner.FAILS, status=status, acts=acts)

    def slow(self, seconds: float) -> None:
        """Take so long over every request; goes together with the other faults."""
        now = self._reception
        self._reception = Reception(manner=now.manner, status=now.status, delay_s=seconds, acts=now.acts)

    def flickers(self, *statuses: int | None) -> None:
        """Go round these statuses, one a request; None answers well. 503 and 401 after a BMC's restart."""
        if not statuses:
            raise UsageError("name the statuses to go round, None for a good answer", where="flickers")
        self._flicker = statuses
        self._flicker_at = 0

    def lies(self) -> None:
        """Accept every command, stay as it is, and say Off once told to go off."""
        self.lie = Lie.SAYS_OFF

    def lies_openly(self) -> None:
        """Accept every command, stay as it is, and go on saying so (the DMTF mockup server's way)."""
        self.lie = Lie.STAYS_ON

    def ignores_graceful(self) -> None:
        """Accept GracefulShutdown, but the host never goes off by it."""
        self.ignores_soft_off = True

    def offers_reset_types(self, types: Iterable[str]) -> None:
        """Offer just these reset types; anything else is refused."""
        self.reset_types = tuple(types)

    def offers_by_action_info(self) -> None:
        """Name the reset types in an ActionInfo resource, as DGX H100, GB200 and Supermicro do."""
        self.action_info = True

    def reception(self) -> Reception:
        """Say how the next request is received. Each call counts as one request of a flicker."""
        if not self._flicker:
            return self._reception
        status = self._flicker[self._flicker_at % len(self._flicker)]
        self._flicker_at += 1
        if status is None:
            return self._reception
        return Reception(manner=Manner.FAILS, status=status, delay_s=self._reception.delay_s, acts=False)

    def _receive(self, manner: Manner, *, status: int = 200, acts: bool) -> None:
        self._reception = Reception(manner=manner, status=status, delay_s=self._reception.delay_s, acts=acts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a meter measures at one moment: watts in total and of each outlet (none for a feed)."""

    at_s: float
    total: float
    outlets: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a meter shows: a value (None: no value; it may be NaN) and the time it gives for it."""

    watts: float | None
    at_s: float


class Mood(StrEnum):
    """What is wrong with a meter."""

    TRUE = "true"
    STUCK = "stuck"
    ZERO = "zero"
    NAN = "nan"
    STALE = "stale"
    SILENT = "silent"


class Meter:
    """The meter of one row power unit or feed, with its moods.

    Attributes:
        name: the unit or feed whose wires it is on.
        gain: its constant calibration error, a factor near 1.
        mood: what is wrong with it.
        shows: the meter whose values stand under this one's name; itself unless two were swapped.
    """

    __slots__ = ("_frozen", "_measure", "gain", "mood", "name", "shows")

    def __init__(self, name: str, measure: Callable[[], Measured], *, gain: float) -> None:
        self.name = name
        self.gain = gain
        self.mood = Mood.TRUE
        self.shows = self
        self._measure = measure
        self._frozen: Measured | None = None

    def sticks(self) -> None:
        """Show the present values for ever, with the present time as their time."""
        self._frozen = self._measure()
        self.mood = Mood.STUCK

    def zeroes(self) -> None:
        """Show 0 for everything."""
        self.mood = Mood.ZERO

    def gives_nan(self) -> None:
        """Show "not a number" for everything."""
        self.mood = Mood.NAN

    def goes_stale(self) -> None:
        """Show the present values for ever, and honestly their old time."""
        self._frozen = self._measure()
        self.mood = Mood.STALE

    def goes_silent(self) -> None:
        """Show no value at all."""
        self.mood = Mood.SILENT

    def swaps_with(self, other: Meter) -> None:
        """Exchange what stands under the two names (crossed cables, exchanged labels)."""
        self.shows, other.shows = other.shows, self.shows

    def recovers(self) -> None:
        """End every fault; a meter that this one was swapped with comes right too."""
        if self.shows is not self:
            partner = next(meter for meter in self._cycle() if meter.shows is self)
            partner.shows = self.shows
            self.shows = self
        self.mood = Mood.TRUE
        self._frozen = None

    def shown(self, watts: float, now_s: float, outlet: int | None) -> Shown:
        """Turn ``watts`` on the wires into what is displayed (``outlet`` None: the total)."""
        if self.mood is Mood.SILENT:
            return Shown(watts=None, at_s=now_s)
        if self.mood is Mood.ZERO:
            return Shown(watts=0.0, at_s=now_s)
        if self.mood is Mood.NAN:
            return Shown(watts=math.nan, at_s=now_s)
        if self._frozen is not None:
            watts = self._frozen.total if outlet is None else self._frozen.outlets[outlet]
            now_s = self._frozen.at_s if self.mood is Mood.STALE else now_s
        return Shown(watts=watts * self.gain, at_s=now_s)

    def _cycle(self) -> Iterable[Meter]:
        meter = self
        while True:
            yield meter
            meter = meter.shows
            if meter is self:
                return
