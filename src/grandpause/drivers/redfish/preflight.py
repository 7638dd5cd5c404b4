"""Whether a stop of one node would work, found out by asking only: ok, warn or fail, and the mend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

from grandpause.core.model import Act
from grandpause.drivers.redfish.client import Client, Peer
from grandpause.drivers.redfish.http import JsonObject, Response
from grandpause.drivers.redfish.inventory import power_reading
from grandpause.drivers.redfish.learned import Get, Learned, TypesFrom, link
from grandpause.drivers.redfish.replies import detail_of, power_of
from grandpause.drivers.redfish.target import PlainHttp, Verified
from grandpause.errors import DeviceError, DeviceRefused
from grandpause.ports import Finding

_ROOT = "/redfish/v1/"
_CLOCK_TOLERANCE_S = 60
_SAFE_RESTORE = frozenset({"AlwaysOff", "LastState"})


async def preflight(
    peer: Peer,
    client: Client,
    *,
    learn: Callable[[Peer], Awaitable[Learned]],
    get: Callable[[Peer, str], Awaitable[JsonObject]],
    now_s: int,
) -> AsyncIterator[Finding]:
    """Yield findings in the order of a stop: reach, identity, credentials, Reset, power, clock.

    What makes the rest pointless ends it. Sends nothing that changes anything.

    Args:
        peer: whom to ask.
        client: how.
        learn: finds the system and its Reset, and remembers them.
        get: asks for one resource with our credentials.
        now_s: our wall clock, Unix seconds.
    """
    say = _Voice(peer.element)

    async def ask(path: str) -> JsonObject:
        return await get(peer, path)

    try:
        root = await client.get_openly(peer, _ROOT)
    except DeviceRefused as error:
        yield say.fail(
            error.message,
            "compare the pin on the BMC's own console; change it in the site file only if it is the same",
        )
        return
    except DeviceError as error:
        yield say.fail(error.message, "see to address, cable, VLAN and power of the BMC")
        return
    yield say.ok(f"reachable, {detail_of(root.status)}")
    for finding in _identity(peer, say):
        yield finding
    try:
        learned = await learn(peer)
        system = await ask(learned.system)
    except DeviceError as error:
        yield say.fail(error.message, _mend_of(error))
        return
    for finding in (*_reset(learned, say), *_state(system, say)):
        yield finding
    try:
        yield await _power(learned, ask, say)
        yield await _clock(system, root, ask, now_s, say)
    except DeviceError as error:
        yield say.warn(error.message, "the stop does not need it; see why the BMC does not answer it")


class _Voice:
    """Makes findings about one element."""

    def __init__(self, element: str) -> None:
        self._element = element

    def ok(self, message: str) -> Finding:
        return Finding(level="ok", subject=self._element, message=message)

    def warn(self, message: str, mend: str) -> Finding:
        return Finding(level="warn", subject=self._element, message=message, mend=mend)

    def fail(self, message: str, mend: str) -> Finding:
        return Finding(level="fail", subject=self._element, message=message, mend=mend)


def _identity(peer: Peer, say: _Voice) -> list[Finding]:
    security = peer.target.security
    if isinstance(security, PlainHttp):
        found = [say.warn("no TLS: credentials and commands can be read and altered", "use https and a pin")]
    elif isinstance(security, Verified):
        found = [say.ok("certificate accepted by its authority")]
    else:
        found = [say.ok("certificate matches its pin")]
    try:
        ip_address(peer.target.host)
    except ValueError:
        found.append(
            say.warn(
                f"{peer.target.host} is a name: the stop depends on name service",
                "write the address, and the name as the certificate's",
            )
        )
    return found


def _mend_of(error: DeviceError) -> str:
    if "HTTP 401" in error.message or "HTTP 403" in error.message:
        return "see to user, password and the right to switch power (Operator role) on the BMC"
    if isinstance(error, DeviceRefused):
        return "name the system in the site file, or leave this element to its outlets"
    return "ask again; a BMC answers 401 and 503 for minutes after its own restart"


def _reset(learned: Learned, say: _Voice) -> list[Finding]:
    if learned.types_from is TypesFrom.NOWHERE:
        found = [
            say.warn(
                f"credentials accepted; {learned.reset} does not say which reset types it allows",
                "rehearse this node once: ForceOff is sent unseen",
            )
        ]
    else:
        found = [say.ok(f"credentials accepted; {learned.reset} ({learned.types_from.value})")]
        if not _offers(learned, Act.FORCE_OFF):
            found.append(say.fail("ForceOff is not offered", "give this node an outlet in the site file"))
        if not _offers(learned, Act.SOFT_OFF):
            found.append(say.warn("GracefulShutdown is not offered", "its stop begins with force off"))
        if not _offers(learned, Act.POWER_ON):
            found.append(say.warn("On is not offered", "somebody must start this node by hand"))
    if learned.left_alone:
        names = ", ".join(path.rpartition("/")[2] for path in learned.left_alone)
        found.append(say.ok(f"left alone, no Reset of their own: {names}"))
    return found


def _offers(learned: Learned, act: Act) -> bool:
    try:
        learned.reset_type(act)
    except DeviceRefused:
        return False
    return True


def _state(system: JsonObject, say: _Voice) -> list[Finding]:
    state = system.get("PowerState")
    found = [say.ok(f"claims to be {power_of(state).value} (PowerState {state})"[:120])]
    restore = system.get("PowerRestorePolicy")
    if isinstance(restore, str) and restore not in _SAFE_RESTORE:
        found.append(
            say.warn(
                f"PowerRestorePolicy is {restore[:40]}: it starts by itself when power returns",
                "set it to LastState or AlwaysOff",
            )
        )
    return found


async def _power(learned: Learned, ask: Get, say: _Voice) -> Finding:
    power = await power_reading(learned.system, ask)
    if power.watts is None:
        return say.warn("no real reading of the whole node's power", "have it metered by its outlets")
    return say.ok(f"draws {power.watts} W by its own reading, which proves nothing")


async def _clock(system: JsonObject, root: Response, ask: Get, now_s: int, say: _Voice) -> Finding:
    clock_s = await _manager_clock_s(system, ask)
    if clock_s is None:
        clock_s = _header_clock_s(root)
    if clock_s is None:
        return say.warn("does not tell its time", "its logs cannot be set beside ours")
    error_s = clock_s - now_s
    if abs(error_s) > _CLOCK_TOLERANCE_S:
        return say.warn(f"its clock differs from ours by {error_s} s", "give it a time server")
    return say.ok(f"its clock differs from ours by {error_s} s")


async def _manager_clock_s(system: JsonObject, ask: Get) -> int | None:
    links = system.get("Links")
    managers = links.get("ManagedBy") if hasattr(links, "get") else None
    path = link(managers[0]) if isinstance(managers, list) and managers else ""
    if not path:
        return None
    try:
        value = (await ask(path)).get("DateTime")
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (DeviceRefused, ValueError):
        return None
    return int(moment.timestamp()) if moment is not None and moment.tzinfo is not None else None


def _header_clock_s(root: Response) -> int | None:
    try:
        return int(parsedate_to_datetime(root.headers.get(b"date", b"").decode("ascii")).timestamp())
    except (ValueError, UnicodeDecodeError):
        return None
