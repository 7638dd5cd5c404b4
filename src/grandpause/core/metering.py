"""Which meters can tell which elements apart: paths, components, blocks. (spec/proving.md 2)

A *path* is a set of meters that is summed. A *component* of a path is a smallest set of its channels
whose elements no other channel of that path covers: two outlets of one node, or a row, or a hall. A
*block* is a smallest set of elements that two paths both cover with whole components: there, sums can
be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grandpause.core.elements import ElementTable, Measures, MeterRow

Channel = tuple[str, str]
"""(meter id, channel id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Channels of one path that belong together, and the elements that they cover."""

    channels: tuple[Channel, ...]
    elements: tuple[str, ...]
    resolution_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPath:
    """One independent way to measure, and how finely it can tell elements apart."""

    name: str
    measures: Measures
    meters: tuple[MeterRow, ...]
    components: tuple[Component, ...]
    covered: frozenset[str]


def meter_paths(table: ElementTable) -> tuple[MeterPath, ...]:
    """Return the table's meter paths, sorted by name."""
    by_path: dict[str, list[MeterRow]] = {}
    for meter in table.meters:
        by_path.setdefault(meter.path, []).append(meter)
    return tuple(_path(name, tuple(meters)) for name, meters in sorted(by_path.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where the sums of two paths can be compared.

    Attributes:
        one, other: the components of either path.
        nodes: how many elements they cover.
        resolution_w: the sum of all their channels' steps.
    """

    one: tuple[Component, ...]
    other: tuple[Component, ...]
    nodes: int
    resolution_w: int


def blocks(one: MeterPath, other: MeterPath) -> tuple[Block, ...]:
    """Return the blocks that two paths share."""
    components = [*one.components, *other.components]
    first_of_other = len(one.components)
    found = []
    for group in _joined([each.elements for each in components]):
        ours = tuple(components[index] for index in group if index < first_of_other)
        theirs = tuple(components[index] for index in group if index >= first_of_other)
        found.append(
            Block(
                one=ours,
                other=theirs,
                nodes=len({name for each in (*ours, *theirs) for name in each.elements}),
                resolution_w=sum(each.resolution_w for each in (*ours, *theirs)),
            )
        )
    return tuple(found)


def _path(name: str, meters: tuple[MeterRow, ...]) -> MeterPath:
    channels = [
        ((meter.id, channel), covered, meter.resolution_w)
        for meter in meters
        for channel, covered in meter.channels.items()
    ]
    components = tuple(
        Component(
            channels=tuple(channels[index][0] for index in group),
            elements=tuple(dict.fromkeys(each for index in group for each in channels[index][1])),
            resolution_w=sum(channels[index][2] for index in group),
        )
        for group in _joined([covered for _, covered, _ in channels])
    )
    return MeterPath(
        name=name,
        measures=meters[0].measures,
        meters=meters,
        components=components,
        covered=frozenset(each for component in components for each in component.elements),
    )


def _joined(sets: list[tuple[str, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the indexes of ``sets``, grouped so that groups share no item (union-find)."""
    parent = list(range(len(sets)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_with: dict[str, int] = {}
    for index, items in enumerate(sets):
        for item in items:
            other = first_with.setdefault(item, index)
            if other != index:
                parent[root(index)] = root(other)
    groups: dict[int, list[int]] = {}
    for index in range(len(sets)):
        groups.setdefault(root(index), []).append(index)
    return tuple(tuple(group) for group in groups.values())


def complete_sums(
    paths: Iterable[MeterPath], watts: Mapping[str, Mapping[str, int | None]]
) -> dict[str, int]:
    """Return path -> IT watts, of every IT path whose meters have a value on every channel.

    Args:
        watts: meter -> channel -> watts.
    """
    result = {}
    for path in paths:
        values = [watts.get(meter.id, {}).get(channel) for meter in path.meters for channel in meter.channels]
        known = [each for each in values if each is not None]
        if path.measures is Measures.IT and len(known) == len(values):
            result[path.name] = sum(known)
    return result


def owners(path: MeterPath) -> frozenset[str]:
    """Return the bodies that own the path's meters."""
    return frozenset(meter.owner for meter in path.meters)


def sum_of(components: Iterable[Component], watts: Mapping[Channel, int]) -> int:
    """Return the watts of ``components``; every channel must have a value."""
    return sum(watts[channel] for component in components for channel in component.channels)
