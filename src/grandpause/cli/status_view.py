"""A site's status for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grandpause.cli.demo_view import counts_in_words
from grandpause.core.rendering import SECRET_RETURNS, watts

if TYPE_CHECKING:
    from rich.console import Console


def print_status(out: Console, said: dict[str, Any]) -> None:
    """Print ``state/status.json``; ``age_s`` has been added by the caller."""
    mode = "armed" if said["armed"] else "[yellow]OBSERVE ONLY (not armed)[/]"
    standby = ", standby" if said["standby"] else ""
    out.print(f"site {said['site']}: {mode}{standby}, {said['age_s']} s ago")
    out.print(f"allowed      {said['allowed_in_words']}")
    if said["verdict"]:
        colour = "green" if said["verdict"] == "proven" else "red"
        out.print(f"verdict      [{colour}]{said['verdict'].upper()}[/] {said['proven_by']}")
        progress = f"{said['on_their_way']} on their way, {said['untouched']} untouched"
        out.print(f"stage        {said['stage']}; {progress}")
        for title in ("nodes", "outcomes"):
            out.print(f"{title:12} {counts_in_words(said[title])}")
    for path, value in said["watts"].items():
        out.print(f"{path:12} {watts(value)}")
    for reason in said["reasons"]:
        out.print(f"[red]missing[/]      {reason}", soft_wrap=True)
    if said["bundle"]:
        out.print(f"bundle       {said['bundle']}", soft_wrap=True)
    if said["returns_can_be_secret"]:
        out.print(f"[yellow]{SECRET_RETURNS}[/]")
