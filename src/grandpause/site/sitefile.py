"""The site file: what the site consists of, how each element is reached. (docs/operate/site-file.md)

Loading reads only the file, the charters and the secrets that it names; it opens no socket. Unknown keys are
refused, and so is anything that a stop could trip over: two nodes on one outlet, a node on no feed, a
protected load in the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grandpause.core.elements import ElementTable, Measures, MeterRow
from grandpause.core.model import Stage
from grandpause.core.plan import Equipment
from grandpause.core.ramp import RampRule
from grandpause.core.stop import Timing
from grandpause.errors import SiteFileError, StatementError
from grandpause.site.parts import (
    BmcAddress,
    Charted,
    Credential,
    MeterAddress,
    NodeEntry,
    OutletPlace,
    ProtectedLoad,
    UnitEntry,
    read_charter_entry,
    read_credential,
    read_hall,
    read_meter,
    read_node_type,
    read_nodes,
    read_protected,
    read_units,
)
from grandpause.site.sitefile_checks import SiteChecks, check_credentials
from grandpause.site.toml_table import Table, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the site and its controller are, and where the controller keeps its things.

    Attributes:
        operator: the body of the charter that runs the site.
        key_file: the controller's private key.
        declaration_file: the signed declaration.
    """

    site: str
    title: str
    operator: str
    controller: str
    key_file: Path
    declaration_file: Path
    state: Path
    inbox: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """How often things are looked at, in seconds.

    Attributes:
        meters_s: between two readings of a meter.
        status_s: between two questions to each BMC; 0: only asked during a stop.
        window_s: how old a reading may be and still prove something.
    """

    meters_s: float
    status_s: float
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFile:
    """A site, checked as a whole."""

    path: Path
    identity: Identity
    charters: tuple[Charted, ...]
    table: ElementTable
    equipment: Mapping[str, Equipment]
    bmcs: Mapping[str, BmcAddress]
    outlets: Mapping[str, tuple[OutletPlace, ...]]
    units: Mapping[str, UnitEntry]
    meters: Mapping[str, MeterAddress]
    credentials: Mapping[str, Credential] = field(repr=False)
    protected: tuple[ProtectedLoad, ...]
    ramp: RampRule
    timing: Timing
    periods: Periods
    gpus: int
    keep_warm: bool
    window: int

    @property
    def it_watts(self) -> int:
        """Rated IT watts of all elements."""
        return sum(each.rated_w for each in self.table.elements)

    @property
    def protected_watts(self) -> int:
        """Watts of the loads that no plan touches."""
        return sum(each.watts for each in self.protected)


def load_site_file(path: Path, *, secrets: bool = True) -> SiteFile:
    """Load a site file.

    Args:
        secrets: whether to look the credentials up; planning needs none.

    Raises:
        SiteFileError: naming the file, the key and the mend.
    """
    root = read_toml(path)
    base = path.resolve().parent
    try:
        return _SiteReader(path, base, secrets=secrets).read(root)
    except StatementError as cause:
        raise SiteFileError(cause.message, where=f"{path}: {cause.where}", hint=cause.hint) from cause


