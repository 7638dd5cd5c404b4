"""The one door: only here do bytes become trusted statements. (spec/trust.md)

A ``TrustedSet`` is a grow-only set of statements under one charter. What counts is a function of the
set and of the times at which its statements were first complete here (or, under a log, logged); the
order of arrival never matters. Every refusal leaves the set as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from grandpause.core.envelope import Envelope, Kind, Signature, parse
from grandpause.core.keys import PublicKey
from grandpause.core.model import Interval
from grandpause.core.powers import power_used
from grandpause.core.quorum import Roster
from grandpause.core.statement.acts import Lift, Permit, Restart
from grandpause.core.statement.charter import Charter, PowerRule, Right
from grandpause.core.statement.codec import Act, Statement, decode
from grandpause.core.statement.facts import Declaration, Evidence, Reading, Status
from grandpause.errors import TrustError

MAX_WAITING: Final = 1_000
"""Statements kept for charter versions that are not known here yet; further ones are refused."""
MAX_SIGNATURES: Final = 256
OPENED: Final = 512
"""Envelopes whose decoded form is remembered: mostly 1 KiB each, 32 MiB at the very most."""
SignatureCheck: TypeAlias = Callable[[PublicKey, bytes, bytes], bool]


_TOO_LATE: Final = {
    False: "complete only after its void_after",
    True: "complete only after its void_after: if it is in force elsewhere, name its file in the site file",
}


class Standing(StrEnum):
    """Where a statement of the set stands."""

    COUNTS = "counts"
    PENDING = "pending"
    """Its quorum is not complete yet."""
    WAITING = "waiting"
    """The charter version that it names is not known here yet."""
    VOID = "void"
    """It was complete only after its void-after, or its charter version was superseded too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where and when a statement was logged, once proved. None means: no log."""

    log: str
    index: int
    dated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One statement of the set.

    Attributes:
        signers: ids of the keys whose signature was verified.
        unverified: signatures of keys that no known charter holds.
        completed: when its quorum was first seen complete here; None while it is not.
        place: its place in the log of record; None without a log.
        installed: whether the operator installed it as a file of the site.
        why: what is missing, in words; empty where it counts.
    """

    name: str
    envelope: Envelope
    statement: Charter | Act
    signers: frozenset[str]
    unverified: frozenset[Signature]
    standing: Standing
    why: str
    completed: Interval | None
    place: LogPlace | None
    installed: bool = False

    @property
    def dated(self) -> int | None:
        """The latest moment at which it can have been complete: the log's date, or our own."""
        if self.place is not None:
            return self.place.dated
        return None if self.completed is None else self.completed.latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What became of one envelope. ``changed`` tells whether the set grew (then: store the bytes)."""

    name: str
    kind: Kind
    standing: Standing
    why: str
    changed: bool


class TrustedSet:
    """The statements of one charter. Feed it bytes; ask it what counts."""

    def __init__(self, charter_id: str, *, check: SignatureCheck = PublicKey.verifies) -> None:
        """Pin the charter whose version 1 has the name ``charter_id``.

        Args:
            check: tells whether (key, message, signature) is valid. A simulated world, whose people sign
                by a table, hands in its own; everything that runs for real leaves it as it is.
        """
        self.charter_id = charter_id
        self._check = check
        self._entries: dict[str, Entry] = {}
        self._latest_sight = 0
        self._sorted: tuple[Entry, ...] | None = None
        self._counting: dict[Kind, tuple[Entry, ...]] = {}
        self._charters: dict[int, dict[str, Charter]] = {}

    @property
    def newest(self) -> Charter:
        """The newest charter in force. Raises TrustError if version 1 was not admitted yet."""
        if not self._charters:
            raise TrustError("no charter has been admitted yet", where=self.charter_id[:16])
        return next(iter(self._charters[max(self._charters)].values()))

    @property
    def clock_error_s(self) -> int:
        """The stated error of the wall clock; where the newest version forked, the larger one."""
        return max(each.clock_error_s for each in self._charters[max(self._charters)].values())

    @property
    def forked(self) -> bool:
        """Whether two successors of one version are complete: then nothing may raise (no log)."""
        return any(len(each) > 1 for each in self._charters.values())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every statement held, in the order of their names."""
        if self._sorted is None:
            self._sorted = tuple(self._entries[name] for name in sorted(self._entries))
        return self._sorted

    def entry(self, name: str) -> Entry | None:
        """Return the statement of this name."""
        return self._entries.get(name)

    def charters(self, version: int) -> tuple[Charter, ...]:
        """Return the charter of this version; more than one where it forked; none if unknown."""
        return tuple(self._charters.get(version, {}).values())

    def counting(self, kind: Kind) -> tuple[Entry, ...]:
        """Return the statements of ``kind`` that count now."""
        found = self._counting.get(kind)
        if found is None:
            found = self._counting[kind] = tuple(
                each
                for each in self.entries
                if each.standing is Standing.COUNTS and each.envelope.kind is kind and not self._barred(each)
            )
        return found

    def admit(
        self, data: bytes, *, now: Interval, place: LogPlace | None = None, installed: bool = False
    ) -> Admission:
        """Verify ``data`` as a charter or act of this charter and add it to the set.

        An act whose quorum is not complete is kept as pending; one of a version that is not known
        here waits. An expired limit or permit is admitted too, so that the set only grows.

        Args:
            installed: the operator put this charter into the site file: its void_after, which guards
                against a version that somebody withheld, is not judged (ADR 0016).

        Raises:
            StatementError: the bytes are no acceptable statement.
            TrustError: another charter's; no valid signature of a key of the charter; beyond its power.
        """
        envelope, statement = opened(data)
        if isinstance(statement, Status | Reading | Evidence):
            raise TrustError(f"a {envelope.kind} is no act: it changes nothing here", where="envelope")
        self._check_charter_id(envelope, statement)
        name = envelope.name
        old = self._entries.get(name)
        offered = frozenset(envelope.signatures) | (old.unverified if old else frozenset())
        entry = Entry(
            name=name,
            envelope=replace(envelope, signatures=()) if old is None else old.envelope,
            statement=statement,
            signers=old.signers if old else frozenset(),
            unverified=offered,
            standing=Standing.PENDING,
            why="",
            completed=old.completed if old else None,
            place=place or (old.place if old else None),
            installed=installed or (old is not None and old.installed),
        )
        judged = self._judged(entry, now)
        if old is None:
            self._check_worth_keeping(judged)
        changed = old is None or judged != old
        self._keep(judged)
        if judged.standing is Standing.COUNTS and isinstance(statement, Charter):
            self._grow_chain(now)
        judged = self._entries[name]
        return Admission(
            name=name, kind=envelope.kind, standing=judged.standing, why=judged.why, changed=changed
        )

    def learn(self, now: Interval) -> None:
        """Take note of what time it is: whatever is here was complete by now, at the latest.

        A date that was taken while nobody knew the time is narrowed so, and what counted as too late is
        judged anew. Without a log only; a log's dates stand.
        """
        if self._latest_sight <= now.latest:
            return
        self._latest_sight = now.latest
        for entry in self.entries:
            sight = entry.completed
            if sight is not None and sight.latest > now.latest:
                narrowed = Interval(earliest=min(sight.earliest, now.latest), latest=now.latest)
                self._keep(replace(entry, completed=narrowed))
        for entry in self.entries:
            if entry.standing is Standing.VOID:
                self._judge_again(entry, now)
        self._grow_chain(now)

    def reader_of(self, data: bytes) -> tuple[Reading, str]:
        """Return a signed meter reading and the id of the body whose key signed it.

        Readings do not enter the set.

        Raises:
            StatementError: no reading. TrustError: not signed by a key of the newest charter.
        """
        envelope = parse(data)
        reading = decode(envelope)
        if not isinstance(reading, Reading):
            raise TrustError(f"a {envelope.kind} is no reading", where="reading")
        if reading.charter != self.charter_id:
            raise TrustError("names another charter", where="reading.charter")
        roster = self.newest.roster
        for each in sorted(verified_signers(envelope, roster, check=self._check)):
            body = roster.body_of(each)
            if body is not None:
                return reading, body.id
        raise TrustError("no valid signature of a key of the charter", where="reading.signatures")

    def _check_charter_id(self, envelope: Envelope, statement: Charter | Act) -> None:
        if not isinstance(statement, Charter):
            if statement.under.charter != self.charter_id:
                raise TrustError("names another charter", where=f"{statement.kind}.charter")
            if isinstance(statement, Permit):
                raise TrustError("a permit needs a log, and this charter has none", where="permit")
        elif statement.version == 1 and envelope.name != self.charter_id:
            raise TrustError(
                f"is not the pinned charter {self.charter_id[:16]}…, but {envelope.name[:16]}…",
                where="charter",
                hint="compare the charter id that was read aloud at installation",
            )

    def _check_worth_keeping(self, entry: Entry) -> None:
        if entry.standing is Standing.WAITING:
            waiting = sum(each.standing is Standing.WAITING for each in self._entries.values())
            if waiting >= MAX_WAITING:
                raise TrustError(f"already {MAX_WAITING} statements wait for a charter", where=entry.why)
        elif not entry.signers:
            raise TrustError(
                "no valid signature of a key of the charter", where=f"{entry.statement.kind}.signatures"
            )

    def _judged(self, entry: Entry, now: Interval) -> Entry:
        statement = entry.statement
        if isinstance(statement, Charter):
            return self._judged_charter(entry, statement, now)
        charters = self.charters(statement.under.version)
        if not charters:
            return self._waiting(entry, f"charter version {statement.under.version} is not known here")
        refusals: list[TrustError] = []
        best: Entry | None = None
        for charter in charters:
            try:
                power = power_used(charter, statement)
            except TrustError as refusal:
                refusals.append(refusal)
                continue
            judged = self._with_quorum(
                _verified(entry, [charter.roster], self._check), [(charter, power)], now
            )
            if best is None or judged.standing is Standing.COUNTS:
                best = judged
        if best is None:
            raise refusals[0]
        return best

    def _judged_charter(self, entry: Entry, charter: Charter, now: Interval) -> Entry:
        own = [(charter, charter.powers_to(Right.CHARTER)[0])]
        if charter.version == 1:
            return self._with_quorum(_verified(entry, [charter.roster], self._check), own, now)
        before = self._charters.get(charter.version - 1, {}).get(charter.previous)
        if before is None:
            why = f"charter version {charter.version - 1} ({charter.previous[:16]}…) is not known here"
            return self._waiting(entry, why)
        both = [(before, before.powers_to(Right.CHARTER)[0]), *own]
        return self._with_quorum(_verified(entry, [before.roster, charter.roster], self._check), both, now)

    def _waiting(self, entry: Entry, why: str) -> Entry:
        """Verify what keys of any version here allow, so that no flood of invented ones pushes them out."""
        rosters = [each.roster for version in self._charters.values() for each in version.values()]
        return replace(_verified(entry, rosters, self._check), standing=Standing.WAITING, why=why)

    def _with_quorum(self, entry: Entry, wanted: list[tuple[Charter, PowerRule]], now: Interval) -> Entry:
        for charter, power in wanted:
            if not charter.roster.satisfied(power.quorum, entry.signers):
                why = charter.roster.missing(power.quorum, entry.signers)
                return replace(entry, standing=Standing.PENDING, why=why)
        statement = entry.statement
        if isinstance(statement, Declaration) and not _by_its_controllers(entry, statement):
            why = "not signed by the key of every controller that it names"
            return replace(entry, standing=Standing.PENDING, why=why)
        done = replace(entry, completed=entry.completed or now)
        void_after = getattr(statement, "void_after", None)
        first = isinstance(statement, Charter) and statement.version == 1
        spared = first or entry.installed
        if void_after is not None and done.dated is not None and done.dated > void_after and not spared:
            return replace(done, standing=Standing.VOID, why=_TOO_LATE[isinstance(statement, Charter)])
        barred = self._barred(entry)
        return replace(done, standing=Standing.VOID if barred else Standing.COUNTS, why=barred)

    def _barred(self, entry: Entry) -> str:
        """Say why this statement may not raise, if it would; empty where nothing bars it."""
        statement = entry.statement
        if isinstance(statement, Lift | Restart) and self.forked:
            return "two successors of one charter version are complete: nothing may raise"
        if isinstance(statement, Restart) and statement.under.version != self.newest.version:
            return f"a restart takes the newest charter's quorum, version {self.newest.version}"
        return ""

    def _grow_chain(self, now: Interval) -> None:
        """Put every charter that counts in its place, then judge what waited for one."""
        grown = True
        while grown:
            grown = False
            new: set[int] = set()
            for entry in self.entries:
                if isinstance(entry.statement, Charter) and entry.standing is Standing.COUNTS:
                    versions = self._charters.setdefault(entry.statement.version, {})
                    if entry.name not in versions:
                        versions[entry.name] = entry.statement
                        self._counting.clear()  # what is barred hangs on the versions
                        new.add(entry.statement.version)
                        grown = True
            for entry in self.entries if new else ():
                if entry.standing is not Standing.COUNTS and _may_gain(entry, new):
                    grown |= self._judge_again(entry, now)

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        if entry.completed is not None:
            self._latest_sight = max(self._latest_sight, entry.completed.latest)
        self._sorted = None
        self._counting.clear()

    def _judge_again(self, entry: Entry, now: Interval) -> bool:
        try:
            judged = self._judged(entry, now)
        except TrustError as refusal:
            judged = replace(entry, standing=Standing.VOID, why=str(refusal))
        self._keep(judged)
        return judged.standing is Standing.COUNTS and isinstance(judged.statement, Charter)


