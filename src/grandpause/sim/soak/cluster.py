"""Worlds on a Dask cluster: the same seeds, the same result. (spec/soak.md 5)

Needs the optional extra ``dask``. The cluster's workers need this version of Grandpause, and one thread each
(``dask worker --nthreads 1``), since a world is plain Python.
"""

from __future__ import annotations

import importlib
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from grandpause.errors import UsageError
from grandpause.sim.soak.origin import source_digest
from grandpause.sim.soak.outcome import DIED, RAN_AWAY, Outcome, Run, attempt, mishap
from grandpause.sim.soak.workers import WORLD_LIMIT_S
from grandpause.sim.world.settings import Settings

_TICK_S: Final = 0.25
_CONNECT_S: Final = 10.0


class Cluster:
    """A crew of Dask workers. (``outcome.Crew``)

    A process that dies is the cluster's to replace: Dask runs its world elsewhere, and gives up only a world
    that ends several. A thread cannot be ended from outside, so a world that runs away is told of and left.
    """

    def __init__(self, dask: Any, client: Any, run: Run, *, processes: int, limit_s: float) -> None:
        self.processes = processes
        self._dask = dask
        self._client = client
        self._run = run
        self._limit_s = limit_s

    def outcomes(
        self, worlds: Iterable[Settings], *, stopping: Callable[[], bool], words: bool = False
    ) -> Generator[Outcome, None, None]:
        """See ``outcome.Crew``."""
        source = iter(worlds)
        under_way: dict[Any, tuple[Settings, float]] = {}
        try:
            while not stopping():
                while len(under_way) < self.processes and (settings := next(source, None)) is not None:
                    under_way[self._submit(settings, words=words)] = settings, time.monotonic()
                if not under_way:
                    return
                try:
                    done = self._dask.wait(list(under_way), _TICK_S, "FIRST_COMPLETED").done
                except TimeoutError:
                    done = set()
                late_s = time.monotonic() - self._limit_s
                for future, (settings, taken_s) in list(under_way.items()):
                    if future in done:
                        del under_way[future]
                        yield _collected(future, settings)
                    elif taken_s < late_s:
                        del under_way[future]
                        future.cancel(force=True)
                        yield mishap(settings, RAN_AWAY, f"not ended after {self._limit_s:g} s")
        finally:
            self._client.cancel(list(under_way), force=True)

    def _submit(self, settings: Settings, *, words: bool) -> Any:
        # A key of its own: Dask must not answer with the result of an earlier run.
        key = f"world-{settings.seed}-{uuid.uuid4().hex}"
        return self._client.submit(attempt, self._run, settings, words=words, key=key, retries=0)


@contextmanager
def cluster_at(
    address: str, run: Run, *, limit_s: float = WORLD_LIMIT_S, connect_s: float = _CONNECT_S
) -> Iterator[Cluster]:
    """Connect to a scheduler (``tcp://host:port``).

    Raises:
        UsageError: the extra is not installed, nobody answers, there are no workers, or one of them has
            other code than this process: its worlds would be others.
    """
    try:
        dask: Any = importlib.import_module("distributed")
    except ImportError as cause:
        raise UsageError(
            "Dask is not installed", where="--scheduler", hint="pip install 'grandpause[dask]'"
        ) from cause
    try:
        client: Any = dask.Client(address, timeout=connect_s)
    except (OSError, ValueError) as cause:
        raise UsageError(f"no scheduler answers: {cause}", where=address) from cause
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise UsageError("the scheduler has no workers", where=address)
        here = source_digest()
        for worker, digest in client.run(source_digest).items():
            if digest != here:
                raise UsageError(
                    "this worker has other code", where=worker, hint="install the same version everywhere"
                )
        yield Cluster(dask, client, run, processes=slots, limit_s=limit_s)


def _collected(future: Any, settings: Settings) -> Outcome:
    """Return a future's outcome; it may have been lost with its workers."""
    if future.status != "finished":
        cause = future.exception() if future.status == "error" else None
        return mishap(settings, DIED, f"{future.status}: {cause}")
    try:
        outcome = future.result()
    except Exception as cause:  # noqa: BLE001  (it came to an end there, and cannot be brought here)
        return mishap(settings, DIED, f"no report arrived: {str(cause).partition(chr(10))[0]}")
    assert isinstance(outcome, Outcome)
    return outcome
