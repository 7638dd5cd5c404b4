"""``verify``: an evidence bundle, offline."""

from __future__ import annotations

from pathlib import Path

from grandpause.cli.charters import charter_id_from
from grandpause.cli.output import console, say_json
from grandpause.core.calendar import format_time
from grandpause.core.model import VerdictWord
from grandpause.core.rendering import SECRET_RETURNS, caps_in_words, watts

_EXIT = {VerdictWord.PROVEN: 0, VerdictWord.NOT_PROVEN: 1, VerdictWord.STALE: 4}


def verify(bundle: Path, *, charter: str, json: bool = False) -> int:
    """Verify an evidence bundle: every digest, signature and quorum, and the verdict from the readings.

    Needs no network. Exit code 0 only if the verdict is proven and everything holds together.

    Parameters
    ----------
    bundle
        The bundle's directory.
    charter
        The charter that you trust: its id, or the file of its version 1.
    json
        Print JSON.
    """
    from grandpause.verify.bundle import verify_bundle

    found = verify_bundle(bundle, charter_id=charter_id_from(charter))
    evidence = found.evidence
    if json:
        say_json(
            {
                "schema": "grandpause.verified/1",
                "bundle": str(bundle),
                "evidence": found.name,
                "charter": found.charter_id,
                "site": evidence.site,
                "verdict": str(found.verdict),
                "proven_by": found.proof.proven_by,
                "reasons": list(found.proof.reasons),
                "window_s": evidence.window_s,
                "allowed": caps_in_words(evidence.allowed),
                "binds": list(evidence.binds),
                "began": format_time(evidence.began),
                "ended": format_time(evidence.ended),
                "watts": {
                    "before": dict(evidence.before),
                    "after": dict(evidence.after),
                    "target": evidence.target_w,
                },
                "nodes": {str(each): count for each, count in evidence.nodes.items()},
                "outcomes": {str(each): count for each, count in evidence.outcomes.items()},
                "checked": list(found.checked),
                "returns_can_be_secret": found.returns_can_be_secret,
            }
        )
        return _EXIT[found.verdict]
    out = console()
    colour = "green" if found.verdict is VerdictWord.PROVEN else "red"
    by = f" ({found.proof.proven_by})" if found.proof.proven_by else ""
    out.print(f"[bold {colour}]{str(found.verdict).upper()}[/]{by}")
    out.print(f"site {evidence.site}, {format_time(evidence.began)} to {format_time(evidence.ended)}")
    out.print(f"allowed      {caps_in_words(evidence.allowed)}")
    if not evidence.binds:
        out.print("             (by the site's own latch: no limit in the bundle is in force)")
    out.print(f"readings     at most {evidence.window_s} s old at the verdict")
    for path in sorted(evidence.after):
        before = evidence.before.get(path)
        was = "no reading" if before is None else watts(before)
        out.print(f"{path:12} {was} before, {watts(evidence.after[path])} after")
    for line in found.checked:
        out.print(f"checked      {line}", soft_wrap=True)
    for reason in found.proof.reasons:
        out.print(f"[red]missing[/]      {reason}", soft_wrap=True)
    if found.returns_can_be_secret:
        out.print(f"[yellow]{SECRET_RETURNS}[/]")
    return _EXIT[found.verdict]
