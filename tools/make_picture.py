"""Runs the demo and keeps two frames of its live view as SVG: docs/demo-under-way.svg and docs/demo.svg."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from grandpause.cli.demo import play
from grandpause.cli.demo_view import Story, View
from grandpause.site.controller import Controller

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 102
FRAME_S = 0.5

# The terminal's own fonts: a picture in a README fetches nothing.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}"
  xmlns="http://www.w3.org/2000/svg" xml:space="preserve">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Photographer(View):
    """Keeps the frame in which the hall is going down, and the last one."""

    def __init__(self, story: Story) -> None:
        super().__init__(story, live=False, quiet=True)
        self.under_way = self.last = ""

    async def watch(self, controller: Controller) -> None:
        """Look twice a second until cancelled."""
        try:
            while True:
                await asyncio.sleep(FRAME_S)
                stop = controller.stop
                if (
                    len(stop.runs) // 4 < stop.pending < len(stop.runs) * 3 // 4
                    and "two" in self._story.chapter
                ):
                    self.under_way = self._svg(controller)
        finally:
            self.last = self._svg(controller)

    def _svg(self, controller: Controller) -> str:
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        console.print(self.render(controller))
        return console.export_svg(title="make demo", code_format=FORMAT, unique_id="demo")


def main() -> int:
    """Run the demo; write both pictures."""
    story = Story()
    view = Photographer(story)
    with tempfile.TemporaryDirectory() as directory:
        uvloop.run(play(Path(directory), story, view, nodes=256, seed=7, faults=(), outlets=True))
    DOCS.mkdir(exist_ok=True)
    (DOCS / "demo-under-way.svg").write_text(view.under_way, encoding="utf-8")
    (DOCS / "demo.svg").write_text(view.last, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
