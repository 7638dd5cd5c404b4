"""Makes the bundle of a proven stop of a big site, without devices: from a plant under virtual time."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from grandpause.core.envelope import parse
from grandpause.core.evidence import report_of
from grandpause.core.model import Act, CapKey, Caps, Interval, Outcome, Power, Profile, Unit
from grandpause.core.plan import Order, Planner
from grandpause.core.proving import Prover, Question, Snapshot
from grandpause.core.statement.acts import Limit, Under
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import encode
from grandpause.core.statement.facts import Reading
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.stop import NodeRun, Phase
from grandpause.core.trust import TrustedSet, decode_only
from grandpause.signers.file import signed
from grandpause.sim.folder import UTILITY_KEY, Served, SiteFolder, make_identity, write_site
from grandpause.sim.gateway import MeterGateway
from grandpause.sim.plant import Plant
from grandpause.site.bundling import Account, bundle_files, watts_before, write_bundle
from grandpause.site.observation import Observation, SignedReading
from grandpause.site.sitefile import SiteFile

WINDOW_S = 30
FIRST_S = 1_800_000_000
"""When the plant's own time begins, in Unix seconds."""
SERVED = Served(
    bmc_host="127.10.0.1",
    bmc_port=443,
    bmc_pin="00" * 32,
    user="none",
    password="none",
    unit_host="127.40.0.1",
    unit_port=161,
    community="none",
    gateway_host="127.0.0.1",
    gateway_port=443,
)


def write_big_bundle(directory: Path, *, nodes: int) -> tuple[Path, Path]:
    """Stop a simulated site to 5 % and write its bundle; return the bundle and the charter's file."""
    plant = Plant.hall(nodes=nodes)
    now = FIRST_S + 10
    folder = make_identity(directory, now_s=now)
    site = write_site(folder, plant, SERVED)
    caps = Caps({CapKey("site", Unit.COMPUTE): 50_000})
    limit = _limit(folder, now)
    order = Order(
        caps=caps,
        statements=(parse(limit).name,),
        profile=Profile.COOPERATIVE,
        category=1,
        complete_by=None,
        ramp_override=False,
    )
    plan = Planner(site.table, site.equipment, ramp=site.ramp, protected_w=0).plan(order)
    seen = Observation()
    before = _read(site, folder, plant, seen, at_s=now)
    seen.before = {each.meter: each for each in before}
    for cut in plan.cut:
        plant.command(cut.element, Act.FORCE_OFF, 11.0)
    seen.signed.clear()
    history: dict[str, list[Snapshot]] = {}
    for turn in range(3):
        for each in _read(site, folder, plant, seen, at_s=now + 60 + turn):
            history.setdefault(each.meter, []).append(each)
    ended = now + 63
    question = Question(caps=caps, keep=plan.keep, operator="operator", now_s=ended, window_s=WINDOW_S)
    prover = Prover(site.table)
    proof = prover.prove(question, history, seen.before)
    seen.history = {meter: deque(each) for meter, each in history.items()}
    runs = [NodeRun(each, ()) for each in plan.keep]
    runs += [
        NodeRun(cut.element, cut.ladder, phase=Phase.OFF, outcome=Outcome.CONFIRMED_BY_BMC, claim=Power.OFF)
        for cut in plan.cut
    ]
    account = Account(
        site=site.identity.site,
        controller=site.identity.controller,
        number=1,
        previous="",
        binds=order.statements,
        began_s=now,
        ended_s=ended,
        window_s=WINDOW_S,
        allowed=caps,
        before=watts_before(seen, prover.paths, began_s=now),
        proof=proof,
        target_w=plan.target_w,
        nodes=[report_of(run, proof.elements[run.element]) for run in runs],
    )
    trusted = TrustedSet(folder.charter_id)
    trusted.admit(folder.charter.read_bytes(), now=Interval(earliest=now, latest=now))
    trusted.admit(limit, now=Interval(earliest=now, latest=now))
    content = bundle_files(
        account,
        trusted=trusted,
        declaration=folder.declaration.read_bytes(),
        elements=site.table.to_bytes(),
        seen=seen,
        signer=folder.signer("controller-1"),
    )
    bundle = directory / "bundle"
    write_bundle(bundle, content)
    return bundle, folder.charter


def _read(
    site: SiteFile, folder: SiteFolder, plant: Plant, seen: Observation, *, at_s: int
) -> list[Snapshot]:
    virtual_s = float(at_s - FIRST_S)
    gateway = MeterGateway(
        plant,
        charter=folder.charter_id,
        site=site.identity.site,
        signer=folder.signer(UTILITY_KEY),
        clock=lambda: virtual_s,
        wall_s=lambda: at_s,
    )
    snapshots = []
    for row in site.table.meters:
        if row.signed:
            data = gateway.reading(row.id)
            watts: dict[str, int | None] = {"total": _whole(plant.feed_watts(row.id, virtual_s))}
            kept = seen.signed.setdefault(row.id, deque())
            _, reading = decode_only(data)
            assert isinstance(reading, Reading)
            kept.append(SignedReading(row.id, reading.sequence, at_s, data))
            snapshots.append(Snapshot(meter=row.id, at_s=at_s, watts=watts, signed_by=row.owner))
        else:
            watts = {
                channel: _whole(plant.outlet_watts(row.id, int(channel) - 1, virtual_s))
                for channel in row.channels
            }
            snapshots.append(Snapshot(meter=row.id, at_s=at_s, watts=watts))
    return snapshots


def _whole(watts: float | None) -> int | None:
    return None if watts is None else round(watts)


def _limit(folder: SiteFolder, now: int) -> bytes:
    limit = Limit(
        under=Under(charter=folder.charter_id, version=1, power="limit"),
        scope=Scope(kind=ScopeKind.ALL),
        unit=Unit.COMPUTE,
        ceiling=50_000,
        profile=Profile.COOPERATIVE,
        category=1,
        start=now - 10,
        until=now + 3_600,
        complete_by=now + 600,
        ramp=Ramp.KEEP,
        reason="a benchmark",
        legal_basis="none",
        appeal="none",
        nonce="00" * 16,
    )
    envelope = encode(limit)
    for name in ("ada", "bo"):
        envelope = signed(envelope, folder.signer(name))
    return envelope.to_bytes()
