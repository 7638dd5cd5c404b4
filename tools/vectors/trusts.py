"""What the one door lets in: envelopes in the order in which they arrive, and where each then stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tools.vectors.cast import (
    CONTROLLER,
    DAY,
    GATEWAY,
    HOUR,
    MEMBERS,
    STRANGER,
    T0,
    Json,
    bounded_limit,
    charter,
    charter_id,
    declaration,
    lift,
    limit,
    nonce,
    pooled,
    reading,
    restart,
    successor,
    text_of,
    under,
)

from grandpause.core.model import Profile, Unit
from grandpause.core.statement.charter import Charter
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.scope import Scope, ScopeKind

BOTH = MEMBERS[:2]
NOW = (T0, T0)


def admit(statement: Statement, *signers: str, at: tuple[int, int] = NOW, stands: str) -> Json:
    """Return a step: this envelope comes, and then it stands like this."""
    return {"envelope": text_of(statement, *signers), "at": list(at), "stands": stands}


def refuse(statement: Statement, *signers: str, code: str = "trust", where: str) -> Json:
    """Return a step: this envelope is refused, and the set stays as it was."""
    return {"envelope": text_of(statement, *signers), "at": list(NOW), "code": code, "where": where}


def first() -> Json:
    """Return the step that admits the charter."""
    return admit(charter(), *BOTH, stands="counts")


def _case(name: str, *steps: Json, newest: int = 1, forked: bool = False) -> Json:
    return {
        "id": name,
        "charter": charter_id(),
        "steps": list(steps),
        "newest_version": newest,
        "forked": forked,
    }


def _acts() -> Iterator[Json]:
    wanted = limit()
    yield _case(
        "a-quorum-comes-together-from-two-envelopes",
        first(),
        admit(wanted, "ada", stands="pending"),
        admit(wanted, "ada", stands="pending"),
        admit(wanted, "cy", stands="counts"),
    )
    yield _case(
        "one-member-suffices-for-the-bounded-power", first(), admit(bounded_limit(), "bo", stands="counts")
    )
    yield _case(
        "an-expired-limit-is-kept", first(), admit(wanted, *BOTH, at=(T0 + 9 * DAY,) * 2, stands="counts")
    )
    yield _case(
        "no-signature-of-the-charter",
        first(),
        refuse(wanted, where="limit.signatures"),
        refuse(wanted, STRANGER, where="limit.signatures"),
    )
    yield _case(
        "a-body-without-power-does-not-count",
        first(),
        admit(wanted, "ada", GATEWAY, stands="pending"),
        admit(bounded_limit(), GATEWAY, stands="pending"),
    )
    other = "00" * 32
    yield _case(
        "another-charter",
        first(),
        refuse(limit(under=replace(under("limit"), charter=other)), *BOTH, where="limit.charter"),
    )
    yield _case(
        "what-is-no-act-changes-nothing",
        first(),
        refuse(reading(1, T0, 9), GATEWAY, where="envelope"),
    )
    yield _case(
        "a-declaration-needs-its-controllers",
        first(),
        admit(declaration(), *BOTH, stands="pending"),
        admit(declaration(), CONTROLLER, stands="counts"),
    )
    yield _case(
        "a-lift-complete-after-its-void-after",
        first(),
        admit(lift(wanted), "ada", at=(T0 + 7 * DAY,) * 2, stands="pending"),
        admit(lift(wanted), "bo", at=(T0 + 7 * DAY, T0 + 7 * DAY + 1), stands="void"),
    )
    yield _case(
        "a-lift-keeps-the-moment-when-it-was-complete",
        first(),
        admit(lift(wanted), *BOTH, at=(T0 + 7 * DAY,) * 2, stands="counts"),
        admit(lift(wanted), "cy", at=(T0 + 9 * DAY,) * 2, stands="counts"),
    )


def _bounds() -> Iterator[Json]:
    one_site = Scope(kind=ScopeKind.SITES, sites=("hall-7f3a",))
    for name, statement, where in (
        ("no-such-power", limit(under=under("stop")), "limit.power"),
        ("a-power-to-something-else", limit(under=under("lift")), "limit.power"),
        ("below-the-least-ceiling", bounded_limit(ceiling=499_999), "limit.ceiling"),
        ("longer-than-the-longest", bounded_limit(until=T0 + 72 * HOUR + 1), "limit.until"),
        ("a-unit-that-the-power-lacks", bounded_limit(unit=Unit.IT_WATTS), "limit.unit"),
        ("a-profile-that-the-power-lacks", bounded_limit(profile=Profile.ADVERSARIAL), "limit.profile"),
        ("a-category-that-the-power-lacks", bounded_limit(category=0), "limit.category"),
    ):
        yield _case(name, first(), refuse(statement, *BOTH, where=where))
    yield _case(
        "just-within-its-bounds",
        first(),
        admit(bounded_limit(until=T0 + 72 * HOUR, category=2, scope=one_site), "cy", stands="counts"),
    )


def _chains() -> Iterator[Json]:
    two, rival = successor("A second version"), successor("A rival")
    of_two = bounded_limit(under=under("limit-bounded", 2))
    yield _case(
        "not-the-pinned-charter",
        refuse(replace(charter(), title="Another"), *BOTH, where="charter"),
        newest=0,
    )
    yield _case("version-1-without-its-quorum", admit(charter(), "ada", stands="pending"), newest=0)
    yield _case(
        "an-act-waits-for-its-version",
        first(),
        admit(of_two, "ada", stands="waiting"),
        admit(two, *BOTH, stands="counts"),
        admit(of_two, "ada", stands="counts"),
        newest=2,
    )
    yield _case(
        "a-version-waits-for-the-one-before",
        admit(two, *BOTH, stands="waiting"),
        first(),
        admit(two, "cy", stands="counts"),
        newest=2,
    )
    yield _case("a-successor-too-late", first(), admit(two, *BOTH, at=(T0, T0 + 30 * DAY + 1), stands="void"))
    yield _case(
        "two-successors",
        first(),
        admit(two, *BOTH, stands="counts"),
        admit(rival, *BOTH, stands="counts"),
        newest=2,
        forked=True,
    )
    yield _case("a-successor-of-something-else", first(), admit(_of_another(), *BOTH, stands="waiting"))
    yield _case(
        "a-restart-counts-at-the-door-whatever-its-nonce",
        first(),
        admit(restart(nonce(99)), *BOTH, stands="counts"),
    )

    yield _case(
        "a-restart-takes-the-newest-version-s-quorum",
        first(),
        admit(two, *BOTH, stands="counts"),
        admit(restart(nonce(98)), *BOTH, stands="void"),
        admit(restart(nonce(97), under=under("restart", 2)), *BOTH, stands="counts"),
        newest=2,
    )
    yield _case(
        "after-a-fork-nothing-that-raises-counts",
        first(),
        admit(two, *BOTH, stands="counts"),
        admit(rival, *BOTH, stands="counts"),
        admit(lift(limit()), *BOTH, stands="void"),
        admit(restart(nonce(96), under=under("restart", 2)), *BOTH, stands="void"),
        admit(of_two, "ada", stands="counts"),
        newest=2,
        forked=True,
    )


def _of_another() -> Charter:
    return successor("Of another", previous=encode(successor("A rival")).name)


def cases() -> Json:
    """Return the content of trust.json."""
    made = [*_acts(), *_bounds(), *_chains()]
    return {"envelopes": pooled((step for each in made for step in each["steps"]), "envelope"), "cases": made}
