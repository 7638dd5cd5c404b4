"""What the controller says of itself, as one JSON value, for people and scripts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from grandpause.core.evidence import totals
from grandpause.core.model import VerdictWord
from grandpause.core.rendering import SECRET_RETURNS, caps_in_words
from grandpause.site.controller import Controller
from grandpause.site.sitefile import SiteFile

SCHEMA = "grandpause.status/1"


def status_of(site: SiteFile, controller: Controller, *, now_s: int, bundle: str) -> dict[str, Any]:
    """Return the status. What nobody read or counted is left out or null, never 0."""
    decision, stop, proof = controller.decision, controller.stop, controller.proof
    reports = controller.reports()
    states, outcomes = totals(reports)
    memory = decision.memory
    waiting = [each for each in controller.elements if each not in controller.seen.claims]
    return {
        "schema": SCHEMA,
        "site": site.identity.site,
        "at_s": now_s,
        "armed": memory.armed,
        "observe_only": not memory.armed,
        "standby": memory.standby is not None,
        "nonce": memory.nonce,
        "controller": site.identity.controller,
        "allowed": [
            {"part": key.part, "unit": str(key.unit), "value": value} for key, value in decision.caps
        ],
        "allowed_in_words": caps_in_words(decision.caps),
        "latch": [{"part": key.part, "unit": str(key.unit), "value": value} for key, value in memory.latch],
        "limits": [
            {
                "name": each.name,
                "until_s": each.limit.until,
                "reason": each.limit.reason,
                "returns": str(each.power.bounds.returns) if each.power.bounds else "",
            }
            for each in decision.in_force
        ],
        "stage": None if stop.stage is None else str(stop.stage),
        "untouched": stop.untouched,
        "on_their_way": stop.pending,
        "nodes": {str(each): count for each, count in states.items()} if reports else None,
        "outcomes": {str(each): count for each, count in outcomes.items()} if reports else None,
        "not_asked_yet": len(waiting),
        "claims": dict(Counter(str(claim.power) for claim, _ in controller.seen.claims.values())),
        "watts": dict(proof.path_watts) if proof else {},
        "verdict": str(proof.word) if proof and stop.plan else None,
        "proven_by": proof.proven_by if proof and stop.plan and proof.word is VerdictWord.PROVEN else "",
        "reasons": list(proof.reasons) if proof else [],
        "meter_problems": dict(controller.seen.problems),
        "clock_stepped": controller.keeper.clock_stepped,
        "bundle": bundle,
        "returns_can_be_secret": any(not each.newest.has_log for each in controller.keeper.charters),
        "warning": SECRET_RETURNS,
        "charters_forked": [each.charter_id for each in controller.keeper.charters if each.forked],
    }


def write_whole(path: Path, text: str) -> str:
    """Replace a file by its new text, or leave it as it was and return why; empty: it was written."""
    part = path.with_suffix(".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as problem:
        return f"{path.name} could not be written: {problem}"
    return ""
