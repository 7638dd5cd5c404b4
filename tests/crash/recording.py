"""Writes down what SQLite does to its files: every write, truncation, sync, creation and removal, in order.

An apsw VFS passes everything on to the real one and keeps the list. The real ``SqliteStore`` runs on a
connection through it, by the store's one seam.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from crash.disk import Do, Operation

CHECKPOINT_PAGES = 60
"""SQLite's own is 1,000: a workload that is short enough to enumerate must meet checkpoints, too."""
_numbers = itertools.count()


@dataclass(slots=True)
class Recording:
    """Everything that happened, and the write path under way."""

    operations: list[Operation] = field(default_factory=list)
    path: str = ""
    on: bool = True

    def add(self, do: Do, file: str, *, offset: int = 0, data: bytes = b"") -> None:
        """Append one step."""
        if self.on:
            self.operations.append(Operation(do=do, file=file, path=self.path, offset=offset, data=data))


class RecordingVfs(apsw.VFS):
    """The default VFS, written down."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.name = f"recording-{next(_numbers)}"
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> RecordingFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return RecordingFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001
        existed = Path(filename).exists()
        super().xDelete(filename, syncdir)
        if existed:
            self.recording.add(Do.DELETE, Path(filename).name)
        if syncdir:
            self.recording.add(Do.SYNC_DIRECTORY, "")


class RecordingFile(apsw.VFSFile):
    """One open file, written down; not its shared memory (-shm), which SQLite makes anew after a crash."""

    def __init__(
        self, vfs: RecordingVfs, path: str | None, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._recording = vfs.recording
        self._file = "" if path is None else Path(path).name
        new = path is not None and not Path(path).exists()
        # The unix VFS syncs the directory with the first sync of a journal or log that it has just made.
        log = flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL)
        self._directory_due = bool(new and log)
        super().__init__("", name, flags)
        if new and path is not None and Path(path).exists():
            self._recording.add(Do.CREATE, self._file)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._add(Do.WRITE, offset=offset, data=bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._add(Do.TRUNCATE, offset=newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._add(Do.SYNC)
        if self._directory_due:
            self._directory_due = False
            self._recording.add(Do.SYNC_DIRECTORY, "")

    def _add(self, do: Do, *, offset: int = 0, data: bytes = b"") -> None:
        if self._file:
            self._recording.add(do, self._file, offset=offset, data=data)


class RecordedDatabase:
    """An apsw connection through the shim (``stores.sqlite.Database``).

    ``synchronous`` is what is really set, whatever the store asks for; it is told that it got FULL.
    """

    def __init__(self, path: Path, vfs: RecordingVfs, *, synchronous: str = "FULL") -> None:
        self._synchronous = synchronous
        with _as_sqlite3():
            self._db = apsw.Connection(str(path), vfs=vfs.name)
            self._db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> apsw.Cursor:
        with _as_sqlite3():
            if sql == "PRAGMA synchronous" and self._synchronous != "FULL":
                return self._db.execute("SELECT 2")
            sql = sql.replace("synchronous=FULL", f"synchronous={self._synchronous}")
            return self._db.execute(sql, tuple(parameters))

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> object:
        with _as_sqlite3():
            return self._db.executemany(sql, [tuple(each) for each in parameters])

    def close(self) -> None:
        with _as_sqlite3():
            self._db.close()


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error
