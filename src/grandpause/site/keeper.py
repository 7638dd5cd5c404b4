"""Keeps what counts: the trusted sets, the memory, and their order of writing. (design.md, part 7)

Everything that raises or lowers passes here, and is on disk before anyone hears of it: persist (latch and
standby first), then act, then acknowledge. The keeper itself does no IO but through its store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from grandpause.core.ceiling import Ceiling, InForce, allowed, ceiling, next_change
from grandpause.core.envelope import Kind
from grandpause.core.keys import PublicKey
from grandpause.core.memory import Memory, disarmed, latched, restarted
from grandpause.core.model import Caps, Interval, lowest
from grandpause.core.plan import Order, order_of
from grandpause.core.statement.acts import Restart, RestartPurpose
from grandpause.core.statement.charter import Charter
from grandpause.core.statement.facts import Reading
from grandpause.core.timekeeping import TimeKeeper
from grandpause.core.trust import (
    Admission,
    SignatureCheck,
    Standing,
    TrustedSet,
    charter_named_by,
)
from grandpause.errors import TrustError
from grandpause.ports import Clock, JournalLine, Store, StoredStatement
from grandpause.site.booting import first_look_of, load_sets

SEEN_EVERY_S = 60
_SEEN = "seen_s"
_INSTALLED = "installed_charters"
_FIRST_LOOK = "first_look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What holds for the site at one moment.

    Attributes:
        caps: allowed caps: the lowest ceiling of every charter, and the latch.
        ceiling: the same without the latch.
        order: what to do about it.
    """

    caps: Caps
    ceiling: Caps
    in_force: tuple[InForce, ...]
    memory: Memory
    order: Order

    @property
    def binds(self) -> bool:
        """Whether anything holds the site below what is rated."""
        return bool(self.caps) or self.memory.standby is not None


