"""How benchmarks say what they measured: one JSON line a figure, and all last figures in results.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

SCHEMA = "grandpause.bench/1"
RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure and the bound that it must keep.

    Attributes:
        bench: what was measured; names the figure in results.json.
        value: the figure itself, in ``unit``.
        unit: "s", "MB", "1/s" and so on; MB is 10^6 bytes.
        against: what it is compared with; empty where the bound is on the value.
        ratio: value divided by that of ``against``; None where there is nothing to compare with.
        bound: the most that the ratio (the value, where there is no ratio) may be.
        note: what a reader must know to judge it (counts, machine); not part of the comparison.
    """

    bench: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    bound: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the bound is kept."""
        return (self.value if self.ratio is None else self.ratio) <= self.bound

    def as_json(self) -> dict[str, object]:
        """Return the figure as it is printed."""
        return {"schema": SCHEMA, **asdict(self), "ok": self.ok}


def print_figures(figures: Iterable[Figure]) -> bool:
    """Print each figure as it comes and merge it into results.json; tell whether all kept their bounds."""
    all_ok = True
    for figure in figures:
        print(json.dumps(figure.as_json()), flush=True)
        _merge(figure)
        all_ok = all_ok and figure.ok
    return all_ok


def _merge(figure: Figure) -> None:
    """Replace the figure of the same name; a file that another run writes meanwhile is never half read."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = [each for each in known if each["bench"] != figure.bench]
    merged = sorted([*kept, figure.as_json()], key=lambda each: str(each["bench"]))
    fresh = RESULTS.with_suffix(".new")
    fresh.write_text(json.dumps(merged, indent=1) + "\n")
    fresh.replace(RESULTS)
