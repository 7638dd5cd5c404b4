"""docs/reliability.md, from what is committed in docs/soak/: only its words are written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOAK: Final = ROOT / "docs" / "soak"
TRACES: Final = ROOT / "tests" / "sim" / "soak" / "traces.json"
Json = Mapping[str, Any]

HEAD: Final = """\
# Reliability: what was simulated, and what it found

> **Simulated software.** No figure on this page is a safety integrity level, none is about hardware, and none
> is about a site of yours.

[The World](../src/grandpause/sim/world/__init__.py) runs the production keeper, controller, planner,
conductor and prover of whole sites in simulated time. Clocks, networks, disks, devices, meters, people,
operators and the grid misbehave; a seed says which of them, when and how. What must never happen is
checked as it happens. The formats of the runs: [spec/soak.md](../spec/soak.md).

```sh
make soak SECONDS=60              # as many worlds as fit into a minute, on every core
make soak SECONDS=3600 SEED=1 JSON=1
grandpause sim replay-seed 1      # one world again; the same seed gives the same trace
make soak ARGS="--twice --worlds 1000"   # that this is so
make crash-images                 # every image that a power cut may leave of the store
make planted                      # known bugs, put in one by one: what finds each
```
"""
LIMITS: Final = """\
## What this does not show

* It is a simulation of our own making. It finds what its faults provoke and its invariants forbid; a fault
  that nobody thought of, or an invariant that nobody wrote, is not in it.
* Faults strike far more often than at any real site, and by no site's statistics. The bound on failures on
  demand is one for these worlds, not an estimate for yours. Demands within one world are not independent.
* Only the controller is real. Drivers, wire protocols, signatures, SQLite, the kernel and its system calls
  are simulated here, and tested elsewhere: against servers and captures that we did not write, by crash
  images of the real store, and by faults put under the real process.
* There is no hardware in it: no firmware, no breaker, no failing sensor but those that are simulated.
* There is no log, board or cosigner in it yet, since no charter has one; and one controller a site.
* Three seeds replay to the same trace on every change. A change that is meant to change what worlds do
  changes the traces too, and then the long run is to be done again: the tables name the commit of each.
