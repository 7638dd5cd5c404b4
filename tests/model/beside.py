"""One site, kept twice: by the production keeper, and by the reference model. They must say the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count

from core.makers import CONTROLLER, SITE, T0
from grandpause.core.envelope import Kind
from grandpause.core.model import Caps
from grandpause.core.trust import Standing
from grandpause.errors import StatementError, TrustError
from grandpause.site.keeper import Keeper
from grandpause.stores.memory import MemoryStore
from model import casts, facts
from model.casts import KEYS, PARTS, Item
from model.reference import Opinion, Site


class Differs(AssertionError):
    """Production and model do not say the same."""


class Clock:
    """A wall clock and a boot-time clock that agree (``ports.Clock``)."""

    def __init__(self) -> None:
        self.now = T0

    def wall_s(self) -> int:
        """Return the wall clock in Unix seconds."""
        return self.now

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment."""
        return float(self.now)


class Time:
    """One charter's interval, where the wall clock never steps. (design.md 7, spec/time.md 1)"""

    def __init__(self, error_s: int) -> None:
        self.error_s = error_s
        self._earliest = 0

    def at(self, wall_s: int) -> tuple[int, int]:
        """Return (earliest, latest)."""
        self._earliest = max(self._earliest, wall_s - self.error_s)
        return self._earliest, max(wall_s + self.error_s + 1, self._earliest)


