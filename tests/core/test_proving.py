"""Readings to a verdict: each fault of a meter proves nothing."""

from __future__ import annotations

import pytest

from core.hall import BUSY, COMPUTE, IDLE, IT_WATTS, KEPT, NODES, OFF, QUARTER, Hall, faulty
from core.makers import T0
from core.tables import hall_of, meter
from grandpause.core.model import CapKey, Caps, Power, Unit, VerdictWord
from grandpause.core.proving import LEAST_SAMPLES, NEAR_ZERO_W, Prover, Question, Snapshot


def test_two_paths_that_agree_and_show_the_ceiling_kept_prove_it() -> None:
    proof = Hall().prove()
    assert (proof.word, proof.reasons) == (VerdictWord.PROVEN, ())
    assert proof.proven_by == "operator's meters"
    expected = 2 * BUSY + 6 * OFF
    assert proof.path_watts == {"pdu": expected, "feed": expected}
    assert {name for name, power in proof.elements.items() if power is Power.ON} == KEPT
    assert {name for name, power in proof.elements.items() if power is Power.OFF} == set(NODES) - KEPT


def test_a_node_that_runs_and_must_not_is_named() -> None:
    hall = Hall()
    hall.watts["n5"] = IDLE
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("n5" in each for each in proof.reasons)
    assert any("24 TFLOP/s of site may be running, 16 are allowed" in each for each in proof.reasons)


def test_a_node_between_off_and_idle_is_not_off() -> None:
    hall = Hall()
    hall.watts["n5"] = 50 + NEAR_ZERO_W + 10 + 1
    assert hall.prove().elements["n5"] is Power.UNKNOWN
    assert hall.prove().word is VerdictWord.NOT_PROVEN
    hall.watts["n5"] -= 1
    assert hall.prove().elements["n5"] is Power.OFF


def test_fewer_nodes_on_than_allowed_is_good() -> None:
    hall = Hall()
    hall.watts["n1"] = OFF
    assert hall.prove().word is VerdictWord.PROVEN


@pytest.mark.parametrize("meter_id", ["pdu-1", "feed-1"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "has no reading"),
        ("zero", "reads 0 W everywhere"),
        ("no value", "has no value on channel"),
        ("no channel", "has no value on channel"),
        ("stale", "is stale: 61 s old"),
        ("future", "is dated in the future"),
        ("too few", "has fewer than 3 readings in 60 s"),
        ("one moment", "has fewer than 3 readings in 60 s"),
        ("too high", "paths disagree"),
    ],
)
def test_a_meter_at_fault_proves_nothing_and_is_named(meter_id: str, fault: str, reason: str) -> None:
    hall = Hall()
    proof = hall.prove(history=faulty(hall.history(), meter_id, fault))
    assert proof.word is (VerdictWord.STALE if fault == "stale" else VerdictWord.NOT_PROVEN)
    assert proof.proven_by == ""
    assert any(reason in each for each in proof.reasons)


def test_a_zero_beside_a_channel_that_nobody_declared_is_still_zero() -> None:
    hall = Hall()
    hall.watts = dict.fromkeys(NODES, OFF)
    hall.faults["feed-1"] = {"total": 0, "undeclared": 7}
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("reads 0 W everywhere" in each for each in proof.reasons)


def test_old_readings_of_all_meters_are_stale_and_not_a_proof() -> None:
    hall = Hall()
    proof = hall.prove(now_s=T0 + 61)
    assert proof.word is VerdictWord.STALE
    assert hall.prove(now_s=T0 + 40).word is VerdictWord.PROVEN


def test_a_stale_meter_beside_a_broken_one_is_not_proven() -> None:
    hall = Hall()
    history = faulty(faulty(hall.history(), "pdu-1", "stale"), "feed-1", "missing")
    assert hall.prove(history=history).word is VerdictWord.NOT_PROVEN


def test_a_site_with_only_one_path_is_never_proven_and_never_merely_stale() -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("pdu-1", {each: [each] for each in NODES}))
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert proof.reasons == ("1 of 2 independent meter paths have usable readings",)


def test_two_meters_of_one_path_are_one_path() -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("pdu-1", {"a": NODES[:4]}), meter("pdu-2", {"a": NODES[4:]}))
    assert "1 of 2 independent meter paths" in hall.prove().reasons[0]


@pytest.mark.parametrize(
    ("apart", "agree"), [(0, True), (-170, True), (170, True), (180, True), (181, False)]
)
def test_near_zero_paths_agree_within_resolution_and_20_w_a_node(apart: int, *, agree: bool) -> None:
    hall = Hall()
    hall.watts = dict.fromkeys(NODES, 10)
    hall.table = hall_of(8, meter("pdu-1", {"all": NODES}), meter("feed-1", {"all": NODES}))
    hall.faults["feed-1"] = {"all": 200 + apart}
    hall.faults["pdu-1"] = {"all": 200}
    found = hall.prove(Caps({IT_WATTS: 10_000}))
    assert (found.word is VerdictWord.PROVEN) is agree
    assert any("at most 180 W apart" in each for each in found.reasons) is not agree


