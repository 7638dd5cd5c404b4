"""Switches nodes at their outlets: each outlet by a SET of its own, at every unit that feeds the node."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.snmp.answers import NoAnswer
from grandpause.drivers.snmp.client import SnmpClient
from grandpause.drivers.snmp.identity import (
    MEND_UNKNOWN,
    Identities,
    Identity,
    identity_findings,
    maturity_finding,
)
from grandpause.drivers.snmp.profile import Control
from grandpause.drivers.snmp.values import Address, Binding, Outlet, Peer
from grandpause.errors import DeviceError, DeviceRefused, DeviceUnreachable, OwnFault, SiteFileError
from grandpause.ports import Answer, Claim, Finding

AT_ONCE_A_UNIT = 4
"""Requests under way to one power unit: its card is a small computer that drops what it cannot queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """How one outlet of an element answered."""

    outlet: Outlet
    reply: Reply
    detail: str
    power: Power = Power.UNKNOWN


class SnmpOutlets:
    """The Actuator (ports.py) of outlets behind SNMP power units.

    A command is accepted only if every outlet of the element accepted it; otherwise the answer names each.
    A passing error of a busy agent (genErr, resourceUnavailable, commitFailed) counts as unreachable, so
    that it may be tried again; every other error counts as refused.

    Args:
        client: an open client; it is shared, and not closed here.
        identities: what devices turned out to be; shared with the meters.
        outlets: for each element the outlets that feed it, at least one.

    Raises:
        SiteFileError: an element without outlets, or one outlet named twice.
    """

    def __init__(
        self, client: SnmpClient, identities: Identities, outlets: Mapping[str, Sequence[Outlet]]
    ) -> None:
        self._client = client
        self._identities = identities
        self._outlets = {element: tuple(fed_by) for element, fed_by in outlets.items()}
        self._gates: dict[Address, asyncio.Semaphore] = {}
        owner: dict[tuple[Address, int | None, int], str] = {}
        for element, fed_by in self._outlets.items():
            if not fed_by:
                raise SiteFileError("no outlet is named", where=element)
            for outlet in fed_by:
                if outlet.place in owner:
                    other = owner[outlet.place]
                    raise SiteFileError(f"{outlet} is named a second time, first by {other}", where=element)
                owner[outlet.place] = element
                client.enrol(outlet.peer)
                self._gates.setdefault(outlet.peer.address, asyncio.Semaphore(AT_ONCE_A_UNIT))

    async def prepare(self, *, within_s: float) -> Mapping[str, DeviceError]:
        """Find out what every power unit is, so that a stop needs no discovery first.

        Returns:
            The units that did not say, by address, and why.
        """
        peers = {outlet.peer.address: outlet.peer for fed_by in self._outlets.values() for outlet in fed_by}
        failed: dict[str, DeviceError] = {}

        async def prepare_one(peer: Peer) -> None:
            try:
                await self._identities.of(peer, within_s=within_s, to_switch=True)
            except DeviceError as error:
                failed[str(peer)] = error

        await asyncio.gather(*(prepare_one(peer) for peer in peers.values()))
        return failed

    async def command(self, element: str, act: Act, *, within_s: float) -> Answer:
        """Switch every outlet of an element; other acts are refused without asking any device."""
        outlets = self._outlets_of(element)
        if act not in (Act.OUTLET_OFF, Act.OUTLET_ON):
            return Answer(reply=Reply.REFUSED, detail=f"an outlet knows no {act}")
        deadline = _now() + within_s
        parts = await asyncio.gather(*(self._switch(outlet, act, deadline) for outlet in outlets))
        return Answer(reply=_worst(parts), detail=_told(parts))

    async def claim(self, element: str, *, within_s: float) -> Claim:
        """Read the position of every outlet: off only if all say off, on if any says on."""
        outlets = self._outlets_of(element)
        deadline = _now() + within_s
        parts = await asyncio.gather(*(self._position(outlet, deadline) for outlet in outlets))
        powers = {part.power for part in parts}
        power = Power.UNKNOWN
        if Power.ON in powers:
            power = Power.ON
        elif powers == {Power.OFF}:
            power = Power.OFF
        return Claim(power=power, reply=_worst(parts), detail=_told(parts))

    async def check(self, element: str, *, within_s: float) -> Sequence[Finding]:
        """Say for each outlet whether its unit answers, is known, can be switched, and has this outlet.

        Only reads. Whether the credentials may write shows only when an outlet is switched (a proof test).
        """
        outlets = self._outlets_of(element)
        deadline = _now() + within_s
        findings = await asyncio.gather(*(self._check_outlet(outlet, deadline) for outlet in outlets))
        return [finding for each in findings for finding in each]

    async def close(self) -> None:
        """Do nothing: the client is shared, and whoever opened it closes it."""

    def _outlets_of(self, element: str) -> tuple[Outlet, ...]:
        try:
            return self._outlets[element]
        except KeyError:
            raise OwnFault("no such element", where=element) from None

    async def _switch(self, outlet: Outlet, act: Act, deadline: float) -> _Part:
        try:
            async with asyncio.timeout_at(deadline), self._gates[outlet.peer.address]:
                control = await self._control(outlet, deadline)
                oid, value = (
                    control.off_object(outlet) if act is Act.OUTLET_OFF else control.on_object(outlet)
                )
                await self._client.set(outlet.peer, oid, value, within_s=deadline - _now())
        except (DeviceError, SiteFileError, TimeoutError) as error:
            return _failed(outlet, error)
        return _Part(outlet=outlet, reply=Reply.ACCEPTED, detail="accepted")

    async def _position(self, outlet: Outlet, deadline: float) -> _Part:
        try:
            async with asyncio.timeout_at(deadline), self._gates[outlet.peer.address]:
                control = await self._control(outlet, deadline)
                oid = control.state_object(outlet)
                answers = await self._client.get(outlet.peer, (oid,), within_s=deadline - _now())
        except (DeviceError, SiteFileError, TimeoutError) as error:
            return _failed(outlet, error)
        return _position_told(outlet, control, answers[oid])

    async def _control(self, outlet: Outlet, deadline: float) -> Control:
        identity = await self._identities.of(outlet.peer, within_s=deadline - _now(), to_switch=True)
        if identity.control is None:
            raise DeviceRefused(
                f"control is not known: {identity}", where=str(outlet.peer), hint=MEND_UNKNOWN
            )
        return identity.control

    async def _check_outlet(self, outlet: Outlet, deadline: float) -> list[Finding]:
        subject = str(outlet)
        try:
            identity = await self._identities.of(outlet.peer, within_s=deadline - _now())
        except DeviceError as error:
            mend = error.hint or "check the management network and the credentials"
            return [Finding(level="fail", subject=subject, message=error.message, mend=mend)]
        findings = identity_findings(subject, identity)
        if identity.profile is not None:
            findings.append(_control_finding(subject, identity))
        if identity.control is not None:
            findings.append(_position_finding(subject, await self._position(outlet, deadline)))
        return findings


