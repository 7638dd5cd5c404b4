"""The vectors of plans, proofs, sentences and the bundle, through the code; and their maker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grandpause.core.elements import ElementTable
from grandpause.core.evidence import by_meter
from grandpause.core.model import Profile, Unit
from grandpause.core.plan import Equipment, Order, Planner
from grandpause.core.proving import Prover, Question, Snapshot
from grandpause.core.ramp import RampRule
from grandpause.core.rendering import amount, visible, watts
from grandpause.errors import FormError, TrustError
from grandpause.verify.bundle import verify_bundle
from interop.vectors import ROOT, VECTORS, Json, caps, cases, label, vectors

# Plans, proofs, sentences


@pytest.mark.parametrize("case", cases("plan"), ids=label)
def test_a_ceiling_makes_its_plan(case: Json) -> None:
    planner = Planner(
        ElementTable.from_bytes(vectors("plan")["elements"].encode()),
        {each: Equipment(**value) for each, value in case["equipment"].items()},
        ramp=RampRule(**case["ramp"]),
        protected_w=case["protected_w"],
    )
    order = Order(
        caps=caps(case["caps"]),
        statements=(),
        profile=Profile(case["profile"]),
        category=case["category"],
        complete_by=None,
        ramp_override=case["ramp_override"],
    )
    standby = None if case["standby"] is None else frozenset(case["standby"])
    plan = planner.plan(order, standby=standby, known_off=frozenset(case["known_off"]))
    assert sorted(plan.keep) == case["keep"]
    assert [
        {"element": each.element, "slot_s": each.slot_s, "stages": [str(one) for one in each.ladder]}
        for each in plan.cut
    ] == case["cut"]
    assert plan.target_w == case["target_w"]
    assert plan.floor_reached is case["floor_reached"]
    assert [*plan.blocked] == case["blocked"]
    assert [*plan.unknown_parts] == case["unknown_parts"]
    assert [*plan.ramp_broken] == case["ramp_broken"]


def snapshot(value: Json) -> Snapshot:
    return Snapshot(
        meter=value["meter"], at_s=value["at"], watts=value["watts"], signed_by=value["signed_by"]
    )


@pytest.mark.parametrize("case", cases("proving"), ids=label)
def test_readings_prove_what_they_show_and_no_more(case: Json) -> None:
    table = ElementTable.from_bytes(vectors("proving")["elements"][case["elements"]].encode())
    question = Question(
        caps=caps(case["caps"]),
        keep=frozenset(case["keep"]),
        operator=case["operator"],
        now_s=case["now"],
        window_s=case["window_s"],
    )
    proof = Prover(table).prove(
        question,
        by_meter([snapshot(each) for each in case["readings"]]),
        {each["meter"]: snapshot(each) for each in case["before"]},
    )
    assert (str(proof.word), proof.proven_by) == (case["verdict"], case["proven_by"]), proof.reasons
    assert list(proof.reasons) == case["reasons"]
    assert bool(proof.reasons) is (case["verdict"] != "proven")
    assert dict(proof.path_watts) == case["path_watts"]
    assert {each: str(power) for each, power in proof.elements.items()} == case["known"]


@pytest.mark.parametrize("case", cases("rendering", "visible"), ids=lambda case: case["shown"][:20])
def test_nothing_hides_in_a_text(case: Json) -> None:
    assert visible(case["text"]) == case["shown"]


@pytest.mark.parametrize("case", cases("rendering", "watts"), ids=lambda case: case["shown"])
def test_watts_are_shown_in_the_unit_that_fits(case: Json) -> None:
    assert watts(case["watts"]) == case["shown"]


@pytest.mark.parametrize("case", cases("rendering", "amounts"), ids=lambda case: case["shown"])
def test_a_ceiling_is_shown_with_its_unit(case: Json) -> None:
    assert amount(case["value"], Unit(case["unit"])) == case["shown"]


# The bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(VECTORS / "bundle", tmp_path / "bundle"))


def test_the_bundle_verifies() -> None:
    wanted = vectors("bundle")
    found = verify_bundle(VECTORS / wanted["directory"], charter_id=wanted["charter"])
    assert found.name == wanted["evidence"]
    assert (str(found.verdict), found.proof.proven_by) == (wanted["verdict"], wanted["proven_by"])
    assert dict(found.proof.path_watts) == wanted["after"]


def test_the_bundle_verifies_under_no_other_charter() -> None:
    wanted = vectors("bundle")
    other = wanted["wrong_charter"]
    with pytest.raises(TrustError) as caught:
        verify_bundle(VECTORS / wanted["directory"], charter_id=other["charter"])
    assert caught.value.code == other["code"]
    assert caught.value.where.startswith(other["where"])


def tamper(bundle: Path, edits: list[Json]) -> None:
    for edit in edits:
        if "remove" in edit:
            (bundle / edit["remove"]).unlink()
        elif "write" in edit:
            (bundle / edit["write"]).write_text(edit["text"], encoding="utf-8")
        else:
            path = bundle / edit["flip_bit"]
            data = bytearray(path.read_bytes())
            data[edit["byte"]] ^= 1
            path.write_bytes(data)


@pytest.mark.parametrize("case", cases("bundle", "accepted"), ids=label)
def test_what_a_site_may_truly_say_verifies(case: Json, bundle: Path) -> None:
    tamper(bundle, case["edits"])
    found = verify_bundle(bundle, charter_id=vectors("bundle")["charter"])
    assert (str(found.verdict), found.proof.proven_by) == (case["verdict"], case["proven_by"])


@pytest.mark.parametrize("case", cases("bundle", "tampered"), ids=label)
def test_a_tampered_bundle_is_refused_and_the_file_named(case: Json, bundle: Path) -> None:
    tamper(bundle, case["edits"])
    with pytest.raises((FormError, TrustError)) as caught:
        verify_bundle(bundle, charter_id=vectors("bundle")["charter"])
    assert caught.value.code == case["code"], str(caught.value)
    assert caught.value.where.split(": ")[0] == case["where"], str(caught.value)


# The maker


def test_the_vectors_are_what_their_maker_writes(tmp_path: Path) -> None:
    """Fixed seeds, fixed times: the same bytes on every machine."""
    subprocess.run(
        [sys.executable, ROOT / "tools" / "make_vectors.py", "--out", tmp_path],
        check=True,
        cwd=tmp_path,
        timeout=60,
    )

    def files(directory: Path) -> dict[str, bytes]:
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }

    made, committed = files(tmp_path), files(VECTORS)
    assert sorted(made) == sorted(committed)
    assert [name for name in made if made[name] != committed[name]] == []
