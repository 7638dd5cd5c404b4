"""A small site over the real protocols, the acts that its members sign, and a controller that runs on it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grandpause.core.model import Caps, Profile, Unit
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose, Under
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import Act, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.ports import Clock
from grandpause.signers.file import signed
from grandpause.sim.folder import SITE_KEY, Served, SiteFolder, make_identity, write_site
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.sim.serve import SITE_ID, SimulatedSite, serve_site
from grandpause.site.daemon import SiteDaemon
from grandpause.site.inbox import deliver
from grandpause.site.sitefile import SiteFile

PROGRAM = Path(sys.executable).with_name("grandpause")
DAY_S = 86_400

QUICK: Mapping[str, Mapping[str, int | float]] = {
    "timing": {
        "soft_off_s": 1.5,
        "force_off_s": 1.0,
        "outlet_off_s": 2.0,
        "command_s": 1.0,
        "poll_s": 0.2,
        "backoff_s": 0.2,
        "retry_s": 2.0,
        "settle_s": 0.6,
    },
    "periods": {"meters_s": 0.35, "status_s": 1, "window_s": 4},
}
"""Deadlines for machines that go off within half a second. Readings are dated in whole seconds, and a proof
needs three of them: nothing can be proven in less than two seconds."""

QUICK_MACHINES = Timing(
    soft_off_s=(0.2, 0.6), force_off_s=(0.1, 0.2), power_on_s=(0.1, 0.2), boot_s=0.3, bmc_boot_s=0.5
)


@dataclass(slots=True, kw_only=True)
class Controller:
    """A controller at work inside the test, and what it raised alarms about: (code, text)."""

    daemon: SiteDaemon
    work: asyncio.Task[None]
    alarms: list[tuple[str, str]] = field(default_factory=list)

    async def until(self, true: Callable[[], bool], *, within_s: float = 30.0) -> None:
        """Wait until something is true; fail at once if the controller ended."""
        deadline = time.monotonic() + within_s
        while not true():
            if self.work.done():
                self.work.result()
                raise AssertionError("the controller ended by itself")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s} s; {self.alarms}")
            await asyncio.sleep(0.02)

    async def stopped(self, *, within_s: float = 60.0) -> Path:
        """Wait for the next verdict; return its bundle."""
        before = self.daemon.bundle
        await self.until(lambda: self.daemon.bundle not in (None, before), within_s=within_s)
        assert self.daemon.bundle is not None
        return self.daemon.bundle

    @property
    def compute_ppm(self) -> int | None:
        """The cap on the site's compute; None where none binds."""
        return self.daemon.controller.decision.caps.get("site", Unit.COMPUTE)

    async def armed_and_started(self, folder: SiteFolder) -> None:
        """Arm the new site and end its standby by a restart of two signers."""
        engine, controller = self.daemon.engine, self.daemon.controller
        engine.arm()
        post(folder, "start.json", restart(folder, controller.keeper.memory.nonce), "ada", "bo")
        await self.until(lambda: controller.decision.memory.standby is None)


@asynccontextmanager
async def running(
    site: SiteFile, *, outlets: bool = True, clock: Clock | None = None
) -> AsyncIterator[Controller]:
    """Run a controller on ``site`` until the block ends."""
    alarms: list[tuple[str, str]] = []
    daemon = SiteDaemon(
        site, outlets=outlets, clock=clock, tell=lambda code, text: alarms.append((code, text))
    )
    async with daemon:
        controller = Controller(daemon=daemon, work=asyncio.create_task(daemon.run()), alarms=alarms)
        try:
            yield controller
        finally:
            controller.work.cancel()
            await asyncio.gather(controller.work, return_exceptions=True)


@asynccontextmanager
async def served(
    directory: Path,
    *,
    nodes: int = 8,
    faults: Sequence[str] = (),
    outlets: bool = True,
    settings: Mapping[str, Mapping[str, int | float]] = QUICK,
) -> AsyncIterator[SimulatedSite]:
    """Serve a small quick site until the block ends."""
    site = await serve_site(
        directory, nodes=nodes, faults=faults, outlets=outlets, settings=settings, timing=QUICK_MACHINES
    )
    try:
        yield site
    finally:
        await site.close()


async def comes_true(true: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until something in the world outside this process is true."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.03)


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the console script, its output in pipes; what still runs at the end of the block is killed."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM), *arguments, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def unserved(
    directory: Path, *, nodes: int = 4, settings: Mapping[str, Mapping[str, int | float]] = QUICK
) -> SiteFolder:
    """Write the folder of a site whose addresses nobody serves."""
    folder = make_identity(directory, now_s=int(time.time()))
    nowhere = Served(
        bmc_host="127.10.0.1", bmc_port=1, bmc_pin="00" * 32, user="root", password="a secret",
        unit_host="127.20.0.1", unit_port=1, community="x", gateway_host="127.0.0.1", gateway_port=1,
    )  # fmt: skip
    write_site(folder, Plant.hall(nodes=nodes), nowhere, settings=settings)
    return folder


def limit(
    folder: SiteFolder,
    ceiling: int,
    *,
    power: str = "limit",
    unit: Unit = Unit.COMPUTE,
    start: int | None = None,
    until: int | None = None,
    complete_s: int = 60,
    profile: Profile = Profile.COOPERATIVE,
    category: int = 1,
) -> Limit:
    """Return a limit of all sites to ``ceiling``, from now for a day unless told otherwise."""
    start = int(time.time()) if start is None else start
    until = start + DAY_S if until is None else until
    return Limit(
        under=_under(folder, power),
        scope=Scope(kind=ScopeKind.ALL),
        unit=unit,
        ceiling=ceiling,
        profile=profile,
        category=category,
        start=start,
        until=until,
        complete_by=min(until, start + complete_s),
        ramp=Ramp.KEEP,
        reason="a test of the stop",
        legal_basis="the operator's own decision",
        appeal="the operator's charter quorum",
        nonce=secrets.token_hex(16),
    )


def restart(
    folder: SiteFolder,
    nonce: str,
    *,
    caps: Caps | None = None,
    purpose: RestartPurpose = RestartPurpose.RAISE,
    void_after: int | None = None,
) -> Restart:
    """Return a restart for the boot that showed ``nonce``."""
    return Restart(
        under=_under(folder, "restart"),
        site=SITE_ID,
        purpose=purpose,
        nonces={SITE_KEY: nonce},
        caps=caps or Caps(),
        void_after=int(time.time()) + DAY_S if void_after is None else void_after,
        reason="a test of the restart",
    )


def lift(folder: SiteFolder, *ends: str) -> Lift:
    """Return a lift that ends the limits of these names."""
    return Lift(
        under=_under(folder, "lift"),
        ends=ends,
        suspends=(),
        void_after=int(time.time()) + DAY_S,
        reason="a test of the lift",
        nonce=secrets.token_hex(16),
    )


def sealed(folder: SiteFolder, act: Act, *signers: str) -> bytes:
    """Return the envelope of ``act``, signed by these members."""
    envelope = encode(act)
    for each in signers:
        envelope = signed(envelope, folder.signer(each))
    return envelope.to_bytes()


def post(folder: SiteFolder, name: str, act: Act, *signers: str) -> str:
    """Drop a signed act into the site's inbox; return the act's name."""
    deliver(folder.inbox, name, sealed(folder, act, *signers))
    return encode(act).name


def _under(folder: SiteFolder, power: str) -> Under:
    return Under(charter=folder.charter_id, version=1, power=power)
