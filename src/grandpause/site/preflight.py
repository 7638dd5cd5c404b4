"""``site check``: asks every device what a stop will need of it, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from grandpause.core.calendar import format_time
from grandpause.core.elements import ElementTable
from grandpause.core.model import Caps
from grandpause.core.proving import LEAST_SAMPLES, Prover, Question, Snapshot
from grandpause.errors import GrandpauseError
from grandpause.ports import Actuator, Clock, Finding, Meter
from grandpause.site.sitefile import SiteFile
from grandpause.site.wiring import Devices

_AT_ONCE = 64
_PATHS_NEEDED = 2


async def check_site(
    site: SiteFile, devices: Devices, clock: Clock, *, tell: Callable[[int, int], None]
) -> list[Finding]:
    """Return the findings of every device, in the order of the site file.

    Args:
        tell: hears (devices done, devices in all) as the work goes on.
    """
    findings = [*_check_structure(site), *_check_clock(clock)]
    work: list[tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]] = []
    within = site.timing.command_s
    for actuator, names in ((devices.bmcs, site.bmcs), (devices.outlets, site.outlets)):
        if actuator is not None:
            work += [(name, _checker(actuator, name, within)) for name in names]
    work += [(name, _meter_checker(meter, within)) for name, meter in devices.meters.items()]
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(subject: str, run: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
        nonlocal done
        async with gate:
            try:
                result: Sequence[Finding] = await run()
            except GrandpauseError as error:
                result = [Finding(level="fail", subject=subject, message=error.message, mend=error.hint)]
        done += 1
        tell(done, len(work))
        return result

    for found in await asyncio.gather(*(one(subject, run) for subject, run in work)):
        findings += found
    findings += await _check_agreement(site, devices)
    return findings


def _checker(actuator: Actuator, name: str, within_s: float) -> Callable[[], Awaitable[Sequence[Finding]]]:
    return lambda: actuator.check(name, within_s=within_s)


def _meter_checker(meter: Meter, within_s: float) -> Callable[[], Awaitable[Sequence[Finding]]]:
    return lambda: meter.check(within_s=within_s)


def _check_structure(site: SiteFile) -> list[Finding]:
    findings = []
    paths = {each.path for each in site.table.meters}
    if len(paths) < _PATHS_NEEDED:
        findings.append(
            Finding(
                level="warn",
                subject="meters",
                message=f"{len(paths)} meter path(s): no stop can be proven",
                mend="name a second, independent path: another device, sensor and address",
            )
        )
    stuck = [name for name, each in site.equipment.items() if each.outlets == 0]
    if stuck:
        findings.append(
            Finding(
                level="warn",
                subject="outlets",
                message=f"{len(stuck)} node(s) have no outlet to escalate to: {', '.join(sorted(stuck)[:8])}",
                mend="add [[nodes.outlets]] where power units can switch",
            )
        )
    return findings


def _check_clock(clock: Clock) -> list[Finding]:
    synchronised = Path("/run/systemd/timesync/synchronized").exists()
    now = format_time(clock.wall_s())
    if synchronised:
        return [Finding(level="ok", subject="clock", message=f"{now}, synchronised by the system")]
    return [
        Finding(
            level="warn",
            subject="clock",
            message=f"{now}; the system does not say that it is synchronised",
            mend="run chrony, ntpd or systemd-timesyncd; the charter states the error that is allowed",
        )
    ]


async def _check_agreement(site: SiteFile, devices: Devices) -> list[Finding]:
    """Read every meter a few times and say whether the paths agree now, before they have to."""
    history = await _sampled(devices, within_s=site.timing.command_s)
    now = max((each[-1].at_s for each in history.values() if each), default=0)
    unsigned = ElementTable(
        site.table.elements, tuple(replace(each, signed=False) for each in site.table.meters)
    )
    proof = Prover(unsigned).prove(
        Question(
            caps=Caps(),
            keep=frozenset(site.table.by_id),
            operator=site.identity.operator,
            now_s=now,
            window_s=site.periods.window_s,
        ),
        history,
        {},
    )
    watts = ", ".join(f"{path} {value} W" for path, value in proof.path_watts.items())
    if proof.reasons:
        return [
            Finding(level="fail", subject="meters", message=reason, mend="a stop could not be proven now")
            for reason in proof.reasons
        ]
    return [Finding(level="ok", subject="meters", message=f"paths agree: {watts}")]


async def _sampled(devices: Devices, *, within_s: float) -> dict[str, list[Snapshot]]:
    """Return meter -> a few snapshots, a second apart. Signatures are judged when it counts, not here."""
    history: dict[str, list[Snapshot]] = {}
    for turn in range(LEAST_SAMPLES):
        if turn:
            await asyncio.sleep(1.05)
        reads = await asyncio.gather(*(each.read(within_s=within_s) for each in devices.meters.values()))
        for name, read in zip(devices.meters, reads, strict=True):
            history.setdefault(name, []).append(
                Snapshot(
                    meter=name,
                    at_s=max(each.at_s for each in read.samples),
                    watts={each.channel: each.watts for each in read.samples},
                )
            )
    return history
