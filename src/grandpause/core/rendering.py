"""A statement for people: one sentence, and a short code to read aloud. (spec/rendering.md)

Made by the tool on the signer's own machine, never only by a web page.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from grandpause.core.calendar import format_time
from grandpause.core.envelope import Envelope
from grandpause.core.model import FULL_PPM, Caps, Unit
from grandpause.core.quorum import Body
from grandpause.core.statement.acts import Lift, Limit, Permit, Restart, RestartPurpose
from grandpause.core.statement.charter import Charter
from grandpause.core.statement.codec import Statement
from grandpause.core.statement.facts import Declaration, Evidence, Reading, Status
from grandpause.core.statement.scope import Scope, ScopeKind

_NAMED: Final = 3
SECRET_RETURNS: Final = "This charter has no log: what gives power back can be secret."  # noqa: S105
"""Every screen says this under a charter without a log."""


def short_code(envelope: Envelope) -> str:
    """Return the first 128 bits of the statement's name, in 8 groups of 4 digits."""
    name = envelope.name
    return " ".join(name[at : at + 4] for at in range(0, 32, 4))


def visible(text: str) -> str:
    """Return ``text`` on one line, without what could hide or reorder it on a screen.

    Control, format (bidirectional overrides, zero width) and line-breaking characters are written as
    their code points.
    """
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else f"<U+{ord(character):04X}>"
        for character in text
    )


def amount(value: int, unit: Unit) -> str:
    """Return a ceiling in words, exactly: signers must not see two that differ as one."""
    if unit is Unit.COMPUTE:
        return f"{value * 100 / FULL_PPM:g} % of rated compute"
    what = "IT power" if unit is Unit.IT_WATTS else "site power"
    for digits, name in ((9, "GW"), (6, "MW"), (3, "kW")):
        if value >= 10**digits:
            whole, rest = divmod(value, 10**digits)
            number = f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".")
            return f"{number} {name} of {what}"
    return f"{value} W of {what}"


def watts(value: int) -> str:
    """Return watts in the unit that fits, to three digits."""
    for size, name in ((1_000_000_000, "GW"), (1_000_000, "MW"), (1_000, "kW")):
        if abs(value) >= size * 0.9995:  # below, three digits would round up to 1000
            return f"{value / size:.3g} {name}" if value / size < 1_000 else f"{value / size:.0f} {name}"  # noqa: PLR2004
    return f"{value} W"


def caps_in_words(caps: Caps) -> str:
    """Return caps in words; "as rated" where nothing binds."""
    if not caps:
        return "as rated"
    return "; ".join(f"{key.part}: {amount(value, key.unit)}" for key, value in caps)


def sentence(statement: Statement) -> str:
    """Return what the statement does, in one sentence."""
    return visible(_sentence(statement))


def _sentence(statement: Statement) -> str:  # noqa: C901
    match statement:
        case Limit():
            return (
                f"LIMIT {_scope(statement.scope)} to {amount(statement.ceiling, statement.unit)}"
                f" from {format_time(statement.start)} until {format_time(statement.until)},"
                f" to be reached by {format_time(statement.complete_by)}"
                f" ({statement.profile}, stop category {statement.category}, ramp {statement.ramp}),"
                f" by power {statement.under.power}, because: {statement.reason}"
            )
        case Lift() if statement.ends:
            return (
                f"LIFT: end the limit(s) {_codes(statement.ends)}, if complete by"
                f" {format_time(statement.void_after)}, because: {statement.reason}"
            )
        case Lift():
            window = statement.suspends[0]
            return (
                f"LIFT: suspend the power {window.power} from {format_time(window.start)}"
                f" to {format_time(window.end)}, because: {statement.reason}"
            )
        case Permit():
            return (
                f"PERMIT all sites {amount(statement.ceiling, statement.unit)}"
                f" until {format_time(statement.expires)}"
            )
        case Restart() if statement.purpose is RestartPurpose.DISARM:
            return (
                f"Allow site {statement.site} to DISARM once, until {format_time(statement.void_after)},"
                f" because: {statement.reason}"
            )
        case Restart():
            return (
                f"RESTART site {statement.site} once, until {format_time(statement.void_after)};"
                f" allowed afterwards: {caps_in_words(statement.caps)}, because: {statement.reason}"
            )
        case Charter():
            return (
                f"CHARTER version {statement.version} “{statement.title}”:"
                f" bodies {', '.join(_body(each) for each in statement.roster.bodies)};"
                f" powers {', '.join(f'{each.id} by {each.quorum}' for each in statement.powers)};"
                f" clock error {statement.clock_error_s} s; waives {', '.join(statement.waives) or 'nothing'}"
            )
        case Declaration():
            return (
                f"DECLARATION {statement.number} of site {statement.site}, run by {statement.operator}:"
                f" {watts(statement.it_watts)} IT, {watts(statement.site_watts)} with protected loads;"
                f" controllers {', '.join(sorted(statement.controllers))};"
                f" table {statement.elements.sha256[:16]}…"
            )
        case Status():
            return f"STATUS {statement.number} of site {statement.site} at {format_time(statement.at)}"
        case Reading():
            return f"READING {statement.sequence} of meter {statement.meter} at {format_time(statement.at)}"
        case Evidence():
            return (
                f"EVIDENCE {statement.number} of site {statement.site}: {statement.verdict};"
                f" before {_paths(statement.before)}; after {_paths(statement.after)}"
            )


def _codes(names: Sequence[str]) -> str:
    """Return the short codes of the first few names, and how many more there are."""
    first = "; ".join(" ".join(name[at : at + 4] for at in range(0, 32, 4)) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return first + more


def _body(body: Body) -> str:
    return f"{body.id} ({body.threshold} of {', '.join(each.id for each in body.members)})"


def _paths(by_path: Mapping[str, int]) -> str:
    return ", ".join(f"{path} {watts(value)}" for path, value in by_path.items()) or "no reading"


def _scope(scope: Scope) -> str:
    if scope.kind is ScopeKind.ALL:
        return "ALL sites of the charter"
    if scope.kind is ScopeKind.SITES:
        return f"site(s) {', '.join(scope.sites)}"
    return f"{scope.kind} {scope.name} of site {scope.sites[0]}"
