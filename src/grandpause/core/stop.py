"""The words of a stop: phases, cues, moves in one literal table; events, effects, state. (spec/conductor.md)

Nothing happens here: ``core.conductor`` moves the state along this table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from grandpause.core.model import Act, Outcome, Power, Reply, Stage, VerdictWord
from grandpause.core.plan import Cut, Plan
from grandpause.core.ramp import RampBook


class Phase(StrEnum):
    """Where one node stands."""

    KEPT = "kept"
    WAITING = "waiting"
    SENT = "sent"
    BACKOFF = "backoff"
    DOUBTING = "doubting"
    WATCHING = "watching"
    OFF = "off"
    EXHAUSTED = "exhausted"


class Cue(StrEnum):
    """What can happen to one node."""

    DUE = "due"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LOST = "lost"
    SEEN_OFF = "seen off"
    SEEN_ON = "seen on"
    UNSEEN = "unseen"
    METERED_OFF = "metered off"
    METERED_ON = "metered on"
    LATE = "late"


class Move(StrEnum):
    """What follows."""

    STAY = "stay"
    SEND = "send the rung's command"
    WATCH = "ask whether it went off"
    LINGER = "ask again later"
    RETRY = "send again later"
    DOUBT = "it said no: ask whether it is off already"
    REST = "rest as off"
    CLIMB = "go to the next rung"
    TRIP = "came back on: go down again"


TABLE: Final[Mapping[Phase, Mapping[Cue, Move]]] = {
    Phase.KEPT: {},
    Phase.WAITING: {Cue.DUE: Move.SEND, Cue.METERED_OFF: Move.STAY},
    Phase.SENT: {
        Cue.ACCEPTED: Move.WATCH,
        Cue.REFUSED: Move.DOUBT,
        Cue.LOST: Move.RETRY,
        Cue.LATE: Move.CLIMB,
        Cue.METERED_OFF: Move.REST,
    },
    Phase.BACKOFF: {Cue.DUE: Move.SEND, Cue.LATE: Move.CLIMB, Cue.METERED_OFF: Move.REST},
    Phase.DOUBTING: {
        Cue.SEEN_OFF: Move.REST,
        Cue.SEEN_ON: Move.CLIMB,
        Cue.UNSEEN: Move.CLIMB,
        Cue.LATE: Move.CLIMB,
        Cue.METERED_OFF: Move.REST,
    },
    Phase.WATCHING: {
        Cue.DUE: Move.WATCH,
        Cue.SEEN_OFF: Move.REST,
        Cue.SEEN_ON: Move.LINGER,
        Cue.UNSEEN: Move.LINGER,
        Cue.LATE: Move.CLIMB,
        Cue.METERED_OFF: Move.REST,
    },
    Phase.OFF: {Cue.SEEN_ON: Move.TRIP, Cue.METERED_ON: Move.CLIMB},
    Phase.EXHAUSTED: {Cue.DUE: Move.TRIP, Cue.SEEN_OFF: Move.REST, Cue.METERED_OFF: Move.REST},
}
"""A cue that a phase does not list leaves the node as it is; the phases and cues themselves are closed."""

ACT_OF: Final[Mapping[Stage, Act]] = {
    Stage.SOFT_OFF: Act.SOFT_OFF,
    Stage.FORCE_OFF: Act.FORCE_OFF,
    Stage.OUTLET_OFF: Act.OUTLET_OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take, in seconds. All of it comes from the site file.

    Attributes:
        rung_s: how long each stage may take before it escalates.
        command_s: how long a device has to answer one command or question.
        poll_s: between two questions whether a node went off.
        backoff_s: before a command that got lost is sent again.
        retry_s: before a node at the end of its ladder is tried again.
        settle_s: after a claim of "off", how long the meters have to agree with it.
    """

    rung_s: Mapping[Stage, float]
    command_s: float = 10.0
    poll_s: float = 1.0
    backoff_s: float = 2.0
    retry_s: float = 15.0
    settle_s: float = 5.0


class EffectKey(NamedTuple):
    """Names one command for ever: the same key is the same command."""

    statement: str
    element: str
    stage: Stage
    attempt: int


# Events. Those that come by the thousand are named tuples, which are made in a third of the time.
@dataclass(frozen=True, slots=True)
class Begin:
    """Follow this plan from now on.

    Attributes:
        claims: what each element said of its power just now, where it was asked; never an old memory.
        deadline_s: monotonic seconds by which the ceiling is to be proven; None if nothing says.
    """

    plan: Plan
    claims: Mapping[str, Power]
    deadline_s: float | None = None