def _may_gain(entry: Entry, versions: set[int]) -> bool:
    """Whether these new charter versions can make a difference to a statement that does not count yet."""
    if isinstance(entry.statement, Charter) or entry.standing is not Standing.PENDING:
        return True
    return entry.statement.under.version in versions


@lru_cache(maxsize=OPENED)
def opened(data: bytes) -> tuple[Envelope, Statement]:
    """Return what an envelope says, trusting nothing of it.

    The last ones are remembered, since the same bytes come again: by several feeds, and from the disk at
    every boot. A pure function of the bytes; what it returns cannot be changed.
    """
    envelope = parse(data)
    return envelope, decode(envelope)


def verified_signers(
    envelope: Envelope, roster: Roster, *, check: SignatureCheck = PublicKey.verifies
) -> frozenset[str]:
    """Return the ids of the roster's keys whose signature on ``envelope`` is valid."""
    message = envelope.signed_bytes
    return frozenset(
        each.key_id
        for each in envelope.signatures
        if (key := roster.key(each.key_id)) is not None and check(key, message, each.value)
    )


def signed_by(envelope: Envelope, key: PublicKey) -> bool:
    """Tell whether ``envelope`` carries a valid signature of ``key``."""
    wanted = key.key_id
    message = envelope.signed_bytes
    return any(each.key_id == wanted and key.verifies(message, each.value) for each in envelope.signatures)


