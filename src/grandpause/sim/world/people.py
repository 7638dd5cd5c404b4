"""The people of a world: who holds which key, what they sign, and what that should be worth.

What a signature *should* be worth is counted here in the plainest way (how many different people of a list),
apart from the core's rosters and groups, so that the core can be held against it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from grandpause.core.envelope import Envelope
from grandpause.core.keys import PublicKey
from grandpause.core.model import Caps, Profile, Unit
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.statement.acts import Lift, Limit, Restart, RestartPurpose, Suspension, Under
from grandpause.core.statement.charter import (
    Charter,
    LimitBounds,
    PowerRule,
    Ramp,
    Returns,
    Right,
    weak_points,
)
from grandpause.core.statement.codec import encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.templates import Person, operator_charter
from grandpause.sim.world.clock import EPOCH_S
from grandpause.sim.world.settings import DAY_S
from grandpause.sim.world.signatures import SignatureTable, public_key

Statement = Charter | Limit | Lift | Restart
EVERYWHERE: Final = Scope(kind=ScopeKind.ALL)
FAR_S: Final = EPOCH_S + 4_000 * DAY_S
BOUNDED: Final = "limit-bounded"
CURTAIL: Final = "curtail"
GRID: Final = "grid-call"
LIFT_HALL: Final = "lift-one-hall"
ONE_HALL: Final = Scope(kind=ScopeKind.HALL, sites=("site-1",), name="h1")
STAFF: Final = ("ada", "bo", "cy", "di", "eve")
UTILITY: Final = ("uma", "vic", "wu")
OUTSIDERS: Final = ("mallory",)
_KEYS: Final[Mapping[str, tuple[int, ...]]] = {
    # Ada has two keys: together they are worth one signature.
    "ada": (1, 2),
    **{name: (number,) for number, name in enumerate((*STAFF[1:], *UTILITY, *OUTSIDERS), 3)},
}


def keys_of(person: str) -> tuple[PublicKey, ...]:
    """Return a person's keys."""
    return tuple(public_key(number) for number in _KEYS[person])


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """So many different people of these."""

    of: frozenset[str]
    least: int

    def met(self, people: Iterable[str]) -> bool:
        """Tell whether these people are enough."""
        return len(self.of & frozenset(people)) >= self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A statement that somebody posted.

    Attributes:
        pieces: its envelopes, each with the people whose signatures it carries.
        needs: what it takes to count, as this world's people agreed on it.
        latches: of a limit: whether its cap stays until a restart.
    """

    name: str
    statement: Statement
    pieces: tuple[tuple[bytes, tuple[str, ...]], ...]
    needs: tuple[Need, ...]
    latches: bool = False

    @property
    def signers(self) -> frozenset[str]:
        """Everybody whose signature it carries."""
        return frozenset(each for _, people in self.pieces for each in people)

    def complete(self, people: Iterable[str]) -> bool:
        """Tell whether these signers are enough."""
        signers = frozenset(people)
        return all(each.met(signers) for each in self.needs)


class People:
    """Makes statements. ``chain`` holds the versions of the operator's charter that were agreed on."""

    def __init__(self, chance: random.Random, table: SignatureTable) -> None:
        self._chance = chance
        self._table = table
        self._made = 0
        self.members: list[tuple[str, ...]] = [STAFF[:4]]
        self.agreed: list[Posted] = []
        self.chain: list[Charter] = [_operator(self.members[0])]
        self.grid = _grid()
        self.charter_id = encode(self.chain[0]).name
        self.grid_id = encode(self.grid).name
        staff = self.post(self.chain[0], self.members[0], whole=True).pieces[0][0]
        utility = self.post(self.grid, UTILITY, whole=True).pieces[0][0]
        self._first = [(self.charter_id, [staff]), (self.grid_id, [utility])]

    @property
    def version(self) -> int:
        """The newest version that was agreed on."""
        return len(self.chain)

    def files(self) -> list[tuple[str, list[bytes]]]:
        """Return the charter files of a site: each pinned charter's id, and its versions until now."""
        (staff, first), grid = self._first
        return [(staff, [*first, *(data for each in self.agreed for data, _ in each.pieces)]), grid]

    def post(self, statement: Statement, signers: Iterable[str], *, whole: bool) -> Posted:
        """Return a statement signed by these people, in one envelope or one for each of them."""
        envelope = encode(statement)
        people = tuple(signers)
        groups = [people] if whole or not people else [(each,) for each in people]
        return Posted(
            name=envelope.name,
            statement=statement,
            pieces=tuple((self._signed(envelope, each), each) for each in groups),
            needs=self._needs(statement),
            latches=isinstance(statement, Limit) and statement.under.power in {"limit", BOUNDED},
        )

    def limit(
        self, power: str, *, start: int, lasts_s: int, version: int | None = None, **changes: object
    ) -> Limit:
        """Return a limit under the newest version, or an older one; ``changes`` are fields of ``Limit``."""
        fields: dict[str, object] = {
            "under": self._under(power, version=version),
            "scope": EVERYWHERE,
            "unit": Unit.COMPUTE,
            "ceiling": 0,
            "profile": Profile.COOPERATIVE,
            "category": 1,
            "start": start,
            "until": start + lasts_s,
            "complete_by": start,
            "ramp": Ramp.KEEP,
            "reason": "simulated",
            "legal_basis": "none",
            "appeal": "none",
            "nonce": self._nonce(),
        } | changes
        return Limit(**fields)  # type: ignore[arg-type]

    def lift(self, ends: Iterable[str], *, now: int, power: str = "lift", grid: bool = False) -> Lift:
        """Return a lift of these limits."""
        return self._lift(tuple(sorted(ends)), (), now=now, power=power, grid=grid)

    def suspension(self, power: str, *, now: int, lasts_s: int) -> Lift:
        """Return a lift that suspends a power from now on."""
        return self._lift((), (Suspension(power=power, start=now, end=now + lasts_s),), now=now)

    def restart(self, site: str, nonce: str, caps: Caps, *, now: int, purpose: RestartPurpose) -> Restart:
        """Return a restart for the nonce that a site shows."""
        return Restart(
            under=self._under("restart"),
            site=site,
            purpose=purpose,
            nonces={"controller-a": nonce},
            caps=caps,
            void_after=now + 2 * DAY_S,
            reason="simulated",
        )

    def successor(self, members: tuple[str, ...], *, bounded: bool, now: int) -> Charter:
        """Return the next version: with these members, and with or without the power of one alone."""
        charter = _operator(members, bounded=bounded)
        return replace(
            charter,
            version=self.version + 1,
            previous=encode(self.chain[-1]).name,
            void_after=now + 30 * DAY_S,
            title=f"version {self.version + 1}, draft {self._nonce()[-6:]}",
        )

    def agree(self, posted: Posted, charter: Charter, members: tuple[str, ...]) -> None:
        """Take a new version as what holds from now on."""
        self.agreed.append(posted)
        self.chain.append(charter)
        self.members.append(members)

    def members_of(self, version: int) -> frozenset[str]:
        """Return who belonged to a version."""
        return frozenset(self.members[version - 1])

    def _lift(
        self,
        ends: tuple[str, ...],
        suspends: tuple[Suspension, ...],
        *,
        now: int,
        power: str = "lift",
        grid: bool = False,
    ) -> Lift:
        under = Under(charter=self.grid_id, version=1, power="lift") if grid else self._under(power)
        return Lift(
            under=under,
            ends=ends,
            suspends=suspends,
            void_after=now + 7 * DAY_S,
            reason="simulated",
            nonce=self._nonce(),
        )

    def _under(self, power: str, *, version: int | None = None) -> Under:
        if power == GRID:
            return Under(charter=self.grid_id, version=1, power=power)
        return Under(charter=self.charter_id, version=version or self.version, power=power)

    def _needs(self, statement: Statement) -> tuple[Need, ...]:
        if isinstance(statement, Charter):
            if statement.version == 1:
                return ()
            old = self.members_of(statement.version - 1)
            new = frozenset(each.id for each in statement.roster.bodies[0].members)
            return (Need(of=old, least=2), Need(of=new, least=2))
        if statement.under.charter == self.grid_id:
            return (Need(of=frozenset(UTILITY), least=1 if statement.under.power == GRID else 2),)
        if self.chain[statement.under.version - 1].power(statement.under.power) is None:
            return (Need(of=frozenset(), least=1),)  # repealed: nobody has it any more
        least = 1 if statement.under.power == BOUNDED else 2
        return (Need(of=self.members_of(statement.under.version), least=least),)

    def _signed(self, envelope: Envelope, people: tuple[str, ...]) -> bytes:
        return self._table.signed(envelope, *(key for each in people for key in keys_of(each)))

    def _nonce(self) -> str:
        self._made += 1
        return f"{self._chance.getrandbits(96):024x}{self._made:08x}"


