"""What hypothesis draws from: values of every kind, and a pool of statements that belong together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

from hypothesis import strategies as st

from core.makers import (
    DAY,
    EVERYWHERE,
    HOUR,
    T0,
    council_cast,
    lift,
    limit,
    nonce,
    restart,
    sealed,
    successor,
    suspension,
)
from grandpause.core.canonical import MAX_INTEGER, Value
from grandpause.core.model import CapKey, Caps, NodeState, Outcome, Profile, Unit, VerdictWord
from grandpause.core.statement.acts import Lift, Limit, Permit, Restart, RestartPurpose, Suspension, Under
from grandpause.core.statement.charter import Ramp
from grandpause.core.statement.codec import Statement
from grandpause.core.statement.facts import MAX_WATTS, Evidence, FileDigest, Reading, Status
from grandpause.core.statement.scope import Scope, ScopeKind

COUNCIL = council_cast(4)
LAST = 253_402_300_799
"""9999-12-31T23:59:59Z."""

identifiers = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip())
)
times = st.integers(0, LAST)
numbers = st.integers(0, MAX_INTEGER)
watts = st.integers(0, MAX_WATTS)
names = st.binary(min_size=32, max_size=32).map(bytes.hex)
nonces = st.binary(min_size=16, max_size=16).map(bytes.hex)
caps = st.dictionaries(
    st.builds(CapKey, st.sampled_from(["site", "hall:h1", "hall:h2", "tenant:t"]), st.sampled_from(Unit)),
    numbers,
    max_size=6,
).map(Caps)
unders = st.builds(Under, charter=names, version=st.integers(1, 10_000), power=identifiers)
scopes = st.one_of(
    st.just(EVERYWHERE),
    st.builds(
        Scope,
        kind=st.just(ScopeKind.SITES),
        sites=st.lists(identifiers, min_size=1, max_size=4, unique=True).map(tuple),
    ),
    st.builds(
        Scope,
        kind=st.sampled_from([ScopeKind.HALL, ScopeKind.TENANT]),
        sites=identifiers.map(lambda each: (each,)),
        name=identifiers,
    ),
)
json_values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(texts, st.integers(-MAX_INTEGER, MAX_INTEGER)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    start = draw(st.integers(0, LAST - 3))
    until = draw(st.integers(start + 1, LAST))
    unit = draw(st.sampled_from(Unit))
    return Limit(
        under=draw(unders),
        scope=draw(scopes),
        unit=unit,
        ceiling=draw(st.integers(0, 1_000_000) if unit is Unit.COMPUTE else numbers),
        profile=draw(st.sampled_from(Profile)),
        category=draw(st.integers(0, 2)),
        start=start,
        until=until,
        complete_by=draw(st.integers(start, until)),
        ramp=draw(st.sampled_from(Ramp)),
        reason=draw(texts),
        legal_basis=draw(texts),
        appeal=draw(texts),
        nonce=draw(nonces),
    )


@st.composite
def lifts(draw: st.DrawFn) -> Lift:
    start = draw(st.integers(0, LAST - 31 * DAY))
    ends = draw(st.lists(names, max_size=3, unique=True))
    window = Suspension(power=draw(identifiers), start=start, end=start + draw(st.integers(1, 30 * DAY)))
    return Lift(
        under=draw(unders),
        ends=tuple(ends),
        suspends=() if ends else (window,),
        void_after=draw(times),
        reason=draw(texts),
        nonce=draw(nonces),
    )


@st.composite
def permits(draw: st.DrawFn) -> Permit:
    start = draw(st.integers(0, LAST - 1))
    return Permit(
        under=draw(unders),
        unit=draw(st.sampled_from(Unit)),
        ceiling=draw(numbers),
        not_before=start,
        expires=draw(st.integers(start + 1, LAST)),
        head_size=draw(numbers),
        head_root=draw(names),
    )


restarts = st.builds(
    Restart,
    under=unders,
    site=identifiers,
    purpose=st.sampled_from(RestartPurpose),
    nonces=st.dictionaries(identifiers, nonces, min_size=1, max_size=3),
    caps=caps,
    void_after=times,
    reason=texts,
)
statuses = st.builds(
    Status,
    charter=names,
    site=identifiers,
    controller=identifiers,
    number=st.integers(1, MAX_INTEGER),
    at=times,
    armed=st.booleans(),
    standby=st.booleans(),
    nonce=nonces,
    latch=caps,
    binds=st.lists(names, max_size=3, unique=True).map(tuple),
)
readings = st.builds(
    Reading,
    charter=names,
    site=identifiers,
    meter=identifiers,
    sequence=st.integers(1, MAX_INTEGER),
    at=times,
    channels=st.dictionaries(identifiers, watts, max_size=5),
)
files = st.lists(
    st.builds(FileDigest, path=texts, sha256=names, size=numbers),
    max_size=3,
    unique_by=lambda each: each.path,
).map(lambda found: tuple(sorted(found, key=lambda each: each.path)))
path_watts = st.dictionaries(identifiers, watts, max_size=3)
evidences = st.builds(
    Evidence,
    charter=names,
    site=identifiers,
    controller=identifiers,
    number=st.integers(1, MAX_INTEGER),
    previous=st.one_of(st.just(""), names),
    declaration=names,
    binds=st.lists(names, max_size=3, unique=True).map(tuple),
    began=times,
    ended=times,
    window_s=st.integers(1, 3_600),
    allowed=caps,
    verdict=st.sampled_from(VerdictWord),
    proven_by=st.one_of(st.just(""), texts),
    before=path_watts,
    after=path_watts,
    target_w=watts,
    nodes=st.fixed_dictionaries(dict.fromkeys(NodeState, numbers)),
    outcomes=st.fixed_dictionaries(dict.fromkeys(Outcome, numbers)),
    files=files,
)
statements: st.SearchStrategy[Statement] = st.one_of(
    limits(), lifts(), permits(), restarts, statuses, readings, evidences
)


def of_version(act: Any, version: int) -> Any:
    """Return the act under another version of its charter."""
    return replace(act, under=replace(act.under, version=version))


@cache
def pool() -> tuple[bytes, ...]:
    """Return envelopes under a chain of three charters: whole, in parts, and beyond their power."""
    second = successor(COUNCIL, title="Second")
    third = successor(second, title="Third")
    low, high = limit(COUNCIL, ceiling=10_000), limit(COUNCIL, ceiling=70_000, nonce=nonce(2))
    later = of_version(limit(COUNCIL, ceiling=30_000, nonce=nonce(3)), 3)
    watts_limit = limit(
        COUNCIL,
        power="watts-for-a-while",
        unit=Unit.SITE_WATTS,
        ceiling=5,
        start=T0 + HOUR,
        until=T0 + 2 * HOUR,
    )
    acts: list[tuple[Statement, int]] = [
        (low, 3),
        (high, 3),
        (later, 3),
        (of_version(limit(COUNCIL, power="nothing"), 2), 3),
        (watts_limit, 2),
        (lift(COUNCIL, low), 3),
        (of_version(lift(COUNCIL, later, nonce=nonce(8)), 2), 3),
        (lift(COUNCIL, suspends=(suspension(start=T0, end=T0 + HOUR),), nonce=nonce(9)), 3),
        (restart(COUNCIL, nonce(1)), 3),
        (of_version(restart(COUNCIL, nonce(1)), 3), 3),
        (lift(COUNCIL, high, nonce=nonce(10)), 2),
    ]
    found = [COUNCIL.data(), second.data(), third.data()]
    for act, quorum in acts:
        people = tuple(COUNCIL.people.values())[:quorum]
        found.append(sealed(act, *people))
        found += [sealed(act, person) for person in people]
    found += [sealed(third.charter, *pair) for pair in combinations(COUNCIL.people.values(), 2)][:2]
    return tuple(found)
