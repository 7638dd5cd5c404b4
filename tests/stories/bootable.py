"""A keeper that can be booted again and again on one store, under a clock that moves only when told to."""

from __future__ import annotations

import itertools
import time

from grandpause.core.memory import Memory
from grandpause.core.model import Unit
from grandpause.core.statement.codec import Act
from grandpause.core.trust import Standing
from grandpause.sim.folder import SITE_KEY, SiteFolder
from grandpause.sim.serve import SITE_ID
from grandpause.site.keeper import Keeper
from grandpause.stores.sqlite import SqliteStore
from stories.rig import sealed

NODES = frozenset({"n1", "n2"})


class HandClock:
    """A wall clock and a boot-time clock that move only when a test says so."""

    def __init__(self) -> None:
        self.wall = int(time.time())
        self.boot = 1_000.0

    def wall_s(self) -> int:
        return self.wall

    def monotonic_s(self) -> float:
        return self.boot

    def passes(self, seconds: int) -> None:
        self.wall += seconds
        self.boot += seconds

    def steps(self, seconds: int) -> None:
        """Step the wall clock alone."""
        self.wall += seconds


class BootableSite:
    """A keeper that can be booted again and again on one store."""

    def __init__(self, folder: SiteFolder) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.path = folder.path / "state" / "site.sqlite"
        self.store = SqliteStore(self.path)
        self._nonces = (f"{number:032x}" for number in itertools.count(1))
        self.keeper = self._keeper()

    def boots(self) -> Keeper:
        """End the controller and start it again."""
        self.store.close()
        self.store = SqliteStore(self.path)
        self.keeper = self._keeper()
        return self.keeper

    def takes(self, act: Act, *signers: str) -> Standing:
        """Give the keeper a signed act."""
        return self.keeper.receive(sealed(self.folder, act, *signers)).standing

    @property
    def nonce(self) -> str:
        return self.keeper.memory.nonce

    @property
    def allowed(self) -> int | None:
        """The cap on compute now."""
        return self.keeper.decide().caps.get("site", Unit.COMPUTE)

    @property
    def latch(self) -> int | None:
        return self.keeper.memory.latch.get("site", Unit.COMPUTE)

    def on_disk(self) -> Memory:
        """The memory as another process finds it."""
        store = SqliteStore(self.path)
        memory = store.memory()
        store.close()
        assert memory is not None
        return memory

    def _keeper(self) -> Keeper:
        return Keeper.boot(
            site=SITE_ID,
            controller=SITE_KEY,
            store=self.store,
            clock=self.clock,
            fresh_nonce=lambda: next(self._nonces),
            charters=[(self.folder.charter_id, [self.folder.charter.read_bytes()])],
            elements=NODES,
        )
