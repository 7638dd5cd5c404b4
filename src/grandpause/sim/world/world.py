"""One world: an agenda, a clock, some sites, their people, and everything that strikes them."""

from __future__ import annotations

import gc
import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from grandpause.core.ceiling import ceiling
from grandpause.core.model import Caps, Interval, VerdictWord
from grandpause.core.statement.acts import Restart, RestartPurpose
from grandpause.core.trust import TrustedSet
from grandpause.errors import StoreError
from grandpause.sim.world import invariants
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.director import Director
from grandpause.sim.world.disk import PowerCut
from grandpause.sim.world.invariants import Violated
from grandpause.sim.world.people import People, Posted, keys_of
from grandpause.sim.world.report import Violation, WorldReport
from grandpause.sim.world.settings import DAY_S, Fault, Settings
from grandpause.sim.world.signatures import SignatureTable
from grandpause.sim.world.site import SimSite
from grandpause.sim.world.trace import BLOCK, Trace
from grandpause.sim.world.watch import Watched

Handler = Callable[[Any, Any], object]


class World:
    """Everything of one seed.

    Attributes:
        now_s: true seconds since the world began.
        commands, messages, readings, deadlines: how many there were.
        posted: every statement that anybody ever posted, by name.
    """

    def __init__(self, settings: Settings, *, words: bool) -> None:
        self.settings = settings
        self.chance = random.Random(f"world {settings.seed}")
        self.words = words
        self.trace = Trace(keeps_words=words)
        self.now_s = 0.0
        self.commands = self.messages = self.readings = self.deadlines = self.idle_sweeps = 0
        self.counts: Counter[str] = Counter(spurious=0)
        self.faults: Counter[str] = Counter()
        self.table = SignatureTable()
        self.people = People(self.chance, self.table)
        self.posted: dict[str, Posted] = {}
        self._agenda: list[tuple[float, int, Handler, Any, Any]] = []
        self._serial = 0
        self._nonces = 0
        self.sites = [
            SimSite(self, number, random.Random(f"site {settings.seed} {number}"))
            for number in range(1, settings.sites + 1)
        ]
        self.director = Director(self)

    def run(self) -> WorldReport:
        """Let it happen, until everything has healed or something happens that must not."""
        begun = time.process_time()
        violations: tuple[Violation, ...] = ()
        end_s = self.settings.days * DAY_S
        try:
            for site in self.sites:
                site.boot()
            self.director.begin()
            self._happen(end_s)
            self.director.heal()
            self._happen(end_s + self.director.healing_s)
            self._end()
        except Violated as found:
            self.counts["spurious"] += found.invariant == "nothing_without_a_quorum"
            site_id = getattr(self, "_at_site", "")
            violations = (
                Violation(
                    invariant=found.invariant,
                    site=site_id,
                    at_s=self.now_s,
                    event=self.trace.count,
                    text=found.text,
                ),
            )
        return WorldReport(
            seed=self.settings.seed,
            trace=self.trace.hexdigest(),
            site_s=self.now_s * len(self.sites),
            events={
                "commands": self.commands,
                "messages": self.messages,
                "readings": self.readings,
                "deadlines": self.deadlines,
                "faults": self.faults.total(),
            },
            idle_sweeps=self.idle_sweeps,
            counts=dict(sorted(self.counts.items())),
            faults=dict(sorted(self.faults.items())),
            violations=violations,
            words=self.trace.words,
            cpu_s=time.process_time() - begun,
        )

    def push(self, at_s: float, handler: Handler, a: object, b: object) -> None:
        """Let ``handler(a, b)`` happen at ``at_s``."""
        self._serial += 1
        heapq.heappush(self._agenda, (at_s, self._serial, handler, a, b))

    def strikes(self, fault: Fault) -> bool:
        """Tell whether a class of trouble is on in this world; count it where it is."""
        if fault in self.settings.faults:
            self.struck(fault)
            return True
        return False

    def struck(self, fault: Fault) -> None:
        """Count one blow."""
        self.faults[fault.value] += 1

    def count(self, what: str) -> None:
        """Count one thing that came of it."""
        self.counts[what] += 1

    def fresh_nonce(self) -> str:
        """Return a nonce that was never used."""
        self._nonces += 1
        return f"{self.chance.getrandbits(96):024x}{self._nonces:08x}"

    def held(self, trusted: TrustedSet, posted: Posted, people: tuple[str, ...]) -> bool:
        """Tell whether a set has these people's signatures of a statement."""
        entry = trusted.entry(posted.name)
        if entry is None:
            return False
        known = entry.signers | {each.key_id for each in entry.unverified}
        return all(key.key_id in known for each in people for key in keys_of(each))

    def is_permission(self, name: str) -> bool:
        """Tell whether a statement is a permission to disarm."""
        posted = self.posted.get(name)
        statement = posted.statement if posted else None
        return isinstance(statement, Restart) and statement.purpose is RestartPurpose.DISARM

    # What is told to people; it is part of the trace.

    def note(self, site: Watched, text: str) -> None:
        """Keep some words for a failure."""
        if self.words:
            self.trace.say(self.now_s, f"{site.id} {text}")

    def decided(self, site: Watched, caps: Caps) -> None:
        """A site's allowed caps changed."""
        text = ", ".join(f"{key.part} {key.unit} {value}" for key, value in caps) or "rated"
        self.trace.mark(f"{site.id} {text}")
        self.note(site, f"now allows {text}")
        if caps.exceeds(site.caps) or not site.caps:
            self.count("demands")

    def alarmed(self, site: Watched, code: str, text: str) -> None:
        """An alarm."""
        self.trace.mark(f"{site.id} {code} {text}")
        self.count("alarms")
        self.note(site, f"ALARM {code}: {text}")

    def verdict(self, site: Watched, word: VerdictWord) -> None:
        """A verdict."""
        self.trace.mark(f"{site.id} {word}")
        self.count(str(word))
        self.note(site, f"verdict: {word}")

    def _happen(self, until_s: float) -> None:
        agenda, trace, take = self._agenda, self.trace, heapq.heappop
        numbers = trace.numbers
        while agenda and agenda[0][0] <= until_s:
            at_s, serial, handler, a, b = take(agenda)
            self.now_s = at_s
            numbers.append(at_s)
            numbers.append(serial)
            if len(numbers) >= BLOCK:
                trace.full()
            try:
                handler(a, b)
            except PowerCut:
                self._site_of(handler, a).power_fails()
            except StoreError as fault:
                self._site_of(handler, a).ends(fault)
            except Violated:
                self._at_site = self._site_of(handler, a).id
                raise
        self.now_s = until_s

    def _site_of(self, handler: Handler, a: object) -> SimSite:
        owner = getattr(handler, "__self__", None)
        found = (
            a
            if isinstance(a, SimSite)
            else owner
            if isinstance(owner, SimSite)
            else getattr(owner, "site", None)
        )
        return found if isinstance(found, SimSite) else self.sites[0]

    def _end(self) -> None:
        """With everything healed and told, every site is proven or people were told; and the sites agree."""
        agreed: dict[str, Caps] = {}
        unix = int(EPOCH_S + self.now_s)
        for site in self.sites:
            self._at_site = site.id
            process = site.process
            if process is None:
                raise Violated("proven_or_alarmed", "all is healed, and the controller is down")
            stop = process.controller.stop
            if stop.plan is not None and site.ledger.armed:
                word = process.controller.proof.word if process.controller.proof else None
                invariants.proven_or_alarmed(word, alarmed=site.unproven)
            held = process.controller.keeper.charters
            if self.director.told_all(site):
                now = Interval(earliest=unix, latest=unix)
                agreed[site.id] = ceiling(held[1], site="any", now=now).caps
        if len(agreed) > 1:
            invariants.sites_agree(agreed)


def run_world(settings: Settings, *, words: bool = False) -> WorldReport:
    """Run one world and return what came of it.

    Args:
        words: keep the last events in words; slower, so only for replays.
    """
    # A world makes few cycles and ends soon; looking for them again and again would cost a twentieth of it.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return World(settings, words=words).run()
    finally:
        if collecting:
            gc.enable()
