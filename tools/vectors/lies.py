"""What the site itself can sign: lies, each with what must be said of it, and what holds together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tools.vectors.cast import (
    CONTROLLER,
    DAY,
    EVERYWHERE,
    GATEWAY,
    MEMBERS,
    STRANGER,
    T0,
    Json,
    charter,
    compute,
    declaration,
    hall,
    lift,
    limit,
    reading,
    sealed,
    successor,
)
from tools.vectors.stops import (
    AFTER,
    BEFORE_AT,
    BEGAN,
    ENDED,
    FEED,
    LIMIT,
    ROWS,
    case,
    content,
    evidence,
    resigned,
    signed_feed,
)

from grandpause.core import evidence as files
from grandpause.core.elements import digest_of
from grandpause.core.model import CapKey, Caps, NodeState, Outcome, Unit, VerdictWord
from grandpause.core.proving import Snapshot
from grandpause.core.statement.acts import Limit
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.scope import Scope, ScopeKind

HERE = files.EVIDENCE_FILE
SECOND_CHARTER = "charters/0002.json"
FEEDS_AFTER = tuple(f"readings/signed/feed-a-{number:08}.json" for number in (2, 3, 4))
FEED_BEFORE = "readings/signed/feed-a-00000001.json"
METERED = Outcome.CONFIRMED_BY_METER


def told() -> Iterator[Json]:
    """Yield every lie."""
    yield from _of_the_frame()
    yield from _of_files()
    yield from _of_charters()
    yield from _of_declarations()
    yield from _of_limits()
    yield from _of_readings()
    yield from _of_times()
    yield from _of_nodes()
    yield from _of_the_verdict()


def _of_the_frame() -> Iterator[Json]:
    yield case("signed-by-a-stranger", "trust", HERE, resigned({}, by=STRANGER))
    yield case("evidence-under-another-charter", "trust", HERE, resigned({}, charter="33" * 32))
    lie = resigned({}, began=ENDED + 1, before={"feeds": 8_150, "rows": 32_000})
    yield case("ended-before-it-began", "trust", HERE, lie)
    lie = resigned({LIMIT: None}, binds=(), allowed=Caps())
    yield case("everything-is-allowed", "trust", HERE, lie)
    yield case("first-with-one-before-it", "trust", HERE, resigned({}, previous="44" * 32))
    yield case("second-with-none-before-it", "trust", HERE, resigned({}, number=2))


def _of_files() -> Iterator[Json]:
    needed = (files.DECLARATION_FILE, files.ELEMENTS_FILE, files.NODES_FILE)
    for name in (*needed, files.BEFORE_FILE, files.AFTER_FILE, "charters/0001.json"):
        yield case(f"signed-without-{name}", "bundle", name, resigned({name: None}))
    yield case("signed-with-an-extra-file", "bundle", "notes.txt", resigned({"notes.txt": b"all is well\n"}))
    itself = (digest_of(HERE, b""), *evidence().files)
    yield case("lists-itself", "bundle", HERE, resigned({}, files=tuple(sorted(itself, key=_path))))


def _path(digest: Any) -> str:
    return str(digest.path)


def _of_charters() -> Iterator[Json]:
    first = "charters/0001.json"
    half = sealed(charter(), "ada").to_bytes()
    yield case("a-charter-signed-by-one", "trust", first, resigned({first: half}))
    second = sealed(successor("Second"), *MEMBERS[:2]).to_bytes()
    third = "charters/0003.json"
    yield case("version-two-called-three", "trust", third, resigned({third: second}))
    yield case("version-two-called-one", "trust", first, resigned({first: second}))
    half = sealed(successor("Second"), "ada").to_bytes()
    yield case("a-successor-signed-by-one", "trust", SECOND_CHARTER, resigned({SECOND_CHARTER: half}))
    early = sealed(successor("Second", void_after=T0 - 8 * DAY), *MEMBERS[:2]).to_bytes()
    yield case("a-limit-of-a-repealed-version", "trust", LIMIT, resigned({SECOND_CHARTER: early}))


def _of_declarations() -> Iterator[Json]:
    name = files.DECLARATION_FILE
    yield case("another-site", "trust", name, resigned({}, site="hall-9999"))
    yield case("another-declaration", "trust", name, resigned({}, declaration="11" * 32))
    unsigned = sealed(declaration(), *MEMBERS[:2]).to_bytes()
    yield case("a-declaration-without-the-controller", "trust", name, resigned({name: unsigned}))
    alone = sealed(declaration(), CONTROLLER).to_bytes()
    yield case("a-declaration-by-the-controller-alone", "trust", name, resigned({name: alone}))
    elsewhere = declaration(site="hall-9999")
    made = sealed(elsewhere, *MEMBERS[:2], CONTROLLER).to_bytes()
    yield case(
        "the-declaration-of-another-site",
        "trust",
        name,
        resigned({name: made}, declaration=encode(elsewhere).name),
    )
    yield case("an-undeclared-controller", "trust", HERE, resigned({}, controller="controller-2"))
    other = hall().to_bytes().replace(b'"rated_w":10000', b'"rated_w":10001', 1)
    table = files.ELEMENTS_FILE
    yield case("another-table-than-was-declared", "trust", table, resigned({table: other}))


def bound(statement: Statement, *signers: str, **claims: Any) -> tuple[str, Json]:
    """Return the file of another statement that is said to bind, and the edits."""
    name = encode(statement).name
    file = files.STATEMENT_FILE.format(name=name)
    data = sealed(statement, *(signers or MEMBERS[:2])).to_bytes()
    return file, resigned({LIMIT: None, file: data}, **({"binds": (name,)} | claims))


def _of_limits() -> Iterator[Json]:
    yield case("a-limit-that-is-not-said-to-bind", "bundle", LIMIT, resigned({}, binds=()))
    missing = files.STATEMENT_FILE.format(name="22" * 32)
    lie = resigned({LIMIT: None}, binds=("22" * 32,))
    yield case("a-limit-that-is-not-there", "bundle", missing, lie)
    one_signer = sealed(limit(), "ada").to_bytes()
    yield case("a-limit-signed-by-one", "trust", LIMIT, resigned({LIMIT: one_signer}))
    other = sealed(limit(ceiling=900_000), *MEMBERS[:2]).to_bytes()
    yield case("a-limit-under-another-name", "trust", LIMIT, resigned({LIMIT: other}))
    for name, statement in (
        ("a-limit-of-another-site", limit(scope=Scope(kind=ScopeKind.SITES, sites=("hall-9999",)))),
        ("a-limit-that-is-over", _until(ENDED - 6)),
        ("a-limit-that-begins-later", limit(start=ENDED + 6)),
        ("a-lift-as-a-limit", lift(limit())),
    ):
        file, lie = bound(statement)
        yield case(name, "trust", file, lie)
    yield case("after-the-limit-was-over", "trust", LIMIT, resigned({}, ended=T0 + 86_400 + 71))
    yield case("more-is-allowed-than-the-limit-says", "trust", HERE, resigned({}, allowed=compute(900_000)))
    watts = Caps({CapKey("site", Unit.IT_WATTS): 10_000})
    yield case("another-unit-than-the-limit-has", "trust", HERE, resigned({}, allowed=watts))


def _until(until: int) -> Limit:
    return limit(until=until, complete_by=until)


def _snapshots(of: str, watts: dict[str, int | None], *times: int) -> bytes:
    return files.encode_readings([Snapshot(meter=of, at_s=at, watts=watts) for at in times])


def _of_readings() -> Iterator[Json]:
    forged = {FEED: signed_feed(4, *AFTER[2], by=CONTROLLER).data}
    yield case("a-reading-signed-by-the-site", "trust", FEED, resigned(forged))
    forged = {FEED: signed_feed(4, *AFTER[2], by="ada").data}
    yield case("a-reading-signed-by-the-operator", "trust", HERE, resigned(forged))
    again = "readings/signed/feed-a-00000009.json"
    yield case("a-reading-shown-twice", "trust", again, resigned({again: content()[FEED]}))
    for name, changes in (
        ("a-reading-of-another-site", {"site": "hall-9999"}),
        ("a-reading-of-another-charter", {"charter": "33" * 32}),
        ("a-reading-of-another-meter", {"meter": "feed-b"}),
        ("a-reading-of-another-sequence", {"sequence": 5}),
    ):
        data = sealed(replace(reading(4, *AFTER[2]), **changes), GATEWAY).to_bytes()
        yield case(name, "trust", FEED, resigned({FEED: data}))
    after = files.AFTER_FILE
    unsigned = _snapshots("feed-a", {"total": 8_150}, *(at for at, _ in AFTER))
    stripped: dict[str, bytes | None] = dict.fromkeys(FEEDS_AFTER) | {after: unsigned}
    yield case("unsigned-readings-of-a-signing-meter", "trust", after, resigned(stripped))
    before = files.BEFORE_FILE
    unsigned = _snapshots("feed-a", {"total": 90_000}, BEFORE_AT)
    yield case("an-unsigned-reading-of-a-signing-meter-before", "trust", before, resigned({before: unsigned}))
    late = _snapshots("row1", dict(ROWS), BEGAN + 1)
    yield case("a-reading-before-that-came-later", "trust", before, resigned({before: late}))
    swapped = {before: content()[after], after: content()[before]}
    yield case("before-and-after-swapped", "trust", before, resigned(swapped))
    lie = resigned({}, before={"feeds": 40_000, "rows": 40_000})
    yield case("watts-before-that-nobody-read", "trust", HERE, lie)
    yield case("watts-before-without-their-reading", "trust", HERE, resigned({FEED_BEFORE: None}))
    yield case("watts-that-nobody-read", "trust", HERE, resigned({}, after={"feeds": 90, "rows": 80}))


def _of_times() -> Iterator[Json]:
    nodes = files.NODES_FILE
    yield case("readings-older-than-the-window", "trust", nodes, resigned({}, ended=ENDED + 31))
    yield case("a-window-with-two-readings", "trust", nodes, resigned({}, window_s=5))
    yield case("readings-from-after-the-verdict", "trust", nodes, resigned({}, ended=BEGAN + 29))


def _nodes(**changes: files.NodeReport | None) -> bytes:
    reports = {each.id: each for each in files.decode_nodes(content()[files.NODES_FILE])}
    kept = {each: changes.get(each, report) for each, report in reports.items()}
    return files.encode_nodes([each for each in kept.values() if each is not None])


def _report(name: str, state: NodeState, outcome: Outcome, *, keep: bool) -> files.NodeReport:
    return files.NodeReport(id=name, keep=keep, state=state, outcome=outcome, detail="")


def _said(name: str, state: NodeState, outcome: Outcome, *, keep: bool = False) -> Json:
    """Return the edits of a site that says this of one node, with counts that fit."""
    data = _nodes(**{name: _report(name, state, outcome, keep=keep)})
    states, outcomes = files.totals(files.decode_nodes(data))
    kept = sum(each.keep for each in files.decode_nodes(data))
    target_w = 240 + kept * 9_940
    return resigned({files.NODES_FILE: data}, nodes=states, outcomes=outcomes, target_w=target_w)


def _of_nodes() -> Iterator[Json]:
    nodes = files.NODES_FILE
    yield case("counts-of-nodes", "trust", nodes, resigned({}, nodes={NodeState.OFF_METERED: 4}))
    counts = {Outcome.CONFIRMED_BY_METER: 3, Outcome.UNKNOWN: 1}
    yield case("counts-of-outcomes", "trust", nodes, resigned({}, outcomes=counts))
    fewer = {NodeState.ON: 1, NodeState.OFF_METERED: 2}
    left_out = resigned({nodes: _nodes(n4=None)}, nodes=fewer, outcomes={METERED: 3})
    yield case("a-node-left-out", "trust", nodes, left_out)
    twice = _nodes(n4=_report("n3", NodeState.OFF_METERED, METERED, keep=False))
    yield case("a-node-named-twice", "trust", nodes, resigned({nodes: twice}))
    invented = _nodes(n4=_report("n5", NodeState.OFF_METERED, METERED, keep=False))
    yield case("a-node-that-is-not-declared", "trust", nodes, resigned({nodes: invented}))
    backwards = content()[nodes].replace(b'"n1"', b'"n0"').replace(b'"n2"', b'"n1"').replace(b'"n0"', b'"n2"')
    yield case("nodes-out-of-order", "trust", nodes, resigned({nodes: backwards}))
    on, off, claimed = NodeState.ON, NodeState.OFF_METERED, NodeState.OFF_CLAIMED
    for name, lie in (
        ("off-by-meter-though-on", _said("n1", off, METERED, keep=True)),
        ("off-by-claim-though-on", _said("n1", claimed, METERED, keep=True)),
        ("on-though-off", _said("n2", on, METERED)),
        ("off-by-claim-though-metered", _said("n2", claimed, Outcome.CONFIRMED_BY_BMC)),
        ("a-kept-node-that-refused", _said("n1", on, Outcome.REFUSED, keep=True)),
        ("on-against-the-plan-and-confirmed", _said("n1", on, METERED)),
        ("off-and-unreachable", _said("n2", off, Outcome.UNREACHABLE)),
        ("more-kept-than-is-allowed", _said("n2", off, METERED, keep=True)),
    ):
        yield case(name, "trust", nodes, lie)
    watts = Caps({CapKey("site", Unit.COMPUTE): 250_000, CapKey("site", Unit.IT_WATTS): 10_179})
    yield case("more-kept-than-its-watts-allow", "trust", nodes, resigned({}, allowed=watts))
    yield case("another-target", "trust", HERE, resigned({}, target_w=10_181))


def _of_the_verdict() -> Iterator[Json]:
    yield case("whose-meter", "trust", HERE, resigned({}, proven_by="operator's meters"))
    modest = resigned({}, verdict=VerdictWord.NOT_PROVEN, proven_by="")
    yield case("not-proven-though-it-is", "trust", HERE, modest)
    left_out = resigned({path: None for path in content() if "signed" in path})
    yield case("proven-with-one-path-left-out", "trust", HERE, left_out)
    yield case("proven-with-one-reading-left-out", "trust", HERE, resigned({FEED: None}))
    high = {path: signed_feed(number, at, 16_000).data for path, number, at in _feeds()}
    lie = resigned(high, after={"feeds": 16_000, "rows": 8_120})
    yield case("proven-though-the-meters-disagree", "trust", HERE, lie)
    allowed = Caps({CapKey("site", Unit.COMPUTE): 250_000, CapKey("hall:h9", Unit.COMPUTE): 0})
    yield case("a-cap-on-a-hall-that-is-not-there", "trust", HERE, resigned({}, allowed=allowed))


def _feeds() -> Iterator[tuple[str, int, int]]:
    for path, number, (at, _) in zip(FEEDS_AFTER, (2, 3, 4), AFTER, strict=True):
        yield path, number, at


def true_ones() -> Iterator[Json]:
    """Yield bundles of the same site that hold together, with their verdict."""
    second = sealed(successor("Second"), *MEMBERS[:2]).to_bytes()
    yield _true("a-limit-of-version-one-beside-version-two", resigned({SECOND_CHARTER: second}))
    yield _true("a-limit-that-ended-within-the-clock-s-error", bound(_until(ENDED - 5))[1])
    yield _true("a-limit-that-begins-within-the-clock-s-error", bound(limit(start=ENDED + 5))[1])
    yield _true("a-latch-without-a-limit", resigned({LIMIT: None}, binds=()))
    lower = limit(scope=EVERYWHERE, ceiling=300_000)
    yield _true("a-latch-below-the-limit", bound(lower)[1])
    empty = Snapshot(meter="feed-a", at_s=AFTER[0][0] - 5, watts={})
    rows = files.decode_readings(content()[files.AFTER_FILE])
    data = files.encode_readings([empty, *rows])
    yield _true("a-signing-meter-that-did-not-answer-once", resigned({files.AFTER_FILE: data}))
    one_path = resigned({FEED: None}, verdict=VerdictWord.NOT_PROVEN, proven_by="", after={"rows": 8_120})
    yield _true("not-proven-by-one-path", one_path, "not proven", "")
    claimed = {
        each: _report(each, NodeState.OFF_CLAIMED, Outcome.CONFIRMED_BY_BMC, keep=False)
        for each in ("n2", "n3", "n4")
    }
    nodes = _nodes(n1=_report("n1", NodeState.ON, Outcome.UNKNOWN, keep=True), **claimed)
    states, outcomes = files.totals(files.decode_nodes(nodes))
    old = resigned(
        {files.NODES_FILE: nodes},
        ended=ENDED + 31,
        verdict=VerdictWord.STALE,
        proven_by="",
        after={},
        nodes=states,
        outcomes=outcomes,
    )
    yield _true("stale-by-one-second", old, "stale", "")


def _true(name: str, edits: Json, verdict: str = "proven", proven_by: str = "with utility's meter") -> Json:
    return {"id": name, **edits, "verdict": verdict, "proven_by": proven_by}
