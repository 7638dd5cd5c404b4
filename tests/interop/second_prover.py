"""A second prover, written from spec/proving.md alone: it imports nothing of the program.

It takes and gives what spec/vectors/proving.json holds. Its sections are those of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

Json = dict[str, Any]
Watts = dict[tuple[str, str], int]


class Component:
    """Channels of one path that belong together (2)."""

    def __init__(self, channels: list[tuple[str, str]], elements: set[str], resolution: int) -> None:
        self.channels = channels
        self.elements = elements
        self.resolution = resolution

    def watts(self, values: Watts) -> int:
        return sum(values[each] for each in self.channels)


def joined(parts: Iterable[tuple[set[str], Any]]) -> list[tuple[set[str], list[Any]]]:
    """Join what shares an element, again and again (2)."""
    groups: list[tuple[set[str], list[Any]]] = []
    for elements, item in parts:
        sharing = [each for each in groups if each[0] & elements]
        rest = [each for each in groups if not each[0] & elements]
        together = set(elements).union(*(each[0] for each in sharing))
        groups = [*rest, (together, [one for each in sharing for one in each[1]] + [item])]
    return groups


class Path:
    """All meters of one path (2)."""

    def __init__(self, name: str, meters: list[Json]) -> None:
        self.name = name
        self.meters = meters
        self.measures = meters[0]["measures"]
        channels = [
            (set(channel["elements"]), ((meter["id"], channel["id"]), meter["resolution_w"]))
            for meter in meters
            for channel in meter["channels"]
        ]
        self.components = [
            Component([one for one, _ in items], elements, sum(step for _, step in items))
            for elements, items in joined(channels)
        ]
        self.covered = set().union(*(each.elements for each in self.components))


def unusable(meter: Json, readings: list[Json], case: Json) -> str:
    """Say why a meter is not usable: "stale", "other", or nothing (3)."""
    oldest = case["now"] - case["window_s"]
    if not readings:
        return "other"
    if readings[-1]["at"] > case["now"] + case["window_s"]:
        return "other"
    if readings[-1]["at"] < oldest:
        return "stale"
    fresh = [each for each in readings if each["at"] >= oldest]
    if len({each["at"] for each in fresh}) < 3:
        return "other"
    channels = [each["id"] for each in meter["channels"]]
    for each in fresh[-3:]:
        values = [each["watts"].get(channel) for channel in channels]
        if None in values or not any(values):
            return "other"
        if meter["signed"] and each["signed_by"] != meter["owner"]:
            return "other"
    return ""


def apart(a: int, b: int, resolution: int, elements: int) -> bool:
    """Say whether two sums do not agree (4)."""
    return abs(a - b) > max(max(a, b) * 50_000 // 1_000_000, resolution + 20 * elements)


def agree(one: Path, other: Path, values: Watts) -> bool:
    """Say whether two paths agree, block by block (4)."""
    if one.covered != other.covered:
        return False
    parts = [
        (each.elements, (side, each)) for side, path in enumerate((one, other)) for each in path.components
    ]
    for elements, items in joined(parts):
        a, b = (sum(each.watts(values) for side, each in items if side == which) for which in (0, 1))
        if apart(a, b, sum(each.resolution for _, each in items), len(elements)):
            return False
    return True


def states(paths: Sequence[Path], values: Watts, elements: Json) -> Json:
    """Say what the paths show of each element (5)."""
    result: Json = {}
    for path in sorted(paths, key=lambda each: (-len(each.components), each.name)):
        for component in path.components:
            watts = component.watts(values)
            rated = [elements[each] for each in component.elements]
            least = min(each["idle_w"] for each in rated)
            word = "unknown"
            if watts <= sum(each["off_w"] + 20 for each in rated) + component.resolution and watts < least:
                word = "off"
            elif len(rated) == 1 and watts >= least:
                word = "on"
            for each in component.elements:
                if result.get(each, "unknown") == "unknown":
                    result[each] = word
    return result


def in_part(element: Json, part: str) -> bool:
    """Say whether an element belongs to a part of the site (spec/elements.md 1)."""
    return part in {"site", f"hall:{element['hall']}"} or (
        element["tenant"] and part == f"tenant:{element['tenant']}"
    )


def reasons(pair: tuple[Path, Path], values: Watts, elements: Json, case: Json) -> int:
    """Count what speaks against a pair's proof (6)."""
    count = int(pair[0].covered != set(elements))
    shown = states(pair, values, elements)
    for cap in case["caps"]:
        members = [each for each in elements.values() if in_part(each, cap["part"])]
        if not members:
            count += 1
        elif cap["unit"] == "compute_ppm":
            running = [each for each in members if shown.get(each["id"]) != "off"]
            count += any(each["id"] not in case["keep"] for each in running)
            total = sum(each["compute"] for each in members)
            count += sum(each["compute"] for each in running) > cap["value"] * total // 1_000_000
        elif cap["unit"] == "it_watts":
            names = {each["id"] for each in members}
            for path in pair:
                reached = [each for each in path.components if cap["part"] == "site" or each.elements & names]
                count += sum(each.watts(values) for each in reached) > cap["value"]
    return count


