"""Makes the people, charters and statements that the tests of the core play with. Keys come from seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grandpause.core.calendar import parse_time
from grandpause.core.elements import digest_of
from grandpause.core.envelope import Envelope, Signature
from grandpause.core.model import Caps, Interval, NodeState, Outcome, Profile, Unit, VerdictWord
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.statement.acts import Lift, Limit, Permit, Restart, RestartPurpose, Suspension, Under
from grandpause.core.statement.charter import (
    Charter,
    LimitBounds,
    PowerRule,
    Ramp,
    Returns,
    Right,
    weak_points,
)
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.facts import Declaration, Evidence, Reading, Status
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.templates import Person, operator_charter
from grandpause.core.trust import Admission, Standing, TrustedSet
from grandpause.signers.file import FileSigner

T0: Final = parse_time("2026-11-22T08:00:00Z")
HOUR: Final = 3_600
DAY: Final = 86_400
SITE: Final = "site-7f3a"
CONTROLLER: Final = "controller-a"
NOW: Final = Interval(earliest=T0, latest=T0)
EVERYWHERE: Final = Scope(kind=ScopeKind.ALL)


@cache
def signer(seed: int) -> FileSigner:
    """Return the key pair of a seed."""
    return FileSigner(Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")))


def at(unix_s: int, *, error_s: int = 0) -> Interval:
    """Return the moment as an interval."""
    return Interval.around(unix_s, error_s=error_s)


def nonce(number: int) -> str:
    """Return 16 bytes in hex."""
    return f"{number:032x}"


def sealed(statement: Statement, *signers: FileSigner) -> bytes:
    """Return the statement's envelope, signed by each."""
    return with_signatures(encode(statement), *signers).to_bytes()


def with_signatures(envelope: Envelope, *signers: FileSigner) -> Envelope:
    """Return the envelope with a signature of each added."""
    made = tuple(Signature(each.key_id, each.sign(envelope.signed_bytes)) for each in signers)
    return envelope.with_signatures(made)


def name_of(statement: Statement) -> str:
    """Return the statement's name."""
    return encode(statement).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A charter with the key pair of each of its members."""

    charter: Charter
    people: Mapping[str, FileSigner]

    @property
    def id(self) -> str:
        """The charter's name; of version 1: its id."""
        return name_of(self.charter)

    def some(self, *members: str) -> tuple[FileSigner, ...]:
        """Return the key pairs of these members."""
        return tuple(self.people[each] for each in members)

    def data(self, *members: str) -> bytes:
        """Return the charter's envelope, signed by these members (all, if none is named)."""
        return sealed(self.charter, *self.some(*(members or tuple(self.people))))

    def trusted(self, *, now: Interval = NOW) -> TrustedSet:
        """Return a set that has admitted this version 1."""
        trusted = TrustedSet(self.id)
        trusted.admit(self.data(), now=now)
        return trusted


def operator_cast(*, seed: int = 0, **changes: Any) -> Cast:
    """Return the operator template: members m1 to m3 of one body, and the utility's meter gateway."""
    people = {f"m{index}": signer(seed + index) for index in (1, 2, 3)}
    gateway = signer(seed + 9)
    charter = operator_charter(
        title="Hall of the tests",
        members=[Person(id=each, label=each, key=people[each].public_key) for each in people],
        meter_owners=[
            ("utility", "The grid", Person(id="gateway", label="Gateway", key=gateway.public_key)),
        ],
        expires=T0 + 700 * DAY,
    )
    return Cast(charter=replace(charter, **changes), people={**people, "gateway": gateway})


