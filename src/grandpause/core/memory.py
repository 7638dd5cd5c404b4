"""What a site remembers of its own: latch, standby, arming, used restarts. (spec/latch.md)

The latch is lowered by limits that return by restart, and raised by a restart alone. The standby
stands after any loss of state: what is on or unknown may stay on, nothing is started. Both are
persisted before anything acts on them. Fresh nonces come from outside: the core has no randomness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from grandpause.core.ceiling import InForce
from grandpause.core.model import Caps, Interval, Profile, lowest
from grandpause.core.statement.acts import Restart, RestartPurpose
from grandpause.errors import TrustError


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One controller's memory of its site.

    Attributes:
        nonce: what a restart must name; new at every boot and whenever a latching limit comes into force.
        latch: the caps that stay though their cause is gone.
        latched: names of the limits that lowered the latch and were in force when last looked at.
        standby: ids of the elements that may stay on although nothing else may start; None: no standby.
        used: names of the restarts that were used.
        armed: whether commands are sent at all.
        adversarial: whether an adversarial limit lowered the latch since the last restart.
        category: the strictest stop category (0 is strictest) among them.
    """

    nonce: str
    latch: Caps = field(default_factory=Caps)
    latched: frozenset[str] = frozenset()
    standby: frozenset[str] | None = None
    used: frozenset[str] = frozenset()
    armed: bool = False
    adversarial: bool = False
    category: int = 2

    def binds(self, ceiling: Caps) -> bool:
        """Tell whether anything holds the site below what is rated."""
        return bool(self.latch) or bool(ceiling) or self.standby is not None


def latched(memory: Memory, in_force: Iterable[InForce], *, fresh_nonce: str) -> Memory:
    """Return the memory after every latching limit in force has lowered the latch.

    An unarmed site lowers no latch. The nonce is replaced when a latching limit comes into force, so
    that a restart signed before it is worthless.
    """
    if not memory.armed:
        return memory
    latching = {each.name: each.limit for each in in_force if each.latches}
    if not latching:
        return memory if not memory.latched else replace(memory, latched=frozenset())
    latch = memory.latch.lowered(lowest(each.caps for each in latching.values()))
    names = frozenset(latching)
    if names == memory.latched and latch == memory.latch:
        return memory
    nonce = fresh_nonce if names - memory.latched else memory.nonce
    return replace(
        memory,
        latch=latch,
        latched=names,
        nonce=nonce,
        adversarial=memory.adversarial
        or any(each.profile is Profile.ADVERSARIAL for each in latching.values()),
        category=min(memory.category, *(each.category for each in latching.values())),
    )


def check_restart(memory: Memory, name: str, restart: Restart, *, site: str, controller: str) -> None:
    """Raise TrustError unless this restart may be used here and now.

    Its quorum was checked at the door (core.trust); here: right site, this boot's nonce, not used.
    """
    if restart.site != site:
        raise TrustError(f"is for site {restart.site}, this is {site}", where="restart.site")
    if name in memory.used:
        raise TrustError("was used already; a restart counts once", where="restart")
    if restart.nonces.get(controller) != memory.nonce:
        raise TrustError(
            "does not name this controller's present nonce",
            where="restart.nonces",
            hint="the nonce is new after every boot and every latching limit: draft the restart again",
        )


def restarted(
    memory: Memory,
    name: str,
    restart: Restart,
    *,
    site: str,
    controller: str,
    ceiling: Caps,
    now: Interval,
    fresh_nonce: str,
) -> Memory:
    """Return the memory after a restart: the latch clamped, the standby over, the nonce new.

    Args:
        ceiling: the lowest caps of the latching limits in force; the latch never ends above them. Limits
            that return by themselves bind beside the latch and never become part of it (ADR 0015).

    Raises:
        TrustError: wrong site or nonce, used already, too late, or a permission to disarm only.
    """
    if restart.purpose is not RestartPurpose.RAISE:
        raise TrustError("allows to disarm, not to restart", where="restart.purpose")
    check_restart(memory, name, restart, site=site, controller=controller)
    if now.latest > restart.void_after:
        raise TrustError("came after its void_after", where="restart.void_after")
    return replace(
        memory,
        latch=restart.caps.lowered(ceiling),
        # Limits that are still in force lower the new latch again, with their profile and category.
        latched=frozenset(),
        standby=None,
        used=memory.used | {name},
        nonce=fresh_nonce,
        adversarial=False,
        category=2,
    )


def disarmed(
    memory: Memory,
    *,
    ceiling: Caps,
    permission: tuple[str, Restart] | None,
    site: str,
    controller: str,
    now: Interval,
) -> Memory:
    """Return the memory of a disarmed site. Disarming clears nothing: latch and standby stay.

    While a limit, latch or standby binds an armed site, this takes the restart quorum's permission.

    Raises:
        TrustError: something binds and there is no valid permission.
    """
    if not memory.armed:
        return memory
    if memory.binds(ceiling):
        if permission is None:
            raise TrustError(
                "a ceiling, latch or standby binds: disarming now takes the restart quorum",
                where="disarm",
                hint="grandpause restart --purpose disarm drafts it",
            )
        name, restart = permission
        if restart.purpose is not RestartPurpose.DISARM:
            raise TrustError("is a restart, not a permission to disarm", where="restart.purpose")
        check_restart(memory, name, restart, site=site, controller=controller)
        if now.latest > restart.void_after:
            raise TrustError("came after its void_after", where="restart.void_after")
        return replace(memory, armed=False, used=memory.used | {name})
    return replace(memory, armed=False)