class Keeper:
    """One site's statements and memory. Create it with ``boot``."""

    def __init__(
        self,
        *,
        site: str,
        controller: str,
        store: Store,
        clock: Clock,
        fresh_nonce: Callable[[], str],
        sets: Sequence[TrustedSet],
        memory: Memory,
        boot_id: str = "",
    ) -> None:
        """Take what was loaded; use ``boot`` instead."""
        self.site = site
        self.controller = controller
        self.memory = memory
        self._store = store
        self._clock = clock
        self._fresh_nonce = fresh_nonce
        self._sets = {each.charter_id: each for each in sets}
        floor = int(store.value(_SEEN) or b"0")
        self._seen_s = floor
        self._time = {each.charter_id: TimeKeeper(error_s=each.clock_error_s, floor_s=floor) for each in sets}
        self._boot_id = boot_id
        self._looked: tuple[int, float] | None = None
        self._interval: dict[str, Interval] = {}
        first_look = first_look_of(store.value(_FIRST_LOOK), boot_id, now_s=clock.monotonic_s())
        if first_look is not None:
            for each in self._time.values():
                each.resume(first_look, wall_s=clock.wall_s(), monotonic_s=clock.monotonic_s())

    @classmethod
    def boot(
        cls,
        *,
        site: str,
        controller: str,
        store: Store,
        clock: Clock,
        fresh_nonce: Callable[[], str],
        charters: Iterable[tuple[str, Sequence[bytes]]],
        elements: Iterable[str],
        check: SignatureCheck = PublicKey.verifies,
        boot_id: str = "",
    ) -> Keeper:
        """Load everything, and write the new nonce before anything else happens.

        Args:
            charters: (charter id, the envelopes of its versions) of every pinned charter.
            elements: ids of every element, for the standby after a loss of state: all may stay on
                until they are seen to be off.
            check: how signatures are checked (see ``TrustedSet``).
            boot_id: names this boot of the machine, so that a restart of the process alone goes on in
                time from where the last one was; empty where nothing names it.

        Raises:
            TrustError: a charter file is not the pinned charter, or does not count.
            StoreError: the store failed or holds damaged state.
        """
        sets, installed, marks = load_sets(
            list(charters),
            store.statements(),
            marked=frozenset((store.value(_INSTALLED) or b"").decode().split()),
            wall_s=clock.wall_s(),
            floor_s=int(store.value(_SEEN) or b"0"),
            check=check,
        )
        memory = store.memory()
        lines = []
        if memory is None:
            memory = Memory(nonce=fresh_nonce(), standby=frozenset(elements))
            lines.append(("boot", "no state: standby; what is on may stay on, nothing is started"))
        else:
            memory = replace(memory, nonce=fresh_nonce())
            lines.append(("boot", f"armed: {memory.armed}; latch: {len(memory.latch.entries)} cap(s)"))
        keeper = cls(
            site=site,
            controller=controller,
            store=store,
            clock=clock,
            fresh_nonce=fresh_nonce,
            sets=sets,
            memory=memory,
            boot_id=boot_id,
        )
        keeper._commit(
            memory,
            statements=installed,
            journal=[keeper.line(code, "", text) for code, text in lines],
            values={_INSTALLED: " ".join(sorted(marks)).encode()},
        )
        return keeper

    @property
    def charters(self) -> Sequence[TrustedSet]:
        """The trusted set of every pinned charter."""
        return tuple(self._sets.values())

    @property
    def clock_stepped(self) -> bool:
        """Whether the wall clock disagrees with the boot-time clock by more than its stated error."""
        return any(each.stepped for each in self._time.values())

    def receive(self, data: bytes) -> Admission:
        """Admit one envelope and write it, with the latch that follows from it, before returning.

        Raises:
            StatementError, TrustError: refused; nothing that counts has changed.
            StoreError: it could not be written; the controller must end.
        """
        trusted, now, admission = self._admit(data)
        entry = trusted.entry(admission.name)
        assert entry is not None
        self._time[trusted.charter_id].error_s = trusted.clock_error_s
        self._looked = None
        lines = [
            self.line("admitted", admission.name, f"{admission.kind}: {admission.standing} {admission.why}")
        ]
        memory = self.memory
        if admission.standing is Standing.COUNTS:
            # A limit that came into force since we last looked makes every older nonce worthless, first.
            memory = latched(memory, self._in_force(), fresh_nonce=self._fresh_nonce())
            restart = entry.statement
            if isinstance(restart, Restart) and admission.name not in memory.used:
                memory, line = self._use_restart(memory, admission.name, restart)
                lines.append(line)
            elif isinstance(restart, Charter):
                memory, more = self._use_waiting(memory, trusted)
                lines += more
            memory = latched(memory, self._in_force(), fresh_nonce=self._fresh_nonce())
        stored = StoredStatement(charter=trusted.charter_id, data=data, admitted=now)
        if admission.changed or memory != self.memory:
            self._commit(memory, statements=[stored], journal=lines)
        return admission

    def decide(self) -> Decision:
        """Return what holds now, after writing a latch that time alone has lowered."""
        ceilings = self._ceilings()
        in_force = tuple(each for one in ceilings for each in one.in_force)
        memory = latched(self.memory, in_force, fresh_nonce=self._fresh_nonce())
        if memory != self.memory or self._certain_s() >= self._seen_s + SEEN_EVERY_S:
            self._commit(memory)
        unlatched = allowed(ceilings, Caps())
        caps = unlatched.lowered(memory.latch)
        return Decision(
            caps=caps,
            ceiling=unlatched,
            in_force=in_force,
            memory=memory,
            order=order_of(ceilings, memory, caps),
        )

    def next_change_s(self) -> int | None:
        """Return after how many seconds time alone may change what holds; None if never."""
        now = self._now()
        waits = [next_change(each, site=self.site, now=now[name]) for name, each in self._sets.items()]
        return min((each for each in waits if each is not None), default=None)

    def arm(self) -> None:
        """Let commands be sent from now on. A logged act."""
        memory = latched(replace(self.memory, armed=True), self._in_force(), fresh_nonce=self._fresh_nonce())
        self._commit(memory, journal=[self.line("armed", "", "commands may be sent")])

    def disarm(self) -> None:
        """Send no more commands. A logged act; clears nothing.

        Raises:
            TrustError: something binds, and the restart quorum has not allowed it.
        """
        self.decide()  # a limit that began since we last looked makes every older permission worthless, first
        now = self._now()
        permission = self._permission_to_disarm(now)
        memory = disarmed(
            self.memory,
            ceiling=allowed(self._ceilings(), Caps()),
            permission=permission,
            site=self.site,
            controller=self.controller,
            now=next(iter(now.values())) if permission is None else now[permission[1].under.charter],
        )
        self._commit(memory, journal=[self.line("disarmed", "", "observe only; latch and standby stay")])

    def seen_off(self, elements: Iterable[str]) -> None:
        """During a standby: what was seen to be off may not come on any more."""
        if self.memory.standby is None:
            return
        left = self.memory.standby - frozenset(elements)
        if left != self.memory.standby:
            self._commit(replace(self.memory, standby=left))

    def signed_reading(self, data: bytes) -> tuple[Reading, str]:
        """Return a signed reading and the body that signed it, under whichever charter it names.

        Raises:
            StatementError, TrustError: not a reading of a pinned charter's key.
        """
        charter = charter_named_by(data)
        trusted = self._sets.get(charter or "")
        if trusted is None:
            raise TrustError("names a charter that is not pinned here", where="reading.charter")
        reading, body = trusted.reader_of(data)
        if reading.site != self.site:
            raise TrustError(f"is for site {reading.site}", where="reading.site")
        return reading, body

    def line(self, code: str, subject: str, text: str) -> JournalLine:
        """Return a journal line dated now."""
        return JournalLine(at_s=self._clock.wall_s(), code=code, subject=subject, text=text)

    def _admit(self, data: bytes) -> tuple[TrustedSet, Interval, Admission]:
        charter = charter_named_by(data)
        times = self._now()
        if charter is not None:
            trusted = self._sets.get(charter)
            if trusted is None:
                raise TrustError("names a charter that is not pinned here", where="charter")
            return trusted, times[charter], trusted.admit(data, now=times[charter])
        return self._admit_successor(data, times)

    def _admit_successor(
        self, data: bytes, times: Mapping[str, Interval]
    ) -> tuple[TrustedSet, Interval, Admission]:
        """Admit a later version of a charter, which names only its predecessor: each pinned charter looks."""
        refusal: TrustError | None = None
        waiting: tuple[TrustedSet, Interval, Admission] | None = None
        for charter, trusted in self._sets.items():
            try:
                admission = trusted.admit(data, now=times[charter])
            except TrustError as cause:
                refusal = cause
                continue
            if admission.standing is not Standing.WAITING:
                return trusted, times[charter], admission
            waiting = waiting or (trusted, times[charter], admission)
        if waiting is not None:
            return waiting
        raise refusal or TrustError("no charter is pinned here", where="charter")

    def _use_restart(self, memory: Memory, name: str, restart: Restart) -> tuple[Memory, JournalLine]:
        if restart.purpose is RestartPurpose.DISARM:
            return memory, self.line("restart", name, "kept as a permission to disarm")
        memory = restarted(
            memory,
            name,
            restart,
            site=self.site,
            controller=self.controller,
            # Limits that return by themselves never touch the latch: they bind beside it (ADR 0015).
            ceiling=lowest(each.limit.caps for each in self._in_force() if each.latches),
            now=self._now()[restart.under.charter],
            fresh_nonce=self._fresh_nonce(),
        )
        return memory, self.line("restart", name, "used: latch raised to what it allows, standby over")

    def _use_waiting(self, memory: Memory, trusted: TrustedSet) -> tuple[Memory, list[JournalLine]]:
        """Use the restarts that count since this moment: the charter that they name has come."""
        lines = []
        for entry in trusted.counting(Kind.RESTART):
            restart = entry.statement
            if isinstance(restart, Restart) and entry.name not in memory.used:
                try:
                    memory, line = self._use_restart(memory, entry.name, restart)
                except TrustError as refusal:
                    line = self.line("refused", entry.name, str(refusal))
                lines.append(line)
        return memory, lines

    def _permission_to_disarm(self, now: Mapping[str, Interval]) -> tuple[str, Restart] | None:
        for charter, trusted in self._sets.items():
            for entry in trusted.counting(Kind.RESTART):
                restart = entry.statement
                if (
                    isinstance(restart, Restart)
                    and restart.purpose is RestartPurpose.DISARM
                    and restart.site == self.site
                    and entry.name not in self.memory.used
                    and restart.nonces.get(self.controller) == self.memory.nonce
                    and now[charter].latest <= restart.void_after
                ):
                    return entry.name, restart
        return None

    def _now(self) -> dict[str, Interval]:
        looked = wall, monotonic = self._clock.wall_s(), self._clock.monotonic_s()
        if looked == self._looked:
            return self._interval  # the same moment, asked again
        now = {
            charter: each.observe(wall_s=wall, monotonic_s=monotonic) for charter, each in self._time.items()
        }
        for charter, each in now.items():
            self._sets[charter].learn(each)
        self._looked, self._interval = looked, now
        return now

    def _certain_s(self) -> int:
        """Return a moment that is certainly past, for every charter: what the next boot begins with."""
        now = self._now()
        return max(
            self._seen_s, min(max(now[name].earliest, each.past_s) for name, each in self._time.items())
        )

    def _ceilings(self) -> list[Ceiling]:
        now = self._now()
        return [ceiling(each, site=self.site, now=now[name]) for name, each in self._sets.items()]

    def _in_force(self) -> tuple[InForce, ...]:
        return tuple(each for one in self._ceilings() for each in one.in_force)

    def _commit(
        self,
        memory: Memory,
        *,
        statements: Sequence[StoredStatement] = (),
        journal: Sequence[JournalLine] = (),
        values: Mapping[str, bytes] | None = None,
    ) -> None:
        seen = self._certain_s()
        values = {**(values or {}), _SEEN: str(seen).encode()}
        anchor = next(iter(self._time.values())).anchor
        if self._boot_id and anchor:
            values[_FIRST_LOOK] = f"{self._boot_id} {anchor[0]!r} {anchor[1]!r}".encode()
        self._store.commit(statements=statements, memory=memory, values=values, journal=journal)
        self._seen_s = seen
        self.memory = memory