"""


def reliability_page() -> str:
    """Return the page."""
    runs = sorted(_with_schema("grandpause.soak/1"), key=lambda run: (run["began"], run["first_seed"]))
    lines = [HEAD, *_runs(runs)]
    if runs:
        lines += [*_meaning(runs[-1]), *_mix(runs), *_faults(runs), *_replays(runs)]
    lines += [*_found(), *_crash_images(), *_planted(), LIMITS]
    return "\n".join(lines)


def _runs(runs: Sequence[Json]) -> Iterator[str]:
    yield "## What was run\n"
    if not runs:
        yield "No run is committed yet.\n"
        return
    yield from _table(
        ("began", "commit", "seeds", "seconds x processes", "site-years", "action events", "violations"),
        (
            (
                run["began"],
                f"`{run['commit']}`",
                f"{run['first_seed']:,} to {run['last_seed']:,}",
                f"{run['seconds']:,.0f} x {run['processes']}",
                f"{run['site_years']:,.1f}",
                f"{run['action_events']:,}",
                f"{run['violations']:,}",
            )
            for run in runs
        ),
    )
    for run in runs:
        for failure in run["failures"]:
            told = f"{failure['invariant']}: {failure['text']}"
            yield f"* seed {failure['seed']}: {told}: `{failure['command']}`"
    last = runs[-1]
    machine = last["machine"]
    yield (
        f"The last of them, on {machine['cpus']} cores ({machine['architecture']}, Python {last['python']}):"
        f" {last['events_per_second']:,.0f} action events a second of wall clock, all processes together;"
        f" {last['events_per_cpu_second']:,.0f} in a CPU second, {last['site_years_per_cpu_hour']:,.0f}"
        " site-years in a CPU hour.\n"
    )


def _meaning(run: Json) -> Iterator[str]:
    spurious = run["spurious_per_1000_site_years"]
    yield "## What its figures mean\n"
    yield from _table(
        ("figure", "value", "meaning"),
        (
            ("demands", f"{run['demands']:,}", "times that a site had to come down"),
            (
                "failure on demand, at most",
                f"{run['pfd_upper_95']:.2g}",
                f"95 % confidence, one-sided; {_how_bounded(run)}; {run['pfd_label']}",
            ),
            (
                "spurious trips in 1,000 site-years",
                "not counted" if spurious is None else f"{spurious:,.1f}",
                "trips that nothing in force asked for",
            ),
            ("violations", f"{run['violations']:,}", "of any invariant, and worlds that gave no report"),
        ),
    )


def _how_bounded(run: Json) -> str:
    if run["violations"]:
        return f"Clopper and Pearson's bound, every one of {run['violations']} violations taken for a failure"
    return (
        f"no failure, so the rule of three, 3 / {run['demands']:,} (exactly {run['pfd_upper_95_exact']:.3g})"
    )


def _mix(runs: Sequence[Json]) -> Iterator[str]:
    yield "## What happened in them\n"
    for title, key in (("Action events", "events"), ("What came of it", "counts")):
        kinds = sorted({kind for run in runs for kind in run[key]})
        yield from _table(
            (title, *(_name(run) for run in runs)),
            ((kind, *(f"{run[key].get(kind, 0):,}" for run in runs)) for kind in kinds),
        )
    idle = ", ".join(f"{run['idle_sweeps']:,}" for run in runs)
    yield f"Looks at a site where nothing had changed cost nothing and are counted apart: {idle}.\n"


def _faults(runs: Sequence[Json]) -> Iterator[str]:
    yield "## How often each class of faults struck\n"
    yield "A seed switches each class on or off.\n"
    classes = list(dict.fromkeys(fault for run in reversed(runs) for fault in run["faults"]))
    yield from _table(
        ("class", *(_name(run) for run in runs)),
        ((f"`{each}`", *(f"{run['faults'].get(each, 0):,}" for run in runs)) for each in classes),
    )


def _replays(runs: Sequence[Json]) -> Iterator[str]:
    yield "## Seeds that replay\n"
    yield "Each change must give these worlds again, event by event:\n"
    then = {seed: (trace, run) for run in runs for seed, trace in run["traces"].items()}
    rows = []
    for each in _read(TRACES)["traces"]:
        trace, run = then.get(str(each["seed"]), (None, None))
        if run is None:
            told = "not among the traces that the runs kept"
        elif trace == each["trace"]:
            told = f"the same as in the run of {run['began']}"
        else:
            told = f"another than in the run of {run['began']}: worlds were changed since"
        rows.append((f"{each['seed']}", f"`{each['trace']}`", told))
    yield from _table(("seed", "trace", ""), rows)


def _found() -> Iterator[str]:
    yield "## What was found and mended\n"
    entries = _read(SOAK / "found.json") if (SOAK / "found.json").is_file() else []
    if not entries:
        yield "Nothing is written down yet.\n"
        return
    yield (
        "Seeds of the World as it was on that day; whatever they make of it now, they stay in"
        " [the tests](../tests/sim/soak/failing_seeds.json) for ever.\n"
    )
    yield from _table(
        ("what was wrong", "found by", "seed", "mended by"),
        ((each["what"], each["invariant"], f"{each['seed']}", each["mend"]) for each in entries),
    )


def _crash_images() -> Iterator[str]:
    yield "## Crash images of the store\n"
    reports = _with_schema("grandpause.crash-images/1")
    if not reports:
        yield "No run is committed yet.\n"
    for report in reports:
        yield (
            f"{report['images']:,} images of what a power cut may leave on the disk, with unsynced writes"
            f" kept, dropped or torn: {report['lost']:,} lost something acknowledged, {report['raised']:,}"
            " raised a ceiling. Every sync point of every write path:\n"
        )
        yield from _table(
            ("write path", "file", "after", "syncs"),
            (
                (each["path"], f"`{each['file']}`", each["after"], f"{each['count']:,}")
                for each in report["sync_points"]
            ),
        )


def _planted() -> Iterator[str]:
    yield "## Planted bugs\n"
    reports = _with_schema("grandpause.planted/1")
    if not reports:
        yield "No run is committed yet.\n"
    for report in reports:
        bugs = report["bugs"]
        found = [each for each in bugs if each["found_by"]]
        early = [each for each in found if each["found_by"] in ("model", "soak")]
        yield (
            f"Each was put into a copy of the tree, alone. {len(found)} of {len(bugs)} were found,"
            f" {len(early)} of them by the reference model or the soak with all other tests off."
        )
        control = report.get("unpatched")
        if control is not None:
            yield f"The unpatched copy {'passed' if control['passed'] else 'did NOT pass'} every detector.\n"
        yield from _table(
            ("bug", "what is wrong", "found by", "after"),
            (
                (
                    f"`{each['name']}`",
                    each["what"],
                    each["found_by"] or "**nothing**",
                    f"{each['seconds']:,.0f} s",
                )
                for each in bugs
            ),
        )


def _name(run: Json) -> str:
    return f"seeds from {run['first_seed']:,}, {str(run['began'])[:10]}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(_cell(each) for each in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _with_schema(schema: str) -> list[Json]:
    """Return the committed values of one schema, by file name."""
    values = [_read(path) for path in sorted(SOAK.glob("*.json"))]
    return [each for each in values if isinstance(each, dict) and each.get("schema") == schema]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