class _SiteReader:
    """Reads the tables in the order in which they depend on each other."""

    def __init__(self, path: Path, base: Path, *, secrets: bool) -> None:
        self._path = path
        self._base = base
        self._secrets = secrets

    def read(self, root: Table) -> SiteFile:
        """Return the site of the root table."""
        identity = root.within("site", self._read_identity)
        charters = root.each("charters", lambda table: read_charter_entry(table, self._base))
        if not charters:
            root.refuse("charters", "a site pins a charter ([[charters]])")
        if len(charters) > 1:
            root.refuse(
                "charters",
                "this version keeps one latch, so a site pins one charter",
                hint="docs/adr/0013-one-charter-a-site.md",
            )
        credentials = root.named(
            "credentials",
            lambda name, table: read_credential(name, table, base=self._base, look_up=self._secrets),
        )
        halls = dict(root.each("halls", read_hall))
        types = root.named("types", read_node_type)
        units = {each.id: each for group in root.each("units", read_units) for each in group}
        nodes = [each for group in root.each("nodes", lambda at: read_nodes(at, types)) for each in group]
        meters = root.each("meters", lambda at: read_meter(at, [each.element.id for each in nodes]))
        protected = root.each("protected", read_protected)
        ramp = root.within("ramp", _read_ramp, optional=True)
        timing = root.within("timing", _read_timing, optional=True)
        periods = root.within("periods", _read_periods, optional=True)
        redfish = root.within("redfish", _read_redfish, optional=True)
        root.close()
        SiteChecks(self._path, units, halls, protected).check(nodes)
        check_credentials(self._path, credentials, nodes, units, [each for each, _ in meters])
        unit_meters = _unit_meters(units, nodes)
        return SiteFile(
            path=self._path,
            charters=charters,
            credentials=credentials,
            table=ElementTable(
                tuple(each.element for each in nodes),
                (*unit_meters, *(row for _, row in meters)),
            ),
            equipment={
                each.element.id: Equipment(
                    priority=each.priority,
                    has_bmc=each.bmc is not None,
                    outlets=len(each.outlets) if _switchable(each) else 0,
                )
                for each in nodes
            },
            bmcs={each.element.id: each.bmc for each in nodes if each.bmc is not None},
            outlets={each.element.id: each.outlets for each in nodes if _switchable(each)},
            units=units,
            meters={each.id: each for each, _ in meters},
            protected=protected,
            ramp=ramp,
            timing=timing,
            periods=periods,
            gpus=sum(each.gpus for each in nodes),
            keep_warm=redfish[0],
            window=redfish[1],
            identity=identity,
        )

    def _read_identity(self, table: Table) -> Identity:
        return Identity(
            site=table.identifier("id"),
            title=table.text("title", ""),
            operator=table.identifier("operator"),
            controller=table.identifier("controller"),
            key_file=self._base / table.text("key"),
            declaration_file=self._base / table.text("declaration"),
            state=self._base / table.text("state", "state"),
            inbox=self._base / table.text("inbox", "inbox"),
        )


def _switchable(node: NodeEntry) -> bool:
    """Tell whether cutting outlets takes the node down: every one of them must be ours to switch."""
    return bool(node.outlets) and all(each.switch for each in node.outlets)


def _unit_meters(units: Mapping[str, UnitEntry], nodes: list[NodeEntry]) -> list[MeterRow]:
    """Return a meter by outlet for every power unit that is one."""
    channels: dict[str, dict[str, tuple[str, ...]]] = {}
    for node in nodes:
        for outlet in node.outlets:
            channels.setdefault(outlet.unit, {})[str(outlet.number)] = (node.element.id,)
    return [
        MeterRow(
            id=unit.id,
            path=unit.meter_path,
            owner=unit.owner,
            signed=False,
            measures=Measures.IT,
            resolution_w=unit.resolution_w,
            channels=channels[unit.id],
        )
        for unit in units.values()
        if unit.meter_path and unit.id in channels
    ]


def _read_ramp(table: Table) -> RampRule:
    return RampRule(
        watts_per_minute=table.integer("watts_per_minute", least=1)
        if table.has("watts_per_minute")
        else None,
        watts_per_step=table.integer("watts_per_step", least=1) if table.has("watts_per_step") else None,
        step_s=table.seconds("step_s", 1.0),
    )


def _read_timing(table: Table) -> Timing:
    return Timing(
        rung_s={
            Stage.SOFT_OFF: table.seconds("soft_off_s", 90.0),
            Stage.FORCE_OFF: table.seconds("force_off_s", 30.0),
            Stage.OUTLET_OFF: table.seconds("outlet_off_s", 20.0),
        },
        command_s=table.seconds("command_s", 10.0),
        poll_s=table.seconds("poll_s", 2.0),
        backoff_s=table.seconds("backoff_s", 2.0),
        retry_s=table.seconds("retry_s", 30.0),
        settle_s=table.seconds("settle_s", 15.0),
    )


def _read_periods(table: Table) -> Periods:
    return Periods(
        meters_s=table.seconds("meters_s", 5.0),
        status_s=float(table.integer("status_s", 60, most=86_400)),
        window_s=table.integer("window_s", 30, least=1, most=3_600),
    )


def _read_redfish(table: Table) -> tuple[bool, int]:
    return table.flag("keep_warm", default=False), table.integer("window", 300, least=1, most=10_000)
