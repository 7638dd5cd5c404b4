"""``pause``, ``curtail``, ``resume``, ``restart``: drafts of acts. They do nothing until they are signed."""

from __future__ import annotations

import json as json_module
import re
import secrets
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from grandpause.cli.charters import charter_in, pinned_id
from grandpause.cli.output import console, say_json, write_new
from grandpause.core.calendar import format_time
from grandpause.core.fields import is_digest
from grandpause.core.model import FULL_PPM, CapKey, Caps, Profile, Unit
from grandpause.core.rendering import SECRET_RETURNS, sentence, short_code
from grandpause.core.statement.acts import (
    NONCE_BYTES,
    Lift,
    Limit,
    Restart,
    RestartPurpose,
    Suspension,
    Under,
)
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import Act, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import UsageError

_DURATION = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|W|kW|MW|GW)")
_WATTS = {"W": 1, "kW": 10**3, "MW": 10**6, "GW": 10**9}
_WEEK_S = 7 * 86_400

Charter = Annotated[Path, Parameter(help="File of the charter's version 1.")]


def pause(
    *,
    charter: Charter,
    reason: str,
    to: str = "0%",
    power: str = "limit",
    site: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    hall: str = "",
    last: str = "24h",
    within: str = "10m",
    profile: str = "cooperative",
    category: int = 1,
    ramp: str = "keep",
    legal_basis: str = "the operator's own decision",
    appeal: str = "the operator's charter quorum",
    version: int = 1,
    out: Path = Path("limit.json"),
    json: bool = False,
) -> int:
    """Draft a pause: a limit near zero, for all sites of the charter or some of them.

    Parameters
    ----------
    reason
        Why; everybody who signs reads this.
    to
        What stays allowed, in percent of rated compute ("5%").
    power
        The charter's power to use: limit (two signers) or limit-bounded (one).
    site
        A site's id; all sites of the charter if none is given.
    hall
        One hall of the one site that is given.
    last
        How long at most, for example 90m, 24h, 30d.
    within
        How soon it is to be reached.
    profile
        cooperative, or adversarial: the workload is told nothing.
    category
        Stop category: 0 cut at once, 1 controlled stop and then cut.
    ramp
        keep the site's ramp, or override it (where the power allows that).
    legal_basis
        On what authority.
    appeal
        To whom one may appeal.
    version
        The charter's version in force.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    unit, value = amount(to)
    return _draft_limit(
        charter, version, power, _scope(site, hall), unit, value, profile, category, ramp,
        last, within, (reason, legal_basis, appeal), out, as_json=json,
    )  # fmt: skip


def curtail(
    *,
    charter: Charter,
    reason: str,
    to: str,
    of: str = "it",
    power: str = "limit",
    site: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    hall: str = "",
    last: str = "4h",
    within: str = "10m",
    version: int = 1,
    legal_basis: str = "the operator's own decision",
    appeal: str = "the operator's charter quorum",
    out: Path = Path("limit.json"),
    json: bool = False,
) -> int:
    """Draft a curtailment: a limit in watts ("40 MW") or percent, as a grid operator asks for it.

    Parameters
    ----------
    reason
        Why; everybody who signs reads this.
    to
        What stays allowed: 40MW, 800kW, 60%.
    of
        For watts: it (IT power) or site (site power, protected loads included).
    power
        The charter's power to use.
    site
        A site's id; all sites of the charter if none is given.
    hall
        One hall of the one site that is given.
    last
        How long at most.
    within
        How soon it is to be reached.
    version
        The charter's version in force.
    legal_basis
        On what authority.
    appeal
        To whom one may appeal.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    if of not in {"it", "site"}:
        raise UsageError("must be it or site", where="--of")
    unit, value = amount(to, site_watts=of == "site")
    return _draft_limit(
        charter, version, power, _scope(site, hall), unit, value, "cooperative", 1, "keep",
        last, within, (reason, legal_basis, appeal), out, as_json=json,
    )  # fmt: skip


