"""From meter readings to a verdict. (spec/proving.md)

A command's success is no proof; a missing reading is never 0. *Proven* takes at least two independent
meter paths that cover every element in question, are fresh, agree with each other, and show the ceiling
kept. Stuck, zero, missing, stale or swapped meters prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from operator import is_
from typing import Final, TypeAlias

from grandpause.core.elements import ElementTable, Measures, MeterRow
from grandpause.core.metering import Block, Channel, Component, MeterPath, blocks, meter_paths, sum_of
from grandpause.core.model import FULL_PPM, SITE_PART, CapKey, Caps, Power, Unit, VerdictWord

TOLERANCE_PPM: Final = 50_000
"""Two paths agree within 5 % (design.md, part 7) ..."""
NEAR_ZERO_W: Final = 20
"""... or within the meters' resolution and 20 W a node, whichever is more."""
LEAST_SAMPLES: Final = 3
"""Readings of each meter, taken at different times, that the window must hold."""
PATHS_NEEDED: Final = 2
_NAMED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One reading of one meter.

    Attributes:
        watts: channel -> watts; None where the meter gave no usable value.
        signed_by: the body whose key signed it; empty if nobody did.
    """

    meter: str
    at_s: int
    watts: Mapping[str, int | None]
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be proved.

    Attributes:
        caps: the allowed caps.
        keep: elements that may be on; every other element must be off.
        operator: the body that runs the site: its own meters prove less than another's.
        now_s: the moment at which it is judged, Unix seconds.
        window_s: how old a reading may be.
    """

    caps: Caps
    keep: frozenset[str]
    operator: str
    now_s: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A verdict and everything that it rests on.

    Attributes:
        reasons: what is missing, in words for people; empty where it is proven.
        proven_by: whose meters proved it; empty unless proven.
        path_watts: path -> IT watts now, for every path whose readings are complete.
        elements: what the meters say of each element that they can tell apart.
    """

    word: VerdictWord
    reasons: tuple[str, ...]
    proven_by: str
    path_watts: Mapping[str, int]
    elements: Mapping[str, Power] = field(repr=False)


_Pair: TypeAlias = tuple[MeterPath, MeterPath, tuple[Block, ...]]


@dataclass(frozen=True, slots=True)
class _Complaint:
    text: str
    stale: bool = False


class Prover:
    """Judges readings of one site. Which meters can tell what apart is worked out once."""

    def __init__(self, table: ElementTable) -> None:
        """Prepare for the elements and meters of ``table``."""
        self.table = table
        self.paths = meter_paths(table)
        it_paths = [each for each in self.paths if each.measures is Measures.IT]
        self._bounds = {path.name: [self._bounds_of(each) for each in path.components] for path in it_paths}
        self._shown: list[tuple[MeterPath, Mapping[Channel, int]]] = []
        self._judged: dict[str, Power] = {}
        self._newest: dict[str, tuple[list[Mapping[str, int | None]], dict[Channel, int]]] = {}
        self._asked: tuple[object, ...] = ()
        self._answer: Proof
        self._finest_first = sorted(it_paths, key=lambda each: -len(each.components))
        self._pairs: list[_Pair] = [
            (one, other, blocks(one, other)) for one, other in combinations(it_paths, 2)
        ]

    def _bounds_of(self, component: Component) -> tuple[Component, int, int]:
        """Return a component, the most that it draws when all is off, and the least when one is on."""
        rated = [self.table.by_id[each] for each in component.elements]
        most_off = sum(each.off_w + NEAR_ZERO_W for each in rated) + component.resolution_w
        return component, most_off, min(each.idle_w for each in rated)

    def prove(
        self,
        question: Question,
        history: Mapping[str, Sequence[Snapshot]],
        before: Mapping[str, Snapshot],
    ) -> Proof:
        """Judge whether ``question`` holds.

        Args:
            history: meter -> its readings, oldest first.
            before: meter -> a reading from before the stop, where there is one; a meter that has not
                moved since, while the others have, is stuck.
        """
        complaints: list[_Complaint] = []
        usable: dict[str, Mapping[Channel, int]] = {}
        for path in self.paths:
            problems = [found for meter in path.meters if (found := _problem(meter, history, question))]
            complaints += problems
            if not problems:
                usable[path.name] = self._latest(path, history)
        asked = (question.caps, question.keep, question.operator, before, *usable.values())
        if not complaints and len(asked) == len(self._asked) and all(map(is_, asked, self._asked)):
            return self._answer  # the same question about the same readings, as in every round of a hold
        answer = self._judge(question, usable, complaints, before)
        self._asked, self._answer = ((), answer) if complaints else (asked, answer)
        return answer

    def _judge(
        self,
        question: Question,
        usable: Mapping[str, Mapping[Channel, int]],
        missing: Sequence[_Complaint],
        before: Mapping[str, Snapshot],
    ) -> Proof:
        complaints = list(missing)
        paths = [each for each in self.paths if each.name in usable]
        elements = self._elements(paths, usable)
        pairs = [each for each in self._pairs if each[0] in paths and each[1] in paths]
        agreeing = [pair for pair in pairs if not self._disagreements(pair, usable)]
        if not agreeing:
            for pair in pairs:
                complaints += self._disagreements(pair, usable)
                complaints += _stuck(pair, usable, before)
            if not pairs:
                complaints.append(
                    _Complaint(f"{len(paths)} of {PATHS_NEEDED} independent meter paths have usable readings")
                )
        if agreeing:
            # Paths beside the two that agree are listed; broken or lying, they can neither spoil nor make a
            # proof: what is off is judged by what the two show alone.
            judged = [(self._kept(question, each, usable), each[:2]) for each in agreeing]
            complaints, proving_pair = min(judged, key=lambda each: len(each[0]))
            complaints += self._site_caps(question, usable)
            paths = list(proving_pair)
        proven = bool(agreeing) and not complaints
        reasons = [each for each in complaints if not _counts_paths(each)]
        stale = bool(reasons) and all(each.stale for each in reasons)
        return Proof(
            word=VerdictWord.PROVEN if proven else (VerdictWord.STALE if stale else VerdictWord.NOT_PROVEN),
            reasons=tuple(dict.fromkeys(each.text for each in complaints)),
            proven_by=_proven_by(paths, question.operator) if proven else "",
            path_watts={
                each.name: sum(usable[each.name].values())
                for each in self.paths
                if each.name in usable and each.measures is Measures.IT
            },
            elements=elements,
        )

    def _latest(self, path: MeterPath, history: Mapping[str, Sequence[Snapshot]]) -> Mapping[Channel, int]:
        """Return the newest value of each channel; the same object while the readings stay the same."""
        shown = [history[meter.id][-1].watts for meter in path.meters]
        old, result = self._newest.get(path.name, ([], {}))
        if old != shown:
            result = {
                (meter.id, channel): value
                for meter, watts in zip(path.meters, shown, strict=True)
                for channel in meter.channels
                if (value := watts[channel]) is not None
            }
            self._newest[path.name] = shown, result
        return result

    def _elements(
        self, paths: Sequence[MeterPath], usable: Mapping[str, Mapping[Channel, int]]
    ) -> Mapping[str, Power]:
        """Return what each element's own component shows, the finest path first."""
        shown = [(path, usable[path.name]) for path in self._finest_first if path in paths]
        if shown == self._shown:
            return self._judged  # the same readings again, as in every round of a hold
        result: dict[str, Power] = {}
        for path, watts in shown:
            for component, most_off, least_on in self._bounds[path.name]:
                channels, elements = component.channels, component.elements
                total = watts[channels[0]]
                for channel in channels[1:]:
                    total += watts[channel]
                power = Power.UNKNOWN
                if total <= most_off and total < least_on:
                    power = Power.OFF
                elif total >= least_on and len(elements) == 1:
                    power = Power.ON
                for element in elements:
                    if result.get(element, Power.UNKNOWN) is Power.UNKNOWN:
                        result[element] = power
        self._shown, self._judged = shown, result
        return result

    def _disagreements(self, pair: _Pair, usable: Mapping[str, Mapping[Channel, int]]) -> list[_Complaint]:
        one, other, shared = pair
        if one.covered != other.covered:
            return [_Complaint(f"the paths {one.name} and {other.name} do not cover the same elements")]
        found = []
        for block in shared:
            a, b = sum_of(block.one, usable[one.name]), sum_of(block.other, usable[other.name])
            nodes = block.nodes
            most = _most_apart(a, b, block.resolution_w, nodes)
            if abs(a - b) > most:
                found.append(
                    _Complaint(
                        f"paths disagree: {one.name} {a} W, {other.name} {b} W over {nodes} elements"
                        f" (at most {most} W apart are allowed)"
                    )
                )
        return found

    def _kept(
        self,
        question: Question,
        pair: _Pair,
        usable: Mapping[str, Mapping[Channel, int]],
    ) -> list[_Complaint]:
        """Return what of the caps the two agreeing paths do not show to be kept."""
        complaints = []
        elements = self._elements(pair[:2], usable) if question.caps else {}
        uncovered = [each for each in self.table.by_id if each not in pair[0].covered]
        if uncovered:
            complaints.append(_Complaint(f"no meter covers {_names(uncovered)}"))
        for key, value in question.caps:
            if key.part != SITE_PART and not any(key.part in each.parts for each in self.table.elements):
                complaints.append(_Complaint(f"no element belongs to {key.part}"))
            elif key.unit is Unit.COMPUTE:
                complaints += self._compute_cap(key, value, question, elements)
            elif key.unit is Unit.IT_WATTS:
                for path in pair[:2]:
                    watts = self._part_watts(key.part, path, usable[path.name])
                    if watts > value:
                        complaints.append(
                            _Complaint(f"{path.name} shows {watts} W in {key.part}, {value} W are allowed")
                        )
        return complaints

    def _compute_cap(
        self, key: CapKey, value: int, question: Question, elements: Mapping[str, Power]
    ) -> list[_Complaint]:
        members = [each for each in self.table.elements if key.part in each.parts]
        running = [each for each in members if elements.get(each.id) is not Power.OFF]
        astray = [each.id for each in running if each.id not in question.keep]
        complaints = []
        if astray:
            complaints.append(_Complaint(f"no meter shows to be off, and must be: {_names(astray)}"))
        may = value * self.table.rated[key.part] // FULL_PPM
        used = sum(each.compute for each in running)
        if used > may:
            complaints.append(_Complaint(f"{used} TFLOP/s of {key.part} may be running, {may} are allowed"))
        return complaints

    def _part_watts(self, part: str, path: MeterPath, watts: Mapping[Channel, int]) -> int:
        """Return the watts of every component that has an element of ``part``: never too few."""
        by_id = self.table.by_id
        return sum_of(
            (
                each
                for each in path.components
                if part == SITE_PART or any(part in by_id[name].parts for name in each.elements)
            ),
            watts,
        )

    def _site_caps(self, question: Question, usable: Mapping[str, Mapping[Channel, int]]) -> list[_Complaint]:
        complaints = []
        for key, value in question.caps:
            if key.unit is not Unit.SITE_WATTS:
                continue
            paths = [
                each
                for each in self.paths
                if each.measures is Measures.SITE
                and each.name in usable
                and each.covered >= set(self.table.by_id)
            ]
            if len(paths) < PATHS_NEEDED:
                complaints.append(
                    _Complaint(f"{len(paths)} of {PATHS_NEEDED} meter paths of the whole site are usable")
                )
            elif not any(self._site_agree(pair, usable) for pair in combinations(paths, 2)):
                complaints.append(_Complaint("no two meter paths of the whole site agree"))
            for path in paths:
                watts = sum(usable[path.name].values())
                if watts > value:
                    complaints.append(_Complaint(f"{path.name} shows {watts} W, {value} W are allowed"))
        return complaints

    def _site_agree(self, pair: tuple[MeterPath, ...], usable: Mapping[str, Mapping[Channel, int]]) -> bool:
        a, b = (sum(usable[path.name].values()) for path in pair)
        resolution = sum(each.resolution_w for path in pair for each in path.components)
        return abs(a - b) <= _most_apart(a, b, resolution, len(self.table.elements))


