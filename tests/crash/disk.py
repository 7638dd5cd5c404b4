"""What a power cut can leave of a list of operations on files: the crash images.

A change to a file is certain once that file was synced; a change to a directory (a name made, moved or
removed) once that directory was. Before that it may be there or not, whatever became of the others, and
one write may be torn: cut off at a boundary between sectors of 512 bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

SECTOR: Final = 512
ROOT: Final = 0


class Do(StrEnum):
    """What can happen to a file or directory."""

    CREATE = "create"
    MAKE_DIRECTORY = "mkdir"
    WRITE = "write"
    TRUNCATE = "truncate"
    RENAME = "rename"
    DELETE = "delete"
    SYNC = "sync"
    SYNC_DIRECTORY = "sync directory"
    SYNC_ALL = "sync all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step of what reaches the file system.

    Attributes:
        file: the name below the directory that is watched; "" is that directory.
        path: the write path of the controller in which it happened.
        offset: where the write begins; for a truncation, the new size.
        target: for a renaming, the new name.
    """

    do: Do
    file: str
    path: str = ""
    offset: int = 0
    data: bytes = b""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What one power cut left.

    Attributes:
        number: its place in the enumeration.
        done: how many operations had happened.
        files: name -> bytes of every file.
        how: which of the unsynced changes were kept, in words.
    """

    number: int
    done: int
    files: dict[str, bytes]
    how: str


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that is not certain yet; the sync of ``inode`` makes it so."""

    inode: int
    operation: Operation
    subject: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which of the uncertain changes were kept (a bit each), and how much of a torn one."""

    kept: int
    torn: int = -1
    cut: int = 0


@dataclass(slots=True)
class Disk:
    """The certain state, and what is on its way; one that lies makes nothing certain."""

    lies: bool = False
    content: dict[int, bytearray] = field(default_factory=dict)
    entries: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    pending: list[_Change] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=lambda: {"": ROOT})
    _next: int = ROOT + 1

    def does(self, operation: Operation) -> None:
        """Let one operation happen."""
        do, name = operation.do, operation.file
        if do in (Do.CREATE, Do.MAKE_DIRECTORY):
            self._names[name] = inode = self._next
            self._next += 1
            if do is Do.CREATE:
                self.content[inode] = bytearray()
            else:
                self.entries[inode] = {}
            self.pending.append(_Change(self._parent(name), operation, inode))
        elif do in (Do.WRITE, Do.TRUNCATE):
            inode = self._names[name]
            self.pending.append(_Change(inode, operation, inode))
        elif do is Do.DELETE:
            self.pending.append(_Change(self._parent(name), operation, self._names.pop(name)))
        elif do is Do.RENAME:
            self._rename(operation)
        elif self.lies:
            return
        elif do is Do.SYNC_ALL:
            for inode in {each.inode for each in self.pending}:
                self._sync(inode)
        else:
            self._sync(self._names[name])

    def image(self, choice: _Choice) -> dict[str, bytes]:
        """Return name -> bytes of every file that this power cut leaves."""
        content: dict[int, bytearray] = {}
        entries: dict[int, dict[str, int]] = {}
        for index, change in enumerate(self.pending):
            if not choice.kept >> index & 1:
                continue
            if change.inode in self.content:
                file = content.setdefault(change.inode, bytearray(self.content[change.inode]))
                _write(file, change.operation, choice.cut if index == choice.torn else None)
            else:
                for each in self._touched(change):
                    entries.setdefault(each, dict(self.entries[each]))
                self._enter(entries, change)
        found: dict[str, bytes] = {}
        self._walk(ROOT, "", content, entries, found)
        return found

    def choices(self, most: int, chance: random.Random) -> list[_Choice]:
        """Return at most ``most`` different ends: all there are, if that is not more."""
        everything = (1 << len(self.pending)) - 1
        others = list(dict.fromkeys(self._partly(everything, most, chance)))
        chance.shuffle(others)
        return list(dict.fromkeys([_Choice(everything), _Choice(0), *others]))[:most]

    def _partly(self, everything: int, most: int, chance: random.Random) -> Iterator[_Choice]:
        """Yield ends that keep some: up to a moment, one alone, all but one, torn, and at random."""
        count = len(self.pending)
        cuts = [(index, cut) for index, change in enumerate(self.pending) for cut in _cuts(change.operation)]
        if 1 << count <= most:
            yield from (_Choice(kept) for kept in range(1 << count))
        for index in range(count):
            yield _Choice((1 << index) - 1)
            yield _Choice(1 << index)
            yield _Choice(everything & ~(1 << index))
        for index, cut in chance.sample(cuts, min(len(cuts), most)):
            yield _Choice((2 << index) - 1, index, cut)
            yield _Choice(chance.getrandbits(count) | 1 << index, index, cut)
        for _ in range(most if count > 1 else 0):
            yield _Choice(chance.getrandbits(count))

    def _parent(self, name: str) -> int:
        return self._names[_above(name)]

    def _rename(self, operation: Operation) -> None:
        inode = self._names[operation.file]
        change = _Change(self._parent(operation.target), operation, inode)
        below = operation.file + "/"
        for name in [each for each in self._names if each == operation.file or each.startswith(below)]:
            self._names[operation.target + name[len(operation.file) :]] = self._names.pop(name)
        self.pending.append(change)

    def _sync(self, inode: int) -> None:
        rest = []
        for change in self.pending:
            if change.inode != inode:
                rest.append(change)
            elif inode in self.content:
                _write(self.content[inode], change.operation, None)
            else:
                self._enter(self.entries, change)
        self.pending = rest

    def _touched(self, change: _Change) -> list[int]:
        """Return the directories that a change concerns: for a renaming, wherever the old name stands."""
        if change.operation.do is not Do.RENAME:
            return [change.inode]
        return [*self.entries]

    @staticmethod
    def _enter(entries: dict[int, dict[str, int]], change: _Change) -> None:
        operation = change.operation
        name = PurePosixPath(operation.target or operation.file).name
        if operation.do is Do.DELETE:
            if entries[change.inode].get(name) == change.subject:
                del entries[change.inode][name]
            return
        if operation.do is Do.RENAME:
            old = PurePosixPath(operation.file).name
            for each in entries.values():
                if each.get(old) == change.subject:
                    del each[old]
        entries[change.inode][name] = change.subject

    def _walk(
        self,
        inode: int,
        place: str,
        content: dict[int, bytearray],
        entries: dict[int, dict[str, int]],
        found: dict[str, bytes],
    ) -> None:
        for name, each in entries.get(inode, self.entries[inode]).items():
            if each in self.content:
                found[place + name] = bytes(content.get(each, self.content[each]))
            else:
                found[f"{place}{name}/"] = b""
                self._walk(each, f"{place}{name}/", content, entries, found)


def images(
    operations: Sequence[Operation],
    *,
    most_at_a_point: int,
    seed: int,
    stride: int = 1,
    first: int = 0,
    begin: int = 0,
    lies: bool = False,
) -> Iterator[Image]:
    """Yield what a power cut leaves after each operation from ``begin`` on: every ``stride``-th end."""
    chance = random.Random(seed)
    disk = Disk(lies=lies)
    number = 0
    for done in range(len(operations) + 1):
        if done:
            disk.does(operations[done - 1])
        if done < begin:
            continue
        for choice in disk.choices(most_at_a_point, chance):
            if number % stride == first:
                yield Image(
                    number=number, done=done, files=disk.image(choice), how=_in_words(disk.pending, choice)
                )
            number += 1


def count_images(operations: Sequence[Operation], *, most_at_a_point: int, seed: int) -> int:
    """Return how many ends the enumeration has, without making them."""
    chance = random.Random(seed)
    disk = Disk()
    total = 0
    for done in range(len(operations) + 1):
        if done:
            disk.does(operations[done - 1])
        total += len(disk.choices(most_at_a_point, chance))
    return total


def lay_out(files: dict[str, bytes], directory: Path) -> None:
    """Write an image into an existing directory."""
    for name, data in files.items():
        target = directory / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.write_bytes(data)


def _above(name: str) -> str:
    above = str(PurePosixPath(name).parent)
    return "" if above == "." else above


def _cuts(operation: Operation) -> list[int]:
    if operation.do is not Do.WRITE:
        return []
    begin, end = operation.offset, operation.offset + len(operation.data)
    return [edge - begin for edge in range((begin // SECTOR + 1) * SECTOR, end, SECTOR)]


def _write(file: bytearray, operation: Operation, cut: int | None) -> None:
    if operation.do is Do.TRUNCATE:
        del file[operation.offset :]
        file.extend(bytes(operation.offset - len(file)))
        return
    data = operation.data if cut is None else operation.data[:cut]
    file.extend(bytes(max(0, operation.offset - len(file))))
    file[operation.offset : operation.offset + len(data)] = data


def _in_words(pending: Sequence[_Change], choice: _Choice) -> str:
    lost = [
        f"{change.operation.do} {change.operation.file}@{change.operation.offset}"
        for index, change in enumerate(pending)
        if not choice.kept >> index & 1
    ]
    torn = (
        "" if choice.torn < 0 else f"; torn after {choice.cut} bytes: {pending[choice.torn].operation.file}"
    )
    return f"of {len(pending)} unsynced changes, lost: {', '.join(lost) or 'none'}{torn}"
