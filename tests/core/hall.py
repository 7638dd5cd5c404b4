"""A hall of eight nodes whose meters can be broken one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.makers import T0
from core.tables import hall_of, meter
from grandpause.core.elements import ElementTable
from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.proving import Proof, Prover, Question, Snapshot

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
