"""Node sets and patterns: from a folded set and one line to the address of each node.

Sets are ClusterShell's ("r[01-16]n[01-16]"). In a pattern, ``{node}`` is the name, ``{n1}`` the first group
of digits in it as written, ``{i1}`` the same as a number, and ``{i1+3}`` or ``{i1-1}`` shifts it.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

from ClusterShell.NodeSet import NodeSet, NodeSetException

from grandpause.core.fields import IDENTIFIER
from grandpause.site.toml_table import Table

_FIELD = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"([ni])([1-9])([+-]\d+)?")
_DIGITS = re.compile(r"\d+")
MOST_NODES = 200_000


def unfold(table: Table, key: str) -> tuple[str, ...]:
    """Return the names in a node set, by their numbers ("n9" before "n10"), however it was written.

    ClusterShell's own order follows how it folds a set, and ``host_first`` counts addresses along this one.

    Raises:
        SiteFileError: naming the key.
    """
    text = table.text(key)
    try:
        names = tuple(sorted(NodeSet(text), key=_by_number))
    except NodeSetException as cause:
        table.refuse(key, f"not a node set: {cause}", hint='for example "r[01-16]n[01-16]"')
    if not 0 < len(names) <= MOST_NODES:
        table.refuse(key, f"{len(names)} names; must be 1 to {MOST_NODES}")
    bad = next((name for name in names if IDENTIFIER.fullmatch(name) is None), None)
    if bad is not None:
        table.refuse(key, f"{bad!r} must be 1 to 64 of a-z 0-9 . _ -")
    return names


def _by_number(name: str) -> tuple[tuple[str, int], ...]:
    """Return a sort key: text and number in turn."""
    texts, numbers = _DIGITS.split(name), [*_DIGITS.findall(name), "-1"]
    return tuple((text, int(number)) for text, number in zip(texts, numbers, strict=True))


def fold(names: list[str]) -> str:
    """Return names as a folded node set, for people."""
    return str(NodeSet.fromlist(names))


def fill(table: Table, key: str, pattern: str, node: str) -> str:
    """Return ``pattern`` with the fields of ``node`` filled in. Raises SiteFileError naming the key."""
    groups = _DIGITS.findall(node)

    def field(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "node":
            return node
        number = _NUMBER.fullmatch(name)
        if number is None:
            table.refuse(key, f"unknown field {{{name}}}", hint="known: {node} {n1} {i1} {i1+3} {i1-1}")
        kind, place, shift = number.groups()
        if int(place) > len(groups):
            table.refuse(key, f"{{{name}}}: {node!r} has {len(groups)} groups of digits")
        digits = groups[int(place) - 1]
        if kind == "n" and shift is None:
            return str(digits)
        return str(int(digits) + int(shift or 0))

    return _FIELD.sub(field, pattern)


def hosts(table: Table, names: tuple[str, ...]) -> dict[str, str]:
    """Return name -> address, from ``host`` (a pattern) or ``host_first`` (consecutive IPv4 addresses)."""
    if table.has("host_first"):
        text = table.text("host_first")
        try:
            first = IPv4Address(text)
            return {name: str(first + index) for index, name in enumerate(names)}
        except AddressValueError as cause:
            table.refuse("host_first", f"not an IPv4 address: {cause}")
    pattern = table.text("host")
    return {name: fill(table, "host", pattern, name) for name in names}
