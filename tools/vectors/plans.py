"""What a ceiling does to four nodes: who stays, who goes, when, by which stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.vectors.cast import Json, caps_of, compute, hall

from grandpause.core.model import CapKey, Caps, Unit

SOFT = ["soft off", "force off", "outlet off"]
FORCE = ["force off", "outlet off"]


def _watts(value: int, unit: Unit = Unit.IT_WATTS, part: str = "site") -> Caps:
    return Caps({CapKey(part, unit): value})


def _case(
    name: str,
    caps: Caps,
    keep: Sequence[str],
    cut: Sequence[tuple[str, float, Sequence[str]]],
    **changes: Any,
) -> Json:
    equipment: Mapping[str, Json] = {
        f"n{index}": {"priority": 0, "has_bmc": True, "outlets": 2} for index in (1, 2, 3, 4)
    }
    case: Json = {
        "id": name,
        "caps": caps_of(caps),
        "profile": "cooperative",
        "category": 1,
        "ramp_override": False,
        "ramp": {"watts_per_minute": None, "watts_per_step": None, "step_s": 1.0},
        "protected_w": 12_000,
        "standby": None,
        "known_off": [],
        "keep": list(keep),
        "cut": [
            {"element": element, "slot_s": slot, "stages": list(stages)} for element, slot, stages in cut
        ],
        "target_w": 4 * 60 + len(keep) * (10_000 - 60),
        "blocked": [],
        "floor_reached": False,
        "unknown_parts": [],
        "ramp_broken": [],
    } | {key: value for key, value in changes.items() if key != "equipment"}
    case["equipment"] = {
        each: equipment[each] | changes.get("equipment", {}).get(each, {}) for each in equipment
    }
    return case


def _off(*names: str, stages: Sequence[str] = SOFT) -> list[tuple[str, float, Sequence[str]]]:
    return [(name, 0.0, stages) for name in names]


def _choices() -> Iterator[Json]:
    yield _case("as-rated", Caps(), ["n1", "n2", "n3", "n4"], [])
    yield _case("a-quarter-is-one-whole-node", compute(250_000), ["n1"], _off("n4", "n3", "n2"))
    yield _case("rounded-down", compute(499_999), ["n1"], _off("n4", "n3", "n2"))
    yield _case("nothing-stays", compute(0), [], _off("n4", "n3", "n2", "n1"))
    yield _case(
        "priority-says-who-stays",
        compute(500_000),
        ["n3", "n4"],
        _off("n2", "n1"),
        equipment={"n3": {"priority": 9}, "n4": {"priority": 1}},
    )
    yield _case(
        "what-is-off-already-is-the-last-to-be-given-a-place",
        compute(500_000),
        ["n2", "n3"],
        _off("n4", "n1"),
        known_off=["n1"],
    )
    yield _case(
        "a-standby-starts-nothing",
        compute(500_000),
        ["n2"],
        _off("n4", "n3", "n1"),
        standby=["n2", "n4"],
    )
    # 240 W with all nodes off; each node that stays adds 9,940 W.
    yield _case("it-watts-count-the-rated-draw", _watts(20_120), ["n1", "n2"], _off("n4", "n3"))
    yield _case("one-watt-less", _watts(20_119), ["n1"], _off("n4", "n3", "n2"))
    yield _case(
        "site-watts-count-what-is-protected", _watts(32_120, Unit.SITE_WATTS), ["n1", "n2"], _off("n4", "n3")
    )
    yield _case(
        "the-floor",
        _watts(12_239, Unit.SITE_WATTS),
        [],
        _off("n4", "n3", "n2", "n1"),
        floor_reached=True,
    )
    yield _case(
        "an-unknown-hall",
        _watts(0, part="hall:h2"),
        ["n1", "n2", "n3", "n4"],
        [],
        unknown_parts=["hall:h2"],
    )


def _stages() -> Iterator[Json]:
    every = ("n4", "n3", "n2", "n1")
    yield _case("category-0", compute(0), [], _off(*every, stages=FORCE), category=0)
    yield _case("category-2-is-served-as-1", compute(0), [], _off(*every), category=2)
    yield _case("adversarial", compute(0), [], _off(*every, stages=FORCE), profile="adversarial")
    yield _case(
        "what-a-node-lacks-is-left-out",
        compute(0),
        [],
        [
            ("n4", 0.0, SOFT[:2]),
            ("n3", 0.0, SOFT[2:]),
            ("n2", 0.0, []),
            ("n1", 0.0, SOFT),
        ],
        equipment={
            "n4": {"outlets": 0},
            "n3": {"has_bmc": False},
            "n2": {"has_bmc": False, "outlets": 0},
        },
        blocked=["n2"],
    )


def _ramps() -> Iterator[Json]:
    # Each node drops 9,940 W.
    def ramp(minute: int | None, step: int | None) -> Json:
        return {"watts_per_minute": minute, "watts_per_step": step, "step_s": 2.0}

    def slots(*at: float) -> list[tuple[str, float, Sequence[str]]]:
        return [(name, slot, SOFT) for name, slot in zip(("n4", "n3", "n2", "n1"), at, strict=True)]

    yield _case("steps", compute(0), [], slots(0, 0, 2, 2), ramp=ramp(None, 20_000))
    yield _case("minutes", compute(0), [], slots(0, 0, 60, 60), ramp=ramp(20_000, None))
    yield _case("both", compute(0), [], slots(0, 2, 60, 62), ramp=ramp(20_000, 10_000))
    yield _case(
        "an-override", compute(0), [], slots(0, 0, 0, 0), ramp=ramp(20_000, 10_000), ramp_override=True
    )
    yield _case(
        "a-node-above-the-step",
        compute(0),
        [],
        slots(0, 2, 4, 6),
        ramp=ramp(None, 9_000),
        ramp_broken=["n4", "n3", "n2", "n1"],
    )


def cases() -> Json:
    """Return the content of plan.json."""
    return {"elements": hall().to_bytes().decode(), "cases": [*_choices(), *_stages(), *_ramps()]}
