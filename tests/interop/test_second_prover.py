"""A prover that was written from the page, and the program's, say the same of everything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as some

from grandpause.core import canonical
from grandpause.core.elements import ElementTable
from grandpause.core.evidence import by_meter
from grandpause.core.proving import Prover, Question, Snapshot
from interop import second_prover
from interop.vectors import Json, caps, cases, label, vectors

NOW = 1_795_334_400
NODES = ("n1", "n2", "n3")
AGES = (*[(10, 5, 0)] * 4, (45, 40, 35), (5, 0), (5, 5, 0), (0, -40, -41))
"""How old a meter's readings are, in seconds: mostly as they should be."""
MOSTLY = some.sampled_from((*[True] * 40, False))


def wanted(case: Json) -> Json:
    return {each: case[each] for each in ("verdict", "proven_by", "path_watts", "known")}


def by_the_program(table: Json, case: Json) -> Json:
    def snapshot(value: Json) -> Snapshot:
        return Snapshot(
            meter=value["meter"], at_s=value["at"], watts=value["watts"], signed_by=value["signed_by"]
        )

    question = Question(
        caps=caps(case["caps"]),
        keep=frozenset(case["keep"]),
        operator=case["operator"],
        now_s=case["now"],
        window_s=case["window_s"],
    )
    proof = Prover(ElementTable.from_bytes(canonical.encode(table))).prove(
        question,
        by_meter([snapshot(each) for each in case["readings"]]),
        {each["meter"]: snapshot(each) for each in case["before"]},
    )
    return {
        "verdict": str(proof.word),
        "proven_by": proof.proven_by,
        "path_watts": dict(proof.path_watts),
        "known": {each: str(power) for each, power in proof.elements.items()},
    }


@pytest.mark.parametrize("case", cases("proving"), ids=label)
def test_both_say_what_the_vectors_say(case: Json) -> None:
    table = json.loads(vectors("proving")["elements"][case["elements"]])
    assert second_prover.prove(table, case) == wanted(case)


def channels(draw: Any, shape: str) -> list[Json]:
    """Return the channels of a meter: one over all, one a node, or two a node."""
    if shape == "whole":
        return [{"id": "total", "elements": list(NODES)}]
    if shape == "part":
        return [{"id": "some", "elements": list(NODES[: draw(some.integers(1, 3))])}]
    several = 2 if shape == "twin" else 1
    return [{"id": f"{node}-{one}", "elements": [node]} for node in NODES for one in range(several)]


@some.composite
def worlds(draw: Any) -> tuple[Json, Json]:
    """Return a small table of two to four paths and a question, with readings that often agree."""
    elements = [
        {"id": node, "hall": f"h{draw(some.integers(1, 2))}", "tenant": draw(some.sampled_from(("", "t1")))}
        | {"rated_w": 1_000, "idle_w": draw(some.sampled_from((60, 300))), "off_w": 40, "compute": 8}
        for node in NODES
    ]
    true_watts = {node: draw(some.sampled_from((30, 61, 70, 500, 900))) for node in NODES}
    meters: list[Json] = []
    readings: list[Json] = []
    measures = {f"p{path}": draw(some.sampled_from((*["it"] * 5, "site"))) for path in range(4)}
    for number in range(draw(some.integers(2, 4))):
        shape = draw(some.sampled_from((*("whole", "nodes", "twin") * 3, "part")))
        meter = {
            "id": f"m{number}",
            "path": (path := f"p{draw(some.sampled_from((*[number] * 4, 0)))}"),
            "owner": draw(some.sampled_from(("operator", "utility"))),
            "signed": draw(some.sampled_from((0, 0, 1))),
            "measures": measures[path],
            "resolution_w": draw(some.sampled_from((1, 10))),
            "channels": channels(draw, shape),
        }
        meters.append(meter)
        shift = draw(some.sampled_from((*[0] * 6, 20, 200)))
        for at in draw(
            some.sampled_from(((10, 5, 0), (10, 5, 0), (45, 40, 35), (5, 0), (5, 5, 0), (0, -40, -41)))
        ):
            watts = {
                each["id"]: sum(true_watts[one] for one in each["elements"]) // (2 if shape == "twin" else 1)
                + shift
                for each in meter["channels"]
                if draw(MOSTLY)
            }
            by = meter["owner"] if draw(MOSTLY) else ""
            readings.append({"meter": meter["id"], "at": NOW - at, "watts": watts, "signed_by": by})
    every_cap = [
        {"part": part, "unit": unit, "value": value}
        for part in ("hall:h1", "site", "tenant:t1")
        for unit, value in (
            ("compute_ppm", draw(some.sampled_from((0, 400_000, 1_000_000)))),
            ("it_watts", draw(some.integers(0, 3_000))),
            ("site_watts", draw(some.integers(0, 3_000))),
        )
    ]
    case = {
        "caps": [each for each in every_cap if draw(some.sampled_from((*[False] * 6, True)))],
        "keep": [node for node in NODES if true_watts[node] > 60 or draw(some.booleans())],
        "operator": "operator",
        "now": NOW,
        "window_s": 30,
        "readings": readings,
        "before": [],
    }
    return {"schema": "grandpause.elements/1", "elements": elements, "meters": meters}, case


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_both_say_the_same_of_any_site(world: tuple[Json, Json]) -> None:
    found = second_prover.prove(*world)
    event(found["verdict"])
    assert found == by_the_program(*world)
