"""Refuses a site file that a stop could trip over; each check names the node and the mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from grandpause.errors import SiteFileError
from grandpause.site.parts import Credential, MeterAddress, NodeEntry, OutletPlace, ProtectedLoad, UnitEntry


class SiteChecks:
    """Checks nodes against power units, halls and the deny list."""

    def __init__(
        self,
        path: Path,
        units: Mapping[str, UnitEntry],
        halls: Mapping[str, tuple[str, ...]],
        protected: Sequence[ProtectedLoad],
    ) -> None:
        self._path = path
        self._units = units
        self._halls = halls
        self._guarded = {each.id: each for each in protected}
        self._taken = {place: f"the protected load {load.id}" for load in protected for place in load.outlets}
        self._seen: set[str] = set()

    def check(self, nodes: Sequence[NodeEntry]) -> None:
        """Raise SiteFileError for the first node that cannot be."""
        if not nodes:
            raise SiteFileError("the site has no nodes ([[nodes]])", where=str(self._path))
        for node in nodes:
            self._check_once(node)
            self._check_feeds(node)
            for outlet in node.outlets:
                self._take(node, outlet)

    def _check_once(self, node: NodeEntry) -> None:
        name = node.element.id
        if name in self._seen:
            self._refuse(node, "is named twice")
        self._seen.add(name)
        if name in self._guarded:
            self._refuse(
                node,
                f"is on the deny list as {self._guarded[name].kind}: a plan never touches it",
                hint="take it out of [[nodes]]",
            )
        if node.element.hall not in self._halls:
            self._refuse(node, f"is in the unknown hall {node.element.hall!r}", hint="add it to [[halls]]")

    def _check_feeds(self, node: NodeEntry) -> None:
        feeds = {self._unit(node, outlet).feed for outlet in node.outlets} | set(node.feeds)
        if not feeds:
            self._refuse(node, "is on no feed", hint="give it outlets, or feeds = [...]")
        for feed in sorted(feeds):
            if feed not in self._halls[node.element.hall]:
                self._refuse(node, f"its feed {feed!r} does not belong to hall {node.element.hall}")

    def _take(self, node: NodeEntry, outlet: OutletPlace) -> None:
        unit = self._unit(node, outlet)
        if unit.outlets and not 1 <= outlet.number <= unit.outlets:
            self._refuse(node, f"outlet {outlet.number}: {unit.id} has outlets 1 to {unit.outlets}")
        owner = self._taken.setdefault((outlet.unit, outlet.number), node.element.id)
        if owner != node.element.id:
            self._refuse(node, f"outlet {outlet.number} of {outlet.unit} belongs to {owner} already")

    def _unit(self, node: NodeEntry, outlet: OutletPlace) -> UnitEntry:
        unit = self._units.get(outlet.unit)
        if unit is None:
            self._refuse(node, f"names the unknown power unit {outlet.unit!r}", hint="add it to [[units]]")
        return unit

    def _refuse(self, node: NodeEntry, message: str, *, hint: str = "") -> NoReturn:
        raise SiteFileError(message, where=f"{self._path}: nodes: {node.element.id}", hint=hint)


def check_credentials(
    path: Path,
    credentials: Mapping[str, Credential],
    nodes: Sequence[NodeEntry],
    units: Mapping[str, UnitEntry],
    meters: Sequence[MeterAddress],
) -> None:
    """Raise SiteFileError for a device whose credential is not declared."""
    wanted = [
        *((f"nodes: {each.element.id}", each.bmc.credential) for each in nodes if each.bmc),
        *((f"units: {each.id}", each.credential) for each in units.values()),
        *((f"meters: {each.id}", each.credential) for each in meters if each.credential),
    ]
    for place, credential in wanted:
        if credential not in credentials:
            raise SiteFileError(
                f"unknown credential {credential!r}",
                where=f"{path}: {place}",
                hint=f"add [credentials.{credential}]",
            )
