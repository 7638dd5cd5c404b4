"""Every invariant: a case in which it holds, and one in which it finds what must never be."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grandpause.core.memory import Memory
from grandpause.core.model import FULL_PPM, Act, CapKey, Caps, Interval, Stage, Unit, VerdictWord
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.stop import Command, EffectKey, NodeRun, Phase
from grandpause.core.trust import TrustedSet
from grandpause.sim.world import invariants
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.hall import OFF_W
from grandpause.sim.world.invariants import RAMP_WINDOW_S, Violated
from grandpause.sim.world.people import CURTAIL
from sim.world.small import HOUR_S, NONCE, SITE, Desk, hall

COMPUTE = CapKey("site", Unit.COMPUTE)
WATTS = CapKey("site", Unit.IT_WATTS)
QUARTER, HALF = Caps({COMPUTE: 250_000}), Caps({COMPUTE: 500_000})
MEMORY = Memory(nonce=NONCE, armed=True)
FORCE = Command(EffectKey("ab" * 32, "n001", Stage.FORCE_OFF, 1), Act.FORCE_OFF, 5.0)
SOFT = Command(EffectKey("ab" * 32, "n001", Stage.SOFT_OFF, 1), Act.SOFT_OFF, 5.0)
SOURCES = Path(invariants.__file__).parent


@pytest.fixture
def desk() -> Desk:
    """A site that acknowledged a limit to a quarter."""
    made = Desk()
    made.limited(ceiling=250_000)
    return made


def finds(check: Callable[[], object], *words: str) -> None:
    """Expect a violation, named after the function that found it, that says these words."""
    with pytest.raises(Violated) as found:
        check()
    named = {name for name, _ in inspect.getmembers(invariants, inspect.isfunction)}
    assert found.value.invariant in named
    assert str(found.value).startswith(f"{found.value.invariant}: ")
    for each in words:
        assert each in found.value.text


def checks() -> set[str]:
    """Return the names of the functions that can find something."""
    tree = ast.parse(Path(invariants.__file__).read_text(encoding="utf-8"))
    return {
        each.name
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and any(isinstance(one, ast.Raise) for one in ast.walk(each))
    }


def test_each_check_gives_its_own_name_to_what_it_finds() -> None:
    tree = ast.parse(Path(invariants.__file__).read_text(encoding="utf-8"))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in checks():
            named = {
                each.args[0].value
                for each in ast.walk(function)
                if isinstance(each, ast.Call)
                and isinstance(each.func, ast.Name)
                and each.func.id == "Violated"
                and isinstance(each.args[0], ast.Constant)
            }
            assert named == {function.name}


def test_each_check_is_made_somewhere_in_the_world_and_has_a_case_here() -> None:
    world = "".join(each.read_text(encoding="utf-8") for each in SOURCES.glob("*.py"))
    here = Path(__file__).read_text(encoding="utf-8")
    assert len(checks()) >= 15
    for name in checks():
        assert f"invariants.{name}(" in world, name
        assert f"finds(lambda: invariants.{name}(" in here.replace("\n        ", "").replace(
            "\n            ", ""
        ), name


def test_no_ceiling_raised(desk: Desk) -> None:
    ledger = desk.ledger
    invariants.no_ceiling_raised(QUARTER, ledger, 10.0, clock_honest=True)
    invariants.no_ceiling_raised(Caps({COMPUTE: 0}), ledger, 10.0, clock_honest=True)
    invariants.no_ceiling_raised(Caps(), ledger, 2.0 * HOUR_S, clock_honest=True)
    invariants.no_ceiling_raised(HALF, ledger, 10.0, clock_honest=False)
    finds(lambda: invariants.no_ceiling_raised(HALF, ledger, 10.0, clock_honest=True), "500000", "250000")
    finds(lambda: invariants.no_ceiling_raised(Caps(), ledger, 10.0, clock_honest=True), "no cap")
    other = Caps({CapKey("hall:h1", Unit.COMPUTE): 0})
    finds(lambda: invariants.no_ceiling_raised(other, ledger, 10.0, clock_honest=True))


def test_no_ceiling_raised_above_the_latch_whatever_the_clock(desk: Desk) -> None:
    desk.ledger.latch = {COMPUTE: 100_000}
    late_s = 2.0 * HOUR_S
    invariants.no_ceiling_raised(Caps({COMPUTE: 100_000}), desk.ledger, late_s, clock_honest=False)
    finds(lambda: invariants.no_ceiling_raised(QUARTER, desk.ledger, late_s, clock_honest=False), "latch")


def test_latch_never_lost(desk: Desk) -> None:
    desk.ledger.latch = {COMPUTE: 250_000}
    for latch in (QUARTER, Caps({COMPUTE: 1}), Caps({COMPUTE: 250_000, WATTS: 5})):
        invariants.latch_never_lost(replace(MEMORY, latch=latch), desk.ledger)
    finds(lambda: invariants.latch_never_lost(MEMORY, desk.ledger), "no cap remembered")
    finds(lambda: invariants.latch_never_lost(replace(MEMORY, latch=HALF), desk.ledger), "500000")


def test_nothing_without_a_quorum(desk: Desk) -> None:
    invariants.nothing_without_a_quorum(QUARTER, desk.ledger, 10.0)
    invariants.nothing_without_a_quorum(Caps(), desk.ledger, 10.0)
    desk.hears(desk.people.limit(CURTAIL, start=EPOCH_S, lasts_s=HOUR_S, ceiling=7), "ada")
    for caps in (Caps({COMPUTE: 7}), Caps({COMPUTE: 249_999}), Caps({WATTS: 250_000})):
        finds(lambda: invariants.nothing_without_a_quorum(caps, desk.ledger, 10.0), "nobody said so")  # noqa: B023
    finds(lambda: invariants.nothing_without_a_quorum(QUARTER, desk.ledger, 9.0 * HOUR_S))
    desk.ledger.latchable = {COMPUTE: frozenset({250_000})}
    invariants.nothing_without_a_quorum(QUARTER, desk.ledger, 9.0 * HOUR_S)


def test_restart_by_the_right_people(desk: Desk) -> None:
    restart = desk.people.restart(SITE, NONCE, Caps(), now=EPOCH_S, purpose=RestartPurpose.RAISE)
    name = desk.hears(restart, "ada").name
    finds(lambda: invariants.restart_by_the_right_people(name, NONCE, desk.ledger), "['ada'] only")
    desk.hears(restart, "bo")
    invariants.restart_by_the_right_people(name, NONCE, desk.ledger)
    finds(lambda: invariants.restart_by_the_right_people(name, "00" * 16, desk.ledger), "nonce")
    finds(lambda: invariants.restart_by_the_right_people("cd" * 32, NONCE, desk.ledger), "[] only")


def permission_of(desk: Desk, *signers: str) -> str:
    permission = desk.people.restart(SITE, NONCE, Caps(), now=EPOCH_S, purpose=RestartPurpose.DISARM)
    return desk.hears(permission, *signers).name


def test_disarmed_by_the_right_people(desk: Desk) -> None:
    desk.ledger.standby = False
    invariants.disarmed_by_the_right_people((), NONCE, desk.ledger, 9.0 * HOUR_S)
    finds(lambda: invariants.disarmed_by_the_right_people((), NONCE, desk.ledger, 10.0), "nobody permitted")
    name = permission_of(desk, "ada")
    finds(lambda: invariants.disarmed_by_the_right_people([name], NONCE, desk.ledger, 10.0))
    permission_of(desk, "bo")
    invariants.disarmed_by_the_right_people([name], NONCE, desk.ledger, 10.0)
    finds(lambda: invariants.disarmed_by_the_right_people([name], "00" * 16, desk.ledger, 10.0))
    desk.ledger.used.add(name)
    finds(lambda: invariants.disarmed_by_the_right_people([name], NONCE, desk.ledger, 10.0))


@pytest.mark.parametrize("binds", ["latch", "standby"])
def test_disarmed_by_the_right_people_while_only_memory_binds(binds: str) -> None:
    desk = Desk()
    desk.ledger.standby = binds == "standby"
    desk.ledger.latch = {COMPUTE: 0} if binds == "latch" else {}
    finds(lambda: invariants.disarmed_by_the_right_people((), NONCE, desk.ledger, 10.0))


def test_charters_by_the_right_people(desk: Desk) -> None:
    invariants.charters_by_the_right_people(admitted(desk), desk.ledger)
    posted = desk.succeeded(at_s=10.0)
    held = admitted(desk)
    assert held.newest.version == 2
    invariants.charters_by_the_right_people(held, desk.ledger)
    del desk.ledger.done[posted.name]
    finds(lambda: invariants.charters_by_the_right_people(held, desk.ledger), "version 2", posted.name[:8])
    desk.ledger.doubtful = True
    invariants.charters_by_the_right_people(held, desk.ledger)


def test_residuals_are_named() -> None:
    runs = [NodeRun("n001", (), phase=Phase.OFF), NodeRun("n002", (), phase=Phase.EXHAUSTED)]
    invariants.residuals_are_named(runs, {"n002"})
    invariants.residuals_are_named(runs[:1], ())
    finds(lambda: invariants.residuals_are_named(runs, {"n001"}), "n002")


def test_proven_is_withdrawn() -> None:
    invariants.proven_is_withdrawn(told_proven=False, exceeding_for_s=9_000.0)
    finds(lambda: invariants.proven_is_withdrawn(told_proven=True, exceeding_for_s=540.0), "for 540 s")


def test_standby_stands(desk: Desk) -> None:
    invariants.standby_stands(replace(MEMORY, standby=frozenset()), desk.ledger)
    finds(lambda: invariants.standby_stands(MEMORY, desk.ledger), "without a restart")
    desk.ledger.standby = False
    invariants.standby_stands(MEMORY, desk.ledger)


def admitted(desk: Desk) -> TrustedSet:
    """Return a set that holds what the desk heard."""
    trusted = TrustedSet(desk.people.charter_id, check=lambda *_: True)
    now = Interval(earliest=EPOCH_S, latest=EPOCH_S)
    [(_, files), _] = desk.people.files()
    for data in [*files, *(data for each in desk.ledger.posted.values() for data, _ in each.pieces)]:
        trusted.admit(data, now=now)
    return trusted


def test_nothing_acknowledged_lost(desk: Desk) -> None:
    desk.ledger.armed = True
    held = admitted(desk)
    invariants.nothing_acknowledged_lost(MEMORY, [held], desk.ledger)
    empty = TrustedSet(desk.people.charter_id)
    finds(lambda: invariants.nothing_acknowledged_lost(MEMORY, [empty], desk.ledger), "is gone")
    unarmed = replace(MEMORY, armed=False)
    finds(lambda: invariants.nothing_acknowledged_lost(unarmed, [held], desk.ledger), "armed: False")
    desk.ledger.armed = False
    finds(lambda: invariants.nothing_acknowledged_lost(MEMORY, [held], desk.ledger), "armed: True")


def test_a_used_restart_is_usable_again_only_where_the_state_was_lost(desk: Desk) -> None:
    desk.ledger.armed = True
    desk.ledger.used = {"cd" * 32}
    held = [admitted(desk)]
    invariants.nothing_acknowledged_lost(replace(MEMORY, used=frozenset({"cd" * 32})), held, desk.ledger)
    finds(lambda: invariants.nothing_acknowledged_lost(MEMORY, held, desk.ledger), "usable again")
    desk.ledger.forgot = 1
    invariants.nothing_acknowledged_lost(MEMORY, held, desk.ledger)


def test_unarmed_sends_nothing() -> None:
    invariants.unarmed_sends_nothing(FORCE, armed=True)
    finds(lambda: invariants.unarmed_sends_nothing(FORCE, armed=False), "force_off to n001")


def test_recorded_before_sent() -> None:
    invariants.recorded_before_sent(FORCE, {FORCE.key})
    again = FORCE._replace(key=FORCE.key._replace(attempt=2))
    finds(lambda: invariants.recorded_before_sent(again, {FORCE.key}), "n001 is not on disk")
    finds(lambda: invariants.recorded_before_sent(FORCE, set()))


def test_deny_list_untouched() -> None:
    made = hall()
    invariants.deny_list_untouched(FORCE, made)
    pump = FORCE._replace(key=FORCE.key._replace(element="pump-1"))
    finds(lambda: invariants.deny_list_untouched(pump, made), "pump-1")


def test_hosts_told_nothing() -> None:
    invariants.hosts_told_nothing(SOFT, adversarial=False)
    invariants.hosts_told_nothing(FORCE, adversarial=True)
    finds(lambda: invariants.hosts_told_nothing(SOFT, adversarial=True), "soft off to n001")


def test_ramp_kept() -> None:
    now = 1_000.0
    invariants.ramp_kept([(now, 60_000)], now, 50_000)  # a single machine may be larger than the ramp
    invariants.ramp_kept([(now - RAMP_WINDOW_S, 50_000), (now, 50_000)], now, 50_000)
    invariants.ramp_kept([(now - 59, 25_000 + OFF_W), (now, 25_000 + OFF_W)], now, 50_000)
    over = [(now - 59, 25_000 + OFF_W), (now, 25_001 + OFF_W)]
    finds(lambda: invariants.ramp_kept(over, now, 50_000), "2 machines", "50000 W may")
    many = [(now - each, 10_200) for each in range(12)]
    finds(lambda: invariants.ramp_kept(many, now, 60_000))


def test_down_or_alarmed() -> None:
    invariants.down_or_alarmed(exceeding_for_s=900.0, may_s=600.0, alarmed=True)
    finds(
        lambda: invariants.down_or_alarmed(exceeding_for_s=900.0, may_s=600.0, alarmed=False),
        "for 900 s",
        "no alarm",
    )


def test_proven_is_true() -> None:
    invariants.proven_is_true(VerdictWord.PROVEN, exceeding_for_s=360.0, window_s=360.0)
    for word in (VerdictWord.NOT_PROVEN, VerdictWord.STALE):
        invariants.proven_is_true(word, exceeding_for_s=9_000.0, window_s=360.0)
    finds(
        lambda: invariants.proven_is_true(VerdictWord.PROVEN, exceeding_for_s=361.0, window_s=360.0),
        "above the caps for 361 s",
    )


def test_proven_or_alarmed() -> None:
    invariants.proven_or_alarmed(VerdictWord.PROVEN, alarmed=False)
    invariants.proven_or_alarmed(VerdictWord.NOT_PROVEN, alarmed=True)
    for word in (None, VerdictWord.NOT_PROVEN, VerdictWord.STALE):
        finds(lambda: invariants.proven_or_alarmed(word, alarmed=False), str(word))  # noqa: B023


def test_sites_agree() -> None:
    invariants.sites_agree({"site-1": QUARTER, "site-2": Caps({COMPUTE: 250_000}), "site-3": QUARTER})
    apart = {"site-1": QUARTER, "site-2": QUARTER, "site-3": HALF}
    finds(lambda: invariants.sites_agree(apart), "site-1", "site-3", "500000")
    finds(lambda: invariants.sites_agree({"site-1": QUARTER, "site-2": Caps()}), "no cap")


@pytest.mark.parametrize(
    ("part", "unit", "value", "over"),
    [
        ("site", Unit.COMPUTE, FULL_PPM, False),
        ("site", Unit.COMPUTE, 750_000, False),
        ("site", Unit.COMPUTE, 749_999, True),
        ("hall:h1", Unit.COMPUTE, 500_000, False),
        ("hall:h1", Unit.COMPUTE, 499_999, True),
        ("hall:h2", Unit.COMPUTE, 999_999, True),
        ("hall:none", Unit.COMPUTE, 0, False),
    ],
)
def test_what_really_runs_is_held_against_a_share_of_the_part(
    part: str, unit: Unit, value: int, *, over: bool
) -> None:
    made = hall(elements=8)
    for name in ("n001", "n002"):
        made.turn(made.machines[name], on=False)
    assert invariants.exceeds(Caps({CapKey(part, unit): value}), made) is over


def test_what_is_really_drawn_is_held_against_watts() -> None:
    made = hall(elements=8)
    for part in ("site", "hall:h2"):
        drawn = made.watts[part]
        assert not invariants.exceeds(Caps({CapKey(part, Unit.IT_WATTS): drawn}), made)
        assert invariants.exceeds(Caps({CapKey(part, Unit.IT_WATTS): drawn - 1}), made)
    assert not invariants.exceeds(Caps(), made)
