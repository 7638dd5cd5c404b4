from __future__ import annotations

from grandpause.core.model import CapKey, Caps, NodeState, Outcome, Profile, Stage, Unit, VerdictWord
from grandpause.core.plan import Order
from grandpause.core.ramp import RampRule
from grandpause.core.stop import Timing
from grandpause.sim.fault_words import apply_faults
from grandpause.sim.plant import Plant
from grandpause.sim.virtual import VirtualHall

BRISK = Timing(
    rung_s={Stage.SOFT_OFF: 20.0, Stage.FORCE_OFF: 10.0, Stage.OUTLET_OFF: 10.0}, poll_s=1.0, settle_s=5.0
)


def order(ppm: int, *, category: int = 1) -> Order:
    return Order(
        caps=Caps({CapKey("site", Unit.COMPUTE): ppm}),
        statements=("ab" * 32,),
        profile=Profile.COOPERATIVE,
        category=category,
        complete_by=None,
        ramp_override=False,
    )


def test_a_hall_with_hung_and_lying_bmcs_is_proven_once_their_outlets_are_cut() -> None:
    plant = Plant.hall(nodes=64)
    apply_faults(plant, ["hang=4", "lie=3", "401=1"], seed=3)
    hall = VirtualHall(plant, timing=BRISK)

    proof = hall.bring_down(order(50_000), within_s=300)

    assert proof.word is VerdictWord.PROVEN
    assert len(list(plant.nodes_on(hall.now_s))) == 3
    assert {each.outcome for each in hall.reports()} == {Outcome.CONFIRMED_BY_METER}


def test_without_outlets_the_same_hall_is_not_proven_and_each_bad_node_is_named() -> None:
    plant = Plant.hall(nodes=64)
    struck = apply_faults(plant, ["hang=4", "lie=3", "lie-openly=2", "401=1"], seed=3)
    hall = VirtualHall(plant, timing=BRISK, without_outlets=frozenset(plant.nodes))

    proof = hall.bring_down(order(0), within_s=300)

    assert proof.word is VerdictWord.NOT_PROVEN
    bad = {each.id: each.outcome for each in hall.reports() if each.state is not NodeState.OFF_METERED}
    expected = {
        "hang": Outcome.UNREACHABLE,
        "lie": Outcome.CONTRADICTED,
        "lie-openly": Outcome.CONTRADICTED,
        "401": Outcome.REFUSED,
    }
    assert bad == {node: expected[fault] for node, fault in struck.items()}


def test_a_stuck_feed_meter_leaves_a_finished_stop_unproven() -> None:
    plant = Plant.hall(nodes=32)
    plant.advance(1.0)
    apply_faults(plant, ["meter2=stuck"], seed=1)
    hall = VirtualHall(plant, timing=BRISK)

    proof = hall.bring_down(order(0), within_s=200)

    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("stuck" in each or "disagree" in each for each in proof.reasons)
    assert list(plant.nodes_on(hall.now_s)) == []


def test_the_ramp_spreads_a_stop_over_the_minutes_that_it_needs() -> None:
    plant = Plant.hall(nodes=128)
    for node in list(plant.nodes.values())[::5]:
        node.bmc.slow(2.0)
    ramp = RampRule(watts_per_minute=600_000, watts_per_step=120_000)
    hall = VirtualHall(plant, timing=BRISK, ramp=ramp)

    proof = hall.bring_down(order(0, category=0), within_s=1_200)

    assert proof.word is VerdictWord.PROVEN
    assert hall.plan is not None
    assert hall.plan.last_slot_s > 60


def test_ten_thousand_nodes_with_a_fifth_hung_and_some_lying_are_off_within_ten_minutes() -> None:
    """R14: at least 99 % off within 10 min, every residual named with its cause."""
    plant = Plant.hall(nodes=10_000)
    apply_faults(plant, ["hang=2000", "lie=500"], seed=11)
    without = frozenset(sorted(plant.nodes)[::400])
    hall = VirtualHall(plant, without_outlets=without, meters_s=30.0, window_s=120)

    hall.bring_down(order(0), within_s=600)

    on = set(plant.nodes_on(hall.now_s))
    assert len(on) <= 100
    assert on <= without
    named = {each.element for each in hall.alarms if each.code == "residual"}
    assert on <= named


def test_a_run_repeats_exactly() -> None:
    def run() -> tuple[int, float, int]:
        plant = Plant.hall(nodes=48, seed=5)
        apply_faults(plant, ["hang=3", "lie=2"], seed=5)
        hall = VirtualHall(plant, timing=BRISK)
        hall.bring_down(order(100_000), within_s=300)
        return hall.events, hall.now_s, len(hall.alarms)

    assert run() == run()
