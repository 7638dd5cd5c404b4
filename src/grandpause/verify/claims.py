"""Holds what a site says of itself against what its own readings show. (spec/evidence.md 4)

The site signs with its own good key: here only the figures can contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from grandpause.core import evidence as files
from grandpause.core.elements import Element, ElementTable
from grandpause.core.model import FULL_PPM, NodeState, Outcome, Power, Unit
from grandpause.core.proving import Proof
from grandpause.core.statement.facts import Evidence
from grandpause.errors import TrustError

_STATES: Final[Mapping[Power, frozenset[NodeState]]] = {
    Power.OFF: frozenset({NodeState.OFF_METERED}),
    Power.ON: frozenset({NodeState.ON}),
    Power.UNKNOWN: frozenset(NodeState) - {NodeState.OFF_METERED},
}
"""What the meters show of a node -> the states that it can be said to be in."""

_OUTCOMES: Final[Mapping[tuple[bool, Power], frozenset[Outcome]]] = {
    (True, Power.OFF): frozenset({Outcome.CONFIRMED_BY_METER, Outcome.CONTRADICTED}),
    (True, Power.ON): frozenset({Outcome.CONFIRMED_BY_METER}),
    (True, Power.UNKNOWN): frozenset({Outcome.UNKNOWN}),
    (False, Power.OFF): frozenset({Outcome.CONFIRMED_BY_METER}),
    (False, Power.ON): frozenset(Outcome) - {Outcome.CONFIRMED_BY_METER, Outcome.CONFIRMED_BY_BMC},
    (False, Power.UNKNOWN): frozenset(Outcome) - {Outcome.CONFIRMED_BY_METER},
}
"""(whether it may be on, what the meters show of it) -> the outcomes that it can be said to have."""


def check_frame(evidence: Evidence, charter_id: str) -> None:
    """Check what the evidence says before any reading is looked at.

    Raises:
        TrustError: another charter's; it ends before it begins, allows everything, or breaks its chain.
    """
    place = files.EVIDENCE_FILE
    if evidence.charter != charter_id:
        raise TrustError(
            f"is evidence under charter {evidence.charter[:16]}…, not {charter_id[:16]}…", where=place
        )
    if evidence.ended < evidence.began:
        raise TrustError("ended before it began", where=place)
    if not evidence.allowed:
        raise TrustError("allows everything: there is nothing to prove", where=place)
    if (evidence.number == 1) is not (evidence.previous == ""):
        raise TrustError("only the first evidence has none before it", where=place)


def check_nodes(
    nodes: Sequence[files.NodeReport], evidence: Evidence, proof: Proof, table: ElementTable
) -> None:
    """Check the nodes file against the counts, the table, the meters, the ceiling and the target.

    Raises:
        TrustError: it says other than they do.
    """
    states, outcomes = files.totals(nodes)
    if states != dict(evidence.nodes) or outcomes != dict(evidence.outcomes):
        raise TrustError("its counts are not those of the evidence", where=files.NODES_FILE)
    if [each.id for each in nodes] != sorted(table.by_id):
        raise TrustError("does not name every declared element once, in order", where=files.NODES_FILE)
    for each in nodes:
        metered = proof.elements.get(each.id, Power.UNKNOWN)
        if each.state not in _STATES[metered] or each.outcome not in _OUTCOMES[each.keep, metered]:
            raise TrustError(
                f"{each.id} cannot be {each.state!s} and {each.outcome!s}: its meters show {metered!s}",
                where=files.NODES_FILE,
            )
    kept = frozenset(each.id for each in nodes if each.keep)
    _check_kept(kept, evidence, table)
    target_w = sum(each.rated_w if each.id in kept else each.off_w for each in table.elements)
    if target_w != evidence.target_w:
        raise TrustError("claims another target than its kept nodes make", where=files.EVIDENCE_FILE)


def _check_kept(kept: frozenset[str], evidence: Evidence, table: ElementTable) -> None:
    """Refuse a plan that keeps more than is allowed, even if less was on: as rated. (spec/plan.md 2)"""
    for key, value in evidence.allowed:
        members = [each for each in table.elements if key.part in each.parts]
        cost = sum(_cost(each, key.unit) for each in members if each.id in kept)
        if key.unit is Unit.COMPUTE:
            budget = value * sum(each.compute for each in members) // FULL_PPM
        else:
            # Protected loads, which are not in the table, leave less yet of a cap on the site's watts.
            budget = max(0, value - sum(each.off_w for each in members))
        if cost > budget:
            raise TrustError(
                f"keeps more of {key.part} than {value} {key.unit!s} allow", where=files.NODES_FILE
            )


def _cost(element: Element, unit: Unit) -> int:
    return element.compute if unit is Unit.COMPUTE else element.rated_w - element.off_w


def check_verdict(evidence: Evidence, proof: Proof) -> None:
    """Check verdict, whose meters and watts against the recomputed ones.

    Raises:
        TrustError: the readings show something else.
    """
    if proof.word is not evidence.verdict or proof.proven_by != evidence.proven_by:
        reasons = "; ".join(proof.reasons) or proof.proven_by
        raise TrustError(
            f"claims {evidence.verdict!s}, but its readings show {proof.word!s}: {reasons}",
            where=files.EVIDENCE_FILE,
        )
    if dict(evidence.after) != dict(proof.path_watts):
        raise TrustError("claims other watts than its readings show", where=files.EVIDENCE_FILE)
