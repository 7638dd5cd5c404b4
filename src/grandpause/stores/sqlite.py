"""SQLite: the default store. WAL with synchronous=FULL, set and read back. (ADR 0005)

synchronous=NORMAL lost acknowledged rows in most crash images; FULL in none. Statements and values are
sealed: what a flipped bit changed is refused. The keys of commands and the journal are not: no ceiling
hangs on them.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from grandpause.core.memory import Memory
from grandpause.core.model import Interval, Stage
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, StoredStatement
from grandpause.stores.memory_codec import decode_memory, encode_memory, encode_standby
from grandpause.stores.seal import Seal
from grandpause.stores.sqlite_log import check_log

_T = TypeVar("_T")

_FULL: Final = 2
_MEMORY: Final = "memory"
_STANDBY: Final = "standby"
_UNWRITTEN: Final = object()
_FORMAT: Final = 2
_STATEMENTS: Final = """
CREATE TABLE statements (
  number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, charter TEXT NOT NULL,
  earliest INTEGER NOT NULL, latest INTEGER NOT NULL, data BLOB NOT NULL
) STRICT"""
_SEAL: Final = "CREATE TABLE seal (number INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT"
_SCHEMA: Final = (
    _STATEMENTS,
    _SEAL,
    "CREATE TABLE named_values (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT",
    """
CREATE TABLE effects (
  statement TEXT NOT NULL, element TEXT NOT NULL, stage TEXT NOT NULL, attempt INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (statement, element, stage, attempt)
) STRICT, WITHOUT ROWID""",
    """
