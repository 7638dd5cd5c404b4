"""What must never happen in a world, each as a small named function.

A function returns nothing and raises ``Violated`` with what it found. None of them asks the core what is
right: they know what people signed (``ledger``), what machines do (``hall``) and what time it is.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from grandpause.core.memory import Memory
from grandpause.core.model import FULL_PPM, Caps, Stage, Unit, VerdictWord
from grandpause.core.stop import Command, EffectKey, NodeRun, Phase
from grandpause.core.trust import TrustedSet
from grandpause.sim.world.hall import OFF_W, Hall
from grandpause.sim.world.ledger import Ledger

RAMP_WINDOW_S: Final = 60.0


class Violated(Exception):
    """An invariant does not hold.

    Attributes:
        invariant: the name of the function that found it.
        text: what it found.
    """

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant
        self.text = text


def no_ceiling_raised(caps: Caps, ledger: Ledger, now_s: float, *, clock_honest: bool) -> None:
    """What is allowed is never above any limit that surely binds, nor above the latch.

    With a wall clock that was wrong by more than its stated error at a boot, limits that return by
    themselves may end early (a charter without a log has no other clock); the latch may not.
    """
    if clock_honest:
        for posted, limit in ledger.must_bind(now_s):
            if caps.exceeds(limit.caps):
                raise Violated(
                    "no_ceiling_raised",
                    f"{_words(caps)} allowed, and limit {posted.name[:8]} says {_words(limit.caps)}",
                )
    latch = Caps(ledger.latch)
    if caps.exceeds(latch):
        raise Violated("no_ceiling_raised", f"{_words(caps)} allowed, and the latch is {_words(latch)}")


def latch_never_lost(memory: Memory, ledger: Ledger) -> None:
    """The latch is never above what latching limits made of it since the last restart."""
    latch = Caps(ledger.latch)
    if memory.latch.exceeds(latch):
        raise Violated("latch_never_lost", f"{_words(memory.latch)} remembered, it was {_words(latch)}")


def nothing_without_a_quorum(caps: Caps, ledger: Ledger, now_s: float) -> None:
    """Every cap is that of a limit that enough people signed, or of the latch; else the trip is spurious."""
    justified = {
        (key, value) for _, limit in ledger.may_bind(now_s) for key, value in limit.caps.entries.items()
    }
    justified |= {(key, value) for key, values in ledger.latchable.items() for value in values}
    for key, value in caps:
        if (key, value) not in justified:
            raise Violated(
                "nothing_without_a_quorum", f"{key.part} {key.unit} is capped at {value}: nobody said so"
            )


def restart_by_the_right_people(name: str, nonce: str, ledger: Ledger) -> None:
    """A restart is used once, for the nonce that was shown, signed by enough people of the newest version."""
    why = ledger.may_restart(name, nonce)
    if why:
        raise Violated("restart_by_the_right_people", f"restart {name[:8]} was used, and it {why}")


def disarmed_by_the_right_people(newly_used: Iterable[str], nonce: str, ledger: Ledger, now_s: float) -> None:
    """While anything surely binds, disarming takes a permission for the nonce that was shown, used once."""
    binds = bool(ledger.latch) or ledger.standby or any(True for _ in ledger.must_bind(now_s))
    if binds and not any(ledger.may_disarm(name, nonce) for name in newly_used):
        raise Violated("disarmed_by_the_right_people", "something binds, and nobody permitted to disarm")


def charters_by_the_right_people(trusted: TrustedSet, ledger: Ledger) -> None:
    """A version is in force only with enough people of the version before it and of its own."""
    for version in range(2, trusted.newest.version + 1):
        for entry in trusted.entries:
            charter = entry.statement
            in_force = charter in trusted.charters(version)
            if in_force and entry.name not in ledger.done and not ledger.doubtful:
                raise Violated(
                    "charters_by_the_right_people", f"version {version} {entry.name[:8]} was not agreed on"
                )


def residuals_are_named(runs: Iterable[NodeRun], named: Container[str]) -> None:
    """People were told of every machine at the end of its ladder, by name."""
    for run in runs:
        if run.phase is Phase.EXHAUSTED and run.element not in named:
            raise Violated("residuals_are_named", f"{run.element} came to the end of its ladder, untold")


def proven_is_withdrawn(*, told_proven: bool, exceeding_for_s: float) -> None:
    """Once the machines have used too much for so long, people were told that it is proven no more."""
    if told_proven:
        raise Violated("proven_is_withdrawn", f"told to be proven, and otherwise for {exceeding_for_s:.0f} s")


def standby_stands(memory: Memory, ledger: Ledger) -> None:
    """After a loss of state only a restart ends the standby."""
    if ledger.standby and memory.standby is None:
        raise Violated("standby_stands", "the state was lost, and the standby is over without a restart")


def nothing_acknowledged_lost(memory: Memory, sets: Iterable[TrustedSet], ledger: Ledger) -> None:
    """After a boot everything is there that was acknowledged before it."""
    known = {each.name for one in sets for each in one.entries}
    lost = [name for name in ledger.done if name not in known]
    if lost:
        raise Violated("nothing_acknowledged_lost", f"statement {lost[0][:8]} was acknowledged, and is gone")
    if ledger.armed is not memory.armed:
        raise Violated("nothing_acknowledged_lost", f"armed: {memory.armed}, it was {ledger.armed}")
    forgotten = ledger.used - memory.used
    if forgotten and not ledger.forgot:
        raise Violated(
            "nothing_acknowledged_lost", f"restart {min(forgotten)[:8]} was used, and is usable again"
        )


def unarmed_sends_nothing(command: Command, *, armed: bool) -> None:
    """A site that is not armed sends no command."""
    if not armed:
        raise Violated("unarmed_sends_nothing", f"{command.act} to {command.key.element}")


def recorded_before_sent(command: Command, recorded: Container[EffectKey]) -> None:
    """A command's key is on disk before the command leaves."""
    if command.key not in recorded:
        raise Violated("recorded_before_sent", f"{command.act} to {command.key.element} is not on disk")


