"""What is judged of one site: every decision, verdict and alarm, against the ledger and the machines."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from grandpause.core.model import Caps, Profile, VerdictWord
from grandpause.core.proving import Proof
from grandpause.core.ramp import RampRule
from grandpause.core.stop import Timing
from grandpause.sim.world import invariants
from grandpause.sim.world.clock import MachineClock
from grandpause.sim.world.hall import RATED_W, Hall, Machine
from grandpause.sim.world.ledger import Ledger
from grandpause.sim.world.process import SWEEP_S, WINDOW_S, Process
from grandpause.site.keeper import Decision

if TYPE_CHECKING:
    from grandpause.sim.world.world import World

WATCHDOG_S: Final = 60.0
"""After so long without a sign of life the supervisor tells people (and starts the controller anew)."""
_TOLD_LATE_S: Final = 3 * SWEEP_S


class Watched:
    """The half of a site that is watched; ``SimSite`` is the half that lives.

    Attributes:
        caps: what the controller last said is allowed; what people count on while it is down.
        nonce: what it last showed.
        exceeding_s: since when the machines really use more than that; None if they do not.
        adversarial: whether an adversarial limit surely binds.
        alarmed_s: when people were last told something.
        proven, unproven: what people were last told of the verdict.
        named: elements that an alarm named in this life of the controller.
        clock_safe: the controller's interval holds the true time.
        clock_honest: and it is no wider than the clock's stated error makes it.
        silent: people were told that the controller is down.
    """

    world: World
    id: str
    hall: Hall
    clock: MachineClock
    timing: Timing
    ramp: RampRule
    ledger: Ledger
    process: Process | None
    booted_s: float

    def __init__(self) -> None:
        self.caps = Caps()
        self.nonce = ""
        self.exceeding_s: float | None = None
        self.adversarial = False
        self.alarmed_s = -1.0
        self.proven = False
        self.unproven = False
        self.silent = False
        self.clock_honest = True
        self.clock_safe = True
        self.named: set[str] = set()
        self._overridden_s = -math.inf
        self._drops: deque[tuple[float, int]] = deque()

    def judge_decision(self, decision: Decision) -> None:
        """Hold a decision against the ledger."""
        world, ledger, memory = self.world, self.ledger, decision.memory
        now_s = world.now_s
        for name in sorted(memory.used - ledger.used):
            if name in ledger.done and world.is_permission(name):
                ledger.used.add(name)
                continue
            invariants.restart_by_the_right_people(name, self.nonce, ledger)
            ledger.restarted(name, now_s)
            world.count("restarts")
        self.nonce = memory.nonce
        safe = self.clock_safe and not ledger.doubtful
        honest = safe and self.clock_honest
        ledger.lower_latch(now_s, armed=memory.armed, safe=safe, honest=honest)
        invariants.latch_never_lost(memory, ledger)
        invariants.standby_stands(memory, ledger)
        invariants.no_ceiling_raised(decision.caps, ledger, now_s, clock_honest=safe)
        if honest:
            invariants.nothing_without_a_quorum(decision.caps, ledger, now_s)
        self.adversarial = safe and any(
            limit.profile is Profile.ADVERSARIAL for _, limit in ledger.must_bind(now_s)
        )
        if decision.order.ramp_override:
            self._overridden_s = now_s
        if decision.caps.entries != self.caps.entries:
            world.decided(self, decision.caps)
            if self.exceeding_s is not None and not invariants.exceeds(self.caps, self.hall):
                self.exceeding_s = None
            self.caps = decision.caps
            self.proven = False  # a new question
        self.assess()

    def judge_disarming(self) -> None:
        """Hold a disarming that was allowed against what people signed."""
        process = self.process
        assert process is not None
        newly = process.controller.keeper.memory.used - self.ledger.used
        if self.clock_safe and not self.ledger.doubtful:
            invariants.disarmed_by_the_right_people(newly, self.nonce, self.ledger, self.world.now_s)
        self.ledger.used |= newly

    def judge_proof(self) -> None:
        """Hold the present verdict against the truth."""
        process = self.process
        if process is None or process.controller.proof is None or process.controller.stop.plan is None:
            return
        word = process.controller.proof.word
        if self.exceeding_s is not None:
            invariants.proven_is_true(
                word, exceeding_for_s=self.world.now_s - self.exceeding_s, window_s=WINDOW_S + SWEEP_S
            )

    def alarm(self, code: str, text: str) -> None:
        """People are told something."""
        self.alarmed_s = self.world.now_s
        if code in {"deadline", "residual", "contradicted", "hold-broken"}:
            self.unproven = True
        if code == "hold-broken":
            self.proven = False
        self.world.alarmed(self, code, text)

    def verdict(self, proof: Proof) -> None:
        """People are given a verdict."""
        self.proven = proof.word is VerdictWord.PROVEN
        self.unproven = not self.proven
        self.world.verdict(self, proof.word)

    def demanded(self) -> None:
        """A stop begins."""
        self.proven = self.unproven = False
        self.world.count("trips")

    def ended(self) -> None:
        """Nothing binds any more, or the controller was disarmed."""
        self.proven = self.unproven = False

    def assess(self) -> None:
        """See whether the machines use more than is allowed; if so, people must hear of it in time."""
        over = bool(self.caps) and self.ledger.armed and invariants.exceeds(self.caps, self.hall)
        if not over:
            self.exceeding_s = None
        elif self.exceeding_s is None:
            now_s = self.exceeding_s = self.world.now_s
            self.world.push(self._due_s(), self.due, now_s, None)
            if self.proven:
                self.world.push(now_s + WINDOW_S + 4 * SWEEP_S, self.withdrawn, now_s, None)

    def due(self, since_s: float, _b: object) -> None:
        """By now the machines are within what is allowed, or people were told."""
        if self.exceeding_s != since_s:
            return
        world = self.world
        process = self.process
        if (
            self.booted_s > since_s
            and process is not None
            and world.now_s < self.booted_s + self._patience_s()
        ):
            world.push(self.booted_s + self._patience_s(), self.due, since_s, None)
            return
        told = self.alarmed_s >= since_s or self.unproven or self.silent
        world.count("late-but-alarmed" if told else "late")
        invariants.down_or_alarmed(
            exceeding_for_s=world.now_s - since_s, may_s=self._patience_s(), alarmed=told
        )

    def withdrawn(self, since_s: float, _b: object) -> None:
        """By now a verdict that is true no more has been taken back."""
        if self.exceeding_s == since_s and self.process is not None and self.booted_s < since_s:
            invariants.proven_is_withdrawn(
                told_proven=self.proven and self.alarmed_s < since_s,
                exceeding_for_s=self.world.now_s - since_s,
            )

    def _dropped(self, _machine: Machine, watts: int) -> None:
        most = self.ramp.watts_per_minute
        now_s = self.world.now_s
        if self.process is not None and self.process.controller.decision.order.ramp_override:
            self._overridden_s = now_s
        if most is None or now_s - self._overridden_s <= invariants.RAMP_WINDOW_S + self._patience_s():
            return
        drops = self._drops
        drops.append((now_s, watts))
        while drops[0][0] <= now_s - invariants.RAMP_WINDOW_S:
            drops.popleft()
        invariants.ramp_kept(drops, now_s, most)

    def _due_s(self) -> float:
        """Return when people must have heard that the machines use too much."""
        process, now_s = self.process, self.world.now_s
        stop = None if process is None else process.controller.stop
        if stop is not None and stop.plan is not None and stop.deadline_s is not None and not stop.alarmed:
            return max(self.clock.true_s(stop.deadline_s), now_s) + _TOLD_LATE_S
        return now_s + self._patience_s()

    def _patience_s(self) -> float:
        """How long a machine that comes on may stay unseen, and then go through its whole ladder."""
        ladder_s = sum(self.timing.rung_s.values())
        ramp_s = 0.0
        if self.ramp.watts_per_minute is not None:
            # Each machine holds its watts through its ladder and a minute more.
            ramp_s = len(self.hall.machines) * RATED_W / self.ramp.watts_per_minute * (ladder_s + 60.0)
        return ladder_s + ramp_s + self.timing.settle_s + WINDOW_S + WATCHDOG_S + _TOLD_LATE_S
