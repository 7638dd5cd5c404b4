"""A world from a few bytes: what people sign, what arrives, how time goes. Twelve bytes are one event.

Everything is derived from the bytes alone; a byte of 0 is the plainest choice, and an event of zeros is none,
so that a search that makes bytes smaller makes worlds shorter and plainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from core.makers import CONTROLLER, DAY, HOUR, SITE, name_of, nonce
from grandpause.core.model import CapKey, Caps, Profile, Unit
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose, Suspension, Under
from grandpause.core.statement.charter import Ramp
from model import casts
from model.beside import Beside, Differs
from model.casts import AWAY, BOTH, CLOCK_ERROR_S, ELSEWHERE, GRID_ERROR_S, HALL, HERE, TENANT, Item

EVENT: Final = 12
EVENTS: Final = 8
WORLD: Final = 2 + EVENT * EVENTS
"""Bytes of one world: which charters are pinned, how it begins, and its events."""

QUORUMS: Final = (
    ("a1", "b1"),
    ("a1", "c1", "d1"),
    ("a1", "a2", "b1", "c1", "d1", "e1"),
    ("a1",),
    ("a1", "a2"),
    ("b1",),
    ("e1",),
    ("c1",),
    ("c1", "d1"),
    ("a1", "c1"),
    ("b1", "c1", "d1"),
    ("a2", "e1"),
    ("x1",),
    ("u1",),
    ("a2", "x1"),
    (),
)
SCOPES: Final = (casts.ALL, HERE, HALL, TENANT, BOTH, AWAY, HALL, casts.ALL)
POWERS: Final = ("limit", "limit", "limit", "bounded", "passing", "passing", "lift", "none")
LIFTS: Final = ("lift", "lift", "lift", "lift-hall", "lift-hall", "lift-hall", "limit", "none")
VERSIONS: Final = (1, 1, 1, 2, 2, 3)
VALUES: Final = (0, 500_000, 250_000, 499_999, 1_000_000)
SPANS: Final = (DAY, HOUR, 30 * DAY, DAY, DAY + 1, 30 * DAY, HOUR, 30 * DAY + 1)
UNITS: Final = (Unit.COMPUTE, Unit.IT_WATTS, Unit.COMPUTE, Unit.IT_WATTS, Unit.COMPUTE, Unit.SITE_WATTS)
PAUSES: Final = (0, 0, 0, 0, 1, 2 * CLOCK_ERROR_S + 1, 2 * CLOCK_ERROR_S + 2, HOUR)
"""Seconds before an event; two moments are certainly apart after twice the clock error, and one more."""
SHIFTS: Final = (
    0,
    -HOUR,
    HOUR,
    -1,
    1,
    CLOCK_ERROR_S,
    CLOCK_ERROR_S + 1,
    CLOCK_ERROR_S + 2,
    -CLOCK_ERROR_S,
    -CLOCK_ERROR_S - 1,
    GRID_ERROR_S,
    GRID_ERROR_S + 1,
    -GRID_ERROR_S,
    -GRID_ERROR_S - 1,
    7 * DAY,
    DAY,
)


class Site(Protocol):
    """To whom a world happens."""

    tally: dict[str, int]
    shown: list[tuple[str, int]]
    """The nonces that were shown, with the model's number for each."""

    @property
    def wall_s(self) -> int:
        """The time there, Unix seconds."""

    def receive(self, item: Item, keys: Sequence[str], *, forged: bool = False, twice: bool = False) -> None:
        """Let an envelope with signatures of these keys arrive."""

    def wait_until(self, wall_s: int) -> None:
        """Let time pass, and look at nothing."""

    def arm(self) -> None:
        """Arm it."""

    def disarm(self) -> None:
        """Try to disarm it."""

    def reboot(self, *, disk_lost: bool) -> None:
        """Boot the controller again."""

    def compare(self) -> None:
        """Look, and raise Differs if something is wrong."""