CREATE TABLE journal (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, code TEXT NOT NULL, subject TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT""",
)


class Rows(Protocol):
    """What a query brought; each row is a tuple."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""


class Database(Protocol):
    """One connection to a SQLite file that commits only what it is told to. Raises sqlite3.Error."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> object:
        """Run one statement for each row of parameters."""

    def close(self) -> None:
        """Close; an open transaction is rolled back."""


def connect(path: Path) -> Database:
    """Open the file with Python's own SQLite."""
    return sqlite3.connect(path, isolation_level=None)


class SqliteStore:
    """One controller's store (``ports.Store``)."""

    def __init__(self, path: Path, *, connect: Callable[[Path], Database] = connect) -> None:
        """Open or create the store.

        What a crash left in the page cache is flushed first (syncfs), so that nothing is read that
        would be gone after the next power cut.

        Args:
            connect: opens the file; a test that writes down what reaches the disk hands in its own.

        Raises:
            StoreError: not our file, of a newer format, damaged, or a durability setting that did not take.
        """
        self._path = path
        self._failed = ""
        self._unsure = False
        self._standby: object = _UNWRITTEN
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _flush_file_system(path.parent)
        try:
            self._db = connect(path)
        except sqlite3.Error as cause:
            raise StoreError(f"cannot be opened: {cause}", where=str(path)) from cause
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise
        except (sqlite3.Error, UnicodeDecodeError) as cause:
            self._unsure = _is_unsure(cause)
            self.close()
            raise StoreError(f"cannot be opened: {cause}", where=str(path)) from cause

    def statements(self) -> Sequence[StoredStatement]:
        """Return every statement, in the order in which they were added."""

        def read() -> list[StoredStatement]:
            found = [
                _statement_of(row)
                for row in self._db.execute(
                    "SELECT charter, data, earliest, latest FROM statements ORDER BY number"
                ).fetchall()
            ]
            self._seal().check_statements(found)
            return found

        return self._snapshot(read)

    def memory(self) -> Memory | None:
        """Return the memory as last committed; None after a loss of state."""
        data, standby = self._snapshot(lambda: (self._value(_MEMORY), self._value(_STANDBY)))
        if data is None and standby is None:
            return None
        if data is None or standby is None:
            raise StoreError("is damaged: half of the memory is missing", where=str(self._path))
        memory = decode_memory(data, standby)
        self._standby = memory.standby
        return memory

    def value(self, name: str) -> bytes | None:
        """Return a named value as last committed."""
        return self._snapshot(lambda: self._value(name))

    def commit(
        self,
        *,
        statements: Sequence[StoredStatement] = (),
        memory: Memory | None = None,
        values: Mapping[str, bytes] | None = None,
        journal: Sequence[JournalLine] = (),
    ) -> None:
        """Add statements and journal lines, replace memory and values: all or nothing, durable on return."""
        named = dict(values or {})
        if memory is not None:
            named[_MEMORY] = encode_memory(memory)
            # The standby can be long and seldom changes: it is a value of its own, in the same transaction.
            if memory.standby is not self._standby:
                named[_STANDBY] = encode_standby(memory.standby)

        def write() -> None:
            self._db.execute("BEGIN IMMEDIATE")
            if statements or named:
                self._put(statements, named)
            self._db.executemany(
                "INSERT INTO journal (at, code, subject, text) VALUES (?, ?, ?, ?)",
                [(each.at_s, each.code, each.subject, each.text) for each in journal],
            )
            self._db.execute("COMMIT")

        self._guarded(write)
        if memory is not None:
            self._standby = memory.standby

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        """Write that these commands are about to be sent; durable on return."""

        def write() -> None:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO effects VALUES (?, ?, ?, ?, ?)",
                [(each.statement, each.element, str(each.stage), each.attempt, at_s) for each in keys],
            )
            self._db.execute("COMMIT")

        self._guarded(write)

    def effects(self, *, since_s: int = 0) -> Sequence[tuple[EffectKey, int]]:
        """Return every command that may have been sent since then, with its Unix second."""
        rows = self._guarded(
            lambda: self._db.execute("SELECT * FROM effects WHERE at >= ?", (since_s,)).fetchall()
        )
        try:
            return [
                (EffectKey(statement, element, Stage(stage), attempt), at)
                for statement, element, stage, attempt, at in rows
            ]
        except ValueError as cause:
            raise StoreError(f"is damaged: {cause}", where=str(self._path)) from cause

    def journal(self, *, last: int) -> Sequence[JournalLine]:
        """Return the last lines, oldest first."""
        rows = self._guarded(
            lambda: self._db.execute(
                "SELECT at, code, subject, text FROM journal ORDER BY number DESC LIMIT ?", (last,)
            ).fetchall()
        )
        return [
            JournalLine(at_s=at, code=code, subject=subject, text=text)
            for at, code, subject, text in reversed(rows)
        ]

    def close(self) -> None:
        """Close; nothing is lost.

        After a failed write or sync the connection is left to the end of the process: SQLite would empty the
        log when it closes, and for that sync again what the kernel now counts as clean.
        """
        with suppress(sqlite3.Error):  # where the store failed, that was told already
            if self._unsure:
                _never_close(self._db)
            else:
                self._db.close()

    def _prepare(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        self._db.execute("PRAGMA synchronous=FULL")
        level = self._db.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or level != _FULL:
            raise StoreError(
                f"journal mode {mode}, synchronous {level}: the store would lose what it acknowledged",
                where=str(self._path),
                hint="use a local file system that supports SQLite's WAL",
            )
        _, valid_frames, _ = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        check_log(self._path.with_name(self._path.name + "-wal"), valid_frames=max(0, valid_frames))
        # Emptied, so that what a killed process left behind the log's end is not counted at the next start.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._make()
        elif version == 1:
            self._migrate()
        elif version != _FORMAT:
            raise StoreError(f"has format {version}, this version reads {_FORMAT}", where=str(self._path))

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for each in _SCHEMA:
            self._db.execute(each)
        self._write_seal(Seal())
        self._db.execute(f"PRAGMA user_version={_FORMAT}")
        self._db.execute("COMMIT")

    def _migrate(self) -> None:
        """Bring a store of format 1, which had no seal, to format 2: in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        rows = self._db.execute("SELECT charter, data, earliest, latest FROM statements ORDER BY number")
        statements = [_statement_of(row) for row in rows.fetchall()]
        named = dict(self._db.execute("SELECT name, data FROM named_values").fetchall())
        self._db.execute("DROP TABLE statements")
        self._db.execute(_STATEMENTS)
        self._db.execute(_SEAL)
        self._write_seal(Seal())
        self._put(statements, named)
        self._db.execute(f"PRAGMA user_version={_FORMAT}")
        self._db.execute("COMMIT")

    def _put(self, statements: Sequence[StoredStatement], named: Mapping[str, bytes]) -> None:
        """Add statements that are not there yet, replace values, and seal: inside a transaction."""
        seal = self._seal()
        for each in statements:
            digest = hashlib.sha256(f"{each.charter}\n".encode() + each.data).digest()
            if self._db.execute("SELECT 1 FROM statements WHERE digest = ?", (digest,)).fetchone():
                continue
            self._db.execute(
                "INSERT INTO statements (digest, charter, earliest, latest, data) VALUES (?, ?, ?, ?, ?)",
                (digest, each.charter, each.admitted.earliest, each.admitted.latest, each.data),
            )
            seal = seal.with_statement(each)
        self._db.executemany("INSERT OR REPLACE INTO named_values VALUES (?, ?)", [*named.items()])
        self._write_seal(seal.with_values(named))

    def _seal(self) -> Seal:
        row = self._db.execute("SELECT data FROM seal WHERE number = 1").fetchone()
        return Seal.read(None if row is None else row[0])

    def _write_seal(self, seal: Seal) -> None:
        self._db.execute("INSERT OR REPLACE INTO seal VALUES (1, ?)", (seal.to_bytes(),))

    def _value(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT data FROM named_values WHERE name = ?", (name,)).fetchone()
        if row is not None and not isinstance(row[0], bytes):
            raise StoreError(f"is damaged: its value {name!r} is of another type")
        data = None if row is None else row[0]
        self._seal().check_value(name, data)
        return data

    def _snapshot(self, read: Callable[[], _T]) -> _T:
        """Run ``read`` on one state of the file, whatever another process writes meanwhile."""

        def work() -> _T:
            self._db.execute("BEGIN")
            found = read()
            self._db.execute("COMMIT")
            return found

        return self._guarded(work)

    def _guarded(self, work: Callable[[], _T]) -> _T:
        """Run ``work``; after any failure the store stays shut, since nothing says what reached the disk."""
        if self._failed:
            raise StoreError(
                f"failed before; nothing more is written (it {self._failed})", where=str(self._path)
            )
        try:
            return work()
        except (sqlite3.Error, UnicodeDecodeError) as cause:  # the second: column names in a damaged file
            self._failed = f"did not keep what it was given: {cause}"
            self._unsure = _is_unsure(cause)
            raise StoreError(self._failed, where=str(self._path)) from cause
        except StoreError as damage:
            self._failed = damage.message
            raise StoreError(
                damage.message,
                where=str(self._path),
                hint="keep the file and find out why; moved away, the site starts in standby",
            ) from damage


def _is_unsure(cause: Exception) -> bool:
    """Tell whether nobody knows what of the last write is on the disk."""
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)


def _never_close(database: Database) -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))  # not even when the interpreter ends
    database.execute("ROLLBACK")


def _statement_of(row: Sequence[object]) -> StoredStatement:
    charter, data, earliest, latest = row
    if (
        not isinstance(charter, str)
        or not isinstance(data, bytes)
        or not isinstance(earliest, int)
        or not isinstance(latest, int)
        or earliest > latest
    ):
        raise StoreError("is damaged: a statement's row makes no sense")
    return StoredStatement(charter=charter, data=data, admitted=Interval(earliest=earliest, latest=latest))


def _flush_file_system(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise StoreError(f"syncfs failed: {os.strerror(number)}", where=str(directory))
    finally:
        os.close(descriptor)
