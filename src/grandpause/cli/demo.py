"""``demo``: the main job on a simulated hall, over the real protocols, in under a minute."""

from __future__ import annotations

import asyncio
import json as json_module
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from grandpause.cli.output import console, say_json
from grandpause.core.model import Caps, Profile, Unit, VerdictWord
from grandpause.core.rendering import watts
from grandpause.core.statement.acts import Limit, Restart, RestartPurpose, Under
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import Act, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import GrandpauseError, OwnFault, TrustError, UsageError

if TYPE_CHECKING:
    from grandpause.cli.demo_view import Story, View
    from grandpause.sim.folder import SiteFolder
    from grandpause.site.daemon import SiteDaemon

SCHEMA = "grandpause.demo/1"
DEFAULT_FAULTS = ("hang=3", "lie=1", "ignore-soft=2")
LEAST_NODES, MOST_NODES = 16, 2_048
_READY_S = 30
_VERDICT_S = 90


def demo(
    *,
    nodes: int = 256,
    seed: int = 7,
    fault: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    outlets: Annotated[bool, Parameter(negative="--no-outlets")] = True,
    directory: Path | None = None,
    headless: bool = False,
    json: bool = False,
) -> int:
    """Bring a simulated supercomputer down to 5 % of its compute, prove it, and verify the evidence.

    A hall of eight-GPU nodes is served over Redfish and SNMP on loopback. A new controller observes only;
    it is armed, started by two signers, limited by one and then by two. Some BMCs hang, one lies. Two
    meter paths decide; the feed meters are signed by the utility. Exit code 0 proven, 1 not proven.

    Parameters
    ----------
    nodes
        How many nodes, in rows of 16.
    seed
        Which nodes the faults strike.
    fault
        Instead of the usual faults: hang=3, lie=5, meter2=stuck, ... (grandpause sim serve --help).
    outlets
        --no-outlets: the controller may not switch outlets, so that nothing backs up a lying BMC.
    directory
        Where everything goes; a new directory for temporary files if not given. It stays.
    headless
        No live view, only lines.
    json
        Print one JSON value at the end, and nothing else.
    """
    import uvloop

    from grandpause.cli.demo_view import Story, View

    place = directory or Path(tempfile.mkdtemp(prefix="grandpause-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    story = Story()
    view = View(story, live=sys.stdout.isatty() and not headless and not json, quiet=json)
    try:
        value = uvloop.run(_ended_by_sigterm(place, story, view, nodes, seed, fault, outlets=outlets))
    except asyncio.CancelledError:
        sys.stderr.write("grandpause: the demo was told to end\n")
        return 128 + signal.SIGTERM
    if json:
        say_json(value)
    else:
        _print_end(value)
    return 0 if value["verdict"] == VerdictWord.PROVEN and value["tampered_detected"] else 1


async def _ended_by_sigterm(  # noqa: PLR0917  the demo's own arguments, passed on
    place: Path, story: Story, view: View, nodes: int, seed: int, faults: Sequence[str], *, outlets: bool
) -> dict[str, Any]:
    """Play the story; SIGTERM ends it as Ctrl-C does, so that everything is closed."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await play(place, story, view, nodes=nodes, seed=seed, faults=faults, outlets=outlets)


async def play(
    place: Path,
    story: Story,
    view: View,
    *,
    nodes: int,
    seed: int,
    faults: Sequence[str],
    outlets: bool,
) -> dict[str, Any]:
    """Play the whole story in ``place``; return what ``--json`` prints.

    Raises:
        UsageError: an unknown fault. OwnFault: a chapter did not come to its end.
    """
    from grandpause.sim.folder import SiteFolder
    from grandpause.site.daemon import SiteDaemon
    from grandpause.site.sitefile import load_site_file

    if not LEAST_NODES <= nodes <= MOST_NODES:
        raise UsageError(f"must be from {LEAST_NODES} to {MOST_NODES}", where=f"--nodes {nodes}")
    words = list(faults or DEFAULT_FAULTS)
    devices = await _start_devices(place, nodes=nodes, seed=seed, faults=words, outlets=outlets)
    try:
        ready = await _ready(devices)
        folder = SiteFolder(path=place)
        site = load_site_file(folder.site_file)
        struck = ", ".join(f"{node} {what}" for node, what in ready["struck"].items())
        story.tell(f"{nodes} nodes, {watts(site.it_watts)} rated; faults: {struck or 'none'}")
        async with SiteDaemon(
            site, outlets=outlets, tell=lambda code, text: story.tell(f"! {code}: {text}")
        ) as site_daemon:
            work = asyncio.create_task(site_daemon.run())
            watch = asyncio.create_task(view.watch(site_daemon.controller))
            telling = asyncio.create_task(_tell_story(site_daemon, folder, story))
            try:
                # Whichever ends first: a controller that fails must not leave the story waiting.
                done, _ = await asyncio.wait((telling, work), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                return _result(site_daemon, folder, story, place)
            finally:
                for each in (telling, watch, work):
                    each.cancel()
                await asyncio.gather(telling, work, watch, return_exceptions=True)
    finally:
        await _stop_devices(devices)


async def _tell_story(daemon: SiteDaemon, folder: SiteFolder, story: Story) -> None:
    engine, controller = daemon.engine, daemon.controller
    story.chapter = "first boot: observe only, standby"
    story.tell("first boot: not armed, and in standby: what is on may stay on, nothing is started")
    await _until(lambda: bool(controller.proof and len(controller.proof.path_watts) > 0), _READY_S)
    story.tell("armed by its operator")
    engine.arm()
    under = Under(charter=folder.charter_id, version=1, power="restart")
    now = int(time.time())
    restart = Restart(
        under=under,
        site=daemon.site.identity.site,
        purpose=RestartPurpose.RAISE,
        nonces={daemon.site.identity.controller: controller.keeper.memory.nonce},
        caps=Caps(),
        void_after=now + 3_600,
        reason="first start of the site",
    )
    _post(folder, "1-restart.json", restart, "ada", "bo")
    await _until(lambda: controller.decision.memory.standby is None, _READY_S)
    story.tell("restart signed by ada and bo: standby over")
    story.chapter = "one signer: at most 50 %"
    _post(
        folder,
        "2-limit.json",
        _limit(folder, "limit-bounded", 500_000, "cooling alarm, to be on the safe side"),
        "cy",
    )
    await _until(lambda: controller.decision.caps.get("site", Unit.COMPUTE) == 500_000, _READY_S)  # noqa: PLR2004
    story.tell("cy alone limits the site to 50 % (a bounded power: one signer, 72 h at most)")
    await _until(lambda: controller.stop.untouched == 0 and _share_down(daemon) > 0.4, 15, must=False)  # noqa: PLR2004
    story.chapter = "two signers: at most 5 %"
    _post(
        folder,
        "3-limit.json",
        _limit(folder, "limit", 50_000, "the cooling failed: bring the hall down"),
        "ada",
        "bo",
    )
    await _until(lambda: controller.decision.caps.get("site", Unit.COMPUTE) == 50_000, _READY_S)  # noqa: PLR2004
    first = daemon.bundle
    kept, total = len(controller.plan.keep) if controller.plan else 0, len(daemon.site.table.elements)
    story.tell(f"ada and bo limit the site to 5 %: {kept} whole nodes of {total} may stay on")
    await _until(lambda: daemon.bundle not in (None, first), _VERDICT_S)
    proof = controller.proof
    assert proof is not None
    story.chapter = str(proof.word)
    story.tell(f"verdict: {proof.word} {proof.proven_by}".rstrip())


def _share_down(daemon: SiteDaemon) -> float:
    runs = daemon.controller.stop.runs.values()
    return sum(each.phase == "off" for each in runs) / max(1, len(daemon.site.table.elements))


def _limit(folder: SiteFolder, power: str, ceiling: int, reason: str) -> Limit:
    now = int(time.time())
    return Limit(
        under=Under(charter=folder.charter_id, version=1, power=power),
        scope=Scope(kind=ScopeKind.ALL),
        unit=Unit.COMPUTE,
        ceiling=ceiling,
        profile=Profile.COOPERATIVE,
        category=1,
        start=now,
        until=now + 24 * 3_600,
        complete_by=now + 120,
        ramp=Ramp.KEEP,
        reason=reason,
        legal_basis="the operator's own decision (a simulation)",
        appeal="the operator's charter quorum",
        nonce=f"{ceiling:032x}",
    )


def _post(folder: SiteFolder, name: str, act: Act, *signers: str) -> None:
    """Sign with the named members' keys and drop the statement into the site's inbox."""
    from grandpause.signers.file import signed
    from grandpause.site.inbox import deliver

    envelope = encode(act)
    for each in signers:
        envelope = signed(envelope, folder.signer(each))
    deliver(folder.inbox, name, envelope.to_bytes())


def _result(daemon: SiteDaemon, folder: SiteFolder, story: Story, place: Path) -> dict[str, Any]:
    from grandpause.verify.bundle import verify_bundle

    assert daemon.bundle is not None
    found = verify_bundle(daemon.bundle, charter_id=folder.charter_id)
    story.tell(f"bundle verified offline: {len(found.evidence.files)} files, verdict {found.verdict}")
    named = _flip_one_byte(daemon.bundle, place / "tampered", folder.charter_id)
    story.tell(f"one byte flipped in a copy: {named or 'NOT FOUND'}")
    evidence = found.evidence
    first = min(evidence.after, default="")
    return {
        "schema": SCHEMA,
        "verdict": str(found.verdict),
        "proven_by": found.proof.proven_by,
        "reasons": list(found.proof.reasons),
        "seconds": round(time.monotonic() - story.began_s, 1),
        "nodes": {str(each): count for each, count in evidence.nodes.items()},
        "outcomes": {str(each): count for each, count in evidence.outcomes.items()},
        "watts": {
            "before": evidence.before.get(first),
            "after": evidence.after.get(first),
            "target": evidence.target_w,
        },
        "bundle": str(daemon.bundle),
        "charter": str(folder.charter),
        "tampered_detected": bool(named),
    }


def _flip_one_byte(bundle: Path, copy: Path, charter_id: str) -> str:
    """Flip one byte of the readings in a copy; return the error that names the file, or nothing."""
    from grandpause.core.evidence import AFTER_FILE
    from grandpause.verify.bundle import verify_bundle

    shutil.copytree(bundle, copy, dirs_exist_ok=True)
    target = copy / AFTER_FILE
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    try:
        verify_bundle(copy, charter_id=charter_id)
    except TrustError as refusal:
        return str(refusal) if AFTER_FILE in refusal.where else ""
    except GrandpauseError:
        return ""
    return ""


async def _start_devices(
    place: Path, *, nodes: int, seed: int, faults: Sequence[str], outlets: bool
) -> asyncio.subprocess.Process:
    """Start the simulated devices in a process of their own, as they would be in the world."""
    options = [f"--fault={each}" for each in faults] + ([] if outlets else ["--no-outlets"])
    with (place / "devices.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "grandpause", "sim", "serve", str(place),
            f"--nodes={nodes}", f"--seed={seed}", "--brisk", "--json", "--tied", *options,
            stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip


async def _ready(devices: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return what the devices say when they are ready. Raises OwnFault if they are not."""
    assert devices.stdout is not None
    text = b""
    while True:
        async with asyncio.timeout(_READY_S):
            line = await devices.stdout.readline()
        text += line
        if line.rstrip() == b"}":
            value: dict[str, Any] = json_module.loads(text)
            if value["schema"] == "grandpause.error/1":
                kind = UsageError if value["code"] == UsageError.code else OwnFault
                raise kind(value["message"], where=value["where"], hint=value["hint"])
            return value
        if not line:
            raise OwnFault("the simulated devices did not start", where="grandpause sim serve")


async def _stop_devices(devices: asyncio.subprocess.Process) -> None:
    assert devices.stdin is not None
    devices.stdin.close()  # they are tied to it, and end also where this process is killed
    await devices.wait()


async def _until(done: Callable[[], bool], seconds: float, *, must: bool = True) -> None:
    """Wait until ``done()``. Raises OwnFault after so many seconds, if it must come true."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            if must:
                raise OwnFault(f"the demo waited {seconds} s in vain", where="demo")
            return
        await asyncio.sleep(0.1)


def _print_end(value: dict[str, Any]) -> None:
    from grandpause.cli.demo_view import counts_in_words

    out = console()
    proven = value["verdict"] == VerdictWord.PROVEN
    word = f"[bold {'green' if proven else 'red'}]{value['verdict'].upper()}[/]"
    by = f" ({value['proven_by']})" if value["proven_by"] else ""
    out.print(f"\n{word}{by} after {value['seconds']} s")
    figures = value["watts"]
    before, after = (
        "no reading" if figures[key] is None else watts(figures[key]) for key in ("before", "after")
    )
    out.print(f"IT power     {before} before, {after} after (at most {watts(figures['target'])} expected)")
    for title in ("nodes", "outcomes"):
        out.print(f"{title:12} {counts_in_words(value[title])}")
    for reason in value["reasons"]:
        out.print(f"[red]missing[/]      {reason}", soft_wrap=True)
    out.print(f"bundle       {value['bundle']}", soft_wrap=True)
    tampered = "found, and the file named" if value["tampered_detected"] else "[red]NOT FOUND[/]"
    out.print(f"tampering    one byte flipped in a copy of the bundle: {tampered}")
    out.print(
        f"check it     {sys.argv[0]} verify {value['bundle']} --charter {value['charter']}", soft_wrap=True
    )
