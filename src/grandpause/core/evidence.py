"""What a bundle of evidence holds, and what a stranger recomputes from it. (spec/evidence.md)

Here are only values and their encodings; ``verify`` reads bundles, the site writes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grandpause.core import canonical
from grandpause.core.calendar import format_time
from grandpause.core.canonical import Value
from grandpause.core.elements import MAX_TABLE_BYTES
from grandpause.core.fields import Fields
from grandpause.core.model import NodeState, Outcome, Power
from grandpause.core.proving import Snapshot
from grandpause.core.stop import NodeRun, Phase
from grandpause.errors import StatementError

EVIDENCE_FILE: Final = "evidence.json"
DECLARATION_FILE: Final = "declaration.json"
ELEMENTS_FILE: Final = "elements.json"
NODES_FILE: Final = "nodes.json"
BEFORE_FILE: Final = "readings/before.json"
AFTER_FILE: Final = "readings/after.json"
CHARTER_FILE: Final = "charters/{version:04}.json"
STATEMENT_FILE: Final = "statements/{name}.json"
SIGNED_READING_FILE: Final = "readings/signed/{meter}-{sequence:08}.json"

NODES_SCHEMA: Final = "grandpause.nodes/1"
READINGS_SCHEMA: Final = "grandpause.readings/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """One node at the verdict: whether it may be on, its state, and why we believe it."""

    id: str
    keep: bool
    state: NodeState
    outcome: Outcome
    detail: str


def report_of(run: NodeRun, metered: Power) -> NodeReport:
    """Return what is known of one node, on two axes.

    Args:
        metered: what the meters show of it just now.
    """
    if metered is Power.OFF:
        state = NodeState.OFF_METERED
    elif metered is Power.ON:
        state = NodeState.ON
    elif run.claim is Power.OFF:
        state = NodeState.OFF_CLAIMED
    elif run.claim is Power.ON:
        state = NodeState.ON
    else:
        state = NodeState.UNKNOWN
    keep = run.phase is Phase.KEPT
    outcome = run.outcome
    if keep:
        # A kept node was told nothing: what can be confirmed is only what the meters show of it.
        outcome = Outcome.UNKNOWN if metered is Power.UNKNOWN else Outcome.CONFIRMED_BY_METER
        if metered is Power.OFF and run.claim is Power.ON:
            outcome = Outcome.CONTRADICTED
    elif metered is Power.OFF:
        outcome = Outcome.CONFIRMED_BY_METER
    elif metered is Power.ON and outcome in {Outcome.CONFIRMED_BY_METER, Outcome.CONFIRMED_BY_BMC}:
        outcome = Outcome.CONTRADICTED
    elif outcome is Outcome.CONFIRMED_BY_METER:
        outcome = Outcome.CONFIRMED_BY_BMC if run.claim is Power.OFF else Outcome.UNKNOWN
    return NodeReport(id=run.element, keep=keep, state=state, outcome=outcome, detail=run.detail)


def totals(reports: Sequence[NodeReport]) -> tuple[dict[NodeState, int], dict[Outcome, int]]:
    """Return how many nodes are in each state, and how many of each outcome; all keys present."""
    states = Counter(each.state for each in reports)
    outcomes = Counter(each.outcome for each in reports)
    return {each: states[each] for each in NodeState}, {each: outcomes[each] for each in Outcome}


def encode_nodes(reports: Sequence[NodeReport]) -> bytes:
    """Return the bundle's nodes file."""
    return canonical.encode(
        {
            "schema": NODES_SCHEMA,
            "nodes": [
                {
                    "id": each.id,
                    "keep": int(each.keep),
                    "state": str(each.state),
                    "outcome": str(each.outcome),
                    "detail": each.detail[:200],
                }
                for each in sorted(reports, key=lambda each: each.id)
            ],
        }
    )


def decode_nodes(data: bytes) -> tuple[NodeReport, ...]:
    """Read the nodes file. Raises StatementError naming the field."""
    fields = Fields(canonical.decode(data, limit=MAX_TABLE_BYTES), "nodes")
    if fields.text("schema", most=100) != NODES_SCHEMA:
        fields.refuse("schema", f"must be {NODES_SCHEMA}")
    nodes = fields.each("nodes", _read_node, most=200_000)
    fields.close()
    return nodes


def encode_readings(snapshots: Sequence[Snapshot]) -> bytes:
    """Return a readings file: what the site read itself, unsigned. Missing values are left out."""
    return canonical.encode(
        {
            "schema": READINGS_SCHEMA,
            "readings": [
                {
                    "meter": each.meter,
                    "at": format_time(each.at_s),
                    "watts": {channel: watts for channel, watts in each.watts.items() if watts is not None},
                }
                for each in snapshots
            ],
        }
    )


def decode_readings(data: bytes) -> tuple[Snapshot, ...]:
    """Read a readings file. Raises StatementError naming the field."""
    fields = Fields(canonical.decode(data, limit=MAX_TABLE_BYTES), "readings")
    if fields.text("schema", most=100) != READINGS_SCHEMA:
        fields.refuse("schema", f"must be {READINGS_SCHEMA}")
    snapshots = fields.each("readings", _read_snapshot, most=1_000_000)
    fields.close()
    return snapshots


def before_the_stop(
    unsigned: Iterable[Snapshot], signed: Iterable[Snapshot], began_s: int
) -> dict[str, Snapshot]:
    """Return meter -> its newest reading that is not later than ``began_s``.

    Args:
        unsigned: the readings of the file BEFORE_FILE.
        signed: every signed reading of the bundle, in the order of their sequence.
        began_s: when the stop began, Unix seconds.
    """
    earlier = [each for each in signed if each.at_s <= began_s]
    return {each.meter: each for each in sorted([*unsigned, *earlier], key=lambda each: each.at_s)}


def by_meter(snapshots: Sequence[Snapshot]) -> dict[str, list[Snapshot]]:
    """Return meter -> its snapshots, oldest first."""
    result: dict[str, list[Snapshot]] = {}
    for each in sorted(snapshots, key=lambda each: each.at_s):
        result.setdefault(each.meter, []).append(each)
    return result


def _read_node(fields: Fields) -> NodeReport:
    return NodeReport(
        id=fields.identifier("id"),
        keep=bool(fields.integer("keep", most=1)),
        state=fields.choice("state", NodeState),
        outcome=fields.choice("outcome", Outcome),
        detail=fields.text("detail", most=200, empty=True),
    )


def _read_snapshot(fields: Fields) -> Snapshot:
    meter = fields.identifier("meter")
    at_s = fields.time("at")
    watts: Mapping[str, Value] | Value = fields.take("watts")
    if not isinstance(watts, dict):
        raise StatementError("must be an object of channel to watts", where=f"readings.{meter}")
    for channel, value in watts.items():
        if not isinstance(value, int) or value < 0:
            raise StatementError("must be watts, 0 or more", where=f"readings.{meter}.{channel}")
    values = {channel: value for channel, value in watts.items() if isinstance(value, int)}
    return Snapshot(meter=meter, at_s=at_s, watts=values)