def site_reasons(paths: Sequence[Path], values: Watts, elements: Json, case: Json) -> int:
    """Count what speaks against a proof of the whole site's watts (6)."""
    count = 0
    for cap in case["caps"]:
        if cap["unit"] != "site_watts":
            continue
        whole = [each for each in paths if each.measures == "site" and each.covered >= set(elements)]
        sums = {each.name: sum(one.watts(values) for one in each.components) for each in whole}
        steps = {each.name: sum(one.resolution for one in each.components) for each in whole}
        alike = [
            (a, b)
            for a, b in combinations(sums, 2)
            if not apart(sums[a], sums[b], steps[a] + steps[b], len(elements))
        ]
        count += (not alike) + sum(each > cap["value"] for each in sums.values())
    return count


def proven_by(pair: tuple[Path, Path], operator: str) -> str:
    """Say whose meters proved it (8)."""
    for path in pair:
        owners = {each["owner"] for each in path.meters}
        if all(each["signed"] for each in path.meters) and len(owners) == 1 and operator not in owners:
            return f"with {owners.pop()}'s meter"
    return "operator's meters"


def prove(table: Json, case: Json) -> Json:
    """Return verdict, proven_by, path_watts and known (7)."""
    elements = {each["id"]: each for each in table["elements"]}
    by_meter: dict[str, list[Json]] = {}
    for each in sorted(case["readings"], key=lambda each: each["at"]):
        by_meter.setdefault(each["meter"], []).append(each)
    names = sorted({each["path"] for each in table["meters"]})
    paths = [Path(name, [each for each in table["meters"] if each["path"] == name]) for name in names]
    problems: list[str] = []
    usable, values = [], Watts()
    for path in paths:
        found = [unusable(each, by_meter.get(each["id"], []), case) for each in path.meters]
        problems += [each for each in found if each]
        if not any(found):
            usable.append(path)
            for meter in path.meters:
                last = by_meter[meter["id"]][-1]["watts"]
                values |= {(meter["id"], each["id"]): last[each["id"]] for each in meter["channels"]}
    of_it = [each for each in usable if each.measures == "it"]
    pairs = list(combinations(of_it, 2))
    agreeing = [each for each in pairs if agree(*each, values)]
    verdict, whose = "not proven", ""
    if agreeing:
        count, pair = min(
            ((reasons(each, values, elements, case), each) for each in agreeing), key=lambda each: each[0]
        )
        if count + site_reasons(usable, values, elements, case) == 0:
            verdict, whose = "proven", proven_by(pair, case["operator"])
    elif not pairs and problems and set(problems) == {"stale"}:
        verdict = "stale"
    return {
        "verdict": verdict,
        "proven_by": whose,
        "path_watts": {each.name: sum(one.watts(values) for one in each.components) for each in of_it},
        "known": states(of_it, values, elements),
    }
