"""Everything that a site controller writes into its store, once through each write path and again.

The real keeper and the real store run; what reaches the disk is recorded, and after every step so is what
the controller has promised by then. Time passes in steps of their own only, so that what a promise allows
does not hang on when it is looked at.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from core import makers
from core.makers import CONTROLLER, DAY, HOUR, SITE, T0, Cast, nonce, operator_cast, sealed, successor
from crash.disk import Operation
from crash.recording import RecordedDatabase, Recording, RecordingVfs
from grandpause.core.keys import PublicKey
from grandpause.core.memory import Memory
from grandpause.core.model import CapKey, Caps, Profile, Stage, Unit
from grandpause.core.statement.acts import Limit, RestartPurpose
from grandpause.core.statement.charter import Returns
from grandpause.core.statement.codec import Statement
from grandpause.core.stop import EffectKey
from grandpause.errors import TrustError
from grandpause.ports import JournalLine, Store, StoredStatement
from grandpause.site.keeper import Keeper
from grandpause.stores.memory import MemoryStore
from grandpause.stores.memory_codec import encode_memory, encode_standby
from grandpause.stores.sqlite import SqliteStore

ELEMENTS = tuple(f"r01n{number:02}" for number in range(1, 13))
STORE = "site.sqlite"
VALUES = ("evidence_number", "evidence_name", "learned", "seen_s")
OLD_SCHEMA = """
CREATE TABLE statements (
  number INTEGER PRIMARY KEY, charter TEXT NOT NULL, earliest INTEGER NOT NULL, latest INTEGER NOT NULL,
  data BLOB NOT NULL, UNIQUE (charter, data)
) STRICT;
CREATE TABLE named_values (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE effects (
  statement TEXT NOT NULL, element TEXT NOT NULL, stage TEXT NOT NULL, attempt INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (statement, element, stage, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, code TEXT NOT NULL, subject TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
PRAGMA user_version=1;
"""
"""The store's first format, as version 0.1.0 made it."""


@cache
def _verifies(key: PublicKey, message: bytes, signature: bytes) -> bool:
    return key.verifies(message, signature)


def check(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Check a signature for real, but each only once: thousands of images hold the same ones."""
    return _verifies(key, message, signature)


@dataclass(slots=True)
class HandClock:
    """A wall clock and a boot-time clock that move only when told to."""

    wall: int = T0
    boot: float = 1_000.0

    def wall_s(self) -> int:
        return self.wall

    def monotonic_s(self) -> float:
        return self.boot

    def passes(self, seconds: int) -> None:
        """Let time pass."""
        self.wall += seconds
        self.boot += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a store holds."""

    statements: tuple[StoredStatement, ...]
    memory: Memory | None
    effects: frozenset[EffectKey]
    values: Mapping[str, bytes | None]

    @classmethod
    def by(cls, store: Store) -> Kept:
        """Read a store."""
        return cls(
            statements=tuple(store.statements()),
            memory=store.memory(),
            effects=frozenset(key for key, _ in store.effects()),
            values={name: store.value(name) for name in VALUES},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the controller has acknowledged.

    Attributes:
        done: how many operations had reached the disk when it did.
        path: the write path that ended here.
        wall_s: what the clock shows.
        caps: what the site may use; None before the first boot.
    """

    done: int
    path: str
    wall_s: int
    kept: Kept
    caps: Caps | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A recorded workload."""

    operations: Sequence[Operation]
    promises: Sequence[Promise]
    casts: Sequence[Cast]


NOTHING = Kept(statements=(), memory=None, effects=frozenset(), values=dict.fromkeys(VALUES))


def boot(store: Store, casts: Sequence[Cast], clock: HandClock, nonces: Callable[[], str]) -> Keeper:
    """Boot the real keeper on a store."""
    return Keeper.boot(
        site=SITE,
        controller=CONTROLLER,
        store=store,
        clock=clock,
        fresh_nonce=nonces,
        charters=[(each.id, [each.data()]) for each in casts],
        elements=ELEMENTS,
        check=check,
    )


def casts() -> tuple[Cast, Cast]:
    """Return the operator's charter, and a grid's whose limits return by themselves."""
    operator = operator_cast()
    grid = operator_cast(seed=40, title="Grid")
    curtailment = makers.limit_power("curtail", "any-two", returns=Returns.ITSELF)
    charter = replace(grid.charter, powers=(*grid.charter.powers, curtailment))
    return operator, Cast(charter=charter, people=grid.people)


@dataclass(slots=True)
class Teller:
    """Runs the workload step by step."""

    directory: Path
    synchronous: str = "FULL"
    seed: int = 1
    recording: Recording = field(default_factory=Recording)
    clock: HandClock = field(default_factory=HandClock)
    promises: list[Promise] = field(default_factory=list)
    casts: tuple[Cast, Cast] = field(default_factory=casts)
    store: SqliteStore = field(init=False)
    keeper: Keeper = field(init=False)
    _vfs: RecordingVfs = field(init=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._vfs = RecordingVfs(self.recording)
        self.promises.append(Promise(done=0, path="nothing", wall_s=self.clock.wall, kept=NOTHING, caps=None))

    def does(self, path: str, work: Callable[[], object]) -> None:
        """Run one step of a write path, and write down what is promised after it."""
        self.recording.path = path
        work()
        done = len(self.recording.operations)
        self.recording.on = False
        kept = Kept.by(self.store)
        decision = self.keeper.decide()
        assert Kept.by(self.store) == kept, f"{path}: looking at it wrote something"
        self.recording.on = True
        self.promises.append(
            Promise(done=done, path=path, wall_s=self.clock.wall, kept=kept, caps=decision.caps)
        )

    def opens(self) -> None:
        """Open the store and boot."""
        self.store = SqliteStore(
            self.directory / "state" / STORE,
            connect=self.database,
        )
        self.keeper = boot(self.store, self.casts, self.clock, self.fresh_nonce)

    def database(self, path: Path) -> RecordedDatabase:
        """Connect through the shim."""
        return RecordedDatabase(path, self._vfs, synchronous=self.synchronous)

    def reboots(self) -> None:
        """Close the store and start again: two write paths, the first of which promises nothing new."""
        self.recording.path = "close"
        self.store.close()
        self.does("open and boot again", self.opens)

    def receives(self, path: str, statement: Statement, *signers: str, cast: Cast | None = None) -> None:
        """Give the keeper a signed statement."""
        by = cast or self.casts[0]
        data = sealed(statement, *by.some(*signers))
        self.does(path, lambda: self.keeper.receive(data))

    def fresh_nonce(self) -> str:
        """Return a nonce that was not used before."""
        return nonce(next(self._numbers))

    def number(self) -> str:
        """Return a fresh nonce for an act."""
        return nonce(next(self._numbers) + 1_000_000)

    def waits(self, seconds: int) -> None:
        """Let time pass, and let the controller look."""
        self.clock.passes(seconds)
        self.does("time passes", self.keeper.decide)


def tell_story(
    directory: Path, *, synchronous: str = "FULL", rounds: int = 3, seed: int = 1, old_format: bool = True
) -> Story:
    """Run the workload in ``directory``, and return what reached the disk and what was promised."""
    teller = Teller(directory=directory, synchronous=synchronous, seed=seed)
    if old_format:
        _leave_an_old_store(teller)
        teller.does("bring an old store to this format", teller.opens)
    else:
        teller.does("make the store and boot", teller.opens)
    _install(teller)
    chance = random.Random(seed)
    for number in range(rounds):
        _round(teller, number, chance)
    later = successor(teller.casts[0], title="The next version", void_after=teller.clock.wall + DAY)
    data = later.data("m1", "m2")
    teller.does("receive the next version of a charter", lambda: teller.keeper.receive(data))
    teller.recording.path = "close"
    teller.store.close()
    return Story(
        operations=tuple(teller.recording.operations), promises=tuple(teller.promises), casts=teller.casts
    )


def _install(teller: Teller) -> None:
    operator = teller.casts[0]
    declaration = makers.declaration(operator, {CONTROLLER: makers.signer(77)})
    by = (*operator.some("m1", "m2"), makers.signer(77))
    data = sealed(declaration, *by)
    teller.does("receive a declaration", lambda: teller.keeper.receive(data))
    teller.does("arm", teller.keeper.arm)
    teller.does("seen off in a standby", lambda: teller.keeper.seen_off(ELEMENTS[:3]))
    start = makers.restart(operator, teller.keeper.memory.nonce, void_after=teller.clock.wall + DAY)
    teller.receives("receive a restart that ends a standby", start, "m1", "m2")


def _round(teller: Teller, number: int, chance: random.Random) -> None:
    operator, grid = teller.casts
    now = teller.clock.wall
    curtail = _limit(teller, grid, 700_000 - number, hours=5, power="curtail")
    teller.receives("receive a limit that returns by itself", curtail, "m1", "m2", cast=grid)
    half = _limit(teller, operator, 600_000 - number, hours=10, power="limit-bounded")
    teller.receives("receive a bounded limit of one", half, "m1")
    deep = _limit(teller, operator, 50_000 + 1_000 * number, hours=3, hard=bool(number % 2))
    teller.receives("receive a limit below its quorum", deep, "m1")
    teller.receives("receive the signature that completes it", deep, "m3")
    keys = [
        EffectKey(makers.name_of(deep), element, stage, 1)
        for stage in (Stage.SOFT_OFF, Stage.FORCE_OFF)
        for element in ELEMENTS[: chance.randint(4, len(ELEMENTS))]
    ]
    for part in (keys[:5], keys[5:]):
        teller.does(
            "record commands",
            lambda part=part: teller.store.record_effects(part, at_s=teller.clock.wall),  # type: ignore[misc]
        )
    lines = [JournalLine(at_s=now, code="bmc", subject=each, text="unreachable") for each in ELEMENTS]
    teller.does("journal of alarms", lambda: teller.store.commit(journal=lines))
    learned = chance.randbytes(9_000)
    teller.does("what BMCs were seen to offer", lambda: teller.store.commit(values={"learned": learned}))
    named = {
        "evidence_number": str(number + 1).encode(),
        "evidence_name": chance.randbytes(32).hex().encode(),
    }
    verdict = teller.keeper.line("verdict", named["evidence_name"].decode(), "proven")
    teller.does("name of the evidence", lambda: teller.store.commit(values=named, journal=[verdict]))
    teller.waits(90)
    teller.waits(4 * HOUR)  # the deep limit has ended; its latch stands
    teller.reboots()
    lift = makers.lift(operator, half, void_after=teller.clock.wall + DAY, nonce=teller.number())
    teller.receives("receive a lift", lift, "m2", "m3")
    caps = Caps({CapKey("site", Unit.COMPUTE): 300_000})
    for allowed in (caps, Caps()):
        raising = makers.restart(
            operator, teller.keeper.memory.nonce, caps=allowed, void_after=teller.clock.wall + DAY
        )
        teller.receives("receive a restart that raises the latch", raising, "m1", "m2")
    teller.receives("receive a restart that was used", raising, "m1", "m2", "m3")
    _disarm(teller)
    teller.waits(2 * HOUR)  # the curtailment has ended by itself


def _disarm(teller: Teller) -> None:
    """Disarm while a limit of the grid binds: that takes the restart quorum; then arm again."""
    operator = teller.casts[0]
    permission = makers.restart(
        operator,
        teller.keeper.memory.nonce,
        purpose=RestartPurpose.DISARM,
        void_after=teller.clock.wall + DAY,
    )
    try:
        teller.keeper.disarm()
    except TrustError:
        teller.receives("receive a permission to disarm", permission, "m1", "m2")
        teller.does("disarm", teller.keeper.disarm)
        teller.does("arm", teller.keeper.arm)
    else:
        raise AssertionError("something should bind")


def _limit(
    teller: Teller, cast: Cast, ceiling: int, *, hours: int, power: str = "limit", hard: bool = False
) -> Limit:
    now = teller.clock.wall
    return makers.limit(
        cast,
        power=power,
        ceiling=ceiling,
        start=now - 60,
        until=now + hours * HOUR,
        complete_by=now + 300,
        nonce=teller.number(),
        profile=Profile.ADVERSARIAL if hard else Profile.COOPERATIVE,
        category=0 if hard else 1,
    )


def _leave_an_old_store(teller: Teller) -> None:
    """Leave a store of the first format, of an armed controller with a latch."""
    operator = teller.casts[0]
    memory_store = MemoryStore()
    keeper = boot(memory_store, teller.casts, teller.clock, teller.fresh_nonce)
    keeper.arm()
    latching = _limit(teller, operator, 500_000, hours=10, power="limit-bounded")
    keeper.receive(sealed(latching, *operator.some("m1")))
    teller.recording.path = "an old store"
    path = teller.directory / "state" / STORE
    path.parent.mkdir(parents=True)
    old = teller.database(path)
    old.execute("PRAGMA journal_mode=WAL").fetchone()
    old.execute("PRAGMA synchronous=FULL")
    old.execute("BEGIN IMMEDIATE")
    for sql in OLD_SCHEMA.split(";")[:-1]:
        old.execute(sql)
    old.executemany(
        "INSERT INTO statements (charter, earliest, latest, data) VALUES (?, ?, ?, ?)",
        [
            (each.charter, each.admitted.earliest, each.admitted.latest, each.data)
            for each in memory_store.statements()
        ],
    )
    named = {
        "seen_s": memory_store.value("seen_s"),
        "memory": encode_memory(keeper.memory),
        "standby": encode_standby(keeper.memory.standby),
    }
    old.executemany("INSERT INTO named_values VALUES (?, ?)", [*named.items()])
    old.execute("COMMIT")
    old.close()
    teller.promises.append(
        Promise(
            done=len(teller.recording.operations),
            path="an old store",
            wall_s=teller.clock.wall,
            kept=Kept.by(memory_store),
            caps=keeper.decide().caps,
        )
    )