class Answered(NamedTuple):
    """A device answered a command."""

    key: EffectKey
    reply: Reply
    detail: str = ""


class Claimed(NamedTuple):
    """A device said what its power is (or did not)."""

    element: str
    power: Power
    reply: Reply = Reply.ACCEPTED
    detail: str = ""


class Metered(NamedTuple):
    """What the meters say of each element that they can tell apart; only what changed need be here."""

    elements: Mapping[str, Power]


class Judged(NamedTuple):
    """The proof's verdict just now."""

    word: VerdictWord


class Tick(NamedTuple):
    """Time passed."""


Event: TypeAlias = Begin | Answered | Claimed | Metered | Judged | Tick


# Effects.
class Command(NamedTuple):
    """Tell one element to do one thing; answer with ``Answered`` within ``within_s`` seconds."""

    key: EffectKey
    act: Act
    within_s: float


class Question(NamedTuple):
    """Ask one element (``outlet``: its outlets) for its power; answer with ``Claimed``."""

    element: str
    outlet: bool
    within_s: float


class Alarm(NamedTuple):
    """Something that people must know."""

    code: str
    element: str
    text: str


Effect: TypeAlias = Command | Question | Alarm


@dataclass(slots=True)
class NodeRun:
    """One node on its way down."""

    element: str
    ladder: tuple[Stage, ...]
    rung: int = 0
    phase: Phase = Phase.KEPT
    attempt: int = 0
    serial: int = 0
    rung_serial: int = 0
    rung_until: float = 0.0
    due_s: float = 0.0
    drop_w: int = 0
    outcome: Outcome = Outcome.UNKNOWN
    detail: str = ""
    claim: Power = Power.UNKNOWN
    claim_s: float = 0.0
    off_since: float = 0.0
    metered: Power = Power.UNKNOWN
    metered_s: float = 0.0
    residual: bool = False
    """It came to the end of its ladder and people were told; it is tried again, without a new alarm."""

    @property
    def open(self) -> bool:
        """Whether the stop still waits for it."""
        return self.phase not in SETTLED and not self.residual

    @property
    def stage(self) -> Stage | None:
        """The stage whose command it is under; None before the first and for a node that is kept."""
        if self.phase in {Phase.KEPT, Phase.WAITING} or not self.ladder:
            return None
        return self.ladder[min(self.rung, len(self.ladder) - 1)]


SETTLED: Final = frozenset({Phase.KEPT, Phase.OFF, Phase.EXHAUSTED})
"""Phases in which nothing is on its way."""


@dataclass(slots=True)
class Stop:
    """The state of one site's stop, from waiting to hold. Made empty; ``Begin`` gives it a plan.

    Attributes:
        pending: nodes that the stop still waits for.
        unbegun: cuts of the plan that no step has come to yet; every step takes some of them.
        claims: what the nodes said of their power when the plan began.
        timers: a heap of (when, order, node, cue, serial).
        book: what the ramp has charged; it outlives a plan and a stop.
    """

    timing: Timing
    plan: Plan | None = None
    statement: str = ""
    began_s: float = 0.0
    deadline_s: float | None = None
    verdict: VerdictWord | None = None
    alarmed: bool = False
    runs: dict[str, NodeRun] = field(default_factory=dict)
    pending: int = 0
    unbegun: deque[Cut] = field(default_factory=deque)
    claims: Mapping[str, Power] = field(default_factory=dict)
    timers: list[tuple[float, int, NodeRun, Cue, int]] = field(default_factory=list)
    timer_count: int = 0
    book: RampBook = field(default_factory=RampBook)

    @property
    def stage(self) -> Stage | None:
        """The earliest stage that a node is still in; then prove; then hold. None without a plan."""
        if self.plan is None:
            return None
        if self.pending == 0:
            return Stage.HOLD if self.verdict is VerdictWord.PROVEN else Stage.PROVE
        stages = [each.stage or each.ladder[0] for each in self.runs.values() if each.ladder and each.open]
        return min(stages, key=list(Stage).index, default=Stage.PROVE)

    @property
    def untouched(self) -> int:
        """Nodes that nothing was sent to yet: up to here, nothing is lost."""
        return len(self.unbegun) + sum(each.phase is Phase.WAITING for each in self.runs.values())
