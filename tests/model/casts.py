"""The charters of the drawn worlds, and how production's statements read in the words of the model.

Signatures are faked by a table that both sides of a test share: real ones are tested elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from core.makers import DAY, SITE, T0, charter_of, limit_power, signer
from grandpause.core.envelope import Envelope, Signature
from grandpause.core.keys import PublicKey
from grandpause.core.model import CapKey, Caps, Profile, Unit
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose
from grandpause.core.statement.charter import Charter, PowerRule, Returns, Right
from grandpause.core.statement.codec import encode
from grandpause.core.statement.scope import Scope, ScopeKind
from model import facts

ELSEWHERE: Final = "site-0000"
HALL: Final = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")
TENANT: Final = Scope(kind=ScopeKind.TENANT, sites=(SITE,), name="t1")
HERE: Final = Scope(kind=ScopeKind.SITES, sites=(SITE,))
AWAY: Final = Scope(kind=ScopeKind.SITES, sites=(ELSEWHERE,))
BOTH: Final = Scope(kind=ScopeKind.SITES, sites=(SITE, ELSEWHERE))
ALL: Final = Scope(kind=ScopeKind.ALL)
PARTS: Final[Mapping[str, frozenset[str]]] = {
    SITE: frozenset({"hall:h1", "tenant:t1", "rest"}),
    ELSEWHERE: frozenset({"elsewhere"}),
}
ANYWHERE: Final = frozenset({"anywhere"}).union(*PARTS.values())
CLOCK_ERROR_S: Final = 5
GRID_ERROR_S: Final = 600

KEYS: Final[Mapping[str, PublicKey]] = {
    name: signer(seed).public_key
    for seed, name in enumerate(("a1", "a2", "b1", "c1", "d1", "e1", "u1", "x1"), start=300)
}
"""a1, a2: one member's. c1, d1: two members of one body. e1: in some later versions. x1: in no charter."""
_NAMES: Final = {key.key_id: name for name, key in KEYS.items()}


def signature_of(name: str, message: bytes) -> bytes:
    """Return what stands for a signature of this key."""
    return hashlib.sha256(KEYS[name].public + message).digest()


def signature_is_right(key: PublicKey, message: bytes, value: bytes) -> bool:
    """Tell whether ``value`` is what stands for a signature of this key (``trust.SignatureCheck``)."""
    return hashlib.sha256(key.public + message).digest() == value


def signed(envelope: Envelope, keys: Iterable[str], *, forged: bool = False) -> bytes:
    """Return the envelope with a signature of each key, good or forged."""
    message = envelope.signed_bytes
    made = tuple(
        Signature(KEYS[each].key_id, bytes(32) if forged else signature_of(each, message)) for each in keys
    )
    return envelope.with_signatures(made).to_bytes()


def _members(names: Mapping[str, tuple[str, ...]]) -> tuple[Member, ...]:
    return tuple(
        Member(id=each, label=each, keys=tuple(KEYS[key] for key in keys)) for each, keys in names.items()
    )


def _roster(third: str) -> Roster:
    return Roster(
        (
            Body(id="body-a", label="A", threshold=1, members=_members({"a": ("a1", "a2")})),
            Body(id="body-b", label="B", threshold=1, members=_members({"b": (third,)})),
            Body(id="body-c", label="C", threshold=2, members=_members({"c": ("c1",), "d": ("d1",)})),
        ),
        (
            Group(id="one", threshold=1, of=("body-a", "body-b", "body-c")),
            Group(id="two", threshold=2, of=("body-a", "body-b", "body-c")),
            Group(id="b-or-c", threshold=1, of=("body-b", "body-c")),
            Group(id="nested", threshold=2, of=("body-a", "b-or-c")),
        ),
    )


def _power(name: str, right: Right, quorum: str, scope: Scope = ALL) -> PowerRule:
    return PowerRule(id=name, right=right, quorum=quorum, scope=scope)


