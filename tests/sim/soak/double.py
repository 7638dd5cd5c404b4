"""Worlds that do what a test needs and nothing else; found by name, so that other processes can run them."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from random import Random

from grandpause.sim.world.report import Violation, WorldReport
from grandpause.sim.world.settings import DAY_S, Fault, Settings

ILL_FAULTS = frozenset({Fault.LOSS, Fault.HANG})
BAD_SEED = 7
WHEN_S = 3.4 * DAY_S


def quiet(settings: Settings, *, words: bool = False) -> WorldReport:
    """All is well, and every figure is a function of the settings."""
    chance = Random(f"double {settings}".replace(str(settings.faults), str(sorted(settings.faults))))
    return WorldReport(
        seed=settings.seed,
        trace=hashlib.sha256(chance.randbytes(8)).hexdigest(),
        site_s=settings.sites * settings.days * DAY_S * chance.uniform(0.9, 1.1),
        events={"command": chance.randrange(1_000), "message": chance.randrange(1_000)},
        idle_sweeps=chance.randrange(10_000),
        counts={"demands": 3, "trips": 2, "lifts": 1, "restarts": 1, "spurious": settings.seed % 2},
        faults=dict.fromkeys(settings.faults, 5),
        violations=(),
        words=tuple(f"event {number}" for number in range(50)) if words else (),
        cpu_s=0.001,
    )


def ill(settings: Settings, *, words: bool = False) -> WorldReport:
    """Violates an invariant where two classes of faults meet, on two sites, of eight elements, on day 4."""
    violations: tuple[Violation, ...] = ()
    seen = settings.faults >= ILL_FAULTS
    if seen and settings.sites > 1 and settings.elements >= 8 and settings.days * DAY_S >= WHEN_S:
        violations = (
            Violation(invariant="never_above", site="north", at_s=WHEN_S, event=1_234, text="5 kW over"),
        )
    return report_with(quiet(settings, words=words), violations)


def report_with(report: WorldReport, violations: tuple[Violation, ...]) -> WorldReport:
    fields = {name: getattr(report, name) for name in WorldReport.__slots__}
    return WorldReport(**{**fields, "violations": violations})


def raising(settings: Settings, *, words: bool = False) -> WorldReport:
    if settings.seed == BAD_SEED:
        raise LookupError("no such latch")
    return quiet(settings, words=words)


def dying(settings: Settings, *, words: bool = False) -> WorldReport:
    if settings.seed == BAD_SEED:
        os.kill(os.getpid(), signal.SIGKILL)
    return quiet(settings, words=words)


def leaving(settings: Settings, *, words: bool = False) -> WorldReport:
    if settings.seed == BAD_SEED:
        raise SystemExit(9)
    return quiet(settings, words=words)


def endless(settings: Settings, *, words: bool = False) -> WorldReport:
    while settings.seed == BAD_SEED:
        time.sleep(0.01)
    return quiet(settings, words=words)


def slow(settings: Settings, *, words: bool = False) -> WorldReport:
    time.sleep(0.05)
    return quiet(settings, words=words)


def always_dying(settings: Settings, *, words: bool = False) -> WorldReport:
    os._exit(3)


def hash_bound(settings: Settings, *, words: bool = False) -> WorldReport:
    """Its trace hangs on the order of a set of texts: just what must not be."""
    report = quiet(settings, words=words)
    fields = {name: getattr(report, name) for name in WorldReport.__slots__}
    order = "".join({f"site {number}" for number in range(20)})
    return WorldReport(**{**fields, "trace": hashlib.sha256(order.encode()).hexdigest()})


def fickle(settings: Settings, *, words: bool = False) -> WorldReport:
    """Violates an invariant at first; told in words, it does not."""
    bad = Violation(invariant="never_above", site="", at_s=1.0, event=2, text="")
    return report_with(quiet(settings, words=words), () if words else (bad,))


def halting(settings: Settings, *, words: bool = False) -> WorldReport:
    """Takes too long, but not for ever: a thread of a cluster cannot be ended from outside."""
    if settings.seed == BAD_SEED:
        time.sleep(4)
    return quiet(settings, words=words)


class Stubborn:
    def __reduce__(self) -> str:
        raise TypeError("cannot be sent")


def unpicklable(settings: Settings, *, words: bool = False) -> WorldReport:
    """Its report can leave no process."""
    report = quiet(settings, words=words)
    fields = {name: getattr(report, name) for name in WorldReport.__slots__}
    return WorldReport(**{**fields, "trace": Stubborn()}) if settings.seed == BAD_SEED else report
