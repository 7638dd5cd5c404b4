"""The set of statements: order, repetition, union, and what may raise."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from core.makers import DAY, HOUR, NOW, SITE, T0, at, lift, limit, sealed
from grandpause.core.ceiling import Ceiling, ceiling
from grandpause.core.envelope import Kind, parse
from grandpause.core.memory import Memory, latched
from grandpause.core.model import Caps, Interval
from grandpause.core.statement.acts import Lift
from grandpause.core.trust import Admission, Standing, TrustedSet
from grandpause.errors import StatementError, TrustError
from properties.strategies import COUNCIL, pool

MOMENTS = tuple(at(T0 + hours * HOUR, error_s=5) for hours in (-1, 0, 1, 2, 3, 25))
KINDS = (Kind.CHARTER, Kind.LIMIT, Kind.LIFT, Kind.RESTART, Kind.DECLARATION)

arrivals = st.lists(st.sampled_from(range(len(pool()))), max_size=40)


def admit(trusted: TrustedSet, data: bytes, now: Interval = NOW) -> Admission | None:
    try:
        return trusted.admit(data, now=now)
    except (StatementError, TrustError):
        return None


def caps_of(trusted: TrustedSet) -> list[Caps]:
    return [ceiling(trusted, site=SITE, now=now).caps for now in MOMENTS]


def account(trusted: TrustedSet) -> tuple[object, ...]:
    """Return everything that a set says: what counts of each kind, the chain, the ceiling at each moment."""
    counting = tuple(tuple(each.name for each in trusted.counting(kind)) for kind in KINDS)
    chain = tuple(trusted.charters(version) for version in (1, 2, 3))
    return counting, chain, trusted.forked, [list(each) for each in caps_of(trusted)]


def of(indexes: Sequence[int]) -> TrustedSet:
    trusted = TrustedSet(COUNCIL.id)
    for index in indexes:
        admit(trusted, pool()[index])
    return trusted


@given(arrivals, st.randoms(use_true_random=False))
def test_every_order_of_arrival_and_any_repetition_say_the_same(indexes: list[int], random: object) -> None:
    again = [*indexes, *indexes[::2]]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert account(of([0, *indexes])) == account(of([0, *again]))


@given(st.permutations(range(len(pool()))))
@settings(max_examples=40)
def test_the_whole_pool_says_the_same_in_any_order_even_if_the_charter_comes_last(order: list[int]) -> None:
    whole = of([0, *range(len(pool()))])
    # What was refused for want of a charter is sent again, as any sender would.
    assert account(of([*order, *order])) == account(whole)
    assert len(whole.counting(Kind.LIMIT)) == 4
    assert whole.newest.version == 3


@given(arrivals, arrivals)
def test_two_sets_unite_to_the_same_in_either_order(one: list[int], two: list[int]) -> None:
    assert account(of([0, *one, *two])) == account(of([0, *two, *one]))


@given(arrivals)
def test_nothing_that_arrives_raises_a_ceiling_but_a_lift_that_counts(indexes: list[int]) -> None:
    trusted = of([0])
    for index in indexes:
        before = caps_of(trusted)
        lifts = {each.name for each in trusted.counting(Kind.LIFT)}
        versions = sum(len(trusted.charters(version)) for version in (1, 2, 3))
        admission = admit(trusted, pool()[index])
        raised = any(now.exceeds(then) for now, then in zip(caps_of(trusted), before, strict=True))
        if raised:
            assert admission is not None
            new_lifts = {each.name for each in trusted.counting(Kind.LIFT)} - lifts
            # Directly, or because the charter version that it waited for has come.
            grown = sum(len(trusted.charters(version)) for version in (1, 2, 3)) > versions
            assert new_lifts
            assert admission.name in new_lifts or (admission.kind is Kind.CHARTER and grown)


@given(arrivals, st.integers(0, 40))
def test_time_alone_raises_only_at_a_signed_end_or_within_a_signed_window(
    indexes: list[int], hours: int
) -> None:
    trusted = of([0, *indexes])
    now, then = at(T0 + hours * HOUR), at(T0 + (hours + 1) * HOUR)
    before, after = (ceiling(trusted, site=SITE, now=each) for each in (now, then))
    if after.caps.exceeds(before.caps):
        gone = {each.name for each in before.in_force} - {each.name for each in after.in_force}
        ended = {each.name for each in before.in_force if each.limit.until < then.earliest}
        suspended = {
            window.power
            for entry in trusted.counting(Kind.LIFT)
            if isinstance(entry.statement, Lift)
            for window in entry.statement.suspends
            if window.start <= then.earliest and then.latest <= window.end
        }
        assert all(
            each.name in ended or each.limit.under.power in suspended
            for each in before.in_force
            if each.name in gone
        )


@given(arrivals, st.integers(-2 * HOUR, 2 * DAY), st.integers(0, DAY), st.integers(0, DAY))
def test_more_doubt_about_the_time_never_raises(
    indexes: list[int], moment: int, less: int, more: int
) -> None:
    trusted = of([0, *indexes])
    sharp = ceiling(trusted, site=SITE, now=at(T0 + moment))
    doubt = Interval(earliest=T0 + moment - less, latest=T0 + moment + more)
    assert not ceiling(trusted, site=SITE, now=doubt).caps.exceeds(sharp.caps)


VALID = sealed(limit(COUNCIL), *COUNCIL.some("b1", "b2", "b3"))
LIFT = sealed(lift(COUNCIL, limit(COUNCIL)), *COUNCIL.some("b1", "b2", "b3"))


@given(st.sampled_from([VALID, LIFT]), st.data())
@settings(max_examples=150)
def test_a_changed_byte_is_refused_or_leaves_every_ceiling_as_it_was(
    data: bytes, draw: st.DataObject
) -> None:
    trusted = COUNCIL.trusted()
    admit(trusted, VALID)
    before, entries = caps_of(trusted), {each.name for each in trusted.entries}
    position = draw.draw(st.integers(0, len(data) - 1))
    value = draw.draw(st.integers(0, 255).filter(lambda each: each != data[position]))
    admit(trusted, data[:position] + bytes([value]) + data[position + 1 :])
    assert caps_of(trusted) == before
    assert {each.name for each in trusted.entries} - entries <= {parse(LIFT).name}


@given(st.sampled_from([VALID, LIFT]), st.data())
def test_cut_doubled_or_inserted_bytes_are_refused_or_leave_every_ceiling_as_it_was(
    data: bytes, draw: st.DataObject
) -> None:
    trusted = COUNCIL.trusted()
    admit(trusted, VALID)
    before = caps_of(trusted)
    position = draw.draw(st.integers(0, len(data) - 1))
    end = draw.draw(st.integers(position + 1, len(data)))
    junk = draw.draw(st.binary(min_size=1, max_size=8))
    assert admit(trusted, data + data) is None
    assert admit(trusted, data[:position]) is None
    # A cut may take a whole signature out, and leave a good envelope that says less.
    for bad in (data[:position] + data[end:], data[:position] + junk + data[position:]):
        admit(trusted, bad)
        assert caps_of(trusted) == before


@given(st.binary(max_size=200))
def test_bytes_of_nobody_change_nothing(data: bytes) -> None:
    trusted = COUNCIL.trusted()
    assert admit(trusted, data) is None
    assert len(trusted.entries) == 1


@given(st.lists(st.sampled_from(range(len(pool()))), max_size=25), st.booleans())
def test_the_latch_is_never_raised_by_anything_that_arrives(indexes: list[int], late: bool) -> None:  # noqa: FBT001
    trusted = of([0])
    memory = Memory(nonce="00" * 16, armed=True)
    for count, index in enumerate(indexes):
        admission = admit(trusted, pool()[index])
        now = at(T0 + (count * HOUR if late else 0))
        found: Ceiling = ceiling(trusted, site=SITE, now=now)
        after = latched(memory, found.in_force, fresh_nonce=f"{count + 1:032x}")
        assert not after.latch.exceeds(memory.latch)
        assert admission is None or admission.standing in Standing
        if after.latch != memory.latch:
            assert after.nonce != memory.nonce
        memory = after
