"""The demo's live view in the terminal: stages, node states, outcomes, watts."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grandpause.core.evidence import totals
from grandpause.core.model import Stage
from grandpause.core.rendering import SECRET_RETURNS, caps_in_words, watts

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.panel import Panel
    from rich.table import Table

    from grandpause.site.controller import Controller

_STAGES = (Stage.SOFT_OFF, Stage.FORCE_OFF, Stage.OUTLET_OFF, Stage.PROVE, Stage.HOLD)
_BAR = 40
_LINES, _LEAST_LINES = 9, 2
_OTHER_ROWS = 19
_REFRESH_S = 0.2
_SIGNS = {
    "kept": ("[bright_green]■[/]", "may stay on"),
    "waiting": ("[green]□[/]", "waiting"),
    "sent": ("[yellow]▸[/]", "being told"),
    "watching": ("[yellow]◆[/]", "told"),
    "backoff": ("[red]![/]", "no answer"),
    "doubting": ("[red]?[/]", "said no"),
    "exhausted": ("[bold red]×[/]", "left on"),
    "off": ("[bright_black]·[/]", "off (claimed or metered)"),
}
"""A sign of its own shape for each phase of a node, so that no one needs the colours."""


@dataclass(slots=True)
class Story:
    """What has happened so far, for the view."""

    began_s: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    chapter: str = "starting"

    def tell(self, line: str) -> None:
        """Add one line, with the seconds since the beginning."""
        self.lines.append(f"{time.monotonic() - self.began_s:5.1f} s  {line}")


class View:
    """Shows the story: live on a terminal, as lines elsewhere, or not at all."""

    def __init__(self, story: Story, *, live: bool, quiet: bool) -> None:
        self._story = story
        self._live = live
        self._quiet = quiet
        self._told = 0

    async def watch(self, controller: Controller) -> None:
        """Show until cancelled."""
        if self._live:
            from rich.live import Live

            with Live(self.render(controller), refresh_per_second=5) as live:
                try:
                    while True:
                        live.update(self.render(controller))
                        await asyncio.sleep(_REFRESH_S)
                finally:
                    live.update(self.render(controller))
        try:
            while True:
                self._print_new()
                await asyncio.sleep(_REFRESH_S)
        finally:
            self._print_new()

    def render(self, controller: Controller) -> Panel:
        """Return one frame."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        # On a short screen the frame must still end with the newest line.
        room = max(_LEAST_LINES, min(_LINES, shutil.get_terminal_size().lines - _OTHER_ROWS))
        story = Text("\n".join(self._story.lines[-room:]), no_wrap=True, overflow="ellipsis")
        parts: list[RenderableType] = [
            Text(SECRET_RETURNS, style="yellow"),
            self._facts(controller),
            self._stages(controller),
            self._hall(controller),
            story,
        ]
        return Panel(Group(*parts), title=f"grandpause demo: {self._story.chapter}", width=100)

    def _facts(self, controller: Controller) -> Table:
        from rich.table import Table

        decision, proof = controller.decision, controller.proof
        states, outcomes = totals(controller.reports())
        table = Table.grid(padding=(0, 2))
        armed = "armed" if decision.memory.armed else "[yellow]observe only[/]"
        standby = ", standby" if decision.memory.standby is not None else ""
        table.add_row("site", f"{armed}{standby}; allowed: {caps_in_words(decision.caps)}")
        before = controller.watts_before()
        for path, value in sorted((proof.path_watts if proof else {}).items()):
            most = max(before.get(path, value), value, 1)
            bar = "█" * max(1, round(_BAR * value / most))
            owner = "signed by the utility" if path == "feeds" else "the operator's, by outlet"
            table.add_row(path, f"[cyan]{bar:<{_BAR}}[/] {watts(value):>8}  {owner}")
        if controller.stop.plan is not None:
            target = f"at most {watts(controller.stop.plan.target_w)} expected at the end"
            table.add_row("target", target)
            table.add_row("nodes", counts_in_words(states))
            table.add_row("outcomes", counts_in_words(outcomes))
        word = str(proof.word).upper() if proof and controller.stop.plan else "-"
        colour = "bold green" if word == "PROVEN" else "red"
        table.add_row(
            "verdict", f"[{colour}]{word}[/] {proof.proven_by if proof and word == 'PROVEN' else ''}"
        )
        return table

    def _stages(self, controller: Controller) -> RenderableType:
        from rich.text import Text

        line = Text("stages   ")
        for stage in _STAGES:
            here = controller.stop.stage is stage
            line.append(f"[{stage}]" if here else f" {stage} ", style="reverse bold" if here else "dim")
            line.append(" ")
        return line

    def _hall(self, controller: Controller) -> RenderableType:
        from rich.text import Text

        runs = controller.stop.runs
        rows: dict[str, list[str]] = {}
        for name in controller.elements:
            phase = runs[name].phase.value if name in runs else "kept"
            rows.setdefault(name.partition("n")[0], []).append(_SIGNS[phase][0])
        lines = ["".join(each) for each in rows.values()]
        folded = ["  ".join(lines[at : at + 4]) for at in range(0, len(lines), 4)]
        phases = Counter(each.phase.value for each in runs.values())
        legend = "  ".join(
            f"{_SIGNS[name][0]} {count} {_SIGNS[name][1]}" for name, count in sorted(phases.items())
        )
        return Text.from_markup("\n" + "\n".join(folded) + "\n" + legend + "\n")

    def _print_new(self) -> None:
        if self._quiet:
            return
        for line in self._story.lines[self._told :]:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        self._told = len(self._story.lines)


def counts_in_words(counts: Mapping[Any, int]) -> str:
    """Return states or outcomes with their counts, in words; "off" never stands alone for a claim."""
    words = {"off_metered": "off (metered)", "off_claimed": "off (claimed)"}
    named = (
        f"{count} {words.get(name, str(name).replace('_', ' '))}" for name, count in counts.items() if count
    )
    return ", ".join(named) or "-"
