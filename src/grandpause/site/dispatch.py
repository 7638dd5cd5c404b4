"""Sends commands and asks questions, so many at a time: every command's key is on disk before it leaves.

Here is pace only; what is sent, retried or given up is decided by ``core.conductor``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from grandpause.core.stop import Command
from grandpause.errors import OwnFault

ROWS_AT_ONCE: Final = 300
"""Commands whose keys are written in one transaction: the first ones leave while the rest are written."""
LEAST_ROWS: Final = 100
FIRST_ROWS: Final = 8
"""The first commands of a stop; each batch after them is twice as big, ``PACE_S`` later. Hundreds of TLS
handshakes begun at once would all end late: the first command would leave after 150 ms."""
PACE_S: Final = 0.006
MOST_UNDER_WAY: Final = 600
"""Commands and questions under way at once, so that a node that was told is asked while others are still
being told, over the connection that is open already. One that is not answered within ``LEND_AFTER_S`` gives
its place to the next: hung devices delay nobody."""
LEND_AFTER_S: Final = 1.0


class Dispatch:
    """The commands that wait, and everything that is under way."""

    def __init__(
        self,
        *,
        record: Callable[[Sequence[Command]], None],
        send: Callable[[Command], Coroutine[Any, Any, None]],
        failed: Callable[[BaseException], None],
        drained: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            record: writes the commands' keys; durable when it returns.
            send: sends one command and hands its answer on.
            failed: hears of our own fault: a store that failed, or a task that raised.
            drained: called when few enough commands wait that more may be made.
        """
        self._record = record
        self._send = send
        self._failed = failed
        self._drained = drained
        self._waiting: deque[Command] = deque()
        self._tasks: dict[asyncio.Task[None], asyncio.TimerHandle | None] = {}
        self._under_way = 0
        self._pace = FIRST_ROWS
        self._paused = False

    @property
    def crowded(self) -> bool:
        """Whether so many commands wait that making more of them would only delay these."""
        return len(self._waiting) >= ROWS_AT_ONCE

    def begin(self) -> None:
        """A new stop: its first commands leave in a small batch."""
        self._pace = FIRST_ROWS

    def forget(self) -> None:
        """Drop the commands that were not sent yet."""
        self._waiting.clear()

    def put(self, commands: Iterable[Command]) -> None:
        """Send these when their turn comes."""
        self._waiting.extend(commands)
        self._flush()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start one command or question; it holds one of the places until it ends or is slow."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        self._under_way += 1
        self._tasks[task] = loop.call_later(LEND_AFTER_S, self._lend, task)
        task.add_done_callback(self._ended)

    async def cancel(self) -> None:
        """Cancel everything that is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _flush(self) -> None:
        """Write the keys of the next commands, then send them; the rest follows as answers come in."""
        room = min(self._pace, MOST_UNDER_WAY - self._under_way, len(self._waiting))
        if self._paused or room <= 0:
            return
        if room < min(LEAST_ROWS, self._pace, len(self._waiting)):
            return  # more places come free in a moment: one sync for many commands, not one for each
        commands = [self._waiting.popleft() for _ in range(room)]
        try:
            self._record(commands)
        except OwnFault as fault:
            self._failed(fault)
            return
        for command in commands:
            self.start(self._send(command))
        if not self.crowded:
            self._drained()
        if self._waiting:
            self._paused = True
            pause = PACE_S if self._pace < ROWS_AT_ONCE else 0
            asyncio.get_running_loop().call_later(pause, self._go_on)
        self._pace = min(2 * self._pace, ROWS_AT_ONCE)

    def _go_on(self) -> None:
        self._paused = False
        self._flush()

    def _lend(self, task: asyncio.Task[None]) -> None:
        self._tasks[task] = None
        self._under_way -= 1
        self._flush()

    def _ended(self, task: asyncio.Task[None]) -> None:
        place = self._tasks.pop(task)
        if place is not None:
            place.cancel()
            self._under_way -= 1
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._failed(fault)
        else:
            self._flush()