def _most_apart(a: int, b: int, resolution_w: int, nodes: int) -> int:
    """Return the most watts by which two paths that agree may differ over so many nodes."""
    return max(max(a, b) * TOLERANCE_PPM // FULL_PPM, resolution_w + NEAR_ZERO_W * nodes)


def _problem(
    row: MeterRow, history: Mapping[str, Sequence[Snapshot]], question: Question
) -> _Complaint | None:
    """Return why this meter's readings cannot be used, or None."""
    snapshots = history.get(row.id, ())
    if not snapshots:
        return _Complaint(f"meter {row.id} has no reading")
    latest = snapshots[-1]
    if latest.at_s > question.now_s + question.window_s:
        return _Complaint(f"meter {row.id} is dated in the future")
    oldest_s = question.now_s - question.window_s
    if latest.at_s < oldest_s:
        return _Complaint(f"meter {row.id} is stale: {question.now_s - latest.at_s} s old", stale=True)
    fresh = [each for each in snapshots if each.at_s >= oldest_s]
    if len({each.at_s for each in fresh}) < LEAST_SAMPLES:
        return _Complaint(f"meter {row.id} has fewer than {LEAST_SAMPLES} readings in {question.window_s} s")
    wanted = row.channels.keys()
    for each in fresh[-LEAST_SAMPLES:]:
        if row.signed and each.signed_by != row.owner:
            return _Complaint(f"meter {row.id} is not signed by {row.owner}")
        shown = each.watts.values()
        if each.watts.keys() == wanted and None not in shown and any(shown):
            continue  # the usual case, without a look at each channel
        empty = next((channel for channel in row.channels if each.watts.get(channel) is None), None)
        if empty is not None:
            return _Complaint(f"meter {row.id} has no value on channel {empty}")
        if not any(each.watts[channel] for channel in row.channels):
            return _Complaint(f"meter {row.id} reads 0 W everywhere, which proves nothing")
    return None


def _stuck(
    pair: _Pair,
    usable: Mapping[str, Mapping[Channel, int]],
    before: Mapping[str, Snapshot],
) -> list[_Complaint]:
    """Name the meters that read exactly what they read before the stop."""
    return [
        _Complaint(f"meter {meter.id} reads exactly what it read before the stop: stuck")
        for path in pair[:2]
        for meter in path.meters
        if meter.id in before
        and all(
            before[meter.id].watts.get(channel) == usable[path.name][meter.id, channel]
            for channel in meter.channels
        )
    ]


def _counts_paths(complaint: _Complaint) -> bool:
    return "independent meter paths" in complaint.text


def _proven_by(paths: Sequence[MeterPath], operator: str) -> str:
    for path in paths:
        bodies = {meter.owner for meter in path.meters}
        if all(meter.signed for meter in path.meters) and len(bodies) == 1 and operator not in bodies:
            return f"with {next(iter(bodies))}'s meter"
    return "operator's meters"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
