"""The inbox: statements arrive as files, by atomic rename; each ends in one of three folders.

``accepted/``: on disk and obeyed. ``pending/``: kept; its quorum is not complete, or its charter version
is not known yet. ``refused/``: with a ``.reason.txt`` beside it, also for what came too late to count.
A file is moved only after its effect is durable, so a crash in between repeats it, which changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from watchfiles import awatch

from grandpause.core.canonical import MAX_BYTES
from grandpause.core.trust import Admission, Standing
from grandpause.errors import FormError, TrustError, UsageError

ACCEPTED, PENDING, REFUSED = "accepted", "pending", "refused"


class Inbox:
    """Watches one directory (``ports.Feed``)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

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
        """Yield (file name, bytes): what lies there already, oldest first, then whatever arrives."""
        watch = awatch(
            self.directory, recursive=False, debounce=1, step=1, rust_timeout=1_000, yield_on_timeout=True
        )
        async for _ in watch:
            for path in self.waiting():
                data = read_bounded(path)
                if data is not None:
                    yield path.name, data

    def waiting(self) -> list[Path]:
        """Return the files that wait, oldest first. Names that begin with a dot are still being written."""
        found = []
        for path in self.directory.iterdir():
            if path.name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            with suppress(FileNotFoundError):  # whoever put it there took it away again
                found.append((path.stat().st_mtime_ns, path.name, path))
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
        self._move(name, REFUSED)
        (self.directory / REFUSED / f"{name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")

    def _move(self, name: str, folder: str) -> None:
        with suppress(FileNotFoundError):  # taken away meanwhile; what it said is on disk all the same
            (self.directory / name).replace(self.directory / folder / name)


def read_bounded(path: Path) -> bytes | None:
    """Return at most one byte more than a statement may have; None if the file has gone."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None


def deliver(directory: Path, name: str, data: bytes) -> Path:
    """Put a statement into an inbox by atomic rename; return its path there."""
    part = directory / f".{name}.part"
    part.write_bytes(data)
    target = directory / name
    part.replace(target)
    return target