def council_cast(bodies: int, *, seed: int = 100, **changes: Any) -> Cast:
    """Return n bodies of one member each: watts by 2, any limit by 3, lift, charter and restart by n-1."""
    people = {f"b{index}": signer(seed + index) for index in range(1, bodies + 1)}
    roster = Roster(
        tuple(
            Body(id=f"body{each[1:]}", label=each, threshold=1, members=(member(each, people[each]),))
            for each in people
        ),
        tuple(
            Group(id=f"any-{each}", threshold=each, of=tuple(f"body{one[1:]}" for one in people))
            for each in range(1, bodies + 1)
        ),
    )
    high = f"any-{bodies - 1}"
    powers = (
        limit_power("watts-for-a-while", "any-2", returns=Returns.ITSELF),
        limit_power("limit", "any-3"),
        *(
            PowerRule(id=str(right), right=right, quorum=high, scope=EVERYWHERE)
            for right in (Right.LIFT, Right.RESTART, Right.CHARTER, Right.DECLARATION)
        ),
    )
    return Cast(charter=charter_of(roster, powers, **changes), people=people)


def member(name: str, *keys: FileSigner) -> Member:
    """Return a member with these keys."""
    return Member(id=name, label=name, keys=tuple(each.public_key for each in keys))


def limit_power(name: str, quorum: str, *, scope: Scope = EVERYWHERE, **changes: Any) -> PowerRule:
    """Return an unbounded power to limit for up to a year."""
    bounds = LimitBounds(
        least=tuple((unit, 0) for unit in Unit),
        profiles=tuple(Profile),
        categories=(0, 1, 2),
        longest_s=366 * DAY,
        returns=Returns.RESTART,
        ramp=Ramp.OVERRIDE,
    )
    return PowerRule(
        id=name, right=Right.LIMIT, quorum=quorum, scope=scope, bounds=replace(bounds, **changes)
    )


def charter_of(roster: Roster, powers: Sequence[PowerRule], **changes: Any) -> Charter:
    """Return version 1 of a charter that waives whatever weak points it has."""
    fields: dict[str, Any] = {
        "version": 1,
        "previous": "",
        "title": "Charter of the tests",
        "expires": T0 + 700 * DAY,
        "void_after": T0 + 30 * DAY,
        "roster": roster,
        "powers": tuple(powers),
        "clock_error_s": 5,
        "scope_rule": ("declared-sites", 1),
    }
    fields |= changes
    waives = weak_points(fields["roster"], fields["powers"])
    return Charter(**{"waives": waives, **fields})


def successor(cast: Cast, *, people: Mapping[str, FileSigner] | None = None, **changes: Any) -> Cast:
    """Return the next version of a charter, with changes."""
    fields: dict[str, Any] = {
        "version": cast.charter.version + 1,
        "previous": cast.id,
        "void_after": T0 + 30 * DAY,
    }
    return Cast(charter=replace(cast.charter, **(fields | changes)), people=people or cast.people)


def under(cast: Cast, power: str) -> Under:
    """Return what an act names."""
    first = cast.charter if cast.charter.version == 1 else None
    assert first is not None, "name the id of version 1 yourself"
    return Under(charter=cast.id, version=1, power=power)


def limit(cast: Cast, *, power: str = "limit", **changes: Any) -> Limit:
    """Return a limit to 5 % for a day from T0."""
    fields: dict[str, Any] = {
        "under": under(cast, power),
        "scope": EVERYWHERE,
        "unit": Unit.COMPUTE,
        "ceiling": 50_000,
        "profile": Profile.COOPERATIVE,
        "category": 1,
        "start": T0,
        "until": T0 + DAY,
        "ramp": Ramp.KEEP,
        "reason": "a test",
        "legal_basis": "none",
        "appeal": "none",
        "nonce": nonce(1),
    } | changes
    fields.setdefault("complete_by", fields["start"])
    return Limit(**fields)


def lift(cast: Cast, *ends: Statement | str, **changes: Any) -> Lift:
    """Return a lift of these limits (or their names)."""
    names = tuple(each if isinstance(each, str) else name_of(each) for each in ends)
    fields: dict[str, Any] = {
        "under": under(cast, "lift"),
        "ends": names,
        "suspends": (),
        "void_after": T0 + 7 * DAY,
        "reason": "a test",
        "nonce": nonce(2),
    }
    return Lift(**(fields | changes))


