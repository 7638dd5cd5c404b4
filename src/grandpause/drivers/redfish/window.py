"""The window: how many requests (with their handshakes) are under way at once.

A slot that has brought no answer for a while is lent to the next one that waits; the request itself goes
on until its caller gives up. So a rack whose management switch is dead cannot fill the window and keep
the healthy nodes waiting: it delays them by ``lend_after_s`` at most.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the window holds now."""

    used: int
    lent: int
    waiting: int


class Window:
    """Slots, given in the order of asking, in two lines. Not for use by more than one event loop."""

    def __init__(self, slots: int, *, lend_after_s: float, most_lent: int) -> None:
        self._free = slots
        self._lend_after_s = lend_after_s
        self._most_lent = most_lent
        self._since: dict[int, float] = {}
        self._lent: set[int] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._connected: deque[asyncio.Future[None]] = deque()
        self._last_was_connected = False
        self._names = 0
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def load(self) -> Load:
        """How many slots are used (not lent), lent, and waited for."""
        waiting = sum(not turn.done() for turn in (*self._waiting, *self._connected))
        return Load(used=len(self._since), lent=len(self._lent), waiting=waiting)

    async def enter(self, *, connected: bool) -> int:
        """Wait for a slot and return its name, for ``leave``. Cancelling the wait costs nothing.

        Those with a kept connection take every second slot: so the nodes that were told to go off are
        asked, and their connections closed, while others are still being reached.
        """
        if self._free > 0:  # then nobody waits, see _pass_on
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            (self._connected if connected else self._waiting).append(turn)
            self._watch()
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._pass_on()  # the slot was given in the same moment
                raise  # a cancelled turn is skipped when it comes up: removing it would cost a search
        self._names += 1
        self._since[self._names] = asyncio.get_running_loop().time()
        return self._names

    def leave(self, slot: int) -> None:
        """Give a slot back."""
        if slot in self._lent:
            self._lent.remove(slot)
        else:
            del self._since[slot]
            self._pass_on()

    def _pass_on(self) -> None:
        """Give one free slot to the first that still waits; it stays free only if nobody does."""
        while self._waiting or self._connected:
            self._last_was_connected = bool(
                self._connected and not (self._waiting and self._last_was_connected)
            )
            turn = (self._connected if self._last_was_connected else self._waiting).popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _watch(self) -> None:
        if self._sweep is None:
            pause = self._lend_after_s / 8
            self._sweep = asyncio.get_running_loop().call_later(pause, self._lend)

    def _lend(self) -> None:
        """Lend the slots that have been held for too long, oldest first, while somebody waits."""
        self._sweep = None
        before = asyncio.get_running_loop().time() - self._lend_after_s
        while self._somebody_waits() and self._since and len(self._lent) < self._most_lent:
            slot, since = next(iter(self._since.items()))
            if since > before:
                break
            del self._since[slot]
            self._lent.add(slot)
            self._pass_on()
        if self._somebody_waits():
            self._watch()

    def _somebody_waits(self) -> bool:
        return bool(self._waiting or self._connected)

    def close(self) -> None:
        """Stop watching."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
