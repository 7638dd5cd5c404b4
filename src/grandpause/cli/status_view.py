"""A site's status for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grandpause.cli.demo_view import counts_in_words
from grandpause.core.calendar import format_time
from grandpause.core.model import Unit
from grandpause.core.rendering import SECRET_RETURNS, amount, visible, watts

if TYPE_CHECKING:
    from rich.console import Console


def print_status(out: Console, said: dict[str, Any]) -> None:
    """Print ``state/status.json``; ``age_s`` has been added by the caller."""
    mode = "armed" if said["armed"] else "[yellow]OBSERVE ONLY (not armed)[/]"
    standby = ", standby" if said["standby"] else ""
    out.print(f"site {said['site']}: {mode}{standby}, {said['age_s']} s ago")
    out.print(f"allowed      {said['allowed_in_words']}")
    _print_what_binds(out, said)
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


def _print_what_binds(out: Console, said: dict[str, Any]) -> None:
    for limit in said["limits"]:
        until = format_time(limit["until_s"])
        out.print(
            f"limit        {limit['name'][:16]}… until {until}: {visible(limit['reason'])}", markup=False
        )
    for cap in said["latch"]:
        out.print(f"latch        {cap['part']}: {amount(cap['value'], Unit(cap['unit']))}, until a restart")
    for charter in said["charters_forked"]:
        out.print(f"[red]forked[/]       charter {charter[:16]}…: nothing raises")
    if said["clock_stepped"]:
        out.print("[red]clock[/]        stepped by more than its stated error")
    for meter, problem in said["meter_problems"].items():
        out.print(f"[yellow]meter[/]        {meter}: {visible(problem)}")
