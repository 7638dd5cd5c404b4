"""Sets of statements, a site and moments: which limits are in force, and what caps they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.vectors.cast import (
    DAY,
    HOUR,
    MEMBERS,
    SITE,
    T0,
    Json,
    bounded_limit,
    caps_of,
    charter_id,
    compute,
    lift,
    limit,
    nonce,
    pooled,
    successor,
    under,
)
from tools.vectors.trusts import admit, first

from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.statement.acts import Suspension
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.scope import Scope, ScopeKind

BOTH = MEMBERS[:2]
NONE = Caps()


def _ask(
    now: tuple[int, int], caps: Caps, *in_force: Statement, latch: Caps = NONE, allowed: Caps | None = None
) -> Json:
    return {
        "now": list(now),
        "in_force": sorted(encode(each).name for each in in_force),
        "caps": caps_of(caps),
        "latch": caps_of(latch),
        "allowed": caps_of(caps if allowed is None else allowed),
    }


def _case(name: str, steps: Sequence[Json], *asked: Json, site: str = SITE) -> Json:
    return {
        "id": name,
        "charter": charter_id(),
        "site": site,
        "steps": [first(), *steps],
        "asked": list(asked),
    }


def _counts(statement: Statement, at: int = T0) -> Json:
    return admit(statement, *BOTH, at=(at, at), stands="counts")


def _windows() -> Iterator[Json]:
    one = limit()
    a_quarter = compute(250_000)
    yield _case("nothing-binds", [], _ask((T0, T0), NONE))
    yield _case(
        "from-and-until-are-both-included",
        [_counts(one)],
        _ask((T0 - 1, T0 - 1), NONE),
        _ask((T0, T0), a_quarter, one),
        _ask((T0 + DAY, T0 + DAY), a_quarter, one),
        _ask((T0 + DAY + 1, T0 + DAY + 1), NONE),
    )
    yield _case(
        "doubt-about-the-time-never-raises",
        [_counts(one)],
        _ask((T0 - HOUR, T0), a_quarter, one),
        _ask((T0 + DAY, T0 + DAY + HOUR), a_quarter, one),
        _ask((T0 - HOUR, T0 + 9 * DAY), a_quarter, one),
    )
    yield _case(
        "a-pending-limit-does-not-bind",
        [admit(one, "ada", stands="pending")],
        _ask((T0, T0), NONE),
    )
    half = bounded_limit(nonce=nonce(6))
    later = limit(ceiling=0, start=T0 + HOUR, until=T0 + 2 * HOUR, complete_by=T0 + HOUR, nonce=nonce(7))
    yield _case(
        "the-lowest-holds-whatever-the-order",
        [_counts(later), _counts(half), _counts(one)],
        _ask((T0, T0), a_quarter, one, half),
        _ask((T0 + HOUR, T0 + HOUR), compute(0), one, half, later),
        _ask((T0 + 2 * HOUR + 1, T0 + 2 * HOUR + 1), a_quarter, one, half),
    )
    yield _case(
        "the-latch-holds-beside-the-limits",
        [_counts(one)],
        _ask((T0, T0), a_quarter, one, latch=compute(100_000), allowed=compute(100_000)),
        _ask((T0 + 9 * DAY,) * 2, NONE, latch=compute(100_000), allowed=compute(100_000)),
        _ask((T0, T0), a_quarter, one, latch=compute(500_000), allowed=a_quarter),
    )


def _scopes() -> Iterator[Json]:
    hall = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")
    elsewhere = Scope(kind=ScopeKind.SITES, sites=("hall-9999",))
    watts = limit(scope=hall, unit=Unit.IT_WATTS, ceiling=12_000, nonce=nonce(3))
    both = Caps({CapKey("hall:h1", Unit.IT_WATTS): 12_000, CapKey("site", Unit.COMPUTE): 250_000})
    yield _case(
        "caps-by-part-and-unit", [_counts(limit()), _counts(watts)], _ask((T0, T0), both, limit(), watts)
    )
    yield _case(
        "another-site-is-not-reached", [_counts(limit(scope=elsewhere, nonce=nonce(8)))], _ask((T0, T0), NONE)
    )


def _lifts() -> Iterator[Json]:
    one, other = limit(), limit(ceiling=400_000, nonce=nonce(9))
    yield _case(
        "a-lift-ends-what-it-names",
        [_counts(one), _counts(other), _counts(lift(one))],
        _ask((T0, T0), compute(400_000), other),
    )
    yield _case("a-lift-may-come-first", [_counts(lift(one)), _counts(one)], _ask((T0, T0), NONE))
    yield _case(
        "a-pending-lift-ends-nothing",
        [_counts(one), admit(lift(one), "ada", stands="pending")],
        _ask((T0, T0), compute(250_000), one),
    )
    yield _case(
        "a-void-lift-ends-nothing",
        [_counts(one), admit(lift(one), *BOTH, at=(T0 + 8 * DAY,) * 2, stands="void")],
        _ask((T0, T0), compute(250_000), one),
    )
    pause = lift(suspends=(Suspension(power="limit", start=T0 + 60, end=T0 + 120),), nonce=nonce(5))
    half = bounded_limit()
    yield _case(
        "a-suspension-holds-only-while-it-is-certain",
        [_counts(one), _counts(half), _counts(pause)],
        _ask((T0 + 59, T0 + 70), compute(250_000), one, half),
        _ask((T0 + 60, T0 + 120), compute(500_000), half),
        _ask((T0 + 119, T0 + 121), compute(250_000), one, half),
    )


def _versions() -> Iterator[Json]:
    two = successor("A second version")
    week = 7 * DAY
    early = limit(start=T0 + week, until=T0 + week + DAY, complete_by=T0 + week, nonce=nonce(13))
    late = limit(start=T0 + week + 1, until=T0 + week + DAY, complete_by=T0 + week + 1, nonce=nonce(14))
    yield _case(
        "a-limit-of-a-superseded-version-counts-for-seven-days",
        [_counts(two), _counts(early), _counts(late)],
        _ask((T0 + week + HOUR,) * 2, compute(250_000), early),
    )
    rival = successor("A rival")
    new = limit(under=under("limit", 2), nonce=nonce(15))
    yield _case(
        "after-a-fork-limits-count-and-lifts-do-not",
        [_counts(limit()), _counts(lift(limit())), _counts(two), _counts(rival), _counts(new)],
        _ask((T0, T0), compute(250_000), limit(), new),
    )


def cases() -> Json:
    """Return the content of ceiling.json."""
    made = [*_windows(), *_scopes(), *_lifts(), *_versions()]
    return {"envelopes": pooled((step for each in made for step in each["steps"]), "envelope"), "cases": made}