def deny_list_untouched(command: Command, hall: Hall) -> None:
    """Nothing but a declared machine is ever told anything; cooling, light and locks are none."""
    if command.key.element not in hall.machines:
        raise Violated("deny_list_untouched", f"{command.act} to {command.key.element}")


def hosts_told_nothing(command: Command, *, adversarial: bool) -> None:
    """While an adversarial limit surely binds, no host is asked to shut itself down."""
    if adversarial and command.key.stage is Stage.SOFT_OFF:
        raise Violated("hosts_told_nothing", f"soft off to {command.key.element} under an adversarial limit")


def ramp_kept(drops: Iterable[tuple[float, int]], now_s: float, most_w: int) -> None:
    """What commands took down within any minute keeps within the site's ramp.

    A single machine may be larger than the ramp; and what stays on standby counts as down.
    """
    within = [watts for at, watts in drops if at > now_s - RAMP_WINDOW_S]
    if len(within) > 1 and sum(within) > most_w + len(within) * OFF_W:
        raise Violated(
            "ramp_kept", f"{sum(within)} W of {len(within)} machines fell within a minute, {most_w} W may"
        )


def down_or_alarmed(*, exceeding_for_s: float, may_s: float, alarmed: bool) -> None:
    """Past its deadline a site is within its caps, or people were told."""
    if not alarmed:
        raise Violated(
            "down_or_alarmed",
            f"above its caps for {exceeding_for_s:.0f} s, {may_s:.0f} s may be, and no alarm",
        )


def proven_is_true(word: VerdictWord, *, exceeding_for_s: float, window_s: float) -> None:
    """Nothing is called proven while it was otherwise for longer than the readings are old."""
    if word is VerdictWord.PROVEN and exceeding_for_s > window_s:
        raise Violated("proven_is_true", f"proven, and above the caps for {exceeding_for_s:.0f} s")


def proven_or_alarmed(word: VerdictWord | None, *, alarmed: bool) -> None:
    """With every fault healed, the last stop is proven, or people were told."""
    if word is not VerdictWord.PROVEN and not alarmed:
        raise Violated("proven_or_alarmed", f"all is healed, the verdict is {word}, and there is no alarm")


def sites_agree(caps: Mapping[str, Caps]) -> None:
    """Sites that know the same statements and stand at the same time have the same ceiling."""
    first, *others = caps.items()
    for site, each in others:
        if each.entries != first[1].entries:
            raise Violated(
                "sites_agree", f"{first[0]} says {_words(first[1])}, {site} says {_words(each)}, of one set"
            )


def exceeds(caps: Caps, hall: Hall) -> bool:
    """Tell whether the machines really use more than the caps allow."""
    for key, value in caps.entries.items():
        if key.part not in hall.watts:
            continue
        if key.unit is Unit.COMPUTE:
            if hall.compute_on[key.part] > value * hall.total_compute[key.part] // FULL_PPM:
                return True
        elif hall.watts[key.part] > value:
            return True
    return False


def _words(caps: Caps) -> str:
    return ", ".join(f"{key.part} {key.unit} {value}" for key, value in caps) or "no cap"
