"""Reads every meter and asks every BMC, again and again, and judges what the meters show."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from grandpause.core.elements import ElementTable
from grandpause.core.metering import complete_sums
from grandpause.core.model import Power
from grandpause.core.proving import LEAST_SAMPLES, Proof, Prover, Question, Snapshot
from grandpause.errors import StatementError, TrustError
from grandpause.ports import Actuator, Claim, Clock, Meter, MeterRead
from grandpause.site.keeper import Keeper


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


class Observer:
    """Owns the observation; the engine asks it for proofs."""

    def __init__(
        self,
        *,
        table: ElementTable,
        meters: Mapping[str, Meter],
        bmcs: Actuator | None,
        keeper: Keeper,
        clock: Clock,
        operator: str,
        window_s: int,
        within_s: float,
    ) -> None:
        self.seen = Observation()
        self.prover = Prover(table)
        self.elements = tuple(table.by_id)
        self._meters = meters
        self._bmcs = bmcs
        self._keeper = keeper
        self._clock = clock
        self._operator = operator
        self._window_s = window_s
        self._within_s = within_s
        self._sequences: dict[str, int] = {}

    async def read_meters(self) -> None:
        """Read every meter once, all at the same time."""
        names = list(self._meters)
        reads = await asyncio.gather(*(self._meters[name].read(within_s=self._within_s) for name in names))
        for name, read in zip(names, reads, strict=True):
            self._take(name, read)

    def remember_before(self) -> None:
        """Keep the newest readings as those from before a stop."""
        self.seen.before = {meter: each[-1] for meter, each in self.seen.history.items() if each}
        self.seen.signed_before = {meter: each[-1] for meter, each in self.seen.signed.items() if each}

    def watts_before(self) -> dict[str, int]:
        """Return path -> watts before the stop, for every path whose readings were complete then."""
        return complete_sums(
            self.prover.paths, {meter: each.watts for meter, each in self.seen.before.items()}
        )

    def prove(self, question: Question) -> Proof:
        """Judge the present readings."""
        return self.prover.prove(
            question,
            {meter: tuple(each) for meter, each in self.seen.history.items()},
            self.seen.before,
        )

    async def ask(
        self, elements: Sequence[str], *, at_once: int, heard: Callable[[str, Claim], None]
    ) -> None:
        """Ask every element for its power, ``at_once`` at a time; a hung BMC delays only its own slot."""
        if self._bmcs is None:
            return
        bmcs = self._bmcs
        gate = asyncio.Semaphore(at_once)

        async def one(element: str) -> None:
            async with gate:
                claim = await bmcs.claim(element, within_s=self._within_s)
            self.note(element, claim)
            heard(element, claim)

        await asyncio.gather(*(one(each) for each in elements))

    def note(self, element: str, claim: Claim) -> None:
        """Remember one claim."""
        self.seen.claims[element] = (claim, self._clock.monotonic_s())

    def fresh_claims(self, *, not_older_s: float) -> dict[str, Power]:
        """Return element -> claimed power, of claims that are not older than so many seconds."""
        oldest = self._clock.monotonic_s() - not_older_s
        return {name: claim.power for name, (claim, at) in self.seen.claims.items() if at >= oldest}

    def _take(self, meter: str, read: MeterRead) -> None:
        signed_by = ""
        if read.envelope is not None:
            try:
                reading, signed_by = self._keeper.signed_reading(read.envelope)
            except (StatementError, TrustError) as problem:
                self.seen.problems[meter] = str(problem)
                return
            if reading.sequence <= self._sequences.get(meter, 0):
                self.seen.problems[meter] = "the gateway repeated an old reading"
                return
            self._sequences[meter] = reading.sequence
            kept = self.seen.signed.setdefault(meter, deque(maxlen=LEAST_SAMPLES + 2))
            if kept and kept[-1].at_s == reading.at:
                kept.pop()  # as in the history: one a second, so that what is kept spans as many seconds
            kept.append(SignedReading(meter, reading.sequence, reading.at, read.envelope))
        self.seen.problems.pop(meter, None)
        missing = next((each for each in read.samples if each.watts is None), None)
        if missing is not None:
            self.seen.problems[meter] = f"channel {missing.channel}: {missing.detail or 'no value'}"
        snapshot = Snapshot(
            meter=meter,
            at_s=max((each.at_s for each in read.samples), default=self._clock.wall_s()),
            watts={each.channel: each.watts for each in read.samples},
            signed_by=signed_by,
        )
        history = self.seen.history.setdefault(meter, deque())
        if history and history[-1].at_s == snapshot.at_s:
            history.pop()
        history.append(snapshot)
        while len(history) > LEAST_SAMPLES and history[0].at_s < snapshot.at_s - self._window_s:
            history.popleft()
