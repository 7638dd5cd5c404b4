"""SQLite: the default store. WAL with synchronous=FULL, set and read back. (ADR 0005)

synchronous=NORMAL lost acknowledged rows in most crash images; FULL in none.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from grandpause.core.memory import Memory
from grandpause.core.model import Interval, Stage
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, StoredStatement
from grandpause.stores.memory_codec import decode_memory, encode_memory, encode_standby

_T = TypeVar("_T")

_FULL: Final = 2
_MEMORY: Final = "memory"
_STANDBY: Final = "standby"
_UNWRITTEN: Final = object()
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
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
"""


class SqliteStore:
    """One controller's store (``ports.Store``)."""

    def __init__(self, path: Path) -> None:
        """Open or create the store.

        What a crash left in the page cache is flushed first (syncfs), so that nothing is read that
        would be gone after the next power cut.

        Raises:
            StoreError: not our file, of a newer format, or a durability setting that did not take.
        """
        self._path = path
        self._broken = False
        self._standby: object = _UNWRITTEN
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _flush_file_system(path.parent)
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._prepare()
        except sqlite3.Error as cause:
            raise StoreError(f"cannot be opened: {cause}", where=str(path)) from cause

    def statements(self) -> Sequence[StoredStatement]:
        """Return every statement, in the order in which they were added."""
        rows = self._guarded(
            lambda: self._db.execute(
                "SELECT charter, data, earliest, latest FROM statements ORDER BY number"
            ).fetchall()
        )
        return [
            StoredStatement(charter=charter, data=data, admitted=Interval(earliest=earliest, latest=latest))
            for charter, data, earliest, latest in rows
        ]

    def memory(self) -> Memory | None:
        """Return the memory as last committed; None after a loss of state."""
        data, standby = self.value(_MEMORY), self.value(_STANDBY)
        if data is None and standby is None:
            return None
        if data is None or standby is None:
            raise StoreError("the stored memory is damaged: half of it is missing", where=str(self._path))
        memory = decode_memory(data, standby)
        self._standby = memory.standby
        return memory

    def value(self, name: str) -> bytes | None:
        """Return a named value as last committed."""
        row = self._guarded(
            lambda: self._db.execute("SELECT data FROM named_values WHERE name = ?", (name,)).fetchone()
        )
        return None if row is None else bytes(row[0])

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
            self._db.executemany(
                "INSERT OR IGNORE INTO statements (charter, earliest, latest, data) VALUES (?, ?, ?, ?)",
                [
                    (each.charter, each.admitted.earliest, each.admitted.latest, each.data)
                    for each in statements
                ],
            )
            self._db.executemany("INSERT OR REPLACE INTO named_values VALUES (?, ?)", named.items())
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

    def effects(self) -> Sequence[tuple[EffectKey, int]]:
        """Return every command that may have been sent, with its Unix second."""
        rows = self._guarded(lambda: self._db.execute("SELECT * FROM effects").fetchall())
        return [
            (EffectKey(statement, element, Stage(stage), attempt), at)
            for statement, element, stage, attempt, at in rows
        ]

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
        """Close; nothing is lost."""
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
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={_SCHEMA_VERSION}; COMMIT;"
            )
        elif version != _SCHEMA_VERSION:
            raise StoreError(
                f"has format {version}, this version reads {_SCHEMA_VERSION}", where=str(self._path)
            )

    def _guarded(self, work: Callable[[], _T]) -> _T:
        """Run ``work``; after any failure the store stays shut, since nothing says what reached the disk."""
        if self._broken:
            raise StoreError("failed before; nothing more is written", where=str(self._path))
        try:
            return work()
        except sqlite3.Error as cause:
            self._broken = True
            raise StoreError(f"did not keep what it was given: {cause}", where=str(self._path)) from cause


def _flush_file_system(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise StoreError(f"syncfs failed: {os.strerror(number)}", where=str(directory))
    finally:
        os.close(descriptor)
