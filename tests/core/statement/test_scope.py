from __future__ import annotations

import pytest

from core.makers import EVERYWHERE, SITE
from grandpause.core.canonical import Value
from grandpause.core.fields import Fields
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import StatementError

SITES = Scope(kind=ScopeKind.SITES, sites=("a", "b"))
HALL = Scope(kind=ScopeKind.HALL, sites=("a",), name="h1")
TENANT = Scope(kind=ScopeKind.TENANT, sites=("a",), name="t1")


@pytest.mark.parametrize("scope", [EVERYWHERE, SITES, HALL, TENANT])
def test_a_scope_reads_back_as_it_was_written(scope: Scope) -> None:
    assert Fields({"scope": dict(scope.to_value())}, "limit").within("scope", Scope.read) == scope


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, "limit.scope.kind"),
        ({"kind": "everything"}, "limit.scope.kind"),
        ({"kind": "all", "sites": ["a"]}, "limit.scope.sites"),
        ({"kind": "sites"}, "limit.scope.sites"),
        ({"kind": "sites", "sites": []}, "limit.scope.sites"),
        ({"kind": "sites", "sites": ["a", "a"]}, "limit.scope.sites"),
        ({"kind": "sites", "sites": ["A"]}, "limit.scope.sites[0]"),
        ({"kind": "hall", "site": "a"}, "limit.scope.name"),
        ({"kind": "hall", "name": "h1"}, "limit.scope.site"),
        ({"kind": "tenant", "site": "a", "name": "t:1"}, "limit.scope.name"),
    ],
)
def test_a_wrong_scope_is_refused_by_the_field(value: Value, where: str) -> None:
    with pytest.raises(StatementError) as refusal:
        Fields({"scope": value}, "limit").within("scope", Scope.read)
    assert refusal.value.where == where


def test_the_part_of_a_site_is_named_as_caps_name_it() -> None:
    assert [each.part for each in (EVERYWHERE, SITES, HALL, TENANT)] == [
        "site",
        "site",
        "hall:h1",
        "tenant:t1",
    ]


def test_a_scope_reaches_its_sites_only() -> None:
    assert EVERYWHERE.reaches(SITE)
    assert [each.reaches("a") for each in (SITES, HALL, TENANT)] == [True, True, True]
    assert [each.reaches("c") for each in (SITES, HALL, TENANT)] == [False, False, False]


def test_a_wider_scope_covers_a_narrower_one_and_never_the_other_way() -> None:
    ladder = [EVERYWHERE, SITES, Scope(kind=ScopeKind.SITES, sites=("a",)), HALL]
    for index, wide in enumerate(ladder):
        for narrow in ladder[index:]:
            assert wide.covers(narrow)
        for wider in ladder[:index]:
            assert not wide.covers(wider)
    assert not HALL.covers(TENANT)
