"""Reads from strace what a process did to the files below one directory, as operations on a disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from crash.disk import Do, Operation

CALLS = (
    "openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,write,pwrite64,ftruncate,"
    "fsync,fdatasync,syncfs"
)
_LINE = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)$")
_UNFINISHED = re.compile(r"(?P<pid>\d+) +(?P<begun>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_RESULT = re.compile(r"\)\s+= (?P<result>-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|<((?:\\x[0-9a-f]{2})*)>')
_OPENED = re.compile(r"= \d+<((?:\\x[0-9a-f]{2})*)>")


def strace() -> str:
    """Return where strace is; the test is skipped, by name, without it."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("no strace: install the package of that name")
    return found


def traced(log: Path, *command: str) -> list[str]:
    """Return the command that runs ``command`` and writes down what it does to files."""
    options = ["-f", "-y", "-xx", "-s", "4000000", "--seccomp-bpf", "-e", "signal=none"]
    return [strace(), *options, "-e", f"trace={CALLS}", "-o", str(log), *command]


def laid_down(directory: Path) -> Iterator[Operation]:
    """Yield what makes the files that a directory holds now, all of it certain."""
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        yield Operation(do=Do.MAKE_DIRECTORY if path.is_dir() else Do.CREATE, file=name)
        if path.is_file():
            yield Operation(do=Do.WRITE, file=name, data=path.read_bytes())
    yield Operation(do=Do.SYNC_ALL, file="")


def operations_in(log: Path, directory: Path, *, known: Iterable[str]) -> list[Operation]:
    """Return what the traced process did below ``directory``.

    Args:
        known: the names below it that were there before.
    """
    reader = _Reader(directory=str(directory.resolve()), known={*known, ""})
    for line in _whole_lines(log):
        reader.take(line)
    return reader.operations


def _whole_lines(log: Path) -> Iterator[str]:
    """Yield each call when it ended, also where another thread's came in between."""
    begun: dict[str, str] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            if match := _UNFINISHED.match(line):
                begun[match["pid"]] = match["begun"]
            elif match := _RESUMED.match(line):
                yield f"{match['pid']} {begun.pop(match['pid'])}{match['rest']}"
            else:
                yield line


@dataclass(slots=True, kw_only=True)
class _Reader:
    directory: str
    known: set[str]
    operations: list[Operation] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def take(self, line: str) -> None:
        match = _LINE.match(line)
        result = _RESULT.search(line)
        if match is None or result is None or int(result["result"]) < 0:
            return
        texts = [_text(quoted or named) for quoted, named in _TEXT.findall(match["rest"])]
        if match["call"] == "openat":
            opened = _OPENED.search(line)
            assert opened is not None, line[:200]
            name = self._name(_text(opened[1]).decode())
            if name is not None:
                self._open(name, int(result["result"]), match["rest"])
        elif match["call"] in ("write", "pwrite64", "ftruncate", "fsync", "fdatasync", "syncfs"):
            name = self._name(texts[0].decode("utf-8", "replace"))
            if name is not None:
                self._change(match["call"], name, match["rest"], texts)
        else:
            self._named(match["call"], match["rest"], [each.decode("utf-8", "replace") for each in texts])

    def _name(self, path: str) -> str | None:
        """Return the name below the directory; None for what is no concern of it, such as shared memory."""
        if path == self.directory:
            return ""
        if not path.startswith(self.directory + "/") or path.endswith("-shm"):
            return None
        return path[len(self.directory) + 1 :]

    def _open(self, name: str, descriptor: int, rest: str) -> None:
        self._places[descriptor] = 0
        if "O_CREAT" in rest and name not in self.known:
            self.known.add(name)
            self._sizes[name] = 0
            self._add(Do.CREATE, name)
        elif "O_TRUNC" in rest:
            self._sizes[name] = 0
            self._add(Do.TRUNCATE, name)
        if "O_APPEND" in rest:
            self._places[descriptor] = self._sizes.get(name, 0)

    def _change(self, call: str, name: str, rest: str, texts: list[bytes]) -> None:
        if call == "syncfs":
            self._add(Do.SYNC_ALL, "")
        elif call in ("fsync", "fdatasync"):
            self._add(Do.SYNC, name)
        elif call == "ftruncate":
            self._add(Do.TRUNCATE, name, offset=_last_number(rest))
        elif call == "pwrite64":
            self._add(Do.WRITE, name, offset=_last_number(rest), data=texts[1])
        else:
            descriptor = int(rest.split("<", 1)[0])
            offset = self._places[descriptor]
            self._places[descriptor] += len(texts[1])
            self._sizes[name] = offset + len(texts[1])
            self._add(Do.WRITE, name, offset=offset, data=texts[1])

    def _named(self, call: str, rest: str, texts: list[str]) -> None:
        """Take a call that makes, moves or removes a name."""
        paths = []
        above = ""
        for (quoted, _), text in zip(_TEXT.findall(rest), texts, strict=True):
            if quoted or rest.startswith(('"",', '""')):
                paths.append(str(PurePosixPath(above) / text))
            else:
                above = text
        names = [self._name(each) for each in paths]
        if names[0] is None or (names[0] not in self.known and not call.startswith("mkdir")):
            return  # made by somebody else, or of no concern
        if call.startswith("rename"):
            assert names[1] is not None, "moved out of the directory"
            self._move(names[0], names[1])
        elif call.startswith("mkdir"):
            self.known.add(names[0])
            self._add(Do.MAKE_DIRECTORY, names[0])
        else:
            self.known.discard(names[0])
            self._add(Do.DELETE, names[0])

    def _move(self, old: str, new: str) -> None:
        self._add(Do.RENAME, old, target=new)
        for name in [each for each in self.known if each == old or each.startswith(f"{old}/")]:
            self.known.discard(name)
            self.known.add(new + name[len(old) :])

    def _add(self, do: Do, name: str, *, offset: int = 0, data: bytes = b"", target: str = "") -> None:
        path = "store" if ".sqlite" in name or not name else name.removeprefix("state/").split("/")[0]
        self.operations.append(
            Operation(do=do, file=name, path=path, offset=offset, data=data, target=target)
        )


def _text(quoted: str) -> bytes:
    return bytes.fromhex(quoted.replace("\\x", ""))


def _last_number(rest: str) -> int:
    """Return the call's last argument."""
    return int(rest.rsplit(",", 1)[1].partition(")")[0])
