"""A whole small bundle, and what must be found when it is tampered with."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from tools.vectors.cast import (
    CONTROLLER,
    GATEWAY,
    MEMBERS,
    SITE,
    STRANGER,
    T0,
    Json,
    charter,
    charter_id,
    compute,
    declaration,
    hall,
    limit,
    reading,
    sealed,
    signer,
)

from grandpause.core import evidence as files
from grandpause.core.elements import digest_of
from grandpause.core.envelope import parse
from grandpause.core.model import Interval, NodeState, Outcome, VerdictWord
from grandpause.core.proving import Prover, Question, Snapshot
from grandpause.core.statement.codec import decode, encode
from grandpause.core.statement.facts import Evidence
from grandpause.core.trust import TrustedSet
from grandpause.site.bundling import Account, bundle_files
from grandpause.site.observer import Observation, SignedReading

BEGAN, ENDED = T0 + 10, T0 + 70
BEFORE_AT = T0 + 5
AFTER = ((T0 + 60, 8_160), (T0 + 65, 8_140), (T0 + 70, 8_150))
ROWS = {"1": 8_000, "2": 40, "3": 41, "4": 39}
LIMIT = f"statements/{encode(limit()).name}.json"
FEED = "readings/signed/feed-a-00000004.json"


def _seen() -> Observation:
    seen = Observation()
    rows = [Snapshot(meter="row1", at_s=at, watts=ROWS) for at, _ in AFTER]
    feeds = [
        Snapshot(meter="feed-a", at_s=at, watts={"total": each}, signed_by="utility") for at, each in AFTER
    ]
    seen.history = {"row1": deque(rows), "feed-a": deque(feeds)}
    seen.before = {
        "row1": Snapshot(meter="row1", at_s=BEFORE_AT, watts=dict.fromkeys("1234", 8_000)),
        "feed-a": Snapshot(meter="feed-a", at_s=BEFORE_AT, watts={"total": 32_100}, signed_by="utility"),
    }
    seen.signed = {"feed-a": deque(_signed(number, at, each) for number, (at, each) in enumerate(AFTER, 2))}
    seen.signed_before = {"feed-a": _signed(1, BEFORE_AT, 32_100)}
    return seen


def _signed(sequence: int, at: int, watts: int, by: str = GATEWAY) -> SignedReading:
    data = sealed(reading(sequence, at, watts), by).to_bytes()
    return SignedReading(meter="feed-a", sequence=sequence, at_s=at, data=data)


@cache
def content() -> Mapping[str, bytes]:
    """Return path -> bytes of every file of the bundle."""
    trusted = TrustedSet(charter_id())
    now = Interval(earliest=T0, latest=T0)
    for statement in (charter(), limit()):
        trusted.admit(sealed(statement, *MEMBERS[:2]).to_bytes(), now=now)
    seen = _seen()
    question = Question(
        caps=compute(250_000), keep=frozenset({"n1"}), operator="operator", now_s=ENDED, window_s=30
    )
    proof = Prover(hall()).prove(
        question, {name: tuple(each) for name, each in seen.history.items()}, seen.before
    )
    metered = Outcome.CONFIRMED_BY_METER
    account = Account(
        site=SITE,
        controller=CONTROLLER,
        number=1,
        previous="",
        binds=(encode(limit()).name,),
        began_s=BEGAN,
        ended_s=ENDED,
        window_s=30,
        allowed=compute(250_000),
        before={"feeds": 32_100, "rows": 32_000},
        proof=proof,
        target_w=10_180,
        nodes=[
            files.NodeReport(id="n1", keep=True, state=NodeState.ON, outcome=metered, detail=""),
            *(
                files.NodeReport(id=each, keep=False, state=NodeState.OFF_METERED, outcome=metered, detail="")
                for each in ("n2", "n3", "n4")
            ),
        ],
    )
    made = bundle_files(
        account,
        trusted=trusted,
        declaration=sealed(declaration(), *MEMBERS[:2], CONTROLLER).to_bytes(),
        elements=hall().to_bytes(),
        seen=seen,
        signer=signer(CONTROLLER),
    )
    return dict(sorted(made.items()))


def _evidence() -> Evidence:
    statement = decode(parse(content()[files.EVIDENCE_FILE]))
    assert isinstance(statement, Evidence)
    return statement


def _resigned(changed: Mapping[str, bytes | None], by: str = CONTROLLER, **claims: Any) -> Json:
    """Return the edits of a site that lies: files replaced (or left out), and new evidence over the rest."""
    rest: dict[str, bytes | None] = {
        name: data for name, data in content().items() if name != files.EVIDENCE_FILE
    }
    rest.update(changed)
    digests = tuple(digest_of(name, data) for name, data in sorted(rest.items()) if data is not None)
    statement = replace(_evidence(), files=digests, **claims)
    edits: list[Json] = [
        {"remove": name} if data is None else {"write": name, "text": data.decode()}
        for name, data in changed.items()
    ]
    return {
        "edits": [*edits, {"write": files.EVIDENCE_FILE, "text": sealed(statement, by).to_bytes().decode()}]
    }


def _case(name: str, code: str, where: str, change: Json) -> Json:
    return {"id": name, **change, "code": code, "where": where}


def _damage() -> Iterator[Json]:
    """Yield what somebody without the site's key can do."""
    for path, data in content().items():
        if path != files.EVIDENCE_FILE:
            middle = len(data) // 2
            yield _case(f"one-bit-of-{path}", "trust", path, {"edits": [{"flip_bit": path, "byte": middle}]})
            yield _case(f"without-{path}", "bundle", path, {"edits": [{"remove": path}]})
    yield _case("without-evidence", "bundle", "evidence.json", {"edits": [{"remove": "evidence.json"}]})
    yield _case(
        "an-extra-file", "bundle", "notes.txt", {"edits": [{"write": "notes.txt", "text": "all is well\n"}]}
    )
    yield _case(
        "evidence-cut-short",
        "statement",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": content()["evidence.json"][:-1].decode()}]},
    )
    yield _case(
        "another-statement-as-evidence",
        "bundle",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": content()["declaration.json"].decode()}]},
    )
    envelope = parse(content()["evidence.json"])
    value = bytearray(envelope.signatures[0].value)
    value[7] ^= 1
    good = base64.b64encode(envelope.signatures[0].value).decode()
    bad = content()["evidence.json"].decode().replace(good, base64.b64encode(value).decode())
    yield _case(
        "one-bit-of-the-signature",
        "trust",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": bad}]},
    )


