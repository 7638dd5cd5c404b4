"""``site``: check, plan, declare, arm, disarm, run, status."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from grandpause.cli.output import console, read_file, say_json, write_new
from grandpause.core.calendar import format_time
from grandpause.core.rendering import SECRET_RETURNS, visible
from grandpause.errors import StaleError, StatementError, TrustError, UsageError

if TYPE_CHECKING:
    from grandpause.core.plan import Order, Plan
    from grandpause.core.statement.acts import Limit
    from grandpause.ports import Finding
    from grandpause.site.sitefile import SiteFile

app = App(name="site", help="The site controller. A new site observes only, until it is armed.")

_FRESH_S = 10


@app.command
def check(site_file: Path, *, pin: bool = False, verbose: bool = False, json: bool = False) -> int:
    """Ask every device what a stop will need of it; change nothing. Exit code 1 if anything fails.

    Parameters
    ----------
    site_file
        The site file.
    pin
        Print the certificate pin of every BMC instead (for `pins` in the site file).
    verbose
        Print what is in order, too.
    json
        Print JSON.
    """
    from grandpause.site.sitefile import load_site_file

    site = load_site_file(site_file, secrets=not pin)
    if pin:
        return asyncio.run(_print_pins(site, as_json=json))
    findings = asyncio.run(_check(site, quiet=json))
    counts = Counter(each.level for each in findings)
    if json:
        say_json(
            {
                "schema": "grandpause.check/1",
                "site": site.identity.site,
                "counts": {level: counts[level] for level in ("ok", "warn", "fail")},
                "findings": [
                    {"level": each.level, "subject": each.subject, "message": each.message, "mend": each.mend}
                    for each in findings
                ],
            }
        )
    else:
        out = console()
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        for each in findings:
            if each.level == "ok" and each.subject != "meters" and not verbose:
                continue
            out.print(
                f"[{colours[each.level]}]{each.level:4}[/] {each.subject}: {each.message}", soft_wrap=True
            )
            if each.mend:
                out.print(f"     mend: {each.mend}", soft_wrap=True)
        out.print(", ".join(f"{counts[level]} {level}" for level in ("ok", "warn", "fail")))
    return 1 if counts["fail"] else 0


@app.command
def plan(site_file: Path, *, limit: Path, json: bool = False) -> int:
    """Say what a limit would do here: every node, stage and time, watts, cost. Opens no socket.

    Parameters
    ----------
    site_file
        The site file.
    limit
        A limit, signed or not.
    json
        Print JSON.
    """
    from grandpause.cli.planning import plan_value, print_plan
    from grandpause.core.plan import Planner
    from grandpause.site.sitefile import load_site_file

    site = load_site_file(site_file, secrets=False)
    act = _limit_in(limit)
    planner = Planner(site.table, site.equipment, ramp=site.ramp, protected_w=site.protected_watts)
    made: Plan = planner.plan(_order_of(act, site))
    value = plan_value(site, act, made)
    if json:
        say_json(value)
    else:
        print_plan(console(), value)
    return 0


@app.command
def declare(
    site_file: Path,
    *,
    charter_version: int = 1,
    power: str = "declare",
    number: int = 1,
    out: Path,
    json: bool = False,
) -> int:
    """Draft the site's declaration: ratings, controllers, and the digest of its table of elements and meters.

    It counts once the declaration quorum (grandpause sign) and the controller's key have signed it;
    the controller's key signs here.

    Parameters
    ----------
    site_file
        The site file; its declaration need not exist yet.
    charter_version
        The charter's version in force.
    power
        The charter's power to use.
    number
        Grows with every declaration of the site.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    from grandpause.core.elements import digest_of
    from grandpause.core.statement.acts import Under
    from grandpause.core.statement.codec import encode
    from grandpause.core.statement.facts import Declaration
    from grandpause.signers.file import FileSigner, signed
    from grandpause.site.sitefile import load_site_file

    site = load_site_file(site_file, secrets=False)
    signer = FileSigner.read(site.identity.key_file)
    declaration = Declaration(
        under=Under(charter=site.charters[0].id, version=charter_version, power=power),
        site=site.identity.site,
        number=number,
        operator=site.identity.operator,
        controllers={site.identity.controller: signer.public_key},
        pins=tuple(each.id for each in site.charters),
        it_watts=site.it_watts,
        site_watts=site.it_watts + site.protected_watts,
        elements=digest_of("elements.json", site.table.to_bytes()),
    )
    envelope = signed(encode(declaration), signer)
    write_new(out, envelope.to_bytes())
    if json:
        say_json({"schema": "grandpause.drafted/1", "file": str(out), "name": envelope.name})
    else:
        console().print(f"drafted {out}; next: grandpause sign {out} --key KEY.pem", soft_wrap=True)
    return 0


@app.command
def arm(site_file: Path, *, json: bool = False) -> int:
    """Let the controller send commands. A logged act.

    Parameters
    ----------
    site_file
        The site file.
    json
        Print JSON.
    """
    return _local_act(site_file, "arm", as_json=json)


@app.command
def disarm(site_file: Path, *, json: bool = False) -> int:
    """Send no more commands. While something binds, the restart quorum must have allowed it.

    Parameters
    ----------
    site_file
        The site file.
    json
        Print JSON.
    """
    return _local_act(site_file, "disarm", as_json=json)


