"""What a soak looks like: progress on standard error, the result and its failures for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from rich.live import Live
from rich.text import Text

from grandpause.cli.output import console

if TYPE_CHECKING:
    from grandpause.sim.soak.outcome import Outcome
    from grandpause.sim.soak.totals import Totals

_EVERY_S = 10.0
_DAY_S = 86_400
_YEAR_S = 365.25 * _DAY_S


class Progress:
    """One line that changes on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, *, seconds: float | None, worlds: int | None) -> None:
        self._seconds = seconds
        self._worlds = worlds
        self._totals: Totals | None = None
        self._console = console(stderr=True)
        self._began_s = self._said_s = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._line, refresh_per_second=4, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def saw(self, totals: Totals) -> None:
        """Take note of the sums so far."""
        self._totals = totals
        now_s = time.monotonic()
        if self._live is None and now_s - self._said_s >= _EVERY_S:
            self._said_s = now_s
            self._console.print(self._line(), soft_wrap=True)

    def _line(self) -> Text:
        passed_s = time.monotonic() - self._began_s
        until = f" of {self._seconds:g}" if self._seconds is not None else ""
        totals = self._totals
        if totals is None:
            return Text(f"{passed_s:.0f}{until} s: starting")
        worlds = f"{totals.worlds:,}" + (f" of {self._worlds:,}" if self._worlds is not None else "")
        line = Text(
            f"{passed_s:.0f}{until} s · {worlds} worlds · {totals.site_s / _YEAR_S:,.1f} site-years"
            f" · {totals.action_events / passed_s:,.0f} events/s · "
        )
        return line.append(f"{totals.failed} violations", style="bold red" if totals.failed else "green")


class Ticker:
    """A line every ten seconds that says how many."""

    def __init__(self, of_what: str) -> None:
        self._of_what = of_what
        self._said_s = time.monotonic()

    def saw(self, number: int) -> None:
        """Take note of a number."""
        if time.monotonic() - self._said_s >= _EVERY_S:
            self._said_s = time.monotonic()
            console(stderr=True).print(f"{number:,} {self._of_what}")


def show_soak(value: Mapping[str, Any]) -> None:
    """Print a soak's document for people."""
    for failure in value["failures"]:
        _show_failure(failure, commit=value["commit"])
    more = value["violations"] - len(value["failures"])
    if more:
        _say(f"and {more} more")
    head = "no violation" if not value["violations"] else f"{value['violations']} VIOLATIONS"
    _say(head, style="bold green" if not value["violations"] else "bold red")
    last = value["last_seed"] if value["last_seed"] is not None else "none"
    _say(
        f"{value['seeds']:,} worlds (seeds {value['first_seed']} to {last}), {value['site_years']:,.1f}"
        f" site-years in {value['seconds']:,.0f} s on {value['processes']} processes;"
        f" commit {value['commit']}"
    )
    _say(
        f"{_number(value['events_per_second'])} events a second"
        f" ({_number(value['events_per_cpu_second'])} a CPU second),"
        f" {_number(value['site_years_per_cpu_hour'])} site-years a CPU hour"
    )
    for name in ("counts", "events", "faults"):
        _say(f"{name}: " + ", ".join(f"{what} {count:,}" for what, count in value[name].items()))
    _say(f"idle sweeps: {value['idle_sweeps']:,}")
    _say(
        f"failure on demand at most {value['pfd_upper_95']:.2g} (95 %, {value['demands']:,} demands;"
        f" {value['pfd_label']}); spurious trips in 1,000 site-years:"
        f" {_number(value['spurious_per_1000_site_years'])}"
    )
    if value["stopped"]:
        _say("stopped before the plan was done; given up: " + _seeds(value["unfinished"]))


def show_twice(value: Mapping[str, Any]) -> None:
    """Print what came of running seeds twice."""
    _say(f"{value['worlds']:,} seeds run twice, from {value['first_seed']}: ")
    _say(f"different: {_seeds(value['different'])}", style="bold red" if value["different"] else "green")
    _say(f"violations: {_seeds(value['failed'])}", style="bold red" if value["failed"] else "green")


def show_world(outcome: Outcome, *, words: int) -> None:
    """Print what came of one world."""
    settings, report, failure = outcome.settings, outcome.report, outcome.failure
    faults = ", ".join(sorted(settings.faults)) or "none"
    _say(f"seed {settings.seed}: {settings.sites} sites of {settings.elements}, {settings.days:g} days")
    _say(f"faults: {faults}")
    if report is not None:
        for line in report.words[len(report.words) - min(words, len(report.words)) :]:
            _say(f"  {line}")
        _say(f"counts: {', '.join(f'{what} {count:,}' for what, count in sorted(report.counts.items()))}")
        events = sum(report.events.values())
        _say(f"{report.site_s / _YEAR_S:.2f} site-years, {events:,} events, {report.cpu_s:.2f} CPU seconds")
        _say(f"trace {report.trace}")
    if failure is None:
        _say("no violation", style="bold green")
    else:
        _say(f"VIOLATED {failure.invariant}, event {failure.event:,}, {_place(failure.site, failure.at_s)}")
        _say(f"  {failure.text}")


def _show_failure(failure: Mapping[str, Any], *, commit: str) -> None:
    _say(
        f"VIOLATED {failure['invariant']}: seed {failure['seed']}, event {failure['event']:,},"
        f" {_place(failure['site'], failure['at_s'])}, commit {commit}",
        style="bold red",
    )
    _say(f"  {failure['text']}")
    if failure["replays"] is False:
        _say("  it did NOT come again from the same seed: the world is not deterministic", style="bold red")
    if failure["words"]:
        _say(f"  its last {len(failure['words'])} events:")
        for line in failure["words"]:
            _say(f"    {line}")
    note = f" ({failure['tried']} smaller worlds were tried)" if failure["tried"] else ""
    _say(f"  again{note}:")
    _say(f"    {failure['command']}")


def _place(site: str, at_s: float) -> str:
    return f"{f'site {site}, ' if site else ''}day {at_s / _DAY_S:.3f}"


def _seeds(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004


def _say(text: str, *, style: str = "") -> None:
    console().print(text, style=style, markup=False, soft_wrap=True)
