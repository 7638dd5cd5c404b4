"""Readings to a verdict: each fault of a meter proves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from core.makers import T0, hall_of, meter
from grandpause.core.elements import ElementTable, Measures
from grandpause.core.model import CapKey, Caps, Power, Unit, VerdictWord
from grandpause.core.proving import LEAST_SAMPLES, NEAR_ZERO_W, Proof, Prover, Question, Snapshot

OFF, IDLE, BUSY = 40, 2_100, 6_000
NODES = [f"n{index}" for index in range(1, 9)]
KEPT = frozenset(NODES[:2])
COMPUTE = CapKey("site", Unit.COMPUTE)
IT_WATTS = CapKey("site", Unit.IT_WATTS)
SITE_WATTS = CapKey("site", Unit.SITE_WATTS)
QUARTER = Caps({COMPUTE: 250_000})


@dataclass
class Hall:
    """Eight nodes with a draw each; a PDU meter an outlet, and a feed meter for all."""

    watts: dict[str, int]
    table: ElementTable

    def __init__(self, *more: Any, feed: Mapping[str, Any] | None = None) -> None:
        self.watts = {each: BUSY if each in KEPT else OFF for each in NODES}
        self.table = hall_of(
            8,
            meter("pdu-1", {each: [each] for each in NODES}),
            meter("feed-1", {"total": NODES}, **(feed or {})),
            *more,
        )
        self.faults: dict[str, Mapping[str, int | None] | None] = {}
        self.signers: dict[str, str] = {}
        self.at_s = T0

    def read(self, meter_id: str) -> Mapping[str, int | None] | None:
        if meter_id in self.faults:
            return self.faults[meter_id]
        row = next(each for each in self.table.meters if each.id == meter_id)
        return {
            channel: sum(self.watts[each] for each in covered) for channel, covered in row.channels.items()
        }

    def history(self) -> dict[str, list[Snapshot]]:
        found: dict[str, list[Snapshot]] = {}
        for row in self.table.meters:
            watts = self.read(row.id)
            if watts is not None:
                found[row.id] = [
                    Snapshot(
                        meter=row.id,
                        at_s=self.at_s - age,
                        watts=watts,
                        signed_by=self.signers.get(row.id, ""),
                    )
                    for age in (20, 10, 0)
                ]
        return found

    def prove(
        self,
        caps: Caps = QUARTER,
        *,
        keep: frozenset[str] = KEPT,
        history: Mapping[str, Sequence[Snapshot]] | None = None,
        before: Mapping[str, Snapshot] | None = None,
        now_s: int = T0,
    ) -> Proof:
        question = Question(caps=caps, keep=keep, operator="operator", now_s=now_s, window_s=60)
        return Prover(self.table).prove(question, history or self.history(), before or {})


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


def faulty(history: dict[str, list[Snapshot]], meter_id: str, fault: str) -> dict[str, list[Snapshot]]:
    """Return the readings with one meter at fault."""
    good = history[meter_id]
    bad: dict[str, list[Snapshot]] = {
        "missing": [],
        "zero": [replace(each, watts=dict.fromkeys(each.watts, 0)) for each in good],
        "no value": [*good[:-1], replace(good[-1], watts=dict.fromkeys(good[-1].watts))],
        "no channel": [*good[:-1], replace(good[-1], watts={})],
        "stale": [replace(each, at_s=each.at_s - 61) for each in good],
        "future": [replace(each, at_s=each.at_s + 81) for each in good],
        "too few": good[1:],
        "one moment": [replace(each, at_s=T0) for each in good],
        "too high": [replace(each, watts=_doubled(each.watts)) for each in good],
    }
    return {**history, meter_id: bad[fault]}


def _doubled(watts: Mapping[str, int | None]) -> dict[str, int | None]:
    return {name: 2 * (value or 0) + 5_000 for name, value in watts.items()}


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


def test_paths_that_do_not_cover_the_same_elements_cannot_agree() -> None:
    hall = Hall()
    hall.table = hall_of(8, meter("pdu-1", {"all": NODES}), meter("feed-1", {"all": NODES[:7]}))
    assert any("do not cover the same elements" in each for each in hall.prove().reasons)


def test_elements_that_no_meter_covers_are_named() -> None:
    hall = Hall()
    hall.table = hall_of(
        8, meter("pdu-1", {each: [each] for each in NODES[:7]}), meter("feed-1", {"all": NODES[:7]})
    )
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("no meter covers n8" in each for each in proof.reasons)


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


def test_two_rows_that_are_swapped_prove_nothing() -> None:
    hall = Hall()
    rows = {"row-1": NODES[:4], "row-2": NODES[4:]}
    hall.table = hall_of(
        8,
        meter("pdu-1", {each: [each] for each in NODES}),
        *(meter(name, {"total": covered}) for name, covered in rows.items()),
    )
    assert hall.prove().word is VerdictWord.PROVEN
    hall.faults = {"row-1": hall.read("row-2"), "row-2": hall.read("row-1")}
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert any("paths disagree" in each for each in proof.reasons)


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


def test_a_third_path_that_lies_cannot_make_a_proof() -> None:
    """Two coarse paths agree that everything runs; a fine one claims that all is dark."""
    hall = Hall()
    hall.table = hall_of(
        8,
        meter("pdu-1", {each: [each] for each in NODES}),
        meter("feed-1", {"total": NODES}),
        meter("utility-1", {"total": NODES}),
    )
    hall.watts = dict.fromkeys(NODES, BUSY)
    hall.faults["pdu-1"] = dict.fromkeys(NODES, OFF)
    proof = hall.prove()
    assert proof.path_watts["feed"] == proof.path_watts["utility"] == 8 * BUSY
    assert proof.word is VerdictWord.NOT_PROVEN


def test_a_third_path_that_is_broken_cannot_spoil_a_proof() -> None:
    hall = Hall(meter("utility-1", {"total": NODES}))
    for fault in ("missing", "zero", "stale", "too high"):
        history = faulty(hall.history(), "utility-1", fault)
        assert hall.prove(history=history).word is VerdictWord.PROVEN, fault


def test_of_several_agreeing_pairs_the_one_that_can_tell_the_nodes_apart_proves() -> None:
    hall = Hall()
    hall.table = hall_of(
        8,
        meter("aaa-1", {"total": NODES}),
        meter("bbb-1", {"total": NODES}),
        meter("pdu-1", {each: [each] for each in NODES}),
    )
    assert hall.prove().word is VerdictWord.PROVEN


def test_a_cap_in_it_watts_must_hold_on_both_paths() -> None:
    hall = Hall()
    used = 2 * BUSY + 6 * OFF
    assert hall.prove(Caps({IT_WATTS: used})).word is VerdictWord.PROVEN
    hall.faults["feed-1"] = {"total": used + 1}
    proof = hall.prove(Caps({IT_WATTS: used}))
    assert proof.word is VerdictWord.NOT_PROVEN
    assert proof.reasons == (f"feed shows {used + 1} W in site, {used} W are allowed",)


def test_a_cap_of_one_hall_counts_every_meter_that_has_a_node_of_it() -> None:
    hall = Hall()
    hall.table = replace(
        hall.table,
        elements=tuple(replace(each, hall="h2") if each.id == "n8" else each for each in hall.table.elements),
    )
    key = CapKey("hall:h2", Unit.IT_WATTS)
    proof = hall.prove(Caps({key: OFF}))
    # The outlet shows 40 W; the feed cannot tell the halls apart, so all of it counts: never too few.
    assert proof.reasons == (f"feed shows {2 * BUSY + 6 * OFF} W in hall:h2, {OFF} W are allowed",)


def test_a_cap_on_the_site_takes_two_meters_of_the_whole_site_that_agree() -> None:
    site = {"measures": Measures.SITE}
    cap = Caps({SITE_WATTS: 20_000})
    one = Hall(meter("mainsa-1", {"total": NODES}, **site))
    assert "1 of 2 meter paths of the whole site are usable" in one.prove(cap).reasons
    two = Hall(meter("mainsa-1", {"total": NODES}, **site), meter("mainsb-1", {"total": NODES}, **site))
    assert two.prove(cap).word is VerdictWord.PROVEN
    two.faults["mainsb-1"] = {"total": 20_001}
    assert "mainsb shows 20001 W, 20000 W are allowed" in two.prove(cap).reasons


def test_two_site_meters_that_disagree_prove_nothing() -> None:
    site = {"measures": Measures.SITE}
    hall = Hall(meter("mainsa-1", {"total": NODES}, **site), meter("mainsb-1", {"total": NODES}, **site))
    hall.faults["mainsb-1"] = {"total": 3}
    proof = hall.prove(Caps({SITE_WATTS: 20_000}))
    assert proof.word is VerdictWord.NOT_PROVEN
    assert proof.reasons == ("no two meter paths of the whole site agree",)


def test_a_meter_of_half_the_site_is_no_meter_of_the_whole_site() -> None:
    site = {"measures": Measures.SITE}
    hall = Hall(meter("mainsa-1", {"total": NODES}, **site), meter("mainsb-1", {"total": NODES[:4]}, **site))
    proof = hall.prove(Caps({SITE_WATTS: 20_000}))
    assert proof.reasons == ("1 of 2 meter paths of the whole site are usable",)


def test_a_site_meter_is_no_path_of_it_watts() -> None:
    hall = Hall()
    hall.table = hall_of(
        8,
        meter("pdu-1", {each: [each] for each in NODES}),
        meter("mains-1", {"total": NODES}, measures=Measures.SITE),
    )
    assert hall.prove().word is VerdictWord.NOT_PROVEN
    assert set(hall.prove().path_watts) == {"pdu"}


def test_a_reading_that_must_be_signed_and_is_not_proves_nothing() -> None:
    hall = Hall(feed={"owner": "utility", "signed": True})
    proof = hall.prove()
    assert proof.word is VerdictWord.NOT_PROVEN
    assert "meter feed-1 is not signed by utility" in proof.reasons
    hall.signers["feed-1"] = "operator"
    assert hall.prove().word is VerdictWord.NOT_PROVEN
    hall.signers["feed-1"] = "utility"
    assert hall.prove().word is VerdictWord.PROVEN


def test_who_proved_it_is_said() -> None:
    signed = Hall(feed={"owner": "utility", "signed": True})
    signed.signers["feed-1"] = "utility"
    assert signed.prove().proven_by == "with utility's meter"
    theirs_unsigned = Hall(feed={"owner": "utility"})
    assert theirs_unsigned.prove().proven_by == "operator's meters"
    own = Hall(feed={"signed": True})
    own.signers["feed-1"] = "operator"
    assert own.prove().proven_by == "operator's meters"


def test_the_path_of_another_body_must_be_wholly_signed_and_wholly_its_own() -> None:
    for second in ({"owner": "utility"}, {"owner": "inspector", "signed": True}):
        hall = Hall()
        hall.table = hall_of(
            8,
            meter("pdu-1", {each: [each] for each in NODES}),
            meter("feed-1", {"total": NODES[:4]}, owner="utility", signed=True),
            meter("feed-2", {"total": NODES[4:]}, **second),
        )
        hall.signers = {"feed-1": "utility", "feed-2": "inspector"}
        assert hall.prove().proven_by == "operator's meters"


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
