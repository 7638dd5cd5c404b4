"""Who must sign: bodies of members of keys, and groups with nested thresholds. (spec/quorum.md)

What is counted are distinct keys, members and bodies: a member with two keys counts once, a body
counts once its own threshold of members has signed, a group once its threshold of children has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grandpause.core.keys import PublicKey
from grandpause.errors import StatementError

MAX_BODIES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One person (or meter gateway) of a body; any one of the keys speaks for the member."""

    id: str
    label: str
    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An organisation; it speaks once ``threshold`` of its members have signed."""

    id: str
    label: str
    threshold: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``threshold`` of the named bodies, members or groups (C2SP tlog-policy's grammar)."""

    id: str
    threshold: int
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """The bodies and groups of one charter, checked as a whole.

    Raises:
        StatementError: an id or key occurs twice, a threshold cannot be met or is 0, a group names
            something unknown, itself, or one thing by two ways.
    """

    bodies: tuple[Body, ...]
    groups: tuple[Group, ...]
    _owner: Mapping[str, str] = field(init=False, compare=False, repr=False)
    _keys: Mapping[str, PublicKey] = field(init=False, compare=False, repr=False)
    _nodes: Mapping[str, Body | Member | Group] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        nodes: dict[str, Body | Member | Group] = {}
        owner: dict[str, str] = {}
        keys: dict[str, PublicKey] = {}
        seen_bytes: set[bytes] = set()
        if not 1 <= len(self.bodies) <= MAX_BODIES:
            raise StatementError(f"needs 1 to {MAX_BODIES} bodies", where="bodies")
        for body in self.bodies:
            _add(nodes, body, "bodies")
            _check_threshold(body.id, body.threshold, len(body.members))
            for member in body.members:
                _add(nodes, member, f"bodies.{body.id}.members")
                if not member.keys:
                    raise StatementError("has no key", where=f"members.{member.id}")
                for key in member.keys:
                    # In any algorithm or under any id: the same public bytes are the same secret.
                    if key.public in seen_bytes:
                        raise StatementError("public key occurs twice", where=f"members.{member.id}.keys")
                    seen_bytes.add(key.public)
                    keys[key.key_id] = key
                    owner[key.key_id] = member.id
        for group in self.groups:
            _add(nodes, group, "groups")
        for group in self.groups:
            _check_threshold(group.id, group.threshold, len(group.of))
            self._check_group(group, nodes)
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_nodes", nodes)

    def key(self, key_id: str) -> PublicKey | None:
        """Return the key with this id, or None if the charter does not have it."""
        return self._keys.get(key_id)

    def member_of(self, key_id: str) -> Member | None:
        """Return the member whose key this is."""
        owner = self._owner.get(key_id)
        node = self._nodes.get(owner) if owner is not None else None
        return node if isinstance(node, Member) else None

    def body_of(self, key_id: str) -> Body | None:
        """Return the body whose member's key this is."""
        member = self.member_of(key_id)
        return next((body for body in self.bodies if member in body.members), None) if member else None

    def has_group(self, group_id: str) -> bool:
        """Tell whether a group of this id exists."""
        return isinstance(self._nodes.get(group_id), Group)

    def satisfied(self, group_id: str, signers: Iterable[str]) -> bool:
        """Tell whether the keys ``signers`` complete the quorum of ``group_id``."""
        members = {self._owner[each] for each in signers if each in self._owner}
        return self._speaks(group_id, members)

    def missing(self, group_id: str, signers: Iterable[str]) -> str:
        """Say in words how far the quorum is."""
        members = {self._owner[each] for each in signers if each in self._owner}
        group = self._nodes[group_id]
        assert isinstance(group, Group)
        done = [child for child in group.of if self._speaks(child, members)]
        rest = [child for child in group.of if child not in done]
        return (
            f"{len(done)} of {group.threshold} needed for {group_id}"
            f" (signed: {', '.join(done) or 'nobody'}; may still sign: {', '.join(rest) or 'nobody'})"
        )

    def can_block(self, group_id: str, body_id: str) -> bool:
        """Tell whether the quorum cannot be met without this body."""
        members = {each.id for body in self.bodies if body.id != body_id for each in body.members}
        return not self._speaks(group_id, members)

    def can_alone(self, group_id: str, body_id: str) -> bool:
        """Tell whether this body's members meet the quorum alone."""
        members = {each.id for body in self.bodies if body.id == body_id for each in body.members}
        return self._speaks(group_id, members)

    def fewest_bodies(self, group_id: str) -> int:
        """Return the least number of bodies whose members can meet the quorum together."""
        # One bit for each of the 2^n sets of bodies (8 KiB for 16), so that no loop runs over sets: this is
        # worked out for charters that nobody has signed yet.
        every_set = (1 << (1 << len(self.bodies))) - 1
        sets_with: dict[str, int] = {}
        for index, body in enumerate(self.bodies):
            half = (1 << (1 << index)) - 1
            table = every_set // (half << (1 << index) | half) * (half << (1 << index))
            sets_with |= dict.fromkeys((body.id, *(each.id for each in body.members)), table)

        def sets_that_meet(node_id: str) -> int:
            node = self._nodes[node_id]
            if not isinstance(node, Group):
                return sets_with[node_id]
            return _at_least(node.threshold, [sets_that_meet(each) for each in node.of], every_set)

        meeting = sets_that_meet(group_id)
        sizes = range(1, len(self.bodies) + 1)
        by_body = [sets_with[body.id] for body in self.bodies]
        return next(size for size in sizes if meeting & ~_at_least(size + 1, by_body, every_set))

    def _speaks(self, node_id: str, members: set[str]) -> bool:
        node = self._nodes[node_id]
        if isinstance(node, Member):
            return node.id in members
        if isinstance(node, Body):
            return sum(each.id in members for each in node.members) >= node.threshold
        return sum(self._speaks(child, members) for child in node.of) >= node.threshold

    def _check_group(self, group: Group, nodes: Mapping[str, Body | Member | Group]) -> None:
        reached: set[str] = {group.id}
        waiting = list(group.of)
        while waiting:
            child = waiting.pop()
            node = nodes.get(child)
            if node is None:
                raise StatementError(
                    f"names {child!r}, which is no body, member or group", where=f"groups.{group.id}.of"
                )
            if child in reached:
                raise StatementError(f"reaches {child!r} by two ways", where=f"groups.{group.id}.of")
            reached.add(child)
            if isinstance(node, Group):
                waiting.extend(node.of)
            elif isinstance(node, Body):
                waiting.extend(each.id for each in node.members)


def _add(nodes: dict[str, Body | Member | Group], node: Body | Member | Group, place: str) -> None:
    if node.id in nodes:
        raise StatementError(f"the id {node.id!r} occurs twice", where=place)
    nodes[node.id] = node


def _at_least(threshold: int, tables: Sequence[int], every_set: int) -> int:
    """Return the sets (as bits) that are in ``threshold`` of the tables or more."""
    counts = [every_set, *([0] * threshold)]
    for table in tables:
        for count in range(threshold, 0, -1):
            counts[count] |= counts[count - 1] & table
    return counts[threshold]


def _check_threshold(name: str, threshold: int, children: int) -> None:
    if not 1 <= threshold <= children:
        raise StatementError(f"threshold {threshold} of {children} cannot be", where=name)