@pytest.mark.parametrize(
    ("feed", "agree"), [(50_000, True), (47_500, True), (47_499, False), (52_632, False)]
)
def test_paths_agree_within_five_percent_of_the_higher(feed: int, *, agree: bool) -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("pdu-1", {"all": NODES}), meter("feed-1", {"all": NODES}))
    hall.faults = {"pdu-1": {"all": 50_000}, "feed-1": {"all": feed}}
    assert (hall.prove(Caps({IT_WATTS: 60_000})).word is VerdictWord.PROVEN) is agree


def before(hall: Hall, *meters: str) -> dict[str, Snapshot]:
    return {each: Snapshot(meter=each, at_s=T0 - 600, watts=hall.read(each) or {}) for each in meters}


def test_a_meter_that_stands_where_it_stood_before_the_stop_is_called_stuck() -> None:
    hall = Hall()
    running = dict.fromkeys(NODES, BUSY)
    stopped, hall.watts = hall.watts, running
    earlier = before(hall, "pdu-1", "feed-1")
    hall.faults["feed-1"] = hall.read("feed-1")
    hall.watts = stopped
    proof = hall.prove(before=earlier)
    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("meter feed-1" in each and "stuck" in each for each in proof.reasons)
    assert not any("meter pdu-1" in each for each in proof.reasons)


def test_in_a_row_that_is_partly_on_nobody_is_seen_to_be_off() -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("row-1", {"total": NODES}), meter("feed-1", {"total": NODES}))
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert set(proof.elements.values()) == {Power.UNKNOWN}


def test_a_dark_row_shows_each_of_its_nodes_to_be_off() -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("row-1", {"total": NODES}), meter("feed-1", {"total": NODES}))
    hall.watts = dict.fromkeys(NODES, OFF)
    proof = hall.prove(Caps({COMPUTE: 0}), keep=frozenset())
    assert proof.word is VerdictWord.PROVEN
    assert set(proof.elements.values()) == {Power.OFF}


def test_a_large_row_is_off_only_below_what_one_idle_node_draws() -> None:
    """Sixty dark nodes may draw 60 x 70 W; one idle node draws 2,000 W: such a row tells nothing."""
    names = [f"n{index}" for index in range(1, 61)]
    hall = Hall()
    hall.table = hall_of(60, meter("row-1", {"total": names}), meter("feed-1", {"total": names}))
    hall.watts = dict.fromkeys(names, OFF)
    assert hall.prove(Caps({COMPUTE: 0}), keep=frozenset()).word is VerdictWord.NOT_PROVEN


def test_many_names_are_cut_short() -> None:
    hall = Hall()
    names = [f"n{index}" for index in range(1, 41)]
    hall.table = hall_of(
        40, meter("pdu-1", {each: [each] for each in names}), meter("feed-1", {"total": names})
    )
    hall.watts = dict.fromkeys(names, BUSY)
    proof = hall.prove(Caps({COMPUTE: 0}), keep=frozenset())
    assert any("and 28 more" in each for each in proof.reasons)


def test_three_samples_are_the_least_that_prove() -> None:
    assert LEAST_SAMPLES == 3


def test_a_cap_on_a_hall_that_the_site_does_not_have_is_not_proven() -> None:
    for unit in (Unit.COMPUTE, Unit.IT_WATTS):
        proof = Hall().prove(caps=Caps({CapKey("hall:elsewhere", unit): 10**6}))
        assert proof.word is VerdictWord.NOT_PROVEN
        assert proof.reasons == ("no element belongs to hall:elsewhere",)


def test_the_same_prover_judges_every_round_by_its_own_readings() -> None:
    """Equal readings are judged once; a change on a single channel, or of a path, is judged anew."""
    quiet, risen = Hall(), Hall()
    risen.watts["n5"] = IDLE
    prover = Prover(quiet.table)

    def word(hall: Hall, *, without: str = "") -> tuple[VerdictWord, Power | None]:
        question = Question(caps=QUARTER, keep=frozenset(KEPT), operator="operator", now_s=T0, window_s=60)
        history = {meter: each for meter, each in hall.history().items() if meter != without}
        proof = prover.prove(question, history, {})
        return proof.word, proof.elements.get("n5")

    proven = (VerdictWord.PROVEN, Power.OFF)
    not_proven = (VerdictWord.NOT_PROVEN, Power.ON)
    rounds = [quiet, quiet, risen, risen, quiet, risen, quiet]
    assert [word(each) for each in rounds] == [
        proven,
        proven,
        not_proven,
        not_proven,
        proven,
        not_proven,
        proven,
    ]
    assert word(quiet, without="feed-1")[0] is VerdictWord.NOT_PROVEN
    assert word(quiet) == proven
