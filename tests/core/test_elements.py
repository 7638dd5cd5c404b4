from __future__ import annotations

import hashlib
from typing import Any

import pytest

from core.tables import element, hall_of, meter
from grandpause.core import canonical
from grandpause.core.elements import ElementTable, Measures, digest_of, startable, while_bound
from grandpause.errors import StatementError

TABLE = ElementTable(
    (element("n1", tenant="t1"), element("n2", hall="h2")),
    (meter("feed-a", {"total": ["n1", "n2"]}, signed=True, owner="utility", measures=Measures.SITE),),
)


def test_a_table_reads_back_as_it_was_written() -> None:
    again = ElementTable.from_bytes(TABLE.to_bytes())
    assert again == TABLE
    assert again.to_bytes() == TABLE.to_bytes()
    assert again.by_id["n2"].hall == "h2"


def test_an_element_belongs_to_the_site_its_hall_and_its_tenant() -> None:
    assert TABLE.by_id["n1"].parts == ("site", "hall:h1", "tenant:t1")
    assert TABLE.by_id["n2"].parts == ("site", "hall:h2")


@pytest.mark.parametrize(
    "watts",
    [
        {"off_w": 2_000},
        {"idle_w": 6_501},
        {"idle_w": 50},
        {"rated_w": 0},
    ],
)
def test_off_is_below_idle_and_idle_not_above_rated(watts: dict[str, Any]) -> None:
    with pytest.raises(StatementError, match="needs off_w < idle_w <= rated_w") as refusal:
        element("n1", **watts)
    assert refusal.value.where == "elements.n1"


def test_a_table_without_elements_or_with_one_twice_is_refused() -> None:
    for elements in ((), (element("n1"), element("n1", hall="h2"))):
        with pytest.raises(StatementError, match="at least one element, each once"):
            ElementTable(elements, ())


def test_a_meter_twice_or_of_an_unknown_element_is_refused() -> None:
    with pytest.raises(StatementError, match="one id occurs twice"):
        hall_of(1, meter("feed-a", {"total": ["n1"]}), meter("feed-a", {"total": ["n1"]}))
    with pytest.raises(StatementError, match="covers the unknown element n9") as refusal:
        hall_of(1, meter("feed-a", {"total": ["n1", "n9"]}))
    assert refusal.value.where == "meters.feed-a.total"


def edited(**changes: Any) -> bytes:
    value = canonical.decode(TABLE.to_bytes())
    assert isinstance(value, dict)
    return canonical.encode(value | changes)


def edited_meter(**changes: Any) -> bytes:
    value: Any = canonical.decode(TABLE.to_bytes())
    value["meters"][0] |= changes
    return canonical.encode(value)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (edited(schema="grandpause.elements/2"), "table.schema"),
        (edited(extra=1), "table.extra"),
        (edited(elements={}), "table.elements"),
        (edited_meter(channels=[{"id": "a", "elements": []}] * 2), "table.meters[0].channels"),
        (
            edited_meter(channels=[{"id": "a", "elements": ["n1", "n1"]}]),
            "table.meters[0].channels[0].elements",
        ),
        (edited_meter(signed=2), "table.meters[0].signed"),
        (edited_meter(measures="heat"), "table.meters[0].measures"),
    ],
)
def test_a_wrong_table_is_refused_by_the_field(data: bytes, where: str) -> None:
    with pytest.raises(StatementError) as refusal:
        ElementTable.from_bytes(data)
    assert refusal.value.where == where


def test_a_file_is_declared_by_digest_and_length() -> None:
    found = digest_of("elements.json", b"{}")
    assert (found.path, found.size, found.sha256) == ("elements.json", 2, hashlib.sha256(b"{}").hexdigest())


def test_while_a_cap_binds_every_element_counts_at_its_heavier_rating() -> None:
    before = hall_of(2, meter("feed-a", {"total": ["n1", "n2"]}))
    lighter = ElementTable(
        (element("n1", rated_w=3_000, idle_w=900, off_w=10, compute=1), element("n3")),
        (meter("feed-b", {"total": ["n1", "n3"]}),),
    )
    table = while_bound(before, lighter)
    assert sorted(table.by_id) == ["n1", "n2", "n3"]
    heavy = table.by_id["n1"]
    assert (heavy.rated_w, heavy.idle_w, heavy.off_w, heavy.compute) == (6_500, 900, 10, 8)
    assert sorted(each.id for each in table.meters) == ["feed-a", "feed-b"]


def test_while_a_cap_binds_only_what_stands_in_both_declarations_may_start() -> None:
    assert startable(hall_of(3), hall_of(2)) == {"n1", "n2"}


def test_the_meters_of_the_newer_declaration_replace_those_of_the_same_name() -> None:
    before = hall_of(2, meter("feed-a", {"total": ["n1"]}))
    after = hall_of(2, meter("feed-a", {"total": ["n1", "n2"]}))
    assert while_bound(before, after).meters == after.meters
