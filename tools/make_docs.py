"""Writes docs/reference/ from the code, and docs/reliability.md from docs/soak/.

``python tools/make_docs.py``; with ``--check`` it only compares. Exit code 1 if a page differs from what it
is made of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from grandpause import errors
from grandpause.cli.app import make_app
from grandpause.core.model import Profile
from grandpause.core.plan import LADDERS
from grandpause.core.stop import ACT_OF, TABLE, Cue, Move, Phase

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.reliability import reliability_page  # noqa: E402  (found beside this file)

DOCS: Final = ROOT / "docs"
NOTICE: Final = "<!-- Written by tools/make_docs.py from {source}: edit that, then run `make docs`. -->\n"

LEADS_TO: Final[Mapping[Move, tuple[Phase, ...]]] = {
    Move.STAY: (),
    Move.SEND: (Phase.SENT,),
    Move.WATCH: (Phase.WATCHING,),
    Move.LINGER: (Phase.WATCHING,),
    Move.RETRY: (Phase.BACKOFF,),
    Move.DOUBT: (Phase.DOUBTING,),
    Move.REST: (Phase.OFF,),
    Move.CLIMB: (Phase.SENT, Phase.EXHAUSTED),
    Move.TRIP: (Phase.SENT,),
}
"""Where each move of ``core.conductor`` ends: a climb ends in the next rung, or after the last one."""

_MEANING: Final[Mapping[Phase, str]] = {
    Phase.KEPT: "may stay on",
    Phase.WAITING: "its slot has not come yet; nothing was sent",
    Phase.SENT: "a command is on its way",
    Phase.BACKOFF: "a command got lost and will be sent again",
    Phase.DOUBTING: "it refused; asked whether it is off already",
    Phase.WATCHING: "it accepted; asked again and again until it is off",
    Phase.OFF: "claimed or metered off, and held",
    Phase.EXHAUSTED: "at the end of its stages; tried again now and then",
}


def conductor_page() -> str:
    """Return the state diagram and the table of one node on its way down."""
    edges: dict[tuple[str, str], list[str]] = {}
    rows = []
    for phase, cues in TABLE.items():
        for cue, move in cues.items():
            rows.append(f"| {phase} | {cue} | {move} | {' or '.join(LEADS_TO[move]) or phase} |")
            for target in LEADS_TO[move]:
                edges.setdefault((phase, target), []).append(cue)
    arrows = [f"    {a} --> {b}: {', '.join(cues)}" for (a, b), cues in edges.items()]
    phases = [f"| {phase} | {_MEANING[phase]} |" for phase in Phase]
    unlisted = [str(cue) for cue in Cue if not any(cue in cues for cues in TABLE.values())]
    assert not unlisted, unlisted
    return "\n".join(
        [
            "# Conductor: one node on its way down",
            "",
            "The rules are in [spec/conductor.md](../../spec/conductor.md). A cue that a phase does not",
            "list leaves the node as it is. *Go to the next rung* ends in sent, or in exhausted after the",
            "last rung.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {Phase.WAITING}",
            f"    [*] --> {Phase.KEPT}",
            *arrows,
            "```",
            "",
            "| phase | meaning |",
            "|---|---|",
            *phases,
            "",
            "| phase | cue | what follows | leads to |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def ladders_page() -> str:
    """Return which stages take a node down, by profile and category."""
    acts = {str(stage): f"`{act}`" for stage, act in ACT_OF.items()}
    rows = [
        f"| {profile} | {category} | {' -> '.join(LADDERS[profile, category])} |"
        for profile in Profile
        for category in (0, 1, 2)
    ]
    return "\n".join(
        [
            "# Ladders: the stages of a stop",
            "",
            "Each stage is an escalation of the one before: it follows when that was refused,",
            "contradicted or took too long ([spec/plan.md](../../spec/plan.md) 3). A stage that a node",
            "has no means for is left out. Category 2 is served as 1, which is stricter: no element of",
            "this version stops with its power kept.",
            "",
            "| profile | category | stages |",
            "|---|---|---|",
            *rows,
            "",
            "| stage | what a driver is told |",
            "|---|---|",
            *(f"| {stage} | {act} |" for stage, act in acts.items()),
            "",
        ]
    )


def errors_page() -> str:
    """Return the tree of errors with their codes and exit codes."""
    tree = (errors.__doc__ or "").split("\n\n")[1]
    rows = [
        f"| {'&nbsp;' * 3 * depth}{kind.__name__} | `{kind.code}` | {kind.exit_code} | {_first_line(kind)} |"
        for depth, kind in _kinds(errors.GrandpauseError)
    ]
    return "\n".join(
        [
            "# Errors and exit codes",
            "",
            "By whose fault it is, and what the caller can do. No error ever raises a ceiling. With",
            "`--json` a command that fails prints `code`, `where` (file, field, node or meter),",
            "`message`, `hint` and `exit_code`.",
            "",
            "```text",
            *(line.removeprefix("    ") for line in tree.splitlines()),
            "```",
            "",
            "| error | code | exit code | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
            "Exit code 0 means proven, or the truth asked for; 1 not proven.",
            "",
        ]
    )


def cli_page() -> str:
    """Return every verb and option of the command line."""
    text = make_app().generate_docs(output_format="markdown")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


PAGES: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "reference/cli.md": ("the code", cli_page),
    "reference/conductor.md": ("the code", conductor_page),
    "reference/errors.md": ("the code", errors_page),
    "reference/ladders.md": ("the code", ladders_page),
    "reliability.md": ("docs/soak/", reliability_page),
}
"""Page, below docs/ -> (what it is made of, its maker)."""


def main() -> int:
    """Write the pages, or compare them."""
    different = []
    (DOCS / "reference").mkdir(parents=True, exist_ok=True)
    for name, (source, page) in PAGES.items():
        path = DOCS / name
        text = NOTICE.format(source=source) + page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            different.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, encoding="utf-8")
    for name in different:
        print(f"docs/{name}: {'differs' if '--check' in sys.argv[1:] else 'written'}")
    return int(bool(different) and "--check" in sys.argv[1:])


def _kinds(
    kind: type[errors.GrandpauseError], depth: int = 0
) -> Iterator[tuple[int, type[errors.GrandpauseError]]]:
    yield depth, kind
    for each in kind.__subclasses__():
        yield from _kinds(each, depth + 1)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
