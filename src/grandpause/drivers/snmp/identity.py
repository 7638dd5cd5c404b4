"""What a device is: read from the device itself before anything is sent to it, and remembered by address."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grandpause.drivers.snmp.client import SnmpClient
from grandpause.drivers.snmp.profile import Control, Maturity, Metering, Profile
from grandpause.drivers.snmp.values import Address, Binding, Kind, Peer
from grandpause.ports import Finding

SYSTEM_DESCRIPTION = "1.3.6.1.2.1.1.1.0"
SYSTEM_OBJECT_ID = "1.3.6.1.2.1.1.2.0"

MEND_UNKNOWN = "write a profile for it (docs/operate/write-a-pdu-profile.md), or name another device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What one device turned out to be.

    Attributes:
        object_id: its sysObjectID; empty where it gave none.
        description: its sysDescr, for people.
        switched_by: the profile whose control objects it has; None where its control is not known.
        metered_by: the profile by which its power is read; None where that is not known.
        evidence: what was seen, one line each.
    """

    object_id: str
    description: str
    switched_by: Profile | None
    metered_by: Profile | None
    evidence: tuple[str, ...]

    @property
    def profile(self) -> Profile | None:
        """The profile that it fits best; None for an unknown device."""
        return self.switched_by or self.metered_by

    @property
    def control(self) -> Control | None:
        """How its outlets are switched; None: it is never sent a SET."""
        return None if self.switched_by is None else self.switched_by.control

    @property
    def metering(self) -> Metering | None:
        """How its power is read."""
        return None if self.metered_by is None else self.metered_by.metering

    def __str__(self) -> str:
        return self.profile.name if self.profile else f"unknown device ({self.object_id or 'no sysObjectID'})"


class Identities:
    """Finds out what devices are, by profiles, and remembers it for the life of the process."""

    def __init__(self, client: SnmpClient, profiles: Iterable[Profile]) -> None:
        self._client = client
        self._profiles = tuple(sorted(profiles, key=lambda profile: (profile.rank, profile.name)))
        self._known: dict[Address, Identity] = {}

    async def of(self, peer: Peer, *, within_s: float, to_switch: bool = False) -> Identity:
        """Return what a device is; ask it only if that is not remembered.

        What was not known (no profile; with ``to_switch``: no control) is asked again: a card that is
        starting up does not show all its objects yet.

        Raises:
            NoAnswer, DeviceRefused, DeviceUnreachable: as ``SnmpClient.get``.
        """
        known = self._known.get(peer.address)
        if known is None or known.profile is None or (to_switch and known.control is None):
            known = self._known[peer.address] = await self.identify(peer, within_s=within_s)
        return known

    async def identify(self, peer: Peer, *, within_s: float) -> Identity:
        """Ask a device what it is, whatever is remembered; raises as ``of``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        system = await self._client.get(peer, (SYSTEM_OBJECT_ID, SYSTEM_DESCRIPTION), within_s=within_s)
        if system[SYSTEM_OBJECT_ID].kind is not Kind.OID:
            seen = f"sysObjectID is no object identifier: {_shown(system[SYSTEM_OBJECT_ID])}"
            return Identity(
                object_id="",
                description=system[SYSTEM_DESCRIPTION].text,
                switched_by=None,
                metered_by=None,
                evidence=(seen,),
            )
        object_id = system[SYSTEM_OBJECT_ID].text
        candidates = [profile for profile in self._profiles if profile.fits(object_id)]
        wanted = sorted({oid for profile in candidates for oid in _needed(profile)})
        answers: Mapping[str, Binding] = {}
        if wanted:
            answers = await self._client.get(peer, wanted, within_s=deadline - loop.time())
        evidence = [f"sysObjectID {object_id}"]
        evidence += [f"{oid} is {_shown(answers[oid])}" for oid in wanted]
        proper = [profile for profile in candidates if _holds(profile, answers)]
        return Identity(
            object_id=object_id,
            description=system[SYSTEM_DESCRIPTION].text,
            switched_by=_best([profile for profile in proper if _switches(profile, answers)], evidence),
            metered_by=_best([profile for profile in proper if profile.metering is not None], evidence),
            evidence=tuple(evidence),
        )


def identity_findings(subject: str, identity: Identity) -> list[Finding]:
    """Say for people what a device is; a failure where no profile fits."""
    if identity.profile is None:
        seen = "; ".join(identity.evidence)
        return [Finding(level="fail", subject=subject, message=f"unknown device: {seen}", mend=MEND_UNKNOWN)]
    message = f"{identity.profile.brand} ({identity.profile.name}): {identity.description[:80]}"
    return [Finding(level="ok", subject=subject, message=message)]


def maturity_finding(subject: str, what: str, profile: Profile, maturity: Maturity) -> Finding:
    """Say how far a part of a profile can be relied on; a warning where it is experimental."""
    if maturity is Maturity.EXPERIMENTAL:
        return Finding(
            level="warn",
            subject=subject,
            message=f"{what} by profile {profile.name} is experimental: written from {profile.mib}",
            mend="try it in a proof test of one outlet before relying on it",
        )
    return Finding(level="ok", subject=subject, message=f"{what} by profile {profile.name} ({maturity})")


def _needed(profile: Profile) -> list[str]:
    needed = [probe.oid for probe in profile.probes]
    if profile.control is not None:
        needed.append(profile.control.first_state_object)
    return needed


def _holds(profile: Profile, answers: Mapping[str, Binding]) -> bool:
    for probe in profile.probes:
        answer = answers[probe.oid]
        if answer.kind is Kind.ABSENT:
            return False
        if probe.starts_with is not None and not answer.text.startswith(probe.starts_with):
            return False
    return True


def _switches(profile: Profile, answers: Mapping[str, Binding]) -> bool:
    """Tell whether the first outlet's position is there; -1 is how cards say "not supported"."""
    if profile.control is None:
        return False
    number = answers[profile.control.first_state_object].number
    return number is not None and number >= 0


def _best(profiles: list[Profile], evidence: list[str]) -> Profile | None:
    """Return the profile of least rank; None where two share it, since a guess is no identity."""
    if len(profiles) > 1 and profiles[0].rank == profiles[1].rank:
        evidence.append(f"both {profiles[0].name} and {profiles[1].name} fit: not decided")
        return None
    return profiles[0] if profiles else None


def _shown(binding: Binding) -> str:
    return str(binding.number) if binding.number is not None else repr(binding.text)
