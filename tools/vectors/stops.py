"""A whole small bundle: one stop of the hall, proven; and the same by a site that lies."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from tools.vectors.cast import (
    CONTROLLER,
    GATEWAY,
    MEMBERS,
    SITE,
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
from grandpause.core.model import Interval, NodeState, Outcome
from grandpause.core.proving import Prover, Question, Snapshot
from grandpause.core.statement.codec import decode, encode
from grandpause.core.statement.facts import Evidence
from grandpause.core.trust import TrustedSet
from grandpause.site.bundling import Account, bundle_files
from grandpause.site.observation import Observation, SignedReading

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
    seen.signed = {
        "feed-a": deque(signed_feed(number, at, each) for number, (at, each) in enumerate(AFTER, 2))
    }
    seen.signed_before = {"feed-a": signed_feed(1, BEFORE_AT, 32_100)}
    return seen


def signed_feed(sequence: int, at: int, watts: int, by: str = GATEWAY) -> SignedReading:
    """Return a reading of the feed meter, signed by its owner or by another."""
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


def evidence() -> Evidence:
    """Return what the true evidence says."""
    statement = decode(parse(content()[files.EVIDENCE_FILE]))
    assert isinstance(statement, Evidence)
    return statement


def resigned(changed: Mapping[str, bytes | None], by: str = CONTROLLER, **claims: Any) -> Json:
    """Return the edits of a site that lies: files replaced (or left out), and new evidence over the rest."""
    rest: dict[str, bytes | None] = {
        name: data for name, data in content().items() if name != files.EVIDENCE_FILE
    }
    rest.update(changed)
    digests = tuple(digest_of(name, data) for name, data in sorted(rest.items()) if data is not None)
    statement = replace(evidence(), **({"files": digests} | claims))
    edits: list[Json] = [
        {"remove": name} if data is None else {"write": name, "text": data.decode()}
        for name, data in changed.items()
    ]
    return {
        "edits": [*edits, {"write": files.EVIDENCE_FILE, "text": sealed(statement, by).to_bytes().decode()}]
    }


def case(name: str, code: str, where: str, change: Json) -> Json:
    """Return one case: the edits, and what must be said of them."""
    return {"id": name, **change, "code": code, "where": where}
