"""Which elements table holds: the declared one, or while a cap binds the harder of two. (design.md, part 6)

Halls that are renamed, nodes that are declared lighter or left out: while something binds, nobody gains by a
new declaration, unless the people who could lift have signed it.
"""

from __future__ import annotations

from typing import Final

from grandpause.core.elements import ElementTable, while_bound
from grandpause.core.envelope import Kind
from grandpause.core.statement.charter import Right
from grandpause.core.statement.facts import Declaration
from grandpause.ports import Store
from grandpause.site.keeper import Keeper

_TABLE: Final = "elements_table"


def table_in_force(current: ElementTable, *, store: Store, binds: bool, agreed: bool) -> ElementTable:
    """Return the table to plan and prove by, and remember what it is as long as nothing binds.

    Args:
        current: what the site file says now.
        binds: whether a limit, latch or standby binds.
        agreed: whether the lift quorum signed the declaration of ``current``: then it counts at once.

    Raises:
        StoreError: it could not be remembered.
        StatementError: what was remembered is damaged.
    """
    data = current.to_bytes()
    stored = store.value(_TABLE)
    if stored == data:
        return current
    if stored is None or not binds or agreed:
        store.commit(values={_TABLE: data})
        return current
    return while_bound(ElementTable.from_bytes(stored), current)


def lift_quorum_declared(keeper: Keeper, declaration: Declaration) -> bool:
    """Tell whether people who could lift any limit of its charter have signed this declaration."""
    for trusted in keeper.charters:
        for entry in trusted.counting(Kind.DECLARATION):
            if entry.statement != declaration:
                continue
            charter = trusted.newest
            powers = [each for each in charter.powers_to(Right.LIFT) if each.scope.kind == "all"]
            return any(charter.roster.satisfied(each.quorum, entry.signers) for each in powers)
    return False
