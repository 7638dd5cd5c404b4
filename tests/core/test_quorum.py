from __future__ import annotations

from itertools import combinations

import pytest

from core.makers import member, signer
from grandpause.core.quorum import MAX_BODIES, Body, Group, Roster
from grandpause.errors import StatementError
from grandpause.signers.file import FileSigner


def body(name: str, *people: str, threshold: int = 1, seed: int = 0) -> Body:
    start = seed or sum(name.encode()) * 100
    return Body(
        id=name,
        label=name,
        threshold=threshold,
        members=tuple(member(each, signer(start + index)) for index, each in enumerate(people)),
    )


def flat(members: int, threshold: int) -> tuple[Roster, list[str]]:
    """Return one body of n members and a group of k of them, with the key ids in order."""
    one = body("all", *(f"m{index}" for index in range(members)), threshold=1)
    group = Group(id="q", threshold=threshold, of=tuple(each.id for each in one.members))
    return Roster((one,), (group,)), [each.keys[0].key_id for each in one.members]


@pytest.mark.parametrize("members", range(1, 8))
def test_one_signer_fewer_than_any_quorum_is_never_enough(members: int) -> None:
    for threshold in range(1, members + 1):
        roster, ids = flat(members, threshold)
        for signers in combinations(ids, threshold - 1):
            assert not roster.satisfied("q", signers)
        for signers in combinations(ids, threshold):
            assert roster.satisfied("q", signers)


@pytest.mark.parametrize("members", range(1, 10))
def test_of_all_subsets_exactly_those_of_the_quorum_are_accepted(members: int) -> None:
    threshold = members // 2 + 1
    roster, ids = flat(members, threshold)
    for size in range(members + 1):
        for signers in combinations(ids, size):
            assert roster.satisfied("q", signers) is (size >= threshold)


@pytest.mark.parametrize("bodies", range(2, 5))
def test_of_all_subsets_of_nested_quorums_exactly_the_right_ones_are_accepted(bodies: int) -> None:
    """Each body speaks by 2 of 2; the inner group takes 1 of the first two, the outer that and the rest."""
    parts = tuple(
        body(f"o{index}", f"o{index}a", f"o{index}b", threshold=2, seed=1_000 + 10 * index)
        for index in range(bodies)
    )
    inner = Group(id="inner", threshold=1, of=("o0", "o1"))
    rest = tuple(each.id for each in parts[2:])
    roster = Roster(parts, (inner, Group(id="outer", threshold=1 + len(rest), of=("inner", *rest))))
    ids = {person.keys[0].key_id: one.id for one in parts for person in one.members}
    for size in range(len(ids) + 1):
        for signers in combinations(ids, size):
            full = {each for each in ids.values() if sum(ids[one] == each for one in signers) == 2}
            expected = bool(full & {"o0", "o1"}) and set(rest) <= full
            assert roster.satisfied("outer", signers) is expected


def two_keys() -> tuple[Roster, FileSigner, FileSigner, FileSigner]:
    first, second, other = signer(1), signer(2), signer(3)
    people = (member("anna", first, second), member("ben", other))
    roster = Roster(
        (Body(id="all", label="all", threshold=2, members=people),),
        (Group(id="any-two", threshold=2, of=("anna", "ben")), Group(id="whole", threshold=1, of=("all",))),
    )
    return roster, first, second, other


def test_a_member_with_two_keys_counts_once() -> None:
    roster, first, second, other = two_keys()
    for group in ("any-two", "whole"):
        assert not roster.satisfied(group, [first.key_id, second.key_id])
        assert roster.satisfied(group, [second.key_id, other.key_id])
        assert roster.satisfied(group, [first.key_id, second.key_id, other.key_id])


def test_a_signature_given_twice_counts_once() -> None:
    roster, first, *_ = two_keys()
    assert not roster.satisfied("any-two", [first.key_id] * 5)


def test_keys_that_the_charter_does_not_have_count_nothing() -> None:
    roster, first, _, other = two_keys()
    assert not roster.satisfied("any-two", [first.key_id, "ff" * 32])
    assert roster.satisfied("any-two", [first.key_id, "ff" * 32, other.key_id])


def test_one_key_of_two_members_is_refused() -> None:
    key = signer(1)
    with pytest.raises(StatementError, match="public key occurs twice") as refusal:
        Roster((Body(id="b", label="b", threshold=1, members=(member("x", key), member("y", key))),), ())
    assert refusal.value.where == "members.y.keys"


