"""The Redfish driver: one BMC an element, told by ComputerSystem.Reset, asked by PowerState."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.redfish.client import Client, Peer
from grandpause.drivers.redfish.http import BadResponse, JsonObject, Response, decode_object
from grandpause.drivers.redfish.inventory import Inventory, take_inventory
from grandpause.drivers.redfish.learned import Learned, known_from, learn
from grandpause.drivers.redfish.preflight import preflight
from grandpause.drivers.redfish.replies import MOVED_AWAY, WRONG_STATE, detail_of, power_of, reply_of
from grandpause.drivers.redfish.target import Limits, Target
from grandpause.errors import DeviceRefused, DeviceUnreachable, OwnFault
from grandpause.ports import Answer, Claim, Clock, Finding

_POWER_AFTER = {Act.SOFT_OFF: Power.OFF, Act.FORCE_OFF: Power.OFF, Act.POWER_ON: Power.ON}


class RedfishActuator:
    """Switches nodes through their BMCs (`ports.Actuator`).

    Args:
        targets: where the BMC of each element is.
        clock: our time, against which a BMC's clock is checked; used by ``check`` alone.
        limits: how much is held at once.
        keep_warm: keep every connection (about 23 KB each) so that a stop needs no handshakes; status
            polling then keeps them alive. Without it idle connections are bounded, and that of a node
            that claims to be off is closed.
        learned: what an earlier ``prepare`` learned, from ``export_learned``.

    Raises:
        SiteFileError: authorities that are no certificates, or ``learned`` that was altered.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        *,
        clock: Clock,
        limits: Limits | None = None,
        keep_warm: bool = False,
        learned: Mapping[str, object] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._keep_warm = keep_warm
        self._client = Client(targets.values(), self._limits, keep_warm=keep_warm)
        self._peers = {name: Peer(element=name, target=target) for name, target in targets.items()}
        self._learned: dict[str, Learned] = {}
        for name, target in targets.items():
            known = known_from(target)
            if known is not None:
                self._learned[name] = known
        for name, value in (learned or {}).items():
            if name in self._peers:
                self._learned[name] = Learned.from_json(value)

    @property
    def client(self) -> Client:
        """The connections, for their counts."""
        return self._client

    async def command(self, element: str, act: Act, *, within_s: float) -> Answer:
        """Send one command; any 2xx is "accepted", which says nothing of what the node then does."""
        peer = self._peer(element)
        try:
            async with asyncio.timeout(within_s):
                return await self._client.in_turn(peer, lambda: self._command(peer, act))
        except TimeoutError:
            return Answer(reply=Reply.TIMED_OUT, detail=_late(peer, within_s))
        except DeviceRefused as error:
            return Answer(reply=Reply.REFUSED, detail=error.message)
        except DeviceUnreachable as error:
            return Answer(reply=Reply.UNREACHABLE, detail=error.message)

    async def claim(self, element: str, *, within_s: float) -> Claim:
        """Ask for the power state; reuses the kept connection."""
        peer = self._peer(element)
        try:
            async with asyncio.timeout(within_s):
                claim = await self._client.in_turn(peer, lambda: self._claim(peer))
        except TimeoutError:
            return Claim(power=Power.UNKNOWN, reply=Reply.TIMED_OUT, detail=_late(peer, within_s))
        except DeviceRefused as error:
            return Claim(power=Power.UNKNOWN, reply=Reply.REFUSED, detail=error.message)
        except DeviceUnreachable as error:
            return Claim(power=Power.UNKNOWN, reply=Reply.UNREACHABLE, detail=error.message)
        if claim.power is Power.OFF and not self._keep_warm:
            self._client.drop(peer)
        return claim

    async def prepare(self, element: str, *, within_s: float) -> Answer:
        """Learn the element's system and its Reset, so that a stop need not ask first."""
        peer = self._peer(element)
        try:
            async with asyncio.timeout(within_s):
                found = await self._client.in_turn(peer, lambda: self._learn(peer))
        except TimeoutError:
            return Answer(reply=Reply.TIMED_OUT, detail=_late(peer, within_s))
        except DeviceRefused as error:
            return Answer(reply=Reply.REFUSED, detail=error.message)
        except DeviceUnreachable as error:
            return Answer(reply=Reply.UNREACHABLE, detail=error.message)
        return Answer(reply=Reply.ACCEPTED, detail=f"{found.reset}, types {found.types_from.value}")

    async def check(self, element: str, *, within_s: float) -> Sequence[Finding]:
        """Preflight of one BMC, with the mend of what is wrong. Only asks."""
        peer = self._peer(element)
        findings: list[Finding] = []
        try:
            async with asyncio.timeout(within_s):
                await self._client.in_turn(peer, lambda: self._check(peer, findings))
        except TimeoutError:
            findings.append(
                Finding(
                    level="fail",
                    subject=element,
                    message=_late(peer, within_s),
                    mend="see whether the BMC answers at all; a BMC that is slow now is slow in a stop",
                )
            )
        return findings

    async def inventory(self, element: str, *, within_s: float) -> Inventory:
        """Ask what stands behind the BMC: make, GPUs, whole-node watts where they are really read.

        Raises:
            DeviceRefused: it does not say, or not to us.
            DeviceUnreachable: no complete answers within ``within_s`` seconds.
        """
        peer = self._peer(element)
        try:
            async with asyncio.timeout(within_s):
                return await self._client.in_turn(peer, lambda: self._inventory(peer))
        except TimeoutError:
            raise DeviceUnreachable(_late(peer, within_s), where=element) from None

    def export_learned(self, elements: Iterable[str] | None = None) -> dict[str, dict[str, object]]:
        """Return what is known of the elements (all if None) as JSON values, for ``learned``."""
        wanted = self._learned if elements is None else elements
        return {name: self._learned[name].as_json() for name in wanted if name in self._learned}

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _peer(self, element: str) -> Peer:
        peer = self._peers.get(element)
        if peer is None:
            raise OwnFault("no Redfish BMC is known for this element", where=element)
        return peer

    async def _command(self, peer: Peer, act: Act) -> Answer:
        learned = self._learned.get(peer.element)
        fresh = learned is None
        if learned is None:
            learned = await self._learn(peer)
        kind = learned.reset_type(act)
        response = await self._client.reset(peer, learned.reset, kind)
        if response.status in MOVED_AWAY and not fresh:
            learned = await self._learn(peer)
            kind = learned.reset_type(act)
            response = await self._client.reset(peer, learned.reset, kind)
        detail = f"{kind}: {detail_of(response.status)}"
        if response.status in WRONG_STATE:
            claim = await self._claim(peer)
            if claim.power is _POWER_AFTER[act]:
                return Answer(reply=Reply.ACCEPTED, detail=f"{detail}, and it claims {claim.power.value}")
        return Answer(reply=reply_of(response.status), detail=detail)

    async def _claim(self, peer: Peer) -> Claim:
        learned = self._learned.get(peer.element)
        fresh = learned is None
        if learned is None:
            learned = await self._learn(peer)
        limit = self._limits.stop_body
        response = await self._client.get(peer, learned.system, body_limit=limit)
        if response.status in MOVED_AWAY and not fresh:
            learned = await self._learn(peer)
            response = await self._client.get(peer, learned.system, body_limit=limit)
        if not response.accepted:
            return Claim(
                power=Power.UNKNOWN, reply=reply_of(response.status), detail=detail_of(response.status)
            )
        try:
            state = decode_object(response.body).get("PowerState")
        except BadResponse as error:
            return Claim(power=Power.UNKNOWN, reply=Reply.ACCEPTED, detail=error.message)
        return Claim(power=power_of(state), reply=Reply.ACCEPTED, detail=f"PowerState {state}"[:80])

    async def _check(self, peer: Peer, findings: list[Finding]) -> None:
        async for finding in preflight(
            peer, self._client, learn=self._learn, get=self._get_checked, now_s=self._clock.wall_s()
        ):
            findings.append(finding)  # noqa: PERF401 (what was found before a time-out counts)

    async def _inventory(self, peer: Peer) -> Inventory:
        learned = self._learned.get(peer.element) or await self._learn(peer)
        return await take_inventory(
            learned.system, learned.left_alone, lambda path: self._get_checked(peer, path)
        )

    async def _learn(self, peer: Peer) -> Learned:
        found = await learn(peer.target, lambda path: self._get(peer, path, self._limits.stop_body))
        self._learned[peer.element] = found
        return found

    async def _get_checked(self, peer: Peer, path: str) -> JsonObject:
        return await self._get(peer, path, self._limits.check_body)

    async def _get(self, peer: Peer, path: str, body_limit: int) -> JsonObject:
        response: Response = await self._client.get(peer, path, body_limit=body_limit)
        if response.accepted:
            return decode_object(response.body)
        problem = DeviceUnreachable if reply_of(response.status) is Reply.UNREACHABLE else DeviceRefused
        raise problem(f"{path}: {detail_of(response.status)}")


def _late(peer: Peer, within_s: float) -> str:
    waited_for = peer.waits_for or "its answer"
    return f"waited {within_s:g} s for {waited_for}"
