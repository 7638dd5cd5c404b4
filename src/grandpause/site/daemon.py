"""``grandpause site run``: inbox, persist, act, prove, hold, latch. Opens no listening port."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from grandpause.core.envelope import Kind, parse
from grandpause.core.evidence import EVIDENCE_FILE
from grandpause.core.plan import Equipment, Planner
from grandpause.core.proving import Prover
from grandpause.core.statement.acts import NONCE_BYTES
from grandpause.core.statement.facts import Declaration
from grandpause.core.trust import Standing, TrustedSet, decode_only
from grandpause.errors import SiteFileError, StatementError, StoreError, TrustError, UsageError
from grandpause.ports import Clock, JournalLine, Store
from grandpause.signers.file import FileSigner
from grandpause.site.bundling import Account, bundle_files, watts_before, write_bundle
from grandpause.site.clock import SystemClock
from grandpause.site.control import Control
from grandpause.site.controller import SENT_LATELY_S, Controller
from grandpause.site.declared import lift_quorum_declared, table_in_force
from grandpause.site.engine import Engine, Ports
from grandpause.site.inbox import Inbox
from grandpause.site.keeper import Keeper
from grandpause.site.observer import Observer
from grandpause.site.sitefile import SiteFile
from grandpause.site.status import status_of, write_whole
from grandpause.site.watchdog import feed_watchdog
from grandpause.site.wiring import Devices, open_devices
from grandpause.stores.sqlite import SqliteStore

_EVIDENCE = "evidence"
_LEARNED = "learned"
_NODES_A_SECOND = 2_500
_JOURNAL_S = 0.25
_AGAIN_S = 5.0
_GC_THRESHOLDS = (50_000, 20, 100)


class JournalNotifier:
    """Passes alarms on to whoever listens (``ports.Notifier``)."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell

    def notify(self, code: str, text: str) -> None:
        """Pass one line on."""
        self._tell(code, text)