@app.command
def run(site_file: Path, *, outlets: Annotated[bool, Parameter(negative="--no-outlets")] = True) -> int:
    """Run the controller in the foreground until SIGTERM. It opens no listening port.

    Parameters
    ----------
    site_file
        The site file.
    outlets
        Leave every outlet alone with --no-outlets.
    """
    import uvloop

    from grandpause.site.daemon import SiteDaemon
    from grandpause.site.sitefile import load_site_file

    site = load_site_file(site_file)
    # A connection a BMC, while a stop goes on: as many open files as we may have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def work() -> None:
        async with SiteDaemon(site, outlets=outlets, tell=_print_alarm, log=_print_line) as daemon:
            state = "armed" if daemon.controller.decision.memory.armed else "OBSERVE ONLY (not armed)"
            sys.stderr.write(f"site {site.identity.site}: {state}; inbox {site.identity.inbox}\n")
            sys.stderr.write(SECRET_RETURNS + "\n")
            running = asyncio.ensure_future(daemon.run())
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
            with suppress(asyncio.CancelledError):  # told to end: what binds stays bound
                await running

    uvloop.run(work())
    return 0


@app.command
def status(site_file: Path, *, json: bool = False) -> int:
    """Say what the controller knows. Exit code 0 proven or nothing binds, 1 not proven, 4 stale.

    Parameters
    ----------
    site_file
        The site file.
    json
        Print JSON.
    """
    import json as json_module

    from grandpause.cli.status_view import print_status
    from grandpause.site.sitefile import load_site_file

    site = load_site_file(site_file, secrets=False)
    path = site.identity.state / "status.json"
    try:
        said: dict[str, Any] = json_module.loads(path.read_text(encoding="utf-8"))
        age = int(time.time()) - int(said["at_s"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as cause:
        raise UsageError(f"no status: {cause}", where=str(path), hint="grandpause site run") from cause
    said["age_s"] = age
    if age > _FRESH_S and said["verdict"] is not None:
        said["verdict"], said["proven_by"] = "stale", ""
    if json:
        say_json(said)
    else:
        print_status(console(), said)
    if age > _FRESH_S:
        raise StaleError(f"the status is {age} s old: the controller does not run", where=str(path))
    return {None: 0, "proven": 0, "not proven": 1, "stale": 4}[said["verdict"]]


def _local_act(site_file: Path, act: str, *, as_json: bool) -> int:
    from grandpause.site.clock import SystemClock
    from grandpause.site.control import Control
    from grandpause.site.daemon import open_keeper, take_lock
    from grandpause.site.sitefile import load_site_file
    from grandpause.stores.sqlite import SqliteStore

    site = load_site_file(site_file, secrets=False)
    state = site.identity.state
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        lock = take_lock(state)
    except UsageError:
        Control(state / "control").request(act)
    else:
        with lock:
            store = SqliteStore(state / "site.sqlite")
            try:
                keeper = open_keeper(site, store, SystemClock())
                {"arm": keeper.arm, "disarm": keeper.disarm}[act]()
            finally:
                store.close()
    if as_json:
        say_json({"schema": "grandpause.done/1", "site": site.identity.site, "act": act})
    else:
        console().print(
            f"site {site.identity.site}: {act}ed" if act == "arm" else f"site {site.identity.site}: disarmed"
        )
    return 0


async def _check(site: SiteFile, *, quiet: bool) -> list[Finding]:
    from grandpause.site.clock import SystemClock
    from grandpause.site.preflight import check_site
    from grandpause.site.wiring import open_devices

    clock = SystemClock()
    devices = await open_devices(site, clock)

    def tell(done: int, total: int) -> None:
        if not quiet and sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {total} devices asked")
            if done == total:
                sys.stderr.write("\n")

    try:
        return await check_site(site, devices, clock, tell=tell)
    finally:
        await devices.close()


async def _print_pins(site: SiteFile, *, as_json: bool) -> int:
    from grandpause.drivers.redfish import format_pin, pin_of
    from grandpause.errors import DeviceError

    pins: dict[str, str | None] = {}
    for name, bmc in site.bmcs.items():
        try:
            pins[name] = format_pin(await pin_of(bmc.host, bmc.port, within_s=site.timing.command_s))
        except DeviceError as error:
            pins[name] = None
            sys.stderr.write(f"{name}: {error}\n")
    if as_json:
        say_json({"schema": "grandpause.pins/1", "pins": pins})
    else:
        for name, found in pins.items():
            sys.stdout.write(f"{name} {found or 'no certificate could be had'}\n")
    return 1 if None in pins.values() else 0


def _limit_in(path: Path) -> Limit:
    from grandpause.core.statement.acts import Limit
    from grandpause.core.trust import decode_only

    try:
        _, statement = decode_only(read_file(path))
    except (StatementError, TrustError) as cause:
        raise cause.at(str(path)) from cause
    if not isinstance(statement, Limit):
        raise UsageError(f"holds a {statement.kind}, not a limit", where=str(path))
    return statement


def _order_of(limit: Limit, site: SiteFile) -> Order:
    from grandpause.core.plan import Order
    from grandpause.core.statement.charter import Ramp

    if not limit.scope.reaches(site.identity.site):
        raise TrustError(f"does not reach site {site.identity.site}", where="limit.scope")
    return Order(
        caps=limit.caps,
        statements=(),
        profile=limit.profile,
        category=limit.category,
        complete_by=limit.complete_by,
        ramp_override=limit.ramp is Ramp.OVERRIDE,
    )


def _print_line(line: str) -> None:
    sys.stderr.write(f"{format_time(int(time.time()))} {visible(line)}\n")


def _print_alarm(code: str, text: str) -> None:
    sys.stderr.write(f"{format_time(int(time.time()))} ALARM {code}: {visible(text)}\n")
