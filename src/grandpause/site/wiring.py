"""Builds the drivers that the site file names, and no others; one that cannot be built stops the start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from grandpause.errors import SiteFileError
from grandpause.ports import Actuator, Clock, Meter
from grandpause.site.parts import BmcAddress, Credential, UnitEntry
from grandpause.site.sitefile import SiteFile

if TYPE_CHECKING:
    from grandpause.drivers.redfish import RedfishActuator
    from grandpause.drivers.snmp import Credential as SnmpCredential
    from grandpause.drivers.snmp import SnmpOutlets

_T = TypeVar("_T")


class Closer(Protocol):
    """What must be closed at the end and is no port."""

    async def close(self) -> None:
        """Close."""


@dataclass(slots=True)
class Devices:
    """Everything that reaches hardware. Close it at the end."""

    bmcs: Actuator | None = None
    outlets: Actuator | None = None
    meters: dict[str, Meter] = field(default_factory=dict)
    _closers: list[Closer] = field(default_factory=list)
    _redfish: RedfishActuator | None = None
    _units: SnmpOutlets | None = None

    async def prepare(self, *, within_s: float) -> list[str]:
        """Find out what every power unit is, before a stop; return those that did not say, and why."""
        if self._units is None:
            return []
        failed = await self._units.prepare(within_s=within_s)
        return [f"{unit}: {error.message}" for unit, error in failed.items()]

    def learned(self) -> bytes:
        """Return what was learned of the BMCs, to be handed to ``open_devices`` after the next start."""
        found = self._redfish.export_learned() if self._redfish is not None else {}
        return json.dumps(found, sort_keys=True).encode()

    async def close(self) -> None:
        """Close every connection."""
        for each in (self.bmcs, self.outlets, *self.meters.values()):
            if each is not None:
                await each.close()
        for closer in self._closers:
            await closer.close()


async def open_devices(
    site: SiteFile, clock: Clock, *, outlets: bool = True, learned: bytes = b"{}"
) -> Devices:
    """Return the site's devices; no connection is made yet.

    Args:
        learned: from ``Devices.learned`` of an earlier run; so a stop need not ask a BMC how to stop.
        outlets: False leaves every outlet alone (they are then only read).

    Raises:
        SiteFileError: a driver cannot be built from what the site file says.
    """
    devices = Devices()
    if site.bmcs:
        devices.bmcs = devices._redfish = _redfish(site, clock, json.loads(learned))  # noqa: SLF001
    if site.units or any(each.driver == "snmp" for each in site.meters.values()):
        await _add_snmp(devices, site, clock, outlets=outlets)
    for meter in site.meters.values():
        if meter.driver == "gateway":
            from grandpause.drivers.gateway import GatewayMeter  # noqa: PLC0415  only what is named

            devices.meters[meter.id] = GatewayMeter(
                meter=meter.id,
                host=meter.host,
                port=meter.port,
                path=meter.path,
                channels=meter.channels,
                clock=clock,
            )
    return devices


def _redfish(site: SiteFile, clock: Clock, learned: Mapping[str, object]) -> RedfishActuator:
    from grandpause.drivers import redfish  # noqa: PLC0415  only what is named

    credentials = {
        name: redfish.Credentials(user=each.user, password=_value(each), auth=redfish.Auth(each.auth))
        for name, each in site.credentials.items()
        if each.kind == "redfish"
    }
    authorities: dict[str, str] = {}

    def security(bmc: BmcAddress) -> redfish.Pinned | redfish.Verified | redfish.PlainHttp:
        if bmc.tls == "pin":
            return redfish.Pinned(pins=frozenset(redfish.parse_pin(each) for each in bmc.pins))
        if bmc.tls == "none":
            return redfish.PlainHttp()
        if bmc.authorities and bmc.authorities not in authorities:
            authorities[bmc.authorities] = _read_text(site, bmc.authorities)
        return redfish.Verified(authorities_pem=authorities.get(bmc.authorities, ""))

    securities = {each: security(each) for each in set(site.bmcs.values())}
    targets = {
        name: redfish.Target(
            host=bmc.host,
            port=bmc.port,
            security=securities[bmc],
            credentials=_of_kind(site, credentials, bmc.credential, name),
            system=bmc.system,
            reset=bmc.reset,
        )
        for name, bmc in site.bmcs.items()
    }
    return redfish.RedfishActuator(
        targets,
        clock=clock,
        limits=redfish.Limits(window=site.window),
        keep_warm=site.keep_warm,
        learned={name: value for name, value in learned.items() if name in targets},
    )


async def _add_snmp(devices: Devices, site: SiteFile, clock: Clock, *, outlets: bool) -> None:
    from grandpause.drivers import snmp  # noqa: PLC0415  only what is named

    client = await snmp.SnmpClient.open()
    identities = snmp.Identities(client, snmp.shipped_profiles())
    devices._closers.append(client)  # noqa: SLF001  made here, closed there
    credentials = {
        name: _snmp_credential(each) for name, each in site.credentials.items() if each.kind != "redfish"
    }

    def peer(unit: UnitEntry) -> snmp.Peer:
        return snmp.Peer(
            address=snmp.Address(host=unit.host, port=unit.port),
            credential=_of_kind(site, credentials, unit.credential, unit.id),
        )

    peers = {name: peer(unit) for name, unit in site.units.items()}
    if outlets and site.outlets:
        devices.outlets = devices._units = snmp.SnmpOutlets(  # noqa: SLF001  made here
            client,
            identities,
            {
                element: [snmp.Outlet(peer=peers[each.unit], number=each.number) for each in places]
                for element, places in site.outlets.items()
            },
        )
    for row in site.table.meters:
        if row.id in peers:
            devices.meters[row.id] = snmp.SnmpMeter(
                client,
                identities,
                meter=row.id,
                peer=peers[row.id],
                channels=tuple(row.channels),
                clock=clock,
            )
    for meter in site.meters.values():
        if meter.driver == "snmp":
            devices.meters[meter.id] = snmp.SnmpMeter(
                client,
                identities,
                meter=meter.id,
                peer=snmp.Peer(
                    address=snmp.Address(host=meter.host, port=meter.port),
                    credential=_of_kind(site, credentials, meter.credential, meter.id),
                ),
                channels=meter.channels,
                clock=clock,
            )


def _snmp_credential(credential: Credential) -> SnmpCredential:
    from grandpause.drivers import snmp  # noqa: PLC0415  only what is named

    if credential.kind == "snmp-v2c":
        return snmp.Community(name=_value(credential))
    return snmp.User(
        name=credential.user,
        authentication=snmp.Authentication(credential.authentication),
        authentication_secret=_value(credential),
        privacy=snmp.Privacy(credential.privacy),
        privacy_secret=credential.privacy_secret.value if credential.privacy_secret else "",
    )


def _value(credential: Credential) -> str:
    if credential.secret is None:
        raise SiteFileError("the secret was not looked up", where=f"credentials.{credential.name}")
    return credential.secret.value


def _of_kind(site: SiteFile, credentials: Mapping[str, _T], name: str, device: str) -> _T:
    if name not in credentials:
        kind = site.credentials[name].kind
        raise SiteFileError(
            f"the credential {name!r} is of kind {kind}, which does not fit", where=f"{site.path}: {device}"
        )
    return credentials[name]


def _read_text(site: SiteFile, name: str) -> str:
    path = site.path.resolve().parent / name
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise SiteFileError(f"{path} cannot be read: {cause}", where=f"{site.path}: authorities") from cause