def _limits(name: str, quorum: str, scope: Scope = ALL, **changes: Any) -> PowerRule:
    bounds: dict[str, Any] = {
        "least": ((Unit.COMPUTE, 0), (Unit.IT_WATTS, 0)),
        "profiles": (Profile.COOPERATIVE,),
        "categories": (1,),
        "longest_s": 30 * DAY,
    }
    return limit_power(name, quorum, scope=scope, **(bounds | changes))


def _powers(**changes: PowerRule | None) -> tuple[PowerRule, ...]:
    powers: dict[str, PowerRule | None] = {
        "limit": _limits("limit", "two"),
        "bounded": _limits("bounded", "one", least=((Unit.COMPUTE, 500_000),), longest_s=DAY),
        "passing": _limits("passing", "two", BOTH, returns=Returns.ITSELF),
        "lift": _power("lift", Right.LIFT, "nested"),
        "lift-hall": _power("lift-hall", Right.LIFT, "one", HALL),
        "restart": _power("restart", Right.RESTART, "two"),
        "charter": _power("charter", Right.CHARTER, "nested"),
        "declare": _power("declare", Right.DECLARATION, "two"),
    }
    return tuple(each for each in (powers | changes).values() if each is not None)


VARIANTS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("another title", {}),
    ("'limit' repealed", {"powers": _powers(limit=None)}),
    ("e1 in place of b1", {"roster": _roster("e1")}),
    (
        "one body lifts and charters, 'nested' restarts",
        {
            "powers": _powers(
                lift=_power("lift", Right.LIFT, "one"),
                charter=_power("charter", Right.CHARTER, "one"),
                restart=_power("restart", Right.RESTART, "nested"),
            )
        },
    ),
    ("void after 6 s", {"void_after": T0 + CLOCK_ERROR_S + 1}),
    ("void after 5 s", {"void_after": T0 + CLOCK_ERROR_S}),
    ("a clock error of 65 s", {"clock_error_s": 65}),
    (
        "'limit' returns by itself, 'passing' by restart",
        {
            "powers": _powers(
                limit=_limits("limit", "two", returns=Returns.ITSELF),
                passing=_limits("passing", "two", BOTH),
            )
        },
    ),
)
ALONE: Final = frozenset({6, 7})
"""Variants that are never drawn as one side of a fork (see test_differences.py)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """One statement, as production sends it and as the model reads it."""

    words: str
    envelope: Envelope
    act: facts.Act | facts.Charter
    clock_error_s: int = 0


def charter_item(charter: Charter, charter_id: str, words: str) -> Item:
    """Return a charter version as an item."""
    envelope = encode(charter)
    act = facts.Charter(
        name=envelope.name,
        charter=charter_id or envelope.name,
        version=charter.version,
        previous=charter.previous or None,
        powers={(str(each.right), each.id): _power_in_words(charter.roster, each) for each in charter.powers},
        void=charter.void_after,
    )
    return Item(words=words, envelope=envelope, act=act, clock_error_s=charter.clock_error_s)


@cache
def operator_version(*variants: int) -> tuple[Charter, Item]:
    """Return the version of the operator's charter that these changes, one a version, lead to."""
    if not variants:
        first = charter_of(_roster("b1"), _powers(), clock_error_s=CLOCK_ERROR_S)
        return first, charter_item(first, "", "the operator's charter, version 1")
    before, item = operator_version(*variants[:-1])
    words, changes = VARIANTS[variants[-1]]
    fields: dict[str, Any] = {
        "version": before.version + 1,
        "previous": item.envelope.name,
        "title": f"Changed by {variants}",
    }
    changed = {field: getattr(before, field) for field in ("roster", "powers", "clock_error_s")}
    charter = charter_of(**(changed | fields | dict(changes)))
    return charter, charter_item(
        charter, item.act.charter, f"version {charter.version} ({words}; {variants})"
    )