def _operator(members: tuple[str, ...], *, bounded: bool = True) -> Charter:
    """Return the operator template with a power to curtail that returns by itself."""
    people = [Person(id=each, label=each, key=keys_of(each)[0]) for each in members]
    charter = operator_charter(title="World", members=people, expires=FAR_S, clock_error_s=10)
    body = charter.roster.bodies[0]
    roster = Roster(
        (replace(body, members=tuple(replace(each, keys=keys_of(each.id)) for each in body.members)),),
        charter.roster.groups,
    )
    powers = tuple(each for each in charter.powers if bounded or each.id != BOUNDED)
    lift_hall = PowerRule(id=LIFT_HALL, right=Right.LIFT, quorum="any-two", scope=ONE_HALL)
    powers += (_limit_power(CURTAIL, "any-two"), lift_hall)
    return replace(charter, roster=roster, powers=powers, waives=weak_points(roster, powers))


def _grid() -> Charter:
    """Return the grid operator's charter: one may call for watts, which return by themselves."""
    body = Body(
        id="utility",
        label="Utility",
        threshold=2,
        members=tuple(Member(id=each, label=each, keys=keys_of(each)) for each in UTILITY),
    )
    groups = (
        Group(id="any-1", threshold=1, of=UTILITY),
        # The body speaks when two of its people do: the body's own threshold.
        Group(id="any-2", threshold=1, of=("utility",)),
        Group(id="any-3", threshold=3, of=UTILITY),
    )
    roster = Roster((body,), groups)
    # Nobody of the utility restarts a site: one latch serves both charters (ADR 0013).
    powers = (
        _limit_power(GRID, "any-1"),
        PowerRule(id="lift", right=Right.LIFT, quorum="any-2", scope=EVERYWHERE),
        *(
            PowerRule(id=str(right), right=right, quorum="any-3", scope=EVERYWHERE)
            for right in (Right.RESTART, Right.CHARTER, Right.DECLARATION)
        ),
    )
    return Charter(
        version=1,
        previous="",
        title="Grid of the World",
        expires=FAR_S,
        void_after=FAR_S,
        roster=roster,
        powers=powers,
        clock_error_s=120,
        scope_rule=("declared-sites", 1),
        waives=weak_points(roster, powers),
    )


def _limit_power(name: str, quorum: str) -> PowerRule:
    bounds = LimitBounds(
        least=((Unit.COMPUTE, 0), (Unit.IT_WATTS, 0)),
        profiles=(Profile.COOPERATIVE,),
        categories=(0, 1, 2),
        longest_s=30 * DAY_S,
        returns=Returns.ITSELF,
        ramp=Ramp.OVERRIDE,
    )
    return PowerRule(id=name, right=Right.LIMIT, quorum=quorum, scope=EVERYWHERE, bounds=bounds)
