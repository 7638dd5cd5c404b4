"""The controller without its IO: when a stop begins and ends, what it proves, and when people must hear."""

from __future__ import annotations

import pytest

from grandpause.core.model import Caps, Power, Stage, VerdictWord
from grandpause.core.proving import LEAST_SAMPLES, Snapshot
from grandpause.core.ramp import RampRule
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.stop import Phase
from grandpause.sim.world.people import CURTAIL
from grandpause.site.controller import FRESH_CLAIM_S, Controller
from grandpause.site.observation import Observation
from sim.world.bench import LADDER_S, METERS_S, TIMING, WINDOW_S, Bench, started
from sim.world.small import HOUR_S, SITE


@pytest.fixture
def bench() -> Bench:
    """A controller that is armed and out of its first standby."""
    return started()


@pytest.fixture
def holding(bench: Bench) -> Bench:
    """A site that is proven to be off."""
    bench.limited()
    bench.passes(200.0)
    assert bench.verdicts == ["proven"]
    bench.forgets()
    return bench


def on(bench: Bench) -> set[str]:
    return {each.id for each in bench.hall.machines.values() if each.on}


# A stop begins and ends.


def test_an_unarmed_site_plans_and_does_nothing() -> None:
    bench = Bench()
    bench.limited(ceiling=250_000)
    bench.passes(100.0)
    assert bench.controller.plan is not None
    assert len(bench.controller.plan.cut) == 3
    assert bench.controller.stop.plan is None
    assert bench.commanded == set()
    assert bench.controller.wake_s is None
    assert set(bench.phases) == {"Ended"}


def test_a_stop_begins_once_and_ends_with_what_bound(bench: Bench) -> None:
    bench.limited(power=CURTAIL, lasts_s=HOUR_S)
    assert bench.phases == ["Started"]
    bench.limited(power=CURTAIL, lasts_s=HOUR_S, ceiling=1)
    bench.passes(HOUR_S + 60.0)
    assert bench.phases == ["Started", "Ended"]
    assert on(bench) == set(), "nothing is started by the controller"
    assert bench.controller.stop.plan is None
    assert bench.controller.wake_s is None
    bench.limited(power=CURTAIL)
    assert bench.phases == ["Started", "Ended", "Started"]


def test_a_limit_that_latches_ends_no_stop_when_it_is_over(bench: Bench) -> None:
    bench.limited(lasts_s=HOUR_S)
    bench.passes(HOUR_S + 60.0)
    assert bench.phases == ["Started"]
    assert bench.controller.decision.in_force == ()
    assert bench.controller.decision.binds


def test_what_is_not_sent_yet_is_dropped_when_a_stop_ends() -> None:
    bench = started(ramp=RampRule(watts_per_minute=10_000))
    limit = bench.people.limit(CURTAIL, start=bench.unix, lasts_s=HOUR_S)
    posted = bench.receives(limit)
    assert len(bench.commanded) == 1
    bench.receives(bench.people.lift([posted.name], now=bench.unix))
    assert bench.phases == ["Started", "Ended"]
    bench.passes(600.0)
    assert len(bench.commanded) == 1


def test_disarming_by_the_people_ends_the_stop_and_clears_nothing(holding: Bench) -> None:
    permission = holding.people.restart(
        SITE, holding.keeper.memory.nonce, Caps(), now=holding.unix, purpose=RestartPurpose.DISARM
    )
    holding.receives(permission)
    holding.perform(holding.controller.disarm())
    assert holding.phases == ["Ended"]
    assert holding.keeper.memory.latch
    holding.hall.turn(holding.hall.machines["n001"], on=True)
    holding.passes(300.0)
    assert holding.commanded == set()
    holding.perform(holding.controller.arm())
    holding.passes(100.0)
    assert on(holding) == set()


def test_to_look_again_changes_nothing(holding: Bench) -> None:
    plan = holding.controller.plan
    for _ in range(3):
        assert holding.controller.obey() == []
    assert holding.controller.plan is plan


def test_events_between_stops_are_of_no_interest(bench: Bench) -> None:
    bench.hears("n001", Power.OFF)
    bench.hears("of-another-site", Power.ON)
    assert bench.told == []
    assert bench.controller.judge() == []
    assert bench.controller.reports() == []


def test_a_node_that_was_just_seen_off_is_told_nothing(bench: Bench) -> None:
    for machine in ("n001", "n002"):
        bench.hall.turn(bench.hall.machines[machine], on=False)
    bench.hears("n001", Power.OFF)
    bench.now_s += FRESH_CLAIM_S + 0.1
    bench.hears("n002", Power.OFF)
    bench.limited()
    assert "n001" in bench.commanded, "an old claim saves nothing"
    assert "n002" not in bench.commanded


