"""Which meter paths prove what, and whose proof it is."""

from __future__ import annotations

from dataclasses import replace

from core.hall import BUSY, IT_WATTS, NODES, OFF, SITE_WATTS, Hall, faulty
from core.tables import hall_of, meter
from grandpause.core.elements import Measures
from grandpause.core.model import CapKey, Caps, Unit, VerdictWord


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
