"""Processes that run one world at a time each; one that dies or takes too long is replaced, and told of."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pickle import PicklingError
from typing import Final, Self

from grandpause.sim.soak.outcome import DIED, RAN_AWAY, Outcome, Run, attempt, mishap
from grandpause.sim.world.settings import Settings

WORLD_LIMIT_S: Final = 120.0
"""No world of the sizes that a seed draws takes a tenth of this."""
_TICK_S: Final = 0.25
"""How late, at most, a stop is noticed."""
_HASH_SEED: Final = "PYTHONHASHSEED"


class Workers:
    """A crew of processes on this machine. (``outcome.Crew``)

    They are started afresh, not forked, so that nothing of the parent's state is in a world.
    """

    def __init__(
        self, run: Run, *, processes: int, limit_s: float = WORLD_LIMIT_S, hash_seed: int | None = None
    ) -> None:
        """Start nothing yet.

        Args:
            processes: how many worlds run at a time.
            limit_s: wall-clock seconds after which a world counts as run away and its process is ended.
            hash_seed: what Python's string hashes in these processes begin from; None leaves it as it is.
        """
        self._run = run
        self._processes = processes
        self._limit_s = limit_s
        self._hash_seed = hash_seed
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process."""
        while self._idle:
            self._idle.pop().end()

    def outcomes(
        self, worlds: Iterable[Settings], *, stopping: Callable[[], bool], words: bool = False
    ) -> Generator[Outcome, None, None]:
        """See ``outcome.Crew``."""
        source = iter(worlds)
        busy: list[_Worker] = []
        try:
            while not stopping():
                while len(busy) < self._processes and (settings := next(source, None)) is not None:
                    busy.append(self._hand(settings, words=words))
                if not busy:
                    return
                yield from self._collect(busy)
        finally:
            for worker in busy:
                worker.end()

    def one(self, settings: Settings, *, stopping: Callable[[], bool], words: bool = False) -> Outcome | None:
        """Run one world; None if it was told to stop before its end."""
        return next(self.outcomes([settings], stopping=stopping, words=words), None)

    def _hand(self, settings: Settings, *, words: bool) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.take(settings, words=words, limit_s=self._limit_s):
                return worker
            worker.end()  # it died while it had nothing to do: no world is to blame
        with _environment(_HASH_SEED, self._hash_seed):
            worker = _Worker(self._run)
        worker.take(settings, words=words, limit_s=self._limit_s)
        return worker

    def _collect(self, busy: list[_Worker]) -> list[Outcome]:
        """Wait a moment; return what came of those that ended their world, died or are late."""
        wait([each.pipe for each in busy], _TICK_S)
        found = []
        for worker in tuple(busy):
            outcome = worker.ended()
            if outcome is not None:
                found.append(outcome)
                busy.remove(worker)
                if worker.alive:
                    self._idle.append(worker)
        return found


class _Worker:
    """One process, and this end of the pipe to it."""

    def __init__(self, run: Run) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.alive = True
        self._settings: Settings | None = None
        self._taken_s = 0.0
        self._limit_s = 0.0
        self._process: SpawnProcess = context.Process(target=_work, args=(theirs, run), daemon=True)
        self._process.start()
        # Ours alone holds the other end now, so its death is the end of the pipe.
        theirs.close()

    def take(self, settings: Settings, *, words: bool, limit_s: float) -> bool:
        """Hand it a world; False if it is dead."""
        self._settings, self._taken_s, self._limit_s = settings, time.monotonic(), limit_s
        try:
            self.pipe.send((settings, words))
        except OSError:
            # A dead process that was handed its first world shows itself at the pipe's end.
            return False
        return True

    def ended(self) -> Outcome | None:
        """Return what came of its world, or None if that goes on."""
        assert self._settings is not None
        if self.pipe.poll():
            try:
                outcome = self.pipe.recv()
            except (EOFError, OSError):
                return mishap(self._settings, DIED, self.end())
            assert isinstance(outcome, Outcome)
            return outcome
        if time.monotonic() - self._taken_s > self._limit_s:
            self.end()
            return mishap(self._settings, RAN_AWAY, f"not ended after {self._limit_s:g} s")
        return None

    def end(self) -> str:
        """End the process; return in words how it had ended, if it had."""
        self.alive = False
        self.pipe.close()
        self._process.join(_TICK_S)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process.close()
        if code is None:
            return "its process closed the pipe and went on"
        return (
            f"its process was ended by signal {-code}" if code < 0 else f"its process ended with code {code}"
        )


def _work(pipe: Connection, run: Run) -> None:
    """Run worlds until there are no more (the process's main function)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent acts on it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            settings, words = pipe.recv()
        except (EOFError, OSError):
            return  # no more, or the parent is gone
        try:
            _send(pipe, attempt(run, settings, words=words))
        except OSError:
            return  # the parent has given this world up


def _send(pipe: Connection, outcome: Outcome) -> None:
    try:
        pipe.send(outcome)
    except (TypeError, ValueError, AttributeError, PicklingError) as cause:
        # Nothing was sent yet: it is put into bytes first.
        pipe.send(mishap(outcome.settings, DIED, f"its report cannot be sent: {cause}"))


def _end_with_parent() -> None:
    """A world that runs away must not outlive a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _environment(name: str, value: int | None) -> Iterator[None]:
    """Set a variable for the processes that are started within."""
    before = os.environ.get(name)
    if value is not None:
        os.environ[name] = str(value)
    try:
        yield
    finally:
        if value is not None:
            del os.environ[name]
            if before is not None:
                os.environ[name] = before
