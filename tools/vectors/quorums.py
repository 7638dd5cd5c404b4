"""Who must sign: k of n and k-1 of n, members with two keys, bodies, nested groups; rosters to refuse."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from tools.vectors.cast import Json, signer


def _key(name: str) -> Json:
    return {"alg": "ed25519", "key": base64.b64encode(signer(name).public_key.public).decode()}


def _member(name: str, *keys: str) -> Json:
    return {"id": name, "label": name, "keys": [_key(each) for each in keys or (name,)]}


def _body(name: str, threshold: int, *members: Json) -> Json:
    return {"id": name, "label": name, "threshold": threshold, "members": list(members)}


def _group(name: str, threshold: int, *of: str) -> Json:
    return {"id": name, "threshold": threshold, "of": list(of)}


def _ask(group: str, signers: Sequence[str], *, satisfied: bool) -> Json:
    return {"group": group, "signers": [signer(each).key_id for each in signers], "satisfied": satisfied}


def _k_of_n(n: int) -> Json:
    """Return n bodies of one member each: any k suffice, any k-1 do not."""
    names = [f"k{index}" for index in range(1, n + 1)]
    asked = []
    for k in range(1, n + 1):
        asked.append(_ask(f"any-{k}", names[:k], satisfied=True))
        asked.append(_ask(f"any-{k}", names[n - k + 1 :], satisfied=False))
    return {
        "id": f"k-of-{n}",
        "bodies": [_body(f"body-{each}", 1, _member(each)) for each in names],
        "groups": [_group(f"any-{k}", k, *(f"body-{each}" for each in names)) for k in range(1, n + 1)],
        "cases": asked,
    }


def _accepted() -> Iterator[Json]:
    for n in range(1, 8):
        yield _k_of_n(n)
    yield {
        "id": "one-member-with-two-keys-counts-once",
        "bodies": [_body("b", 2, _member("m1", "k1", "k2"), _member("m2", "k3"), _member("m3", "k4"))],
        "groups": [_group("two", 2, "m1", "m2", "m3"), _group("body", 1, "b")],
        "cases": [
            _ask("two", ["k1", "k2"], satisfied=False),
            _ask("two", ["k2", "k3"], satisfied=True),
            _ask("body", ["k1", "k2"], satisfied=False),
            _ask("body", ["k1", "k4"], satisfied=True),
            _ask("body", ["k1", "k1"], satisfied=False),
            _ask("two", ["k1", "stranger"], satisfied=False),
            _ask("two", [], satisfied=False),
        ],
    }
    bodies = [
        _body(each, threshold, *(_member(f"{each}{index}", f"{each}{index}") for index in (1, 2, 3)))
        for each, threshold in (("a", 1), ("b", 2), ("c", 3))
    ]
    yield {
        "id": "nested",
        "bodies": bodies,
        "groups": [_group("inner", 1, "b", "c"), _group("outer", 2, "a", "inner")],
        "cases": [
            _ask("outer", ["a1"], satisfied=False),
            _ask("outer", ["a1", "a2", "a3"], satisfied=False),
            _ask("outer", ["a1", "b1"], satisfied=False),
            _ask("outer", ["a1", "b1", "b2"], satisfied=True),
            _ask("outer", ["b1", "b2", "c1", "c2", "c3"], satisfied=False),
            _ask("outer", ["a3", "c1", "c2", "c3"], satisfied=True),
            _ask("inner", ["b1", "c1", "c2"], satisfied=False),
        ],
    }
    yield {
        "id": "the-same-members-in-two-trees",
        "bodies": [_body("b", 1, _member("k1"), _member("k2"))],
        "groups": [_group("one", 1, "k1", "k2"), _group("both", 2, "k1", "k2")],
        "cases": [
            _ask("one", ["k2"], satisfied=True),
            _ask("both", ["k2"], satisfied=False),
            _ask("both", ["k1", "k2"], satisfied=True),
        ],
    }


def _refused() -> Iterator[Json]:
    one, two = _body("b1", 1, _member("k1")), _body("b2", 1, _member("k2"))

    def case(name: str, where: str, bodies: list[Json], *groups: Json) -> Json:
        return {"id": name, "bodies": bodies, "groups": list(groups), "code": "statement", "where": where}

    yield case("no-body", "bodies", [])
    yield case("one-id-twice", "bodies", [one, _body("b1", 1, _member("k3"))])
    yield case("a-member-named-as-a-body", "bodies.b2.members", [one, _body("b2", 1, _member("b1", "k2"))])
    yield case("one-key-in-two-members", "members.m2.keys", [one, _body("b2", 1, _member("m2", "k1"))])
    yield case("one-key-twice-in-a-member", "members.m1.keys", [_body("b1", 1, _member("m1", "k1", "k1"))])
    yield case("threshold-above-the-children", "any", [one, two], _group("any", 3, "b1", "b2"))
    yield case("body-threshold-above-its-members", "b1", [_body("b1", 2, _member("k1"))])
    yield case("group-of-nothing-known", "groups.any.of", [one, two], _group("any", 1, "b3"))
    yield case("group-of-itself", "groups.any.of", [one, two], _group("any", 1, "any"))
    yield case("groups-in-a-circle", "groups.g1.of", [one], _group("g1", 1, "g2"), _group("g2", 1, "g1"))
    yield case("a-member-by-two-ways", "groups.any.of", [one, two], _group("any", 2, "b1", "k1"))
    yield case(
        "a-body-by-two-groups",
        "groups.top.of",
        [one, two],
        _group("g1", 1, "b1"),
        _group("g2", 1, "b1", "b2"),
        _group("top", 2, "g1", "g2"),
    )


def cases() -> Json:
    """Return the content of quorum.json."""
    return {"rosters": list(_accepted()), "refused": list(_refused())}