def test_what_is_off_in_a_standby_may_not_come_on_any_more() -> None:
    bench = Bench()
    bench.perform(bench.controller.arm())
    bench.now_s += 10.0
    bench.hears("n001", Power.OFF)
    bench.hears("n002", Power.ON)
    bench.controller.seen_since(10.0)
    standby = bench.keeper.memory.standby
    assert standby == frozenset({"n002", "n003", "n004"})
    bench.hall.turn(bench.hall.machines["n001"], on=True)
    bench.passes(100.0)
    assert bench.commanded == {"n001"}


# What it proves.


def test_a_verdict_is_given_once_it_is_proven(holding: Bench) -> None:
    holding.passes(1_000.0)
    assert holding.verdicts == []
    assert holding.codes == []
    assert holding.controller.stop.stage is Stage.HOLD
    assert {str(each.state) for each in holding.controller.reports()} == {"off_metered"}
    assert set(holding.controller.watts_before()) == {"row", "feed"}


def test_what_cannot_be_proven_is_said_once_nothing_new_can_come(bench: Bench) -> None:
    bench.deaf = {"n003"}
    bench.limited()
    bench.passes(LADDER_S + 10.0)
    assert bench.verdicts == []
    bench.passes(WINDOW_S + TIMING.settle_s + 2 * METERS_S)
    assert bench.verdicts == ["not proven"]
    bench.deaf = set()
    bench.passes(300.0)
    assert bench.verdicts == ["not proven", "proven"], "a later proof replaces it"


def test_a_single_reading_that_proves_nothing_breaks_no_hold(holding: Bench) -> None:
    [box, *_] = holding.hall.boxes
    box.fault, box.blind = "nan", ("1",)
    holding.rounds()
    assert holding.codes == []


def test_a_hold_that_two_rounds_do_not_prove_is_an_alarm_once_and_proven_anew(holding: Bench) -> None:
    [box, *_] = holding.hall.boxes
    box.fault = "zero"
    holding.passes(10 * METERS_S)
    assert holding.codes.count("hold-broken") == 1
    assert holding.verdicts == ["not proven"]
    box.fault = ""
    holding.passes(WINDOW_S + 2 * METERS_S)
    assert holding.verdicts == ["not proven", "proven"]


def test_a_hold_whose_meters_fall_silent_is_an_alarm(holding: Bench) -> None:
    """A stale proof is no proof: nobody would hear of what comes on."""
    holding.blind = True
    holding.passes(WINDOW_S + 5 * METERS_S)
    assert holding.controller.proof is not None
    assert holding.controller.proof.word is VerdictWord.STALE
    assert holding.codes == ["hold-broken"]
    [alarm] = holding.alarms
    assert "0 of 2 independent meter paths have usable readings" in alarm.text


# When people must hear that it is not proven.


def deadline_in(controller: Controller, bench: Bench) -> float:
    assert controller.stop.deadline_s is not None
    return controller.stop.deadline_s - bench.clock.monotonic_s()


PATIENCE_S = LADDER_S + TIMING.settle_s + WINDOW_S


def test_a_limits_complete_by_is_the_deadline(bench: Bench) -> None:
    bench.deaf = {"n001"}
    bench.limited(complete_by=bench.unix + 400)
    assert deadline_in(bench.controller, bench) == pytest.approx(400.0)
    bench.passes(390.0)
    assert "deadline" not in bench.codes
    bench.passes(20.0)
    assert bench.codes.count("deadline") == 1


def test_without_a_complete_by_to_come_it_is_when_every_node_had_its_whole_ladder(bench: Bench) -> None:
    bench.deaf = {"n001"}
    bench.limited(complete_by=bench.unix)
    assert deadline_in(bench.controller, bench) == pytest.approx(PATIENCE_S)
    bench.passes(PATIENCE_S + 1)
    assert bench.codes.count("deadline") == 1


def test_a_latch_alone_has_a_deadline_too(bench: Bench) -> None:
    """After a boot with machines on and no limit in force, nobody else would be told."""
    bench.limited(lasts_s=HOUR_S)
    bench.passes(2.0 * HOUR_S)
    for machine in bench.hall.machines.values():
        bench.hall.turn(machine, on=True)
    bench.deaf = {"n001"}
    bench.forgets()
    bench.boots()
    assert bench.controller.decision.in_force == ()
    assert bench.phases == ["Started"]
    assert deadline_in(bench.controller, bench) == pytest.approx(PATIENCE_S)
    bench.passes(PATIENCE_S + METERS_S)
    assert bench.codes.count("deadline") == 1


def test_new_plans_on_the_way_never_put_the_deadline_off(bench: Bench) -> None:
    bench.deaf = {"n001"}
    bench.limited(ceiling=0)
    for ceiling in range(1, 18):
        bench.passes(10.0)
        bench.limited(ceiling=ceiling, power=CURTAIL)
    assert "deadline" in bench.codes or deadline_in(bench.controller, bench) <= PATIENCE_S - 170 + 1
    bench.passes(METERS_S)
    assert bench.codes.count("deadline") == 1


