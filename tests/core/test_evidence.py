from __future__ import annotations

from typing import Any

import pytest

from core.makers import T0
from grandpause.core import canonical
from grandpause.core.evidence import (
    NodeReport,
    by_meter,
    decode_nodes,
    decode_readings,
    encode_nodes,
    encode_readings,
    report_of,
    totals,
)
from grandpause.core.model import NodeState, Outcome, Power
from grandpause.core.proving import Snapshot
from grandpause.core.stop import NodeRun, Phase
from grandpause.errors import StatementError

ON, OFF, NOTHING = Power.ON, Power.OFF, Power.UNKNOWN
CUT, KEPT = Phase.OFF, Phase.KEPT
BMC, METER, CONTRA, UNKNOWN = (
    Outcome.CONFIRMED_BY_BMC,
    Outcome.CONFIRMED_BY_METER,
    Outcome.CONTRADICTED,
    Outcome.UNKNOWN,
)
REFUSED, UNREACHABLE = Outcome.REFUSED, Outcome.UNREACHABLE


@pytest.mark.parametrize(
    ("phase", "claim", "metered", "outcome", "state", "reported"),
    [
        (CUT, OFF, OFF, BMC, NodeState.OFF_METERED, METER),
        (CUT, ON, OFF, UNREACHABLE, NodeState.OFF_METERED, METER),
        (CUT, OFF, NOTHING, BMC, NodeState.OFF_CLAIMED, BMC),
        (CUT, OFF, NOTHING, METER, NodeState.OFF_CLAIMED, BMC),
        (CUT, NOTHING, NOTHING, METER, NodeState.UNKNOWN, UNKNOWN),
        (CUT, OFF, ON, BMC, NodeState.ON, CONTRA),
        (CUT, OFF, ON, METER, NodeState.ON, CONTRA),
        (CUT, NOTHING, NOTHING, UNREACHABLE, NodeState.UNKNOWN, UNREACHABLE),
        (CUT, ON, NOTHING, REFUSED, NodeState.ON, REFUSED),
        (CUT, ON, ON, REFUSED, NodeState.ON, REFUSED),
        (KEPT, ON, ON, UNKNOWN, NodeState.ON, METER),
        (KEPT, ON, NOTHING, UNKNOWN, NodeState.ON, UNKNOWN),
        (KEPT, NOTHING, NOTHING, BMC, NodeState.UNKNOWN, UNKNOWN),
        (KEPT, OFF, OFF, UNKNOWN, NodeState.OFF_METERED, METER),
        (KEPT, ON, OFF, UNKNOWN, NodeState.OFF_METERED, CONTRA),
    ],
)
def test_state_and_outcome_are_two_axes(
    *, phase: Phase, claim: Power, metered: Power, outcome: Outcome, state: NodeState, reported: Outcome
) -> None:
    run = NodeRun("n1", (), phase=phase, claim=claim, outcome=outcome, detail="why")
    report = report_of(run, metered)
    assert (report.state, report.outcome) == (state, reported)
    assert (report.id, report.keep, report.detail) == ("n1", phase is KEPT, "why")


def test_a_claim_of_off_alone_is_never_metered() -> None:
    for outcome in Outcome:
        run = NodeRun("n1", (), phase=CUT, claim=OFF, outcome=outcome)
        report = report_of(run, NOTHING)
        assert report.state is NodeState.OFF_CLAIMED
        assert report.outcome is not METER


def report(name: str, **changes: Any) -> NodeReport:
    fields: dict[str, Any] = {"keep": False, "state": NodeState.ON, "outcome": REFUSED, "detail": ""}
    return NodeReport(id=name, **(fields | changes))


def test_nodes_read_back_sorted() -> None:
    reports = (report("n2", keep=True, detail="HTTP 401"), report("n1"))
    assert decode_nodes(encode_nodes(reports)) == (reports[1], reports[0])


def test_a_long_reason_is_cut_to_what_may_be_read_back() -> None:
    (again,) = decode_nodes(encode_nodes([report("n1", detail="x" * 500)]))
    assert again.detail == "x" * 200


def test_every_state_and_outcome_is_counted_even_if_none_has_it() -> None:
    states, outcomes = totals([report("n1"), report("n2", state=NodeState.OFF_METERED)])
    assert states == {
        NodeState.ON: 1,
        NodeState.OFF_METERED: 1,
        NodeState.OFF_CLAIMED: 0,
        NodeState.UNKNOWN: 0,
    }
    assert outcomes == {each: 2 if each is REFUSED else 0 for each in Outcome}


def test_readings_read_back_and_a_missing_value_is_left_out() -> None:
    snapshots = [
        Snapshot(meter="feed-a", at_s=T0, watts={"total": 7, "spare": None}),
        Snapshot(meter="feed-b", at_s=T0 + 1, watts={}),
    ]
    again = decode_readings(encode_readings(snapshots))
    assert [dict(each.watts) for each in again] == [{"total": 7}, {}]
    assert [(each.meter, each.at_s, each.signed_by) for each in again] == [
        ("feed-a", T0, ""),
        ("feed-b", T0 + 1, ""),
    ]


def test_readings_are_grouped_by_meter_oldest_first() -> None:
    late, early = (Snapshot(meter="a", at_s=at_s, watts={}) for at_s in (T0 + 9, T0))
    other = Snapshot(meter="b", at_s=T0, watts={})
    assert by_meter([late, other, early]) == {"a": [early, late], "b": [other]}


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"schema": "x", "readings": []}, "schema"),
        ({"schema": "grandpause.readings/1", "readings": [], "more": 1}, "readings.more"),
        ({"schema": "grandpause.readings/1", "readings": [{}]}, "readings.readings[0].meter"),
        (
            {
                "schema": "grandpause.readings/1",
                "readings": [{"meter": "a", "at": "2026-11-22T08:00:00Z", "watts": [1]}],
            },
            "readings.a",
        ),
        (
            {
                "schema": "grandpause.readings/1",
                "readings": [{"meter": "a", "at": "2026-11-22T08:00:00Z", "watts": {"x": -1}}],
            },
            "readings.a.x",
        ),
        (
            {
                "schema": "grandpause.readings/1",
                "readings": [{"meter": "a", "at": "2026-11-22T08:00:00Z", "watts": {"x": "1"}}],
            },
            "readings.a.x",
        ),
    ],
)
def test_a_wrong_readings_file_is_refused_by_the_field(data: Any, where: str) -> None:
    with pytest.raises(StatementError) as refusal:
        decode_readings(canonical.encode(data))
    assert where in refusal.value.where


def test_a_wrong_nodes_file_is_refused_by_the_field() -> None:
    with pytest.raises(StatementError) as refusal:
        decode_nodes(canonical.encode({"schema": "x", "nodes": []}))
    assert refusal.value.where == "nodes.schema"
    good = canonical.decode(encode_nodes([report("n1")]))
    assert isinstance(good, dict)
    with pytest.raises(StatementError, match="unknown field"):
        decode_nodes(canonical.encode(good | {"more": 1}))
