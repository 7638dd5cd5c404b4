"""Who and what the vectors are about: keys from fixed seeds, one charter, one small hall.

The private keys are public (spec/vectors/keys.json): never use them for anything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grandpause.core.calendar import parse_time
from grandpause.core.canonical import Value
from grandpause.core.elements import Element, ElementTable, Measures, MeterRow, digest_of
from grandpause.core.envelope import Envelope, Kind
from grandpause.core.model import CapKey, Caps, Profile, Unit
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose, Under, caps_value
from grandpause.core.statement.charter import Charter, Ramp
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.facts import Declaration, Reading
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.templates import Person, operator_charter
from grandpause.signers.file import FileSigner, signed

Json = dict[str, Any]

T0: Final = parse_time("2026-11-22T08:00:00Z")
HOUR: Final = 3_600
DAY: Final = 86_400
SITE: Final = "hall-7f3a"
CONTROLLER: Final = "controller-1"
MEMBERS: Final = ("ada", "bo", "cy")
GATEWAY: Final = "utility-meter"
STRANGER: Final = "stranger"
PEOPLE: Final = (*MEMBERS, GATEWAY, CONTROLLER, STRANGER)
EVERYWHERE: Final = Scope(kind=ScopeKind.ALL)


def seed_of(name: str) -> bytes:
    """Return the 32 bytes of a private key."""
    return hashlib.sha256(b"grandpause test vector key " + name.encode()).digest()


@cache
def signer(name: str) -> FileSigner:
    """Return the key pair of this name."""
    return FileSigner(Ed25519PrivateKey.from_private_bytes(seed_of(name)))


@cache
def charter() -> Charter:
    """Return the operator charter of the vectors."""
    return operator_charter(
        title="The hall of the vectors",
        members=[Person(id=each, label=each.capitalize(), key=signer(each).public_key) for each in MEMBERS],
        meter_owners=[
            (
                "utility",
                "Utility",
                Person(id=GATEWAY, label="Feed meters", key=signer(GATEWAY).public_key),
            )
        ],
        expires=T0 + 365 * DAY,
    )


def successor(title: str, **changes: Any) -> Charter:
    """Return version 2 of the charter."""
    fields: Json = {"version": 2, "previous": charter_id(), "title": title, "void_after": T0 + 30 * DAY}
    return replace(charter(), **(fields | changes))


def charter_id() -> str:
    """Return the name of version 1."""
    return encode(charter()).name


def under(power: str, version: int = 1) -> Under:
    """Return what an act names."""
    return Under(charter=charter_id(), version=version, power=power)


def sealed(statement: Statement, *signers: str) -> Envelope:
    """Return the statement's envelope, signed by each."""
    envelope = encode(statement)
    for each in signers:
        envelope = signed(envelope, signer(each))
    return envelope


def text_of(statement: Statement, *signers: str) -> str:
    """Return the sealed envelope as text."""
    return sealed(statement, *signers).to_bytes().decode()


def nonce(number: int) -> str:
    """Return 16 bytes in hex."""
    return f"{number:032x}"


def limit(**changes: Any) -> Limit:
    """Return a limit of the whole site to 25 % for a day from T0."""
    fields: Json = {
        "under": under("limit"),
        "scope": EVERYWHERE,
        "unit": Unit.COMPUTE,
        "ceiling": 250_000,
        "profile": Profile.COOPERATIVE,
        "category": 1,
        "start": T0,
        "until": T0 + DAY,
        "complete_by": T0 + 600,
        "ramp": Ramp.KEEP,
        "reason": "rehearsal",
        "legal_basis": "the operator's own decision",
        "appeal": "the operator's charter quorum",
        "nonce": nonce(1),
    }
    return Limit(**(fields | changes))


def bounded_limit(**changes: Any) -> Limit:
    """Return a limit that one member alone may sign."""
    return limit(**({"under": under("limit-bounded"), "ceiling": 500_000} | changes))


def lift(*ends: Statement, **changes: Any) -> Lift:
    """Return a lift of these limits."""
    fields: Json = {
        "under": under("lift"),
        "ends": tuple(encode(each).name for each in ends),
        "suspends": (),
        "void_after": T0 + 7 * DAY,
        "reason": "the rehearsal is over",
        "nonce": nonce(2),
    }
    return Lift(**(fields | changes))


def restart(shown: str, **changes: Any) -> Restart:
    """Return a restart without caps for the nonce that was shown."""
    fields: Json = {
        "under": under("restart"),
        "site": SITE,
        "purpose": RestartPurpose.RAISE,
        "nonces": {CONTROLLER: shown},
        "caps": Caps(),
        "void_after": T0 + DAY,
        "reason": "back to work",
    }
    return Restart(**(fields | changes))


def reading(sequence: int, at: int, watts: int) -> Reading:
    """Return a signed reading of the feed meter, unsigned yet."""
    return Reading(
        charter=charter_id(), site=SITE, meter="feed-a", sequence=sequence, at=at, channels={"total": watts}
    )


def compute(value: int, part: str = "site") -> Caps:
    """Return one cap on compute, in parts per million."""
    return Caps({CapKey(part, Unit.COMPUTE): value})


def caps_of(caps: Caps) -> list[Value]:
    """Return caps as the vectors write them: as statements do."""
    return caps_value(caps)


@cache
def hall() -> ElementTable:
    """Return four nodes, metered by outlet (the operator) and by feed (the utility, signed)."""
    nodes = tuple(
        Element(id=f"n{index}", hall="h1", tenant="", rated_w=10_000, idle_w=2_000, off_w=60, compute=7_912)
        for index in (1, 2, 3, 4)
    )
    names = tuple(each.id for each in nodes)
    return ElementTable(
        nodes,
        (
            MeterRow(
                id="feed-a",
                path="feeds",
                owner="utility",
                signed=True,
                measures=Measures.IT,
                resolution_w=10,
                channels={"total": names},
            ),
            MeterRow(
                id="row1",
                path="rows",
                owner="operator",
                signed=False,
                measures=Measures.IT,
                resolution_w=1,
                channels={str(index): (name,) for index, name in enumerate(names, start=1)},
            ),
        ),
    )


def declaration(**changes: Any) -> Declaration:
    """Return the declaration of the hall."""
    fields: Json = {
        "under": under("declare"),
        "site": SITE,
        "number": 1,
        "operator": "operator",
        "controllers": {CONTROLLER: signer(CONTROLLER).public_key},
        "pins": (charter_id(),),
        "it_watts": 40_000,
        "site_watts": 52_000,
        "elements": digest_of("elements.json", hall().to_bytes()),
    }
    return Declaration(**(fields | changes))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What must be said of bad bytes: the error's code, and the field at fault."""

    code: str
    where: str

    def to_value(self) -> Json:
        """Return it as the vectors write it."""
        return {"code": self.code, "where": self.where}


def pooled(cases: Iterable[Json], field: str) -> dict[str, str]:
    """Take the long texts in ``field`` out of cases (or steps) and leave their labels; return the pool."""
    labels: dict[str, str] = {}
    for case in cases:
        text = case[field]
        case[field] = labels.setdefault(text, f"{field}-{len(labels) + 1}")
    return {label: text for text, label in labels.items()}


def raw_envelope(payload: bytes, kind: str) -> bytes:
    """Return an unsigned envelope around any payload, good or bad."""
    return Envelope(kind=Kind(kind), payload=payload).to_bytes()