def resume(
    *,
    charter: Charter,
    reason: str,
    ends: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    suspend_power: str = "",
    window: str = "24h",
    power: str = "lift",
    version: int = 1,
    out: Path = Path("lift.json"),
    json: bool = False,
) -> int:
    """Draft a lift. It ends limits; it starts nothing: where a latch stands, a restart must follow.

    Parameters
    ----------
    reason
        Why; everybody who signs reads this.
    ends
        The limit to end: its name (64 digits) or its file.
    suspend_power
        Instead: one power that may not limit for a window.
    window
        How long, at most 30d.
    power
        The charter's power to use.
    version
        The charter's version in force.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    now = int(time.time())
    suspends = (
        (Suspension(power=suspend_power, start=now, end=now + duration(window, "--window")),)
        if suspend_power
        else ()
    )
    lift = Lift(
        under=_under(charter, version, power),
        ends=tuple(_name_of(each) for each in ends),
        suspends=suspends,
        void_after=now + _WEEK_S,
        reason=reason,
        nonce=secrets.token_hex(NONCE_BYTES),
    )
    return _write(lift, charter, out, as_json=json)


def restart(
    *,
    charter: Charter,
    reason: str,
    status: Path,
    to: str = "100%",
    purpose: str = "raise",
    power: str = "restart",
    last: str = "1h",
    version: int = 1,
    out: Path = Path("restart.json"),
    json: bool = False,
) -> int:
    """Draft a restart for one site: raises its latch (never above the ceiling) and ends its standby, once.

    Parameters
    ----------
    reason
        Why; everybody who signs reads this.
    status
        The site's state/status.json: names the site, its controller and the nonce of this boot.
    to
        Where the latch is afterwards ("100%" is no latch).
    purpose
        raise, or disarm: allow the site to be disarmed while something binds.
    power
        The charter's power to use.
    last
        How long the restart may wait before it is used.
    version
        The charter's version in force.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    try:
        said = json_module.loads(status.read_text(encoding="utf-8"))
        site, nonces = said["site"], {said["controller"]: said["nonce"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as cause:
        raise UsageError(f"is no site status: {cause}", where=str(status)) from cause
    if purpose not in list(RestartPurpose):
        raise UsageError("must be raise or disarm", where="--purpose")
    unit, value = amount(to)
    full = unit is Unit.COMPUTE and value == FULL_PPM
    statement = Restart(
        under=_under(charter, version, power),
        site=site,
        purpose=RestartPurpose(purpose),
        nonces=nonces,
        caps=Caps() if full else Caps({CapKey("site", unit): value}),
        void_after=int(time.time()) + duration(last, "--last"),
        reason=reason,
    )
    return _write(statement, charter, out, as_json=json)


def amount(text: str, *, site_watts: bool = False) -> tuple[Unit, int]:
    """Return (unit, value) of "5%", "800kW" or "40MW". Raises UsageError."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError("must be like 5%, 800kW or 40MW", where=f"--to {text}")
    number, unit = Decimal(match.group(1)), match.group(2)
    value = number * (FULL_PPM // 100 if unit == "%" else _WATTS[unit])
    if value != int(value):
        raise UsageError("is finer than a watt, or than a part per million", where=f"--to {text}")
    if unit == "%":
        if value > FULL_PPM:
            raise UsageError("more than 100 %", where=f"--to {text}")
        return Unit.COMPUTE, int(value)
    return Unit.SITE_WATTS if site_watts else Unit.IT_WATTS, int(value)


def duration(text: str, option: str) -> int:
    """Return seconds of "90m", "24h" or "30d". Raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match.group(1)) == 0:
        raise UsageError("must be like 90m, 24h or 30d", where=f"{option} {text}")
    return int(match.group(1)) * _SECONDS[match.group(2)]


def _draft_limit(  # noqa: PLR0917  one place for both verbs
    charter: Path,
    version: int,
    power: str,
    scope: Scope,
    unit: Unit,
    value: int,
    profile: str,
    category: int,
    ramp: str,
    last: str,
    within: str,
    why: tuple[str, str, str],
    out: Path,
    *,
    as_json: bool,
) -> int:
    if profile not in list(Profile):
        raise UsageError(f"must be one of {', '.join(Profile)}", where="--profile")
    if ramp not in list(Ramp):
        raise UsageError(f"must be one of {', '.join(Ramp)}", where="--ramp")
    now = int(time.time())
    until = now + duration(last, "--last")
    limit = Limit(
        under=_under(charter, version, power),
        scope=scope,
        unit=unit,
        ceiling=value,
        profile=Profile(profile),
        category=category,
        start=now,
        until=until,
        complete_by=min(until, now + duration(within, "--within")),
        ramp=Ramp(ramp),
        reason=why[0],
        legal_basis=why[1],
        appeal=why[2],
        nonce=secrets.token_hex(NONCE_BYTES),
    )
    return _write(limit, charter, out, as_json=as_json)


def _under(charter: Path, version: int, power: str) -> Under:
    return Under(charter=pinned_id(charter), version=version, power=power)


def _scope(sites: list[str], hall: str) -> Scope:
    if hall:
        if len(sites) != 1:
            raise UsageError("needs exactly one --site", where="--hall")
        return Scope(kind=ScopeKind.HALL, sites=(sites[0],), name=hall)
    if sites:
        return Scope(kind=ScopeKind.SITES, sites=tuple(sites))
    return Scope(kind=ScopeKind.ALL)


def _name_of(name_or_file: str) -> str:
    from grandpause.cli.output import read_file
    from grandpause.core.envelope import Kind, parse

    if is_digest(name_or_file):
        return name_or_file
    envelope = parse(read_file(Path(name_or_file)))
    if envelope.kind is not Kind.LIMIT:
        raise UsageError(f"holds a {envelope.kind}, not a limit", where=f"--ends {name_or_file}")
    return envelope.name


def _write(act: Act, charter: Path, out: Path, *, as_json: bool) -> int:
    from grandpause.core.powers import power_used
    from grandpause.core.statement.codec import decode

    envelope = encode(act)
    decode(envelope)  # what we write, we can read: refuses a draft that nobody would accept
    if act.under.version == 1:
        # Only version 1 is at hand; a site refuses what goes beyond the power, but after the signatures.
        power_used(charter_in(charter), act)
    write_new(out, envelope.to_bytes())
    if as_json:
        say_json(
            {
                "schema": "grandpause.drafted/1",
                "file": str(out),
                "name": envelope.name,
                "short_code": short_code(envelope),
                "sentence": sentence(act),
                "at": format_time(int(time.time())),
                "returns_can_be_secret": True,
            }
        )
        return 0
    text = console()
    text.print(sentence(act), markup=False, soft_wrap=True)
    text.print(f"drafted      {out}", soft_wrap=True)
    text.print(f"read aloud   {short_code(envelope)}")
    text.print(f"next         grandpause sign {out} --key KEY.pem", soft_wrap=True)
    text.print(f"[yellow]{SECRET_RETURNS}[/]")
    return 0