def _lies() -> Iterator[Json]:
    """Yield what the site itself, with its key, can try."""
    evidence = "evidence.json"
    yield _case("signed-by-a-stranger", "trust", evidence, _resigned({}, by=STRANGER))
    yield _case("another-site", "trust", "declaration.json", _resigned({}, site="hall-9999"))
    yield _case("another-declaration", "trust", "declaration.json", _resigned({}, declaration="11" * 32))
    yield _case("watts-that-nobody-read", "trust", evidence, _resigned({}, after={"feeds": 90, "rows": 80}))
    yield _case("whose-meter", "trust", evidence, _resigned({}, proven_by="operator's meters"))
    yield _case(
        "not-proven-though-it-is",
        "trust",
        evidence,
        _resigned({}, verdict=VerdictWord.NOT_PROVEN, proven_by=""),
    )
    yield _case("counts-of-nodes", "trust", "nodes.json", _resigned({}, nodes={NodeState.OFF_METERED: 4}))
    yield _case(
        "more-is-allowed-than-the-limit-says", "trust", evidence, _resigned({}, allowed=compute(900_000))
    )
    yield _case("after-the-limit-was-over", "trust", LIMIT, _resigned({}, ended=T0 + 86_400 + 71))
    yield _case(
        "a-limit-that-is-not-there",
        "bundle",
        f"statements/{'22' * 32}.json",
        _resigned({}, binds=("22" * 32,)),
    )
    one_signer = sealed(limit(), "ada").to_bytes()
    yield _case("a-limit-signed-by-one", "trust", LIMIT, _resigned({LIMIT: one_signer}))
    yield _case(
        "proven-with-one-path-left-out",
        "trust",
        evidence,
        _resigned({path: None for path in content() if "signed" in path}),
    )
    yield _case("proven-with-one-reading-left-out", "trust", evidence, _resigned({FEED: None}))
    again = {"readings/signed/feed-a-00000009.json": content()[FEED]}
    yield _case("a-reading-shown-twice", "trust", "readings/signed/feed-a-00000009.json", _resigned(again))
    forged = {FEED: _signed(4, AFTER[2][0], AFTER[2][1], by=CONTROLLER).data}
    yield _case("a-reading-signed-by-the-site", "trust", FEED, _resigned(forged))
    other = hall().to_bytes().replace(b'"rated_w":10000', b'"rated_w":10001', 1)
    yield _case(
        "another-table-than-was-declared", "trust", "elements.json", _resigned({"elements.json": other})
    )
    unsigned = sealed(declaration(), *MEMBERS[:2]).to_bytes()
    yield _case(
        "a-declaration-without-the-controller",
        "trust",
        "declaration.json",
        _resigned({"declaration.json": unsigned}),
    )
    half = sealed(charter(), "ada").to_bytes()
    yield _case(
        "a-charter-signed-by-one", "trust", "charters/0001.json", _resigned({"charters/0001.json": half})
    )


def cases() -> Json:
    """Return the content of bundle.json."""
    return {
        "directory": "bundle",
        "charter": charter_id(),
        "evidence": parse(content()[files.EVIDENCE_FILE]).name,
        "verdict": "proven",
        "proven_by": "with utility's meter",
        "after": {"feeds": 8_150, "rows": 8_120},
        "wrong_charter": {"charter": "00" * 32, "code": "trust", "where": "charters/0001.json"},
        "tampered": [*_damage(), *_lies()],
    }
