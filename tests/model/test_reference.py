"""The model alone, on cases computed by hand: permits and logs, which the core does not have yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.makers import DAY, HOUR, NOW, T0, operator_cast, permit, sealed
from grandpause.core.statement.charter import Charter, PowerRule, Right
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import StatementError, TrustError
from model import reference
from model.facts import Act, Fact, Limit, Permit, Power
from model.facts import Charter as Rules
from model.reference import Opinion, Site, met

SITE = frozenset({"hall", "rest"})
TWO = (2, ("a", "b", "c"))
KEY = (SITE, "compute")
POWERS = {
    ("permit", "permit"): Power(quorum=TWO, scope=SITE),
    ("charter", "charter"): Power(quorum=TWO, scope=SITE),
    ("limit", "limit"): Power(quorum="a", scope=SITE, least={"compute": 0}, longest=DAY, latches=True),
}


def rules(**changes: Any) -> Rules:
    fields: dict[str, Any] = {
        "name": "v1",
        "charter": "v1",
        "version": 1,
        "previous": None,
        "powers": POWERS,
        "void": T0 + DAY,
        "log": True,
        "lapse": 100_000,
        "grace": HOUR,
        "fresh": 7 * DAY,
        "until": T0 + 700 * DAY,
    }
    return Rules(**(fields | changes))


def allows(value: int = 500_000, **changes: Any) -> Permit:
    fields: dict[str, Any] = {
        "name": f"permit {value}",
        "charter": "v1",
        "version": 1,
        "power": "permit",
        "value": value,
        "start": T0,
        "until": T0 + DAY,
        "head": 5,
    }
    return Permit(**(fields | changes))


def logged(act: Act | Rules, keys: str, index: int) -> Fact:
    """Return an entry of the log of record, dated T0."""
    return Fact(act=act, keys=frozenset(keys), moment=(index, T0, T0))


def compute(
    facts: list[Fact],
    *,
    first: Rules | None = None,
    now: tuple[int, int] = (T0, T0),
    head: tuple[int, int] = (9, T0),
) -> int:
    """Return the lowest cap on compute."""
    opinion = Opinion(facts, first or rules())
    caps: list[int] = [each[2] for each in opinion.caps(Site(SITE), (0, *now), head) if each[1] == KEY]
    return min(caps)


def test_the_model_has_at_most_eighty_lines_and_imports_nothing_of_what_it_judges() -> None:
    text = Path(reference.__file__).read_text()
    assert len(text.splitlines()) <= 80
    assert [each for each in text.splitlines() if "import" in each] == ["from typing import Any"]


def test_without_a_permit_the_lapse_ceiling_holds() -> None:
    assert compute([]) == 100_000


def test_the_highest_permit_in_force_holds_and_never_less_than_the_lapse_ceiling() -> None:
    assert compute([logged(allows(), "ab", 6)]) == 500_000
    assert compute([logged(allows(), "ab", 6), logged(allows(300_000), "bc", 7)]) == 500_000
    assert compute([logged(allows(50_000), "ab", 6)]) == 100_000


def test_a_limit_in_force_is_below_every_permit() -> None:
    limit = Limit(
        name="limit",
        charter="v1",
        version=1,
        power="limit",
        scope=SITE,
        unit="compute",
        value=250_000,
        start=T0,
        until=T0 + HOUR,
    )
    facts = [logged(allows(), "ab", 6), logged(limit, "a", 7)]
    assert compute(facts) == 250_000
    assert compute(facts, now=(T0 + HOUR + 1, T0 + HOUR + 1)) == 500_000


@pytest.mark.parametrize(
    ("now", "value"),
    [
        ((T0, T0 + DAY + HOUR - 1), 500_000),
        ((T0, T0 + DAY + HOUR), 100_000),
        ((T0 - 1, T0), 100_000),
    ],
)
def test_a_permit_begins_by_the_earliest_moment_and_ends_by_the_latest_with_its_grace(
    now: tuple[int, int], value: int
) -> None:
    assert compute([logged(allows(), "ab", 6)], now=now) == value


def test_a_charter_that_expires_ends_its_permits() -> None:
    first = rules(until=T0 + HOUR, grace=0)
    permits = [logged(allows(), "ab", 6)]
    assert compute(permits, first=first, now=(T0, T0 + HOUR - 1)) == 500_000
    assert compute(permits, first=first, now=(T0, T0 + HOUR)) == 100_000


def test_a_permit_waits_for_the_head_that_its_signers_saw_and_for_a_fresh_one() -> None:
    permits = [logged(allows(head=10), "ab", 6)]
    assert compute(permits, head=(9, T0)) == 100_000
    assert compute(permits, head=(10, T0)) == 500_000
    assert compute(permits, head=(10, T0 - 7 * DAY)) == 100_000
    assert compute(permits, head=(10, T0 - 7 * DAY + 1)) == 500_000


def test_signatures_of_two_log_entries_are_not_united_for_a_permit() -> None:
    act = allows()
    assert compute([logged(act, "a", 6), logged(act, "b", 7)]) == 100_000
    assert compute([logged(act, "a", 6), logged(act, "bc", 7)]) == 500_000


def test_a_permit_takes_the_quorum_of_the_newest_charter() -> None:
    second = rules(
        name="v2",
        version=2,
        previous="v1",
        powers=POWERS | {("permit", "permit"): Power(quorum=(3, ("a", "b", "c")), scope=SITE)},
    )
    chain = [logged(second, "ab", 3)]
    assert compute([*chain, logged(allows(), "ab", 6)]) == 100_000
    assert compute([*chain, logged(allows(), "abc", 6)]) == 500_000


def test_of_two_successors_in_a_log_the_lower_index_counts_and_permits_go_on() -> None:
    one, other = (
        rules(name=each, version=2, previous="v1", lapse=200_000 + index) for index, each in enumerate("xy")
    )
    facts = [logged(one, "ab", 4), logged(other, "bc", 3)]
    assert compute(facts) == 200_001
    assert compute([*facts, logged(allows(), "ab", 6)]) == 500_000


def test_without_a_log_two_successors_stop_every_permit() -> None:
    first = rules(log=False)
    twins = [logged(rules(name=each, version=2, previous="v1", log=False), "ab", 3) for each in "xy"]
    permits = [logged(allows(version=2), "ab", 6)]
    assert compute([*twins[:1], *permits], first=first) == 500_000
    assert compute([*twins, *permits], first=first) == 100_000


def test_a_lapse_latches_only_where_the_charter_says_so() -> None:
    for latches in (False, True):
        site = Site(SITE)
        site.armed = True
        opinion = Opinion([], rules(lapse_latches=latches))
        site.look(opinion.caps(site, (0, T0, T0), (9, T0)))
        assert site.latch == ({(KEY, 100_000)} if latches else frozenset())


def test_a_quorum_counts_keys_members_and_bodies_once() -> None:
    body = (2, ((1, ("c", "d")), (1, ("e",))))
    quorum = (2, ((1, ("a", "b")), body))
    assert not met(quorum, set("ab"))
    assert not met(quorum, set("acd"))
    assert met(quorum, set("ace"))


def test_the_core_refuses_permits_and_powers_to_permit_without_a_log() -> None:
    cast = operator_cast()
    trusted = cast.trusted()
    with pytest.raises(TrustError, match="needs a log"):
        trusted.admit(sealed(permit(cast), *cast.some("m1", "m2", "m3")), now=NOW)
    assert len(trusted.entries) == 1
    power = PowerRule(id="permit", right=Right.PERMIT, quorum="any-two", scope=Scope(kind=ScopeKind.ALL))
    fields = {each: getattr(cast.charter, each) for each in Charter.__dataclass_fields__}
    with pytest.raises(StatementError, match="permits need a log"):
        Charter(**(fields | {"powers": (*cast.charter.powers, power)}))