def charter_id_of(data: bytes) -> str:
    """Return the id that a charter's version 1 has, to be compared aloud and pinned.

    Raises:
        StatementError: the bytes are no charter. TrustError: not version 1.
    """
    envelope = parse(data)
    charter = decode(envelope)
    if not isinstance(charter, Charter) or charter.version != 1:
        raise TrustError("a charter is pinned by its version 1", where="charter.version")
    return envelope.name


def charter_named_by(data: bytes) -> str | None:
    """Return the id of the charter that an envelope belongs to; None for a later charter version."""
    envelope, statement = opened(data)
    if isinstance(statement, Charter):
        return envelope.name if statement.version == 1 else None
    if isinstance(statement, Status | Reading | Evidence):
        return statement.charter
    return statement.under.charter


def _verified(entry: Entry, rosters: Sequence[Roster], check: SignatureCheck) -> Entry:
    """Move the signatures of these rosters' keys from unverified to verified, or drop the bad ones."""
    message = entry.envelope.signed_bytes
    keys = {
        each: key
        for each in entry.unverified
        for roster in rosters
        if (key := roster.key(each.key_id)) is not None
    }
    known = frozenset(keys)
    signatures = tuple(each for each in sorted(known) if check(keys[each], message, each.value))
    statement = entry.statement
    rest = entry.unverified - known
    if isinstance(statement, Declaration):
        site_keys = {key.key_id: key for key in statement.controllers.values()}
        by_site = tuple(
            each
            for each in sorted(rest)
            if each.key_id in site_keys and check(site_keys[each.key_id], message, each.value)
        )
        signatures += by_site
        rest -= frozenset(by_site)
    envelope = entry.envelope.with_signatures(signatures)
    return replace(
        entry,
        envelope=envelope,
        signers=entry.signers | {each.key_id for each in signatures},
        unverified=frozenset(sorted(rest)[:MAX_SIGNATURES]),
    )


def _by_its_controllers(entry: Entry, declaration: Declaration) -> bool:
    return all(key.key_id in entry.signers for key in declaration.controllers.values())


def decode_only(data: bytes) -> tuple[Envelope, Statement]:
    """Return what an envelope says, trusting nothing of it: for showing, never for acting."""
    return opened(data)