def test_one_key_of_two_bodies_or_twice_of_one_member_is_refused() -> None:
    key = signer(1)
    one = Body(id="b1", label="b", threshold=1, members=(member("x", key),))
    other = Body(id="b2", label="b", threshold=1, members=(member("y", key),))
    with pytest.raises(StatementError, match="public key occurs twice"):
        Roster((one, other), ())
    with pytest.raises(StatementError, match="public key occurs twice"):
        Roster((Body(id="b", label="b", threshold=1, members=(member("x", key, key),)),), ())


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((Group(id="g", threshold=0, of=("m",)),), "threshold 0 of 1 cannot be"),
        ((Group(id="g", threshold=2, of=("m",)),), "threshold 2 of 1 cannot be"),
        ((Group(id="g", threshold=1, of=("stranger",)),), "names 'stranger'"),
        ((Group(id="g", threshold=1, of=("g",)),), "reaches 'g' by two ways"),
        ((Group(id="g", threshold=1, of=("m", "m")),), "reaches 'm' by two ways"),
        ((Group(id="g", threshold=1, of=("b", "m")),), "reaches 'm' by two ways"),
        ((Group(id="m", threshold=1, of=("b",)),), "the id 'm' occurs twice"),
        (
            (Group(id="g", threshold=1, of=("h",)), Group(id="h", threshold=1, of=("g",))),
            "reaches 'g' by two ways",
        ),
        (
            (
                Group(id="g", threshold=1, of=("h", "i")),
                Group(id="h", threshold=1, of=("m",)),
                Group(id="i", threshold=1, of=("b",)),
            ),
            "reaches 'm' by two ways",
        ),
    ],
)
def test_a_group_that_could_count_anyone_twice_or_nobody_is_refused(
    groups: tuple[Group, ...], message: str
) -> None:
    with pytest.raises(StatementError, match=message):
        Roster((body("b", "m"),), groups)


@pytest.mark.parametrize("bodies", [0, MAX_BODIES + 1])
def test_a_charter_has_1_to_16_bodies(bodies: int) -> None:
    with pytest.raises(StatementError, match="needs 1 to 16 bodies"):
        Roster(tuple(body(f"b{index}", f"m{index}", seed=10 * index + 1) for index in range(bodies)), ())


def test_an_id_twice_an_impossible_threshold_or_a_member_without_a_key_is_refused() -> None:
    with pytest.raises(StatementError, match="the id 'm' occurs twice"):
        Roster((body("b", "m"), body("c", "m")), ())
    with pytest.raises(StatementError, match="threshold 3 of 1 cannot be"):
        Roster((body("b", "m", threshold=3),), ())
    with pytest.raises(StatementError, match="has no key"):
        Roster((Body(id="b", label="b", threshold=1, members=(member("m"),)),), ())


def test_keys_members_and_bodies_are_found_by_key_id() -> None:
    roster, first, second, _ = two_keys()
    key = roster.key(second.key_id)
    assert key is not None
    assert key.public == second.public_key.public
    anna, all_of_them = roster.member_of(second.key_id), roster.body_of(first.key_id)
    assert anna is not None
    assert all_of_them is not None
    assert (anna.id, all_of_them.id) == ("anna", "all")
    assert roster.key("ff" * 32) is None
    assert roster.member_of("ff" * 32) is None
    assert roster.body_of("ff" * 32) is None
    assert roster.has_group("whole")
    assert not roster.has_group("anna")
    assert not roster.has_group("nothing")


def test_what_is_missing_is_said_in_words() -> None:
    roster, first, *_ = two_keys()
    assert (
        roster.missing("any-two", [])
        == "0 of 2 needed for any-two (signed: nobody; may still sign: anna, ben)"
    )
    assert "1 of 2 needed for any-two (signed: anna; may still sign: ben)" in roster.missing(
        "any-two", [first.key_id]
    )


def test_who_can_block_and_who_can_act_alone_is_found() -> None:
    one, two, three = (body(f"b{index}", f"m{index}", seed=10 * index) for index in (1, 2, 3))
    roster = Roster(
        (one, two, three),
        (
            Group(id="any-two", threshold=2, of=("b1", "b2", "b3")),
            Group(id="with-one", threshold=2, of=("b1", "others")),
            Group(id="others", threshold=1, of=("b2", "b3")),
            Group(id="alone", threshold=1, of=("b1", "b2")),
        ),
    )
    assert not any(roster.can_block("any-two", each) for each in ("b1", "b2", "b3"))
    assert [roster.can_block("with-one", each) for each in ("b1", "b2", "b3")] == [True, False, False]
    assert [roster.can_alone("alone", each) for each in ("b1", "b2", "b3")] == [True, True, False]
    assert roster.fewest_bodies("any-two") == roster.fewest_bodies("with-one") == 2
    assert roster.fewest_bodies("alone") == 1


def test_members_of_one_body_in_two_groups_need_that_one_body_only() -> None:
    roster = Roster(
        (body("b", "x", "y", threshold=2),),
        (
            Group(id="q", threshold=2, of=("p", "r")),
            Group(id="p", threshold=1, of=("x",)),
            Group(id="r", threshold=1, of=("y",)),
        ),
    )
    assert roster.fewest_bodies("q") == 1
