"""A store that keeps everything in this process: for simulation and tests. Nothing survives the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grandpause.core.memory import Memory
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, StoredStatement


class MemoryStore:
    """One controller's store (``ports.Store``), durable for the life of this object."""

    def __init__(self) -> None:
        self._statements: dict[tuple[str, bytes], StoredStatement] = {}
        self._memory: Memory | None = None
        self._values: dict[str, bytes] = {}
        self._effects: dict[EffectKey, int] = {}
        self._journal: list[JournalLine] = []
        self._closed = False

    def statements(self) -> Sequence[StoredStatement]:
        """Return every statement, in the order in which they were added."""
        self._check_open()
        return list(self._statements.values())

    def memory(self) -> Memory | None:
        """Return the memory as last committed; None before the first."""
        self._check_open()
        return self._memory

    def value(self, name: str) -> bytes | None:
        """Return a named value as last committed."""
        self._check_open()
        return self._values.get(name)

    def commit(
        self,
        *,
        statements: Sequence[StoredStatement] = (),
        memory: Memory | None = None,
        values: Mapping[str, bytes] | None = None,
        journal: Sequence[JournalLine] = (),
    ) -> None:
        """Add statements and journal lines, replace memory and values."""
        self._check_open()
        for each in statements:
            self._statements.setdefault((each.charter, each.data), each)
        self._memory = self._memory if memory is None else memory
        self._values |= values or {}
        self._journal += journal

    def record_effects(self, keys: Sequence[EffectKey], *, at_s: int) -> None:
        """Remember that these commands are about to be sent; a key is remembered once."""
        self._check_open()
        for each in keys:
            self._effects.setdefault(each, at_s)

    def effects(self, *, since_s: int = 0) -> Sequence[tuple[EffectKey, int]]:
        """Return every command that may have been sent since then, with its Unix second."""
        self._check_open()
        return [(key, at) for key, at in self._effects.items() if at >= since_s]

    def journal(self, *, last: int) -> Sequence[JournalLine]:
        """Return the last lines, oldest first."""
        self._check_open()
        return self._journal[-last:] if last else []

    def close(self) -> None:
        """Close; every later call raises StoreError."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")