def test_a_sooner_complete_by_brings_the_deadline_near(bench: Bench) -> None:
    bench.limited(complete_by=bench.unix + 3_000)
    bench.limited(power=CURTAIL, complete_by=bench.unix + 30)
    assert deadline_in(bench.controller, bench) == pytest.approx(30.0)


def test_a_new_limit_after_the_proof_has_a_deadline_of_its_own(holding: Bench) -> None:
    holding.limited(power=CURTAIL, ceiling=1)
    assert deadline_in(holding.controller, holding) == pytest.approx(PATIENCE_S - LADDER_S, abs=LADDER_S)
    holding.passes(1_000.0)
    assert "deadline" not in holding.codes


def test_under_a_ramp_the_deadline_waits_for_every_charge() -> None:
    bench = started(elements=8, ramp=RampRule(watts_per_minute=20_400))
    bench.limited()
    plan = bench.controller.plan
    assert plan is not None
    slowest_s = plan.last_slot_s * (1.0 + LADDER_S / 60.0)
    assert deadline_in(bench.controller, bench) == pytest.approx(slowest_s + PATIENCE_S)
    bench.passes(slowest_s + PATIENCE_S)
    assert on(bench) == set()
    assert "deadline" not in bench.codes


def test_what_the_ramp_has_charged_outlives_the_stop() -> None:
    bench = started(ramp=RampRule(watts_per_minute=10_300))
    posted = bench.limited(power=CURTAIL)
    assert len(bench.commanded) == 1
    book = bench.controller.stop.book
    bench.receives(bench.people.lift([posted.name], now=bench.unix))
    assert bench.phases == ["Started", "Ended"]
    assert bench.controller.stop.book is book
    bench.forgets()
    bench.limited(power=CURTAIL)
    assert bench.commanded == set(), "the minute is full of what fell before"
    bench.passes(600.0)
    assert on(bench) == set()
    waiting = [each for each in bench.controller.stop.runs.values() if each.phase is Phase.WAITING]
    assert waiting == []


def test_what_the_process_before_may_have_told_counts_for_the_ramp() -> None:
    bench = started(elements=8, ramp=RampRule(watts_per_minute=20_400))
    bench.limited()
    before = bench.commanded
    assert len(before) == 2
    bench.forgets()
    bench.boots()
    bench.passes(METERS_S)
    assert bench.commanded == set(), "its two nodes may fall at any moment"
    bench.passes(3_000.0)
    assert on(bench) == set()


# The clock.


def test_a_clock_that_steps_is_an_alarm_once_and_again_when_it_steps_again(bench: Bench) -> None:
    bench.clock.off_s = 3_600.0
    bench.passes(100.0)
    assert bench.codes == ["clock-stepped"]
    bench.clock.off_s = 0.0
    bench.passes(100.0)
    bench.clock.off_s = -3_600.0
    bench.passes(100.0)
    assert bench.codes == ["clock-stepped", "clock-stepped"]


def test_a_clock_that_steps_while_something_holds_changes_nothing_but_tells(holding: Bench) -> None:
    plan = holding.controller.plan
    holding.clock.off_s = 30.0 * 86_400
    holding.perform(holding.controller.obey())
    assert holding.codes == ["clock-stepped"]
    assert holding.controller.plan is plan
    assert len(holding.controller.decision.in_force) == 1


# Readings.


def reading(at_s: int, watts: int = 5) -> Snapshot:
    return Snapshot(meter="m", at_s=at_s, watts={"1": watts}, signed_by="")


def dates(seen: Observation) -> list[int]:
    return [each.at_s for each in seen.history["m"]]


def test_readings_are_forgotten_when_the_window_has_left_them_behind_but_for_the_last_few() -> None:
    seen = Observation()
    for at_s in range(0, 300, 10):
        seen.add(reading(at_s), window_s=60)
    assert dates(seen) == list(range(230, 300, 10))
    seen.add(reading(10_000), window_s=60)
    assert len(dates(seen)) == LEAST_SAMPLES


def test_of_two_readings_of_one_second_the_later_counts() -> None:
    seen = Observation()
    seen.add(reading(10, watts=1), window_s=60)
    seen.add(reading(10, watts=2), window_s=60)
    assert [each.watts for each in seen.history["m"]] == [{"1": 2}]


def test_a_reading_from_the_future_does_not_stay_for_ever() -> None:
    seen = Observation()
    seen.add(reading(10**9), window_s=60)
    for at_s in range(0, 5_000, 10):
        seen.add(reading(at_s), window_s=60)
    assert dates(seen)[-1] == 4_990
    assert len(dates(seen)) < 20
    assert 10**9 not in dates(seen)