@cache
def grid() -> Item:
    """Return the grid operator's charter: limits return by themselves, own clock, no restart here."""
    roster = Roster(
        (Body(id="utility", label="U", threshold=1, members=_members({"u": ("u1",)})),),
        (Group(id="any", threshold=1, of=("utility",)),),
    )
    powers = (
        _limits("limit", "any", returns=Returns.ITSELF),
        _power("lift", Right.LIFT, "any"),
        _power("restart", Right.RESTART, "any", AWAY),
        _power("charter", Right.CHARTER, "any"),
        _power("declare", Right.DECLARATION, "any"),
    )
    return charter_item(charter_of(roster, powers, clock_error_s=GRID_ERROR_S), "", "the grid's charter")


def parts_of(scope: Scope) -> frozenset[str]:
    """Return a scope as the set of everything that it reaches."""
    if scope.kind is ScopeKind.ALL:
        return ANYWHERE
    if scope.kind is ScopeKind.SITES:
        return frozenset().union(*(PARTS[each] for each in scope.sites))
    return frozenset({scope.part})


def caps_in_words(caps: Caps) -> frozenset[facts.Cap]:
    """Return caps on our site as the model writes them."""
    return frozenset(
        ((PARTS[SITE] if key.part == "site" else frozenset({key.part}), str(key.unit)), value)
        for key, value in caps
    )


def lowest(caps: Iterable[facts.Cap]) -> Caps:
    """Return the lowest of many caps, as production writes them."""
    found: dict[CapKey, int] = {}
    for (where, unit), value in caps:
        key = CapKey("site" if where == PARTS[SITE] else "".join(where), Unit(unit))
        found[key] = min(value, found.get(key, value))
    return Caps(found)


def act_item(act: Limit | Lift | Restart, words: str, *, nonce: int = 0) -> Item:
    """Return an act as an item; ``nonce`` is the model's for the one that a restart names."""
    envelope = encode(act)
    named: dict[str, Any] = {
        "name": (name := envelope.name),
        "charter": act.under.charter,
        "version": act.under.version,
        "power": act.under.power,
    }
    made: facts.Act
    if isinstance(act, Limit):
        made = facts.Limit(
            **named,
            scope=parts_of(act.scope),
            unit=str(act.unit),
            value=act.ceiling,
            start=act.start,
            until=act.until,
        )
    elif isinstance(act, Lift):
        spans = [{"start": each.start, "end": each.end} for each in act.suspends]
        window: dict[str, Any] = dict(*spans)
        ends = frozenset([*act.ends, *(each.power for each in act.suspends)])
        made = facts.Lift(**named, ends=ends, void=act.void_after, **window)
    else:
        made = facts.Restart(
            **named,
            site=PARTS[act.site],
            disarms=act.purpose is RestartPurpose.DISARM,
            nonce=nonce,
            caps=caps_in_words(act.caps),
            void=act.void_after,
        )
    return Item(words=f"{words} {name[:6]}", envelope=envelope, act=made)


def _power_in_words(roster: Roster, power: PowerRule) -> facts.Power:
    quorum = _quorum_in_words(roster, power.quorum)
    bounds = power.bounds
    if bounds is None:
        return facts.Power(quorum=quorum, scope=parts_of(power.scope))
    return facts.Power(
        quorum=quorum,
        scope=parts_of(power.scope),
        least={str(unit): value for unit, value in bounds.least},
        longest=bounds.longest_s,
        latches=bounds.returns is Returns.RESTART,
    )


def _quorum_in_words(roster: Roster, name: str) -> facts.Quorum:
    for group in roster.groups:
        if group.id == name:
            return group.threshold, tuple(_quorum_in_words(roster, each) for each in group.of)
    for body in roster.bodies:
        if body.id == name:
            return body.threshold, tuple(_quorum_in_words(roster, each.id) for each in body.members)
    member = next(each for body in roster.bodies for each in body.members if each.id == name)
    return 1, tuple(_NAMES[key.key_id] for key in member.keys)
