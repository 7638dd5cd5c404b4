"""Charter templates: one engine, no branch per template; a template only fills in a charter.

``operator``: the members of one body. A bounded limit by one; any limit, lift, restart, declaration or
charter by two; limits latch; the weak points of a single body are waived by name. (design.md, part 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grandpause.core.keys import PublicKey
from grandpause.core.model import Profile, Unit
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.statement.charter import (
    Charter,
    LimitBounds,
    PowerRule,
    Ramp,
    Returns,
    Right,
    weak_points,
)
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.errors import UsageError

LEAST_MEMBERS: Final = 3
BOUNDED_LEAST_PPM: Final = 500_000
"""One member alone may take half of the compute, no more ..."""
BOUNDED_LONGEST_S: Final = 72 * 3_600
"""... and for 72 hours (requirements.md, R31)."""
LONGEST_S: Final = 2 * 365 * 86_400
DEFAULT_CLOCK_ERROR_S: Final = 5
TEMPLATES: Final = ("operator",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member in the making: an id, a label without a person's name, and one public key."""

    id: str
    label: str
    key: PublicKey


def operator_charter(
    *,
    title: str,
    members: Sequence[Person],
    meter_owners: Sequence[tuple[str, str, Person]] = (),
    expires: int,
    clock_error_s: int = DEFAULT_CLOCK_ERROR_S,
) -> Charter:
    """Return version 1 of an operator's charter.

    Args:
        members: at least three; two of them are the quorum for everything that is not bounded.
        meter_owners: (body id, label, meter gateway) of other bodies whose signed readings count as
            theirs; they hold no power.
        expires: Unix seconds.

    Raises:
        UsageError: fewer than three members.
        StatementError: an id or key twice, or an unusable key.
    """
    if len(members) < LEAST_MEMBERS:
        raise UsageError(
            f"the operator template takes {LEAST_MEMBERS} members or more, so that one may be lost",
            where="members",
        )
    operator = Body(
        id="operator",
        label="Operator",
        threshold=2,
        members=tuple(Member(id=each.id, label=each.label, keys=(each.key,)) for each in members),
    )
    others = tuple(
        Body(
            id=body,
            label=label,
            threshold=1,
            members=(Member(id=gateway.id, label=gateway.label, keys=(gateway.key,)),),
        )
        for body, label, gateway in meter_owners
    )
    ids = tuple(each.id for each in members)
    roster = Roster(
        (operator, *others),
        (Group(id="any-one", threshold=1, of=ids), Group(id="any-two", threshold=2, of=ids)),
    )
    powers = _operator_powers()
    return Charter(
        version=1,
        previous="",
        title=title,
        expires=expires,
        void_after=expires,
        roster=roster,
        powers=powers,
        clock_error_s=clock_error_s,
        scope_rule=("declared-sites", 1),
        waives=weak_points(roster, powers),
    )


def _operator_powers() -> tuple[PowerRule, ...]:
    everywhere = Scope(kind=ScopeKind.ALL)
    bounded = LimitBounds(
        least=((Unit.COMPUTE, BOUNDED_LEAST_PPM),),
        profiles=(Profile.COOPERATIVE,),
        categories=(1, 2),
        longest_s=BOUNDED_LONGEST_S,
        returns=Returns.RESTART,
        ramp=Ramp.KEEP,
    )
    full = LimitBounds(
        least=tuple((unit, 0) for unit in Unit),
        profiles=tuple(Profile),
        categories=(0, 1, 2),
        longest_s=LONGEST_S,
        returns=Returns.RESTART,
        ramp=Ramp.OVERRIDE,
    )
    by_two = {
        "lift": Right.LIFT,
        "restart": Right.RESTART,
        "charter": Right.CHARTER,
        "declare": Right.DECLARATION,
    }
    return (
        PowerRule(id="limit-bounded", right=Right.LIMIT, quorum="any-one", scope=everywhere, bounds=bounded),
        PowerRule(id="limit", right=Right.LIMIT, quorum="any-two", scope=everywhere, bounds=full),
        *(
            PowerRule(id=name, right=right, quorum="any-two", scope=everywhere)
            for name, right in by_two.items()
        ),
    )