class World:
    """One world while it is being unfolded; ``words`` tells it."""

    def __init__(self, data: bytes, site: Callable[[Sequence[Item]], Site] = Beside) -> None:
        """Begin the world that these bytes describe, at the site that is made of the pinned charters."""
        self.words: list[str] = []
        self._data = data
        self._at = 0
        pinned = [casts.operator_version()[1]] + ([casts.grid()] if self._pick(3) == 1 else [])
        self.beside = site(pinned)
        self._ids = [each.act.charter for each in pinned]
        self._items: list[Item] = []
        self._limits: list[Limit] = []
        self._versions: list[tuple[int, ...]] = []
        self._marks = [self.beside.wall_s]
        self._say(f"a new site pins {' and '.join(each.words for each in pinned)}")
        if self._pick(4) != 3:
            self._arm()

    @property
    def tally(self) -> Mapping[str, int]:
        """How often what happened."""
        return self.beside.tally

    def run(self) -> World:
        """Let everything happen. Raises Differs, with the world in words."""
        try:
            self.beside.compare()
            for number in range(EVENTS):
                self._at = 2 + EVENT * number
                kind = self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
                self._event(kind)
            self.beside.compare()
        except Differs as cause:
            lines = "\n".join(f"  {each}" for each in self.words)
            raise Differs(f"{cause}\n{lines}\n  bytes: {self._data.hex()}") from None
        return self

    def _event(self, kind: int) -> None:
        events: tuple[tuple[int, Callable[[], None] | None], ...] = (
            (16, None),
            (76, self.limit),
            (120, self.lift),
            (152, self._restart),
            (180, self.charter),
            (198, self.again),
            (234, self._time),
            (242, self._disarm),
            (247, self._arm),
            (253, self._reboot),
            (256, self._lost),
        )
        happens = next(each for below, each in events if kind < below)
        if happens is None:
            return
        pause = self._of(PAUSES)
        if pause:
            self.beside.wait_until(self.beside.wall_s + pause)
        happens()
        # Time that passes is not looked at by itself: what follows may come first.
        if happens != self._time:
            self.beside.compare()

    def limit(self) -> None:
        who = self._pick(len(self._ids))
        unit = self._of(UNITS)
        start = self._moment()
        limit = Limit(
            under=Under(charter=self._ids[who], version=VERSIONS[self._pick(6)], power=self._of(POWERS)),
            scope=self._of(SCOPES),
            unit=unit,
            ceiling=self._of(VALUES),
            profile=Profile.COOPERATIVE,
            category=1,
            start=start,
            until=start + self._of(SPANS),
            complete_by=start,
            ramp=Ramp.KEEP,
            reason="a test",
            legal_basis="none",
            appeal="none",
            nonce=nonce(len(self._items)),
        )
        self._marks += [limit.start, limit.until]
        words = f"a limit ({_under(limit.under)}) of {_scope(limit.scope)} to {limit.ceiling} {unit},"
        item = casts.act_item(limit, f"{words} {self._clock(limit.start)} until {self._clock(limit.until)},")
        self._limits.append(limit)
        self._arrives(item)

    def lift(self) -> None:
        aim = self._of(self._limits) if self._limits else None
        who = self._pick(4 * len(self._ids))
        charter, version = self._ids[who % len(self._ids)], self._of(VERSIONS)
        if aim is not None and who < 3 * len(self._ids):
            charter, version = aim.under.charter, aim.under.version
        under = Under(charter=charter, version=version, power=self._of(LIFTS))
        void = self.beside.wall_s + (7 * DAY if self._pick(4) else self._of(SHIFTS))
        ends: tuple[str, ...] = ()
        suspends: tuple[Suspension, ...] = ()
        if aim is not None and self._pick(2):
            ends = tuple(sorted({name_of(aim), name_of(self._of(self._limits))}))
            words = f"ends {', '.join(each[:6] for each in ends)}"
        else:
            start = self._moment()
            power = self._of(POWERS) if aim is None else aim.under.power
            window = Suspension(power=power, start=start, end=start + self._of((HOUR, DAY, HOUR, 30 * DAY)))
            self._marks += [window.start, window.end]
            suspends = (window,)
            words = f"suspends '{window.power}' {self._clock(window.start)} to {self._clock(window.end)}"
        lift = Lift(
            under=under,
            ends=ends,
            suspends=suspends,
            void_after=void,
            reason="a test",
            nonce=nonce(len(self._items)),
        )
        self._arrives(
            casts.act_item(lift, f"a lift ({_under(under)}, void {self._clock(void)}) that {words},")
        )

    def _restart(self, *, purpose: RestartPurpose = RestartPurpose.RAISE) -> None:
        under = Under(charter=self._ids[0], version=VERSIONS[self._pick(6)], power="restart")
        age = max(0, self._pick(8) - 4)
        shown, number = self.beside.shown[-min(age + 1, len(self.beside.shown))]
        site = ELSEWHERE if purpose is RestartPurpose.RAISE and self._pick(8) == 7 else SITE
        void = self.beside.wall_s + (DAY if self._pick(4) else self._of(SHIFTS))
        caps = (
            Caps(),
            Caps({CapKey("site", Unit.COMPUTE): 500_000}),
            Caps({CapKey("hall:h1", Unit.COMPUTE): 0}),
        )
        restart = Restart(
            under=under,
            site=site,
            purpose=purpose,
            nonces={CONTROLLER: shown},
            caps=self._of(caps),
            void_after=void,
            reason=f"number {len(self._items)}",
        )
        words = (
            f"a restart ({_under(under)}, void {self._clock(void)}) of {restart.site} to {restart.purpose}"
        )
        words += f" with {dict(restart.caps)} for nonce {number},"
        self._arrives(casts.act_item(restart, words, nonce=number))

    def charter(self) -> None:
        twin = self._pick(5) == 4
        before = self._of([(), *self._versions])
        self._successor(before)
        if twin and len(before) < 2:
            self._successor(before)

    def _successor(self, before: tuple[int, ...]) -> None:
        variant = self._pick(len(casts.VARIANTS))
        twins = {each[-1] for each in self._versions if len(each) == len(before) + 1}
        if len(before) == 2 or (twins and variant in casts.ALONE):
            variant, before = 0, before[:1] if len(before) > 1 else before
        if twins & casts.ALONE:
            return
        variants = (*before, variant)
        if variants not in self._versions:
            self._versions.append(variants)
        # What a limit of the version before may begin at: seven days after this moment.
        self._marks.append(self.beside.wall_s + CLOCK_ERROR_S + 1 + 7 * DAY)
        self._arrives(casts.operator_version(*variants)[1])

    def again(self) -> None:
        if self._items:
            self._arrives(self._of(self._items))

    def _arrives(self, item: Item) -> None:
        if item not in self._items:
            self._items.append(item)
        how = self._pick(16)
        keys = QUORUMS[how % 3 if how < 9 else self._pick(len(QUORUMS))]
        if item.act.charter != self._ids[0]:
            keys = ("u1",) if how < 8 else keys
        forged, twice = how == 13, how == 14
        note = " forged" if forged else " one of them twice" if twice else ""
        if how == 15:
            self._say(f"{item.words} is signed, and does not arrive yet")
            return
        self._say(f"{item.words} arrives, signed by {', '.join(keys) or 'nobody'}{note}")
        self.beside.receive(item, keys, forged=forged, twice=twice)

    def _time(self) -> None:
        now = self.beside.wall_s
        ahead = [each for each in reversed(self._marks) if each > now]
        then = max(now + 1, self._of([*ahead, now]) + self._of(SHIFTS))
        self.beside.wait_until(then)
        self._say("time passes")

    def _arm(self) -> None:
        self._say("it is armed")
        self.beside.arm()

    def _disarm(self) -> None:
        how = self._pick(4)
        if how:
            self._restart(purpose=RestartPurpose.DISARM)
        self._say("somebody disarms it")
        self.beside.disarm()
        if how == 3:
            self._arm()
            self.beside.compare()
            self._say("somebody disarms it again")
            self.beside.disarm()

    def _reboot(self) -> None:
        self._say("the controller boots again")
        self.beside.reboot(disk_lost=False)

    def _lost(self) -> None:
        self._say("the disk is lost, and the controller boots again")
        self.beside.reboot(disk_lost=True)

    def _moment(self) -> int:
        """Return a moment near one that matters."""
        marks = [self.beside.wall_s, *reversed(self._marks)]
        near: int = self._of(marks) + self._of(SHIFTS)
        return near

    def _pick(self, below: int) -> int:
        """Return the next byte, as a number below ``below``."""
        found = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return found % below

    def _of(self, choices: Any) -> Any:
        return choices[self._pick(len(choices))]

    def _clock(self, moment: int) -> str:
        return f"T{moment - self._marks[0]:+d}"

    def _say(self, text: str) -> None:
        self.words.append(f"{self._clock(self.beside.wall_s)}: {text}")


def _under(under: Under) -> str:
    return f"'{under.power}' of {under.charter[:6]} v{under.version}"


def _scope(scope: Any) -> str:
    return f"{scope.kind} {scope.name or '+'.join(scope.sites)}".strip()
