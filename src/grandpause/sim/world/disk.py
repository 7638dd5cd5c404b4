"""A controller's disk: every commit is whole or not there, as the crash images of the real store show.

What can go wrong: the power fails within a write (which is then kept, or dropped, or torn and therefore
dropped), the disk is full, a bit flips (the real store's seal finds it), an old image is put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grandpause.core.memory import Memory
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, StoredStatement
from grandpause.sim.world.settings import Fault


class PowerCut(Exception):
    """The power failed within a write."""


@dataclass(slots=True)
class Content:
    """What is on the disk."""

    statements: dict[tuple[str, bytes], StoredStatement] = field(default_factory=dict)
    memory: Memory | None = None
    values: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Content:
        """Return an image of it."""
        return Content(dict(self.statements), self.memory, dict(self.values))


class Disk:
    """One controller's store (``ports.Store``).

    Attributes:
        doom: what happens within the next write; None: nothing.
        damaged: whether a bit flipped: everything that is read fails its check.
        commands: key and Unix second of every command of the last hour that was recorded.
        writes: how many writes there were.
    """

    def __init__(self) -> None:
        self.content = Content()
        self.doom: Fault | None = None
        self.damaged = False
        self.commands: dict[EffectKey, int] = {}
        self.writes = 0

    def statements(self) -> Sequence[StoredStatement]:
        """Return every statement, in the order in which they were added."""
        self._check()
        return list(self.content.statements.values())

    def memory(self) -> Memory | None:
        """Return the memory as last committed; None after a loss of state."""
        self._check()
        return self.content.memory

    def value(self, name: str) -> bytes | None:
        """Return a named value as last committed."""
        self._check()
        return self.content.values.get(name)

    def commit(
        self,
        *,
        statements: Sequence[StoredStatement] = (),
        memory: Memory | None = None,
        values: Mapping[str, bytes] | None = None,
        journal: Sequence[JournalLine] = (),  # noqa: ARG002  for people; nothing hangs on it
    ) -> None:
        """Add statements, replace memory and values: all or nothing."""
        doom = self._begin()
        if doom is None or doom is Fault.WRITE_KEPT:
            content = self.content
            for each in statements:
                content.statements.setdefault((each.charter, each.data), each)
            if memory is not None:
                content.memory = memory
            if values:
                content.values |= values
        if doom is not None:
            raise PowerCut

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        """Write that these commands are about to be sent."""
        doom = self._begin()
        if doom is not None:
            raise PowerCut
        self.commands.update(dict.fromkeys(keys, at_s))

    def effects(self, *, since_s: int = 0) -> Sequence[tuple[EffectKey, int]]:
        """Return every command that may have been sent since then, with its Unix second."""
        return [(key, at_s) for key, at_s in self.commands.items() if at_s >= since_s]

    def journal(self, *, last: int) -> Sequence[JournalLine]:  # noqa: ARG002
        """Return nothing: it is for people."""
        return ()

    def close(self) -> None:
        """Close; nothing is lost."""

    def wipe(self) -> None:
        """Forget everything: a reinstallation."""
        self.content = Content()
        self.commands.clear()
        self.damaged = False

    def restore(self, image: Content) -> None:
        """Put an old image back."""
        self.content = image.copy()
        self.commands.clear()
        self.damaged = False

    def _begin(self) -> Fault | None:
        self._check()
        self.writes += 1
        doom, self.doom = self.doom, None
        if doom is Fault.DISK_FULL:
            raise StoreError("the disk is full")
        return doom

    def _check(self) -> None:
        if self.damaged:
            raise StoreError("what is stored does not fit its seal")