class Beside:
    """Everything that happens to one site, told to both.

    Attributes:
        shown: every nonce that the site showed: production's, and the model's number for it.
    """

    def __init__(self, charters: Sequence[Item]) -> None:
        """Boot a new site that pins these charters (their versions 1)."""
        self._clock = Clock()
        self.shown: list[tuple[str, int]] = []
        self.tally: dict[str, int] = {}
        self._charters = charters
        self._items: dict[str, Item] = {}
        self._nonces = (f"{number:032x}" for number in count(1))
        self._store = MemoryStore()
        self._site = Site(PARTS[SITE])
        self._facts: list[facts.Fact] = []
        self._offered: dict[bytes, str] = {}
        self._arrived: dict[str, int] = {}
        self._order = count(1)
        self._boots()

    @property
    def wall_s(self) -> int:
        """The time now, Unix seconds."""
        return self._clock.now

    def receive(self, item: Item, keys: Sequence[str], *, forged: bool = False, twice: bool = False) -> None:
        """Let an envelope with signatures of these keys arrive."""
        name = item.act.name
        self._items[name] = item
        self._arrived.setdefault(name, len(self._arrived))
        data = casts.signed(item.envelope, keys, forged=forged)
        if twice and keys:
            data = _with_a_key_twice(data)
        else:
            moment = (next(self._order), *self._times[item.act.charter].at(self.wall_s))
            good = frozenset() if forged else frozenset(keys)
            self._facts.append(facts.Fact(act=item.act, keys=good, moment=moment))
        self._offer(data, name)
        # As any sender would: what was refused, or could not be used yet, is sent again after a new charter.
        if isinstance(item.act, facts.Charter):
            for each, its_name in sorted(self._offered.items(), key=lambda pair: self._arrived[pair[1]]):
                self._offer(each, its_name)
        self._think()
        self._look()
        for opinion, act, power in self._restarts():
            if not act.disarms and self._site.usable(act, power, self._now(opinion)):
                self._site.restart(act, self._caps())
                self._count("restarts used")
                self._look()

    def wait_until(self, wall_s: int) -> None:
        """Let time pass; nobody looks. Before the next change that production foretells, nothing changes."""
        foretold = self.keeper.next_change_s()
        passed = wall_s - self.wall_s
        before = set(self._caps())
        self._clock.now = wall_s
        if (foretold is None or passed < foretold) and set(self._caps()) != before:
            raise Differs(f"the next change: production foretold {foretold} s, and it came within {passed} s")

    def arm(self) -> None:
        """Arm the site."""
        self.keeper.arm()
        self._site.armed = True
        self._look()

    def disarm(self) -> None:
        """Try to disarm the site; both must allow it, or neither."""
        self.keeper.decide()
        self._look()
        permissions = [
            act
            for opinion, act, power in self._restarts()
            if act.disarms and self._site.usable(act, power, self._now(opinion))
        ]
        binds = bool(self._site.latch or self._site.standby or self._caps())
        if self._site.armed and binds and permissions:
            self._site.used |= {min(each.name for each in permissions)}
            self._count("disarmed by permission")
        self._site.armed = self._site.armed and binds and not permissions
        try:
            self.keeper.disarm()
        except TrustError:
            self._count("disarming refused")

    def reboot(self, *, disk_lost: bool) -> None:
        """Restart the controller, with its store or with an empty one."""
        if disk_lost:
            self._store, self._facts = MemoryStore(), []
            self._offered.clear()
            before, self._site = self._site, Site(PARTS[SITE])
            self._site.nonce = before.nonce
        self._site.nonce += 1
        self._boots()

    def compare(self) -> None:
        """Look at the site now. Raises Differs where production and model do not say the same."""
        decision = self.keeper.decide()
        self._look()
        caps = self._caps()
        ceiling = [each[1:3] for each in caps]
        memory = decision.memory
        self.shown.append((memory.nonce, self._site.nonce))
        pairs = set(self.shown)
        found = {
            "the ceiling": (decision.ceiling, casts.lowest(ceiling)),
            "what is allowed": (decision.caps, casts.lowest([*ceiling, *self._site.latch])),
            "the latch": (memory.latch, casts.lowest(self._site.latch)),
            "standby": (memory.standby is not None, self._site.standby),
            "arming": (memory.armed, self._site.armed),
            "limits in force": (
                {each.name: each.latches for each in decision.in_force},
                {name: latches for name, _, _, latches in caps},
            ),
            "one nonce for one": (len({each for each, _ in pairs}), len({each for _, each in pairs})),
            "nonces": (len(pairs), len({each for _, each in pairs})),
            "charters that count": (self._production_chains(), self._model_chains()),
            "forks": ([each.forked for each in self.keeper.charters], [o.forked for o in self._opinions]),
        }
        for what, (production, model) in found.items():
            if production != model:
                raise Differs(f"{what}: production says {_plain(production)}, the model {_plain(model)}")
        self._count("limits in force", len(caps))
        self._count("latches", bool(memory.latch))
        self._count("forks", any(each.forked for each in self._opinions))
        self._count("second versions", any(len(each.chain) > 1 for each in self._opinions))

    def _boots(self) -> None:
        self.keeper = Keeper.boot(
            site=SITE,
            controller=CONTROLLER,
            store=self._store,
            clock=self._clock,
            fresh_nonce=lambda: next(self._nonces),
            charters=[(each.act.name, [_whole(each)]) for each in self._charters],
            elements=["n1"],
            check=casts.signature_is_right,
        )
        self._times = {each.act.name: Time(each.clock_error_s) for each in self._charters}
        self._think()

    def _restarts(self) -> list[tuple[Opinion, facts.Restart, facts.Power]]:
        """Every restart that counts; those that begin to count in one moment are tried by their names."""
        found = [(each, act, power) for each in self._opinions for act, power in each.raising("restart")]
        return sorted(found, key=lambda each: each[1].name)

    def _offer(self, data: bytes, name: str) -> None:
        self._offered.pop(data, None)
        try:
            admission = self.keeper.receive(data)
        except StatementError:
            return
        except TrustError:
            self._offered[data] = name
            return
        if admission.kind is Kind.RESTART and admission.standing is not Standing.COUNTS:
            self._offered[data] = name

    def _think(self) -> None:
        """Form the opinions anew, after the facts have changed."""
        self._opinions = [Opinion(self._facts, each.act) for each in self._charters]
        for opinion in self._opinions:
            newest = max(charter.version for charter, _ in opinion.chain)
            name = next(charter.name for charter, _ in opinion.chain if charter.version == newest)
            if name in self._items:
                self._times[opinion.chain[0][0].name].error_s = self._items[name].clock_error_s

    def _now(self, opinion: Opinion) -> tuple[int, int, int]:
        return 0, *self._times[opinion.chain[0][0].name].at(self.wall_s)

    def _caps(self) -> list[tuple[str, tuple[frozenset[str], str], int, bool]]:
        return [each for one in self._opinions for each in one.caps(self._site, self._now(one))]

    def _look(self) -> None:
        self._site.look(self._caps())

    def _production_chains(self) -> list[dict[str, int]]:
        chains = []
        for trusted in self.keeper.charters:
            counting = [each for each in trusted.counting(Kind.CHARTER) if each.name != trusted.charter_id]
            chains.append({each.name: each.completed.latest for each in counting if each.completed})
        return chains

    def _model_chains(self) -> list[dict[str, int]]:
        return [{charter.name: moment[2] for charter, moment in each.chain[1:]} for each in self._opinions]

    def _count(self, what: str, times: int = 1) -> None:
        self.tally[what] = self.tally.get(what, 0) + times


@cache
def _whole(item: Item) -> bytes:
    return casts.signed(item.envelope, [each for each in KEYS if each != "x1"])


def _with_a_key_twice(data: bytes) -> bytes:
    """Return the envelope with its first signature in it twice."""
    start = data.index(b'"signatures":[') + len(b'"signatures":[')
    end = data.index(b"}", start) + 1
    return data[:end] + b"," + data[start:end] + data[end:]


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Caps) else value