def _control_finding(subject: str, identity: Identity) -> Finding:
    if identity.switched_by is None or identity.control is None:
        message = f"control is not known for {identity}; it will never be sent a command"
        return Finding(level="fail", subject=subject, message=message, mend=MEND_UNKNOWN)
    return maturity_finding(subject, "control", identity.switched_by, identity.control.maturity)


def _position_finding(subject: str, part: _Part) -> Finding:
    if part.reply is Reply.ACCEPTED and part.power is not Power.UNKNOWN:
        return Finding(level="ok", subject=subject, message=f"says {part.power}; write access not tried")
    mend = "compare the outlet's number with the labels of the unit"
    return Finding(level="fail", subject=subject, message=part.detail, mend=mend)


def _position_told(outlet: Outlet, control: Control, value: Binding) -> _Part:
    if value.number is None:
        return _Part(outlet=outlet, reply=Reply.REFUSED, detail=f"no such outlet ({value.text})")
    power = Power.UNKNOWN
    if value.number in control.state.off:
        power = Power.OFF
    elif value.number in control.state.on:
        power = Power.ON
    detail = f"says {power}" if power is not Power.UNKNOWN else f"unknown position {value.number}"
    return _Part(outlet=outlet, reply=Reply.ACCEPTED, detail=detail, power=power)


def _failed(outlet: Outlet, error: Exception) -> _Part:
    """Turn an error into an answer; no answer in time, no way there and a refusal are told apart."""
    if isinstance(error, NoAnswer | TimeoutError):
        return _Part(outlet=outlet, reply=Reply.TIMED_OUT, detail="no answer in time")
    reply = Reply.UNREACHABLE if isinstance(error, DeviceUnreachable) else Reply.REFUSED
    detail = error.message if isinstance(error, DeviceError | SiteFileError) else str(error)
    return _Part(outlet=outlet, reply=reply, detail=detail)


def _worst(parts: Sequence[_Part]) -> Reply:
    """Return the reply of the whole: what may be tried again comes first, since every act is idempotent."""
    replies = {part.reply for part in parts}
    order = (Reply.TIMED_OUT, Reply.UNREACHABLE, Reply.REFUSED)
    return next((reply for reply in order if reply in replies), Reply.ACCEPTED)


def _told(parts: Sequence[_Part]) -> str:
    return "; ".join(f"{part.outlet}: {part.detail}" for part in parts)


def _now() -> float:
    return asyncio.get_running_loop().time()
