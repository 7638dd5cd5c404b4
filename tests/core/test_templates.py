from __future__ import annotations

from dataclasses import replace

import pytest

from core.makers import T0, Cast, admitted, limit, nonce, restart, signer
from grandpause.core.model import Profile
from grandpause.core.statement.charter import Returns, Waiver
from grandpause.core.templates import Person, operator_charter
from grandpause.core.trust import Standing
from grandpause.errors import StatementError, UsageError


def person(seed: int) -> Person:
    return Person(id=f"m{seed}", label=f"Member {seed}", key=signer(seed).public_key)


def test_two_members_are_too_few_since_one_may_be_lost() -> None:
    with pytest.raises(UsageError, match="takes 3 members or more"):
        operator_charter(title="x", members=[person(1), person(2)], expires=T0)


def test_one_key_for_two_members_is_refused() -> None:
    double = replace(person(1), id="m2")
    with pytest.raises(StatementError, match="public key occurs twice"):
        operator_charter(title="x", members=[person(1), double, person(3)], expires=T0)


def test_the_weak_points_of_a_single_body_are_waived_by_name() -> None:
    alone = operator_charter(title="x", members=[person(1), person(2), person(3)], expires=T0)
    assert set(alone.waives) == {Waiver.BODY_BLOCKS, Waiver.BODY_ALONE, Waiver.NO_LOG}
    assert not alone.has_log


def test_one_member_may_bound_and_no_more(operator: Cast) -> None:
    trusted = operator.trusted()
    (one,) = operator.some("m1")
    half = limit(operator, power="limit-bounded", ceiling=500_000)
    assert admitted(trusted, half, one).standing is Standing.COUNTS
    assert admitted(trusted, limit(operator), one).standing is Standing.PENDING
    assert admitted(trusted, restart(operator, nonce(1)), one).standing is Standing.PENDING


def test_a_meter_owner_holds_no_power(operator: Cast) -> None:
    trusted = operator.trusted()
    by = operator.some("m1", "gateway")
    assert admitted(trusted, limit(operator), *by).standing is Standing.PENDING
    assert admitted(trusted, limit(operator), *operator.some("m3")).standing is Standing.COUNTS


def test_every_limit_latches_and_a_bounded_one_is_cooperative(operator: Cast) -> None:
    bounds = [each.bounds for each in operator.charter.powers if each.bounds is not None]
    assert {each.returns for each in bounds} == {Returns.RESTART}
    assert [each.profiles for each in bounds if each.bounded] == [(Profile.COOPERATIVE,)]
