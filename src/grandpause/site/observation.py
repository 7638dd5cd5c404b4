"""What was seen of a site lately: readings and claims. No IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from grandpause.core.model import Power
from grandpause.core.proving import LEAST_SAMPLES, Snapshot
from grandpause.core.statement.facts import Reading
from grandpause.errors import StatementError, TrustError
from grandpause.ports import Claim, MeterRead

ReadingCheck: TypeAlias = Callable[[bytes], tuple[Reading, str]]
"""Returns a signed reading and the body that signed it; raises StatementError or TrustError."""


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A signed reading as it came, kept for the bundle."""

    meter: str
    sequence: int
    at_s: int
    data: bytes


@dataclass(slots=True)
class Observation:
    """What was seen of the site lately.

    Attributes:
        history: meter -> its readings within the window, oldest first.
        before: meter -> a reading from before the stop.
        signed: the envelopes of signed readings within the window.
        claims: element -> the newest claim, and when it was made (monotonic seconds).
        problems: meter -> why its last reading was no use.
    """

    history: dict[str, deque[Snapshot]] = field(default_factory=dict)
    before: dict[str, Snapshot] = field(default_factory=dict)
    signed: dict[str, deque[SignedReading]] = field(default_factory=dict)
    signed_before: dict[str, SignedReading] = field(default_factory=dict)
    claims: dict[str, tuple[Claim, float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    _sequences: dict[str, int] = field(default_factory=dict)

    def remember_before(self) -> None:
        """Keep the newest readings as those from before a stop."""
        self.before = {meter: each[-1] for meter, each in self.history.items() if each}
        self.signed_before = {meter: each[-1] for meter, each in self.signed.items() if each}

    def fresh_claims(self, *, since_s: float) -> Mapping[str, Power]:
        """Return element -> claimed power, of claims that were made at this moment or later."""
        return {name: claim.power for name, (claim, at) in self.claims.items() if at >= since_s}

    def take(self, meter: str, read: MeterRead, *, wall_s: int, window_s: int, check: ReadingCheck) -> None:
        """Remember what a meter was read to show; what cannot be believed becomes a problem, in words.

        Args:
            window_s: how old a reading may be that proves something.
            check: judges readings that a gateway signed.
        """
        signed_by = ""
        if read.envelope is not None:
            try:
                reading, signed_by = check(read.envelope)
            except (StatementError, TrustError) as problem:
                self.problems[meter] = str(problem)
                return
            if reading.sequence <= self._sequences.get(meter, 0):
                self.problems[meter] = "the gateway repeated an old reading"
                return
            self._sequences[meter] = reading.sequence
            kept = self.signed.setdefault(meter, deque(maxlen=LEAST_SAMPLES + 2))
            if kept and kept[-1].at_s == reading.at:
                kept.pop()  # as in the history: one a second, so that what is kept spans as many seconds
            kept.append(SignedReading(meter, reading.sequence, reading.at, read.envelope))
        self.problems.pop(meter, None)
        missing = next((each for each in read.samples if each.watts is None), None)
        if missing is not None:
            self.problems[meter] = f"channel {missing.channel}: {missing.detail or 'no value'}"
        self.add(
            Snapshot(
                meter=meter,
                at_s=max((each.at_s for each in read.samples), default=wall_s),
                watts={each.channel: each.watts for each in read.samples},
                signed_by=signed_by,
            ),
            window_s=window_s,
        )

    def repeat(self, meter: str, *, at_s: int, window_s: int) -> None:
        """Add one more reading that shows what the last one of this meter showed, taken at ``at_s``."""
        last = self.history[meter][-1]
        self.add(
            Snapshot(meter=meter, at_s=at_s, watts=last.watts, signed_by=last.signed_by), window_s=window_s
        )

    def add(self, snapshot: Snapshot, *, window_s: int) -> None:
        """Add one reading to its meter's history, and forget those that the window has left behind."""
        history = self.history.setdefault(snapshot.meter, deque())
        while history and history[-1].at_s >= snapshot.at_s:
            history.pop()  # the same second again; or dated ahead, by a clock that was set since
        history.append(snapshot)
        while len(history) > LEAST_SAMPLES and history[0].at_s < snapshot.at_s - window_s:
            history.popleft()