class SiteDaemon:
    """One running site controller. Use it as an async context manager, then ``run``."""

    def __init__(
        self,
        site: SiteFile,
        *,
        clock: Clock | None = None,
        outlets: bool = True,
        tell: Callable[[str, str], None] = lambda _code, _text: None,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            outlets: False leaves the outlets alone, whatever the site file says.
            tell: hears every alarm.
            log: hears what else happens, a line each: statements, verdicts.
        """
        self.site = site
        self.bundle: Path | None = None
        self._clock = clock or SystemClock()
        self._outlets = outlets
        self._tell = tell
        self._log = log
        self._inbox = Inbox(site.identity.inbox, tell=lambda text: self._note("inbox", text))
        self._control = Control(site.identity.state / "control")
        self._opened: AsyncExitStack
        self._unwritten: list[JournalLine] = []
        self._status_problem = ""
        self._table = site.table
        self._prover: Prover
        self._store: Store
        self._devices: Devices
        self.controller: Controller
        self.engine: Engine

    async def __aenter__(self) -> Self:
        """Open everything, in the order in which a failure loses least; what was opened is closed again."""
        async with AsyncExitStack() as opened:
            await self._open(opened)
            self._opened = opened.pop_all()
        # What exists now lives as long as the process: a full collection in the middle of a stop would
        # walk all of it (80 ms at 10,000 nodes) and free nothing. Commands and answers are freed by their
        # reference counts; collecting as often as usual would cost a sixth of a warm stop.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        return self

    async def _open(self, opened: AsyncExitStack) -> None:
        state = self.site.identity.state
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened.callback(take_lock(state).close)
        self._inbox.prepare()
        self._control.prepare()
        self._signer = FileSigner.read(self.site.identity.key_file)
        self._declaration = read_declaration(self.site)
        self._store = SqliteStore(state / "site.sqlite")
        opened.callback(self._store.close)
        keeper = open_keeper(self.site, self._store, self._clock)
        declaration = check_declaration(self.site, keeper, self._declaration)
        self._table = table_in_force(
            self.site.table,
            store=self._store,
            binds=keeper.decide().binds,
            agreed=lift_quorum_declared(keeper, declaration),
        )
        self._prover = Prover(self._table)
        self._devices = await open_devices(
            self.site,
            self._clock,
            outlets=self._outlets,
            learned=self._store.value(_LEARNED) or b"{}",
        )
        opened.push_async_callback(self._devices.close)
        self.controller = self._make_controller(keeper)
        self.engine = self._make_engine()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything; what binds stays bound."""
        await self._opened.aclose()

    async def run(self) -> None:
        """Work until cancelled, or until our own fault ends it."""
        work = [self.engine.run(), self._receive(), self._obey_control(), self._say()]
        tasks = [asyncio.create_task(each) for each in work]
        beside = [
            asyncio.create_task(each)
            for each in (self._prepare(), feed_watchdog(os.environ, tell=self._note))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()
        finally:
            for task in (*tasks, *beside):
                task.cancel()
            await asyncio.gather(*tasks, *beside, return_exceptions=True)
            self._write_notes()
            self.write_status()

    def write_status(self) -> None:
        """Write ``state/status.json``, whole or not at all; one that cannot be written ends nothing."""
        value = status_of(
            self.site, self.controller, now_s=self._clock.wall_s(), bundle=str(self.bundle or "")
        )
        path = self.site.identity.state / "status.json"
        problem = write_whole(path, json.dumps(value, indent=2))
        if problem and not self._status_problem:
            self._note("status", problem)
        self._status_problem = problem

    async def _prepare(self) -> None:
        for problem in await self._devices.prepare(within_s=self.site.timing.command_s):
            self._note("power-unit", problem)

    async def _receive(self) -> None:
        async for name, data in self._inbox.arrivals():
            admission = self._inbox.take(name, data, self.engine.receive)
            if admission is None:
                self._log(f"{name!r} refused; the reason lies beside it in refused/")
            else:
                self._log(f"{name!r}: {admission.kind} {admission.standing} {admission.why}".rstrip())

    async def _obey_control(self) -> None:
        acts = {"arm": self.engine.arm, "disarm": self.engine.disarm}
        while True:
            try:
                self._control.answer(acts)
            except OSError as problem:
                # Whatever lies there: it must not end the controller, which has limits to obey.
                self._note("control", f"a request could not be answered: {problem}")
                await asyncio.sleep(_AGAIN_S)
            await asyncio.sleep(0.2)

    async def _say(self) -> None:
        # A status names every node: at 10,000 of them it takes 20 ms, so it is written less often.
        period_s = max(1.0, len(self.site.table.elements) / _NODES_A_SECOND)
        while True:
            self.write_status()
            await asyncio.sleep(period_s)

    def _make_controller(self, keeper: Keeper) -> Controller:
        site = self.site
        # What another declaration left out can be told nothing any more, and is said to be so.
        equipment = dict.fromkeys(self._table.by_id, Equipment(has_bmc=False)) | dict(site.equipment)
        return Controller(
            keeper=keeper,
            planner=Planner(self._table, equipment, ramp=site.ramp, protected_w=site.protected_watts),
            prover=self._prover,
            clock=self._clock,
            timing=site.timing,
            window_s=site.periods.window_s,
            sent=self._store.effects(since_s=self._clock.wall_s() - SENT_LATELY_S),
            operator=site.identity.operator,
        )

    def _make_engine(self) -> Engine:
        devices = self._devices
        return Engine(
            controller=self.controller,
            observer=Observer(meters=devices.meters, bmcs=devices.bmcs, within_s=self.site.timing.command_s),
            ports=Ports(
                store=self._store,
                clock=self._clock,
                notifier=JournalNotifier(self._note),
                bmcs=devices.bmcs,
                outlets=devices.outlets,
            ),
            periods=self.site.periods,
            on_verdict=self._give_evidence,
            on_round=self._remember_learned,
        )

    def _remember_learned(self) -> None:
        """Store how each BMC is told to stop, so that the next stop asks nothing first."""
        learned = self._devices.learned()
        if learned != self._store.value(_LEARNED):
            self._store.commit(values={_LEARNED: learned})

    def _note(self, code: str, text: str) -> None:
        """Tell whoever listens, and write it into the journal soon: an alarm a node is one write for all."""
        self._tell(code, text)
        if not self._unwritten:
            asyncio.get_running_loop().call_later(_JOURNAL_S, self._write_notes)
        self._unwritten.append(self.controller.keeper.line(code, "", text))

    def _write_notes(self) -> None:
        lines, self._unwritten = self._unwritten, []
        if not lines:
            return
        try:
            self._store.commit(journal=lines)
        except StoreError as fault:
            self.engine.fail(fault)

    def _give_evidence(self) -> None:
        """Write the bundle; one that cannot be made (too many files) is an alarm and stops nothing."""
        if self._table is not self.site.table:
            # A stranger would recompute by the new declaration alone, and find less than was judged here.
            self._note("evidence", "the declaration changed while a cap binds: this verdict has no bundle")
            return
        try:
            self._write_evidence()
        except StatementError as cause:
            self._note("evidence", f"the bundle of this verdict could not be made: {cause}")

    def _write_evidence(self) -> None:
        """Write the bundle of the verdict that is due, and remember its name for the next one."""
        controller = self.controller
        proof = controller.proof
        assert proof is not None
        assert controller.plan is not None
        trusted = self._trusted_that_binds()
        number, previous = self._place_in_chain()
        account = Account(
            site=self.site.identity.site,
            controller=self.site.identity.controller,
            number=number,
            previous=previous,
            binds=tuple(each for each in controller.decision.order.statements if trusted.entry(each)),
            began_s=controller.began_wall_s,
            ended_s=controller.proof_at_s,
            window_s=self.site.periods.window_s,
            allowed=controller.decision.caps,
            before=watts_before(controller.seen, self._prover.paths, began_s=controller.began_wall_s),
            proof=proof,
            target_w=controller.plan.target_w,
            nodes=controller.reports(),
        )
        content = bundle_files(
            account,
            trusted=trusted,
            declaration=self._declaration,
            elements=self.site.table.to_bytes(),
            seen=controller.seen,
            signer=self._signer,
        )
        directory = self.site.identity.state / _EVIDENCE / f"{number:06}"
        directory.parent.mkdir(exist_ok=True)
        write_bundle(directory, content)
        name = parse(content["evidence.json"]).name
        self._store.commit(
            values={"evidence_number": str(number).encode(), "evidence_name": name.encode()},
            journal=[controller.keeper.line("verdict", name, f"{proof.word}: {'; '.join(proof.reasons)}")],
        )
        self.bundle = directory
        self._log(f"verdict: {proof.word} {proof.proven_by}".rstrip() + f"; bundle {directory}")

    def _place_in_chain(self) -> tuple[int, str]:
        """Return the next evidence's number, and the name of the evidence before it."""
        number = int(self._store.value("evidence_number") or b"0") + 1
        previous = (self._store.value("evidence_name") or b"").decode()
        # A run that was killed between a bundle and its name in the store left a whole bundle: it stands.
        while (left := self.site.identity.state / _EVIDENCE / f"{number:06}" / EVIDENCE_FILE).exists():
            previous = parse(left.read_bytes()).name
            number += 1
        return number, previous

    def _trusted_that_binds(self) -> TrustedSet:
        names = self.controller.decision.order.statements
        for trusted in self.controller.keeper.charters:
            if any(trusted.entry(each) for each in names):
                return trusted
        return self.controller.keeper.charters[0]


def take_lock(state: Path) -> IO[str]:
    """Return the lock of a state directory. Raises UsageError if another controller holds it."""
    file = (state / "lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        file.close()
        raise UsageError(
            "another controller runs on this state directory", where=str(state), hint="grandpause site status"
        ) from cause
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as cause:
        file.close()
        raise StoreError(f"the lock could not be written: {cause}", where=str(state)) from cause
    return file


def open_keeper(site: SiteFile, store: Store, clock: Clock) -> Keeper:
    """Boot the keeper from the store and the charters that the site file pins."""
    return Keeper.boot(
        site=site.identity.site,
        controller=site.identity.controller,
        store=store,
        clock=clock,
        fresh_nonce=lambda: secrets.token_hex(NONCE_BYTES),
        charters=[(each.id, [_read(path) for path in each.files]) for each in site.charters],
        elements=site.table.by_id,
        boot_id=clock.boot_id() if isinstance(clock, SystemClock) else "",
    )


def read_declaration(site: SiteFile) -> bytes:
    """Return the declaration's envelope. Raises SiteFileError if it is not there."""
    return _read(site.identity.declaration_file)


def check_declaration(site: SiteFile, keeper: Keeper, data: bytes) -> Declaration:
    """Return the declaration; refuse a site file that is not the one that was declared.

    Raises:
        SiteFileError: the elements table, site or operator differ.
        TrustError: the declaration does not count.
    """
    path = str(site.identity.declaration_file)
    try:
        _, statement = decode_only(data)
        admission = keeper.receive(data)
    except (StatementError, TrustError) as cause:
        raise cause.at(path) from cause
    if not isinstance(statement, Declaration):
        raise SiteFileError("is no declaration", where=path)
    if admission.standing is not Standing.COUNTS:
        raise TrustError(f"does not count: {admission.why}", where=path)
    for trusted in keeper.charters:
        for entry in trusted.counting(Kind.DECLARATION):
            known = entry.statement
            assert isinstance(known, Declaration)
            if known.number > statement.number or (known.number == statement.number and known != statement):
                raise SiteFileError(
                    f"is number {statement.number}, and number {known.number} is known here already",
                    where=path,
                    hint="name the newest declaration, or sign one with a higher number",
                )
    table = site.table.to_bytes()
    declared = statement.elements
    same = statement.site == site.identity.site and statement.operator == site.identity.operator
    if not same or declared.size != len(table) or declared.sha256 != hashlib.sha256(table).hexdigest():
        raise SiteFileError(
            "the site file differs from what was declared",
            where=path,
            hint="sign a new declaration: grandpause site declare",
        )
    return statement


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise SiteFileError(f"cannot be read: {cause.strerror}", where=str(path)) from cause
