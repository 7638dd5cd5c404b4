"""What ought to hold at one site, kept apart from the core: who signed what, and what the site acknowledged.

The ledger hears what the site's controller acknowledged, and knows the true time. From that follow what
*must* bind (surely in force, surely not ended) and what *may* bind (perhaps in force, given the clock's
stated error). What the core makes of it has to lie between the two. (invariants.py)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from grandpause.core.model import CapKey
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose
from grandpause.core.statement.charter import Charter
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.people import LIFT_HALL, ONE_HALL, Posted
from grandpause.sim.world.settings import DAY_S

REPEAL_GRACE_S: Final = 7 * DAY_S
"""design.md, part 6: a limit counts only if it begins so long after the next version, at most."""
DOUBT_S: Final = 7_200.0
"""More than an interval can be wide with a wall clock that is not believed: 200 ppm of 180 days are 3,110 s
on either side; and a minute to look."""


@dataclass(slots=True)
class Ledger:
    """One site's ledger.

    Attributes:
        posted: what was acknowledged, complete or not.
        installed: charters that the operator put into the site file.
        heard: name -> people whose signatures of it the site acknowledged.
        done: name -> the statement, and the true time at which its signatures were enough here.
        versions, lifts, limits: the same, by kind; limits are those that reach the site.
        latch: caps that only a restart may raise.
        latchable: values that the latch may have, by cap.
        used: restarts that were used; never forgotten, whatever the disk forgets.
        standby: whether the site lost its state, so that only a restart may end its standby.
        armed: as the controller last acknowledged.
        names: what the operator called his halls when something began to bind; None after a loss of state.
        doubtful: whether a wall clock ahead of its stated error, at a boot, may have made later charters and
            lifts void for this controller: then it may hold more than it must, and only its latch is sure.
        forgot: how often the disk lost what it had acknowledged, by reinstallation or an old image.
    """

    site: str
    heard: dict[str, frozenset[str]] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    done: dict[str, tuple[Posted, float]] = field(default_factory=dict)
    versions: list[tuple[Charter, float]] = field(default_factory=list)
    lifts: list[tuple[Lift, float]] = field(default_factory=list)
    limits: list[tuple[Posted, Limit]] = field(default_factory=list)
    latch: dict[CapKey, int] = field(default_factory=dict)
    latchable: dict[CapKey, frozenset[int]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    standby: bool = True
    armed: bool = False
    names: dict[str, str] | None = None
    doubtful: bool = False
    forgot: int = 0

    def hear(
        self,
        posted: Posted,
        people: Iterable[str],
        now_s: float,
        *,
        clock_right: bool,
        installed: bool = False,
    ) -> None:
        """Take what the controller acknowledged, or what its operator installed."""
        if installed:
            self.installed.add(posted.name)
        self.heard[posted.name] = self.heard.get(posted.name, frozenset()) | frozenset(people)
        self.posted[posted.name] = posted
        waiting: Iterable[tuple[str, Posted]] = [(posted.name, posted)]
        while waiting:
            grown = False
            for name, each in waiting:
                if name not in self.done and each.complete(self.heard[name]) and self._may_count(each, now_s):
                    self.done[name] = (each, now_s)
                    self._sort(each, now_s)
                    # With a clock that is wrong the controller may take a version for void: then it may hold
                    # less than it must under that version, and only its latch is sure.
                    self.doubtful |= not clock_right and isinstance(each.statement, Charter)
                    grown = grown or isinstance(each.statement, Charter)
            waiting = self.posted.items() if grown else ()

    def image(self) -> Ledger:
        """Return a copy, to go with an image of the disk."""
        return replace(
            self,
            heard=dict(self.heard),
            posted=dict(self.posted),
            installed=set(self.installed),
            done=dict(self.done),
            versions=list(self.versions),
            lifts=list(self.lifts),
            limits=list(self.limits),
            latch=dict(self.latch),
            latchable=dict(self.latchable),
        )

    def goes_back_to(self, image: Ledger | None) -> Ledger:
        """Return the ledger after the disk went back to an image, or to nothing."""
        base = image.image() if image is not None else Ledger(self.site)
        base.used = self.used
        base.forgot = self.forgot + 1
        return base

    def must_bind(self, now_s: float) -> Iterator[tuple[Posted, Limit]]:
        """Yield the limits that surely bind now, if the clock keeps its stated error."""
        unix = EPOCH_S + now_s
        for posted, limit in self.limits:
            if not limit.start <= unix <= limit.until:
                continue
            if not self._repealed(limit, slack_s=-DOUBT_S) and not self._lifted(
                posted, limit, now_s, surely=False
            ):
                yield posted, limit

    def may_bind(self, now_s: float) -> Iterator[tuple[Posted, Limit]]:
        """Yield the limits that may bind now."""
        unix = EPOCH_S + now_s
        for posted, limit in self.limits:
            if not limit.start - DOUBT_S <= unix <= limit.until + DOUBT_S:
                continue
            if not self._repealed(limit, slack_s=DOUBT_S) and not self._lifted(
                posted, limit, now_s, surely=True
            ):
                yield posted, limit

    def lower_latch(self, now_s: float, *, armed: bool, safe: bool, honest: bool) -> None:
        """Take note of the limits that have lowered the latch by now.

        Args:
            safe: the controller's interval holds the true time.
            honest: and it is no wider than the clock's stated error makes it.
        """
        if not armed:
            return
        self._allow_latch(self.may_bind(now_s) if honest else iter(self.limits))
        for posted, limit in self.must_bind(now_s) if safe else ():
            if posted.latches:
                for key, value in limit.caps.entries.items():
                    self.latch[key] = min(value, self.latch.get(key, value))

    def _allow_latch(self, limits: Iterable[tuple[Posted, Limit]]) -> None:
        for posted, limit in limits:
            if posted.latches:
                for key, value in limit.caps.entries.items():
                    self.latchable[key] = self.latchable.get(key, frozenset()) | {value}

    def restarted(self, name: str, now_s: float) -> None:
        """Take a restart that was used: it sets the latch, never above the latching limits in force."""
        restart = self.done[name][0].statement
        assert isinstance(restart, Restart)
        self.used.add(name)
        self.latch = dict(restart.caps.entries)
        self.latchable = {key: frozenset({value}) for key, value in restart.caps.entries.items()}
        self._allow_latch(self.may_bind(now_s))
        self.standby = False

    def may_restart(self, name: str, nonce: str) -> str:
        """Say why this restart may not be used by a controller that showed this nonce; empty if it may."""
        if name in self.used:
            return "was used before"
        if name not in self.done:
            return f"was signed by {sorted(self.heard.get(name, ()))} only"
        restart = self.done[name][0].statement
        if not isinstance(restart, Restart) or restart.purpose is not RestartPurpose.RAISE:
            return "is no restart"
        if restart.site != self.site or restart.nonces.get("controller-a") != nonce:
            return "was signed for another site or nonce"
        if restart.under.version != self.newest and not self.doubtful:
            return "was signed under an older version"
        return "two successors of one version are complete" if self.forked else ""

    def may_disarm(self, name: str, nonce: str) -> bool:
        """Tell whether this is a permission to disarm the controller that showed this nonce, unused."""
        restart = self.done[name][0].statement if name in self.done else None
        return (
            isinstance(restart, Restart)
            and restart.purpose is RestartPurpose.DISARM
            and name not in self.used
            and restart.site == self.site
            and restart.nonces.get("controller-a") == nonce
            and (restart.under.version == self.newest or self.doubtful)
        )

    @property
    def newest(self) -> int:
        """The newest version of the operator's charter that is complete here."""
        return max((each.version for each, _ in self.versions), default=1)

    @property
    def forked(self) -> bool:
        """Whether two successors of one version are complete here."""
        versions = [each.version for each, _ in self.versions]
        return len(versions) != len(set(versions))

    def _may_count(self, posted: Posted, now_s: float) -> bool:
        """Whether the charter that it stands under is complete here, and it is not void."""
        statement = posted.statement
        if isinstance(statement, Charter):
            late_s = EPOCH_S + now_s - statement.void_after
            if posted.name in self.installed:
                late_s = -math.inf
            if abs(late_s) < DOUBT_S:
                self.doubtful = True
            if late_s > 0:
                return False
            return statement.version == 2 or statement.previous in self.done
        return statement.under.version == 1 or any(
            each.version == statement.under.version for each, _ in self.versions
        )

    def _sort(self, posted: Posted, now_s: float) -> None:
        statement = posted.statement
        if isinstance(statement, Charter):
            self.versions.append((statement, now_s))
        elif isinstance(statement, Lift):
            self.lifts.append((statement, now_s))
        elif isinstance(statement, Limit) and statement.scope.reaches(self.site):
            self.limits.append((posted, statement))

    def _repealed(self, limit: Limit, *, slack_s: float) -> bool:
        return any(
            each.version == limit.under.version + 1 and limit.start > EPOCH_S + at + REPEAL_GRACE_S + slack_s
            for each, at in self.versions
            if limit.under.power != "grid-call"
        )

    def _lifted(self, limited: Posted, limit: Limit, now_s: float, *, surely: bool) -> bool:
        """Whether a lift ends the limit: surely, or perhaps."""
        unix = EPOCH_S + now_s
        margin = DOUBT_S if surely else -DOUBT_S
        for lift, at in self.lifts:
            if lift.under.charter != limit.under.charter:
                continue
            if lift.under.power == LIFT_HALL and limit.scope != ONE_HALL:
                continue
            operators = limit.under.power != "grid-call"
            newer = [when for each, when in self.versions if each.version > lift.under.version]
            if operators and (self.forked or any(when + (0 if surely else DOUBT_S) < at for when in newer)):
                continue
            if surely and operators and newer:
                continue
            if EPOCH_S + at > lift.void_after - margin:
                continue
            named = limited.name in lift.ends
            suspended = any(
                each.power == limit.under.power and each.start + margin <= unix <= each.end - margin
                for each in lift.suspends
            )
            if named or suspended:
                return True
        return False
