from __future__ import annotations

from core.tables import hall_of, meter
from grandpause.core.elements import Measures
from grandpause.core.metering import blocks, meter_paths, owners, sum_of


def test_meters_of_one_path_are_put_together_and_paths_come_by_name() -> None:
    table = hall_of(
        4,
        meter("row-2", {"total": ["n3", "n4"]}),
        meter("row-1", {"total": ["n1", "n2"]}),
        meter("feed-a", {"total": ["n1", "n2", "n3", "n4"]}, owner="utility"),
    )
    feed, row = meter_paths(table)
    assert (feed.name, row.name) == ("feed", "row")
    assert [each.elements for each in feed.components] == [("n1", "n2", "n3", "n4")]
    assert sorted(each.elements for each in row.components) == [("n1", "n2"), ("n3", "n4")]
    assert feed.covered == row.covered == {"n1", "n2", "n3", "n4"}
    assert owners(feed) == {"utility"}
    assert owners(row) == {"operator"}


def test_two_outlets_of_one_node_are_one_component() -> None:
    table = hall_of(2, meter("pdu-a", {"1": ["n1"], "2": ["n2"]}), meter("pdu-b", {"1": ["n1"]}))
    (path,) = meter_paths(table)
    by_elements = {each.elements: each for each in path.components}
    assert set(by_elements) == {("n1",), ("n2",)}
    assert by_elements["n1",].channels == (("pdu-a", "1"), ("pdu-b", "1"))
    assert by_elements["n1",].resolution_w == 20
    assert sum_of(path.components, {("pdu-a", "1"): 5, ("pdu-b", "1"): 6, ("pdu-a", "2"): 7}) == 18


def test_a_chain_of_shared_channels_is_one_component() -> None:
    channels = {str(index): [f"n{index}", f"n{index + 1}"] for index in range(1, 6)}
    (path,) = meter_paths(hall_of(6, meter("chain-a", channels)))
    assert len(path.components) == 1
    assert sorted(path.components[0].elements) == [f"n{index}" for index in range(1, 7)]


def test_sums_can_be_compared_over_the_smallest_sets_that_both_paths_cover_wholly() -> None:
    table = hall_of(
        4,
        meter("outlet-a", {str(index): [f"n{index}"] for index in range(1, 5)}),
        meter("row-1", {"total": ["n1", "n2"]}),
        meter("row-2", {"total": ["n3", "n4"]}),
    )
    outlet, row = meter_paths(table)
    found = {
        frozenset(name for each in (*block.one, *block.other) for name in each.elements)
        for block in blocks(outlet, row)
    }
    assert found == {frozenset({"n1", "n2"}), frozenset({"n3", "n4"})}


def test_a_path_tells_what_it_sums() -> None:
    (path,) = meter_paths(hall_of(1, meter("main-a", {"total": ["n1"]}, measures=Measures.SITE)))
    assert path.measures is Measures.SITE
