"""The inbox: statements arrive as files, by atomic rename; each ends in one of three folders.

``accepted/``: on disk and obeyed. ``pending/``: kept; its quorum is not complete, or its charter version
is not known yet. ``refused/``: with a ``.reason.txt`` beside it, also for what came too late to count.
A file is moved only after its effect is durable, so a crash in between repeats it, which changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from watchfiles import awatch

from grandpause.core.canonical import MAX_BYTES
from grandpause.core.trust import Admission, Standing
from grandpause.errors import FormError, TrustError, UsageError

LOOK_AGAIN_S = 0.5
MOST_NAME_BYTES = 200
ACCEPTED, PENDING, REFUSED = "accepted", "pending", "refused"


class Inbox:
    """Watches one directory (``ports.Feed``)."""

    def __init__(self, directory: Path, *, tell: Callable[[str], None] = lambda _text: None) -> None:
        """Watch ``directory``; ``tell`` hears what could not be moved or watched."""
        self.directory = directory
        self._tell = tell
        self._left: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the directories. Raises UsageError if that is not possible."""
        try:
            for name in (ACCEPTED, PENDING, REFUSED):
                (self.directory / name).mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise UsageError(
                f"the inbox cannot be made: {cause.strerror}", where=str(self.directory)
            ) from cause

    async def arrivals(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (file name, bytes): what lies there already, oldest first, then whatever arrives.

        A watch that breaks (the directory was removed, a name that is no text) is begun again: nothing
        that somebody does to the inbox may end the controller.
        """
        while True:
            try:
                self.prepare()
                async for _ in self._turns():
                    for path in self.waiting():
                        data = read_bounded(path)
                        if data is not None:
                            yield path.name, data
            except (OSError, RuntimeError, UsageError) as problem:
                self._tell(f"the inbox cannot be watched, and is looked at again: {problem}")
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _turns(self) -> AsyncIterator[None]:
        """Yield whenever there may be something new: at once, after an event, and every second."""
        yield
        watch = awatch(
            self.directory, recursive=False, debounce=1, step=1, rust_timeout=1_000, yield_on_timeout=True
        )
        async for _ in watch:
            yield

    def waiting(self) -> list[Path]:
        """Return the files that wait, oldest first. Names that begin with a dot are still being written."""
        found = []
        for path in self.directory.iterdir():
            if path.name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            with suppress(FileNotFoundError):  # whoever put it there took it away again
                changed_ns = path.stat().st_mtime_ns
                if self._left.get(path.name) != changed_ns:
                    found.append((changed_ns, path.name, path))
        return [path for _, _, path in sorted(found)]

    def take(self, name: str, data: bytes, receive: Callable[[bytes], Admission]) -> Admission | None:
        """Give one file's bytes to ``receive`` and move the file where it belongs; None if refused.

        Raises:
            StoreError: from ``receive``; the file stays, to be taken again.
        """
        try:
            admission = receive(data)
        except (FormError, TrustError) as refusal:
            self._refuse(name, f"{refusal.code}: {refusal}")
            return None
        if admission.standing is Standing.VOID:
            self._refuse(name, f"void: {admission.why}")
            return admission
        self._move(name, ACCEPTED if admission.standing is Standing.COUNTS else PENDING)
        return admission

    def _refuse(self, name: str, reason: str) -> None:
        """Write down why, then move: a crash in between leaves the file, which is refused again."""
        short = name if len(os.fsencode(name)) <= MOST_NAME_BYTES else sha256(os.fsencode(name)).hexdigest()
        try:
            (self.directory / REFUSED / f"{short}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")
        except OSError as problem:
            self._tell(f"{name!r} was refused ({reason}), which could not be written down: {problem}")
        self._move(name, REFUSED)

    def _move(self, name: str, folder: str) -> None:
        """Move a file; one that cannot be moved stays, is left alone until it changes, and is told of."""
        path = self.directory / name
        try:
            path.replace(self.directory / folder / name)
        except FileNotFoundError:
            return  # taken away meanwhile, or the folder is gone; what it said is on disk all the same
        except OSError as problem:
            self._left[name] = path.stat().st_mtime_ns
            self._tell(f"{name!r} could not be moved to {folder}: {problem.strerror}")


def read_bounded(path: Path) -> bytes | None:
    """Return at most one byte more than a statement may have; None if the file has gone."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def deliver(directory: Path, name: str, data: bytes) -> Path:
    """Put a statement into an inbox by atomic rename, durable when this returns; return its path there."""
    part = directory / f".{name}.part"
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    target = directory / name
    part.replace(target)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return target