def suspension(power: str = "limit", *, start: int = T0, end: int = T0 + HOUR) -> Suspension:
    """Return a window in which a power may not limit."""
    return Suspension(power=power, start=start, end=end)


def restart(cast: Cast, shown: str, **changes: Any) -> Restart:
    """Return a restart without caps for the nonce that was shown."""
    fields: dict[str, Any] = {
        "under": under(cast, "restart"),
        "site": SITE,
        "purpose": RestartPurpose.RAISE,
        "nonces": {CONTROLLER: shown},
        "caps": Caps(),
        "void_after": T0 + 7 * DAY,
        "reason": "a test",
    }
    return Restart(**(fields | changes))


def permit(cast: Cast, **changes: Any) -> Permit:
    """Return a permit for half of the compute."""
    fields: dict[str, Any] = {
        "under": under(cast, "permit"),
        "unit": Unit.COMPUTE,
        "ceiling": 500_000,
        "not_before": T0,
        "expires": T0 + DAY,
        "head_size": 1,
        "head_root": "00" * 32,
    }
    return Permit(**(fields | changes))


def declaration(cast: Cast, controllers: Mapping[str, FileSigner], **changes: Any) -> Declaration:
    """Return a declaration of a site with these controllers."""
    fields: dict[str, Any] = {
        "under": under(cast, "declare"),
        "site": SITE,
        "number": 1,
        "operator": "operator",
        "controllers": {name: each.public_key for name, each in controllers.items()},
        "pins": (cast.id,),
        "it_watts": 1_000_000,
        "site_watts": 1_200_000,
        "elements": digest_of("elements.json", b"{}"),
    }
    return Declaration(**(fields | changes))


def reading(cast: Cast, **changes: Any) -> Reading:
    """Return a reading of one channel."""
    fields: dict[str, Any] = {
        "charter": cast.id,
        "site": SITE,
        "meter": "feed-a",
        "sequence": 1,
        "at": T0,
        "channels": {"total": 1_000},
    }
    return Reading(**(fields | changes))


def status(cast: Cast, **changes: Any) -> Status:
    """Return a status of an armed controller."""
    fields: dict[str, Any] = {
        "charter": cast.id,
        "site": SITE,
        "controller": CONTROLLER,
        "number": 1,
        "at": T0,
        "armed": True,
        "standby": False,
        "nonce": nonce(1),
        "latch": Caps(),
        "binds": (),
    }
    return Status(**(fields | changes))


def evidence(cast: Cast, **changes: Any) -> Evidence:
    """Return an evidence of a proven stop."""
    fields: dict[str, Any] = {
        "charter": cast.id,
        "site": SITE,
        "controller": CONTROLLER,
        "number": 1,
        "previous": "",
        "declaration": "11" * 32,
        "binds": (),
        "began": T0,
        "ended": T0 + 60,
        "window_s": 30,
        "allowed": Caps(),
        "verdict": VerdictWord.PROVEN,
        "proven_by": "operator's meters",
        "before": {"feed": 1_000},
        "after": {"feed": 10},
        "target_w": 10,
        "nodes": dict.fromkeys(NodeState, 0),
        "outcomes": dict.fromkeys(Outcome, 0),
        "files": (digest_of("nodes.json", b"{}"),),
    }
    return Evidence(**(fields | changes))


def admitted(trusted: TrustedSet, statement: Statement, *by: FileSigner, now: Interval = NOW) -> Admission:
    """Sign a statement and admit it."""
    return trusted.admit(sealed(statement, *by), now=now)


def standing(trusted: TrustedSet, statement: Statement) -> Standing | None:
    """Return where a statement of the set stands; None if the set does not hold it."""
    entry = trusted.entry(name_of(statement))
    return entry.standing if entry else None


def forged(statement: Statement, keys: Sequence[FileSigner], value: bytes = bytes(64)) -> bytes:
    """Return the statement with signatures under good key ids that are no signatures."""
    envelope = encode(statement)
    return envelope.with_signatures(tuple(Signature(each.key_id, value) for each in keys)).to_bytes()
