"""Envelopes of every kind, and bytes that must be refused, each with the field at fault."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

from tools.vectors.cast import (
    CONTROLLER,
    DAY,
    GATEWAY,
    HOUR,
    MEMBERS,
    SITE,
    T0,
    Json,
    Refusal,
    bounded_limit,
    charter,
    charter_id,
    compute,
    declaration,
    lift,
    limit,
    nonce,
    raw_envelope,
    reading,
    restart,
    sealed,
    successor,
    under,
)

from grandpause.core import canonical
from grandpause.core.elements import digest_of
from grandpause.core.envelope import Kind
from grandpause.core.model import CapKey, Caps, NodeState, Outcome, Unit, VerdictWord
from grandpause.core.rendering import sentence, short_code
from grandpause.core.statement.acts import Permit, RestartPurpose, Suspension
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.facts import Evidence, Status
from grandpause.core.statement.scope import Scope, ScopeKind

BOTH = MEMBERS[:2]


def permit() -> Permit:
    """Return a permit; a draft: it needs a charter with a log."""
    return Permit(
        under=under("permit"),
        unit=Unit.COMPUTE,
        ceiling=1_000_000,
        not_before=T0,
        expires=T0 + 7 * DAY,
        head_size=4_096,
        head_root="5e" * 32,
    )


def status() -> Status:
    """Return a status of an armed controller whose latch stands at 25 %."""
    return Status(
        charter=charter_id(),
        site=SITE,
        controller=CONTROLLER,
        number=7,
        at=T0 + 120,
        armed=True,
        standby=False,
        nonce=nonce(10),
        latch=compute(250_000),
        binds=(encode(limit()).name,),
    )


def evidence() -> Evidence:
    """Return evidence with one file; a whole bundle is in vectors/bundle."""
    return Evidence(
        charter=charter_id(),
        site=SITE,
        controller=CONTROLLER,
        number=1,
        previous="",
        declaration=encode(declaration()).name,
        binds=(encode(limit()).name,),
        began=T0 + 10,
        ended=T0 + 70,
        window_s=30,
        allowed=compute(250_000),
        verdict=VerdictWord.PROVEN,
        proven_by="with utility's meter",
        before={"feeds": 32_100, "rows": 32_000},
        after={"feeds": 8_150, "rows": 8_120},
        target_w=10_180,
        nodes={NodeState.ON: 1, NodeState.OFF_METERED: 3},
        outcomes={Outcome.CONFIRMED_BY_METER: 4},
        files=(digest_of("nodes.json", b"{}"),),
    )


def statements() -> dict[str, tuple[Statement, tuple[str, ...]]]:
    """Return id -> (statement, signers). The first of each kind is the example on its page."""
    one_hall = Scope(kind=ScopeKind.HALL, sites=(SITE,), name="h1")
    return {
        "charter": (charter(), BOTH),
        "charter-version-2": (successor("A second version"), BOTH),
        "limit": (limit(), BOTH),
        "limit-bounded-by-one": (bounded_limit(), MEMBERS[:1]),
        "limit-of-one-hall-in-watts": (
            limit(scope=one_hall, unit=Unit.IT_WATTS, ceiling=12_000, nonce=nonce(3)),
            BOTH,
        ),
        "limit-with-letters-beyond-ascii": (
            limit(reason='Übung “Größe” 演習 🛑 \\ " \n', nonce=nonce(4)),
            (),
        ),
        "lift": (lift(limit()), BOTH),
        "lift-suspends": (
            lift(suspends=(Suspension(power="limit", start=T0, end=T0 + HOUR),), nonce=nonce(5)),
            BOTH,
        ),
        "permit": (permit(), ()),
        "restart": (restart(nonce(10)), BOTH),
        "restart-to-disarm": (restart(nonce(11), purpose=RestartPurpose.DISARM), BOTH),
        "restart-to-part": (
            restart(
                nonce(12), caps=Caps({CapKey("hall:h1", Unit.IT_WATTS): 9_000, **compute(500_000).entries})
            ),
            BOTH,
        ),
        "declaration": (declaration(), (*BOTH, CONTROLLER)),
        "status": (status(), (CONTROLLER,)),
        "reading": (reading(42, T0 + 60, 8_150), (GATEWAY,)),
        "evidence": (evidence(), (CONTROLLER,)),
    }


def cases() -> Json:
    """Return the content of envelopes.json."""
    valid = []
    for name, (statement, signers) in statements().items():
        envelope = sealed(statement, *signers)
        valid.append(
            {
                "id": name,
                "kind": str(envelope.kind),
                "payload": envelope.payload.decode(),
                "name": envelope.name,
                "short_code": short_code(envelope),
                "sentence": sentence(statement),
                "signers": sorted(signers),
                "envelope": envelope.to_bytes().decode(),
            }
        )
    return {"valid": valid, "invalid": [*_bad_envelopes(), *_bad_payloads()]}


def _bad(name: str, data: bytes, code: str, where: str) -> Json:
    try:
        return {"id": name, "envelope": data.decode(), **Refusal(code, where).to_value()}
    except UnicodeDecodeError:
        return {
            "id": name,
            "envelope_base64": base64.b64encode(data).decode(),
            **Refusal(code, where).to_value(),
        }


def _bad_envelopes() -> Iterator[Json]:
    good = sealed(limit(), *BOTH).to_bytes()
    value = json.loads(good)

    def changed(change: Callable[[Json], object]) -> bytes:
        copy = json.loads(good)
        change(copy)
        return canonical.encode(copy)

    last = value["signatures"][1]["sig"]
    # 64 bytes leave four unused bits in the last letter before the padding: set one of them.
    second_spelling = last[:-3] + chr(ord(last[-3]) + 1) + "=="
    yield _bad("truncated", good[:-1], "statement", "")
    yield _bad("empty", b"", "statement", "")
    yield _bad("not-utf-8", good[:40] + b"\xff" + good[41:], "statement", "")
    yield _bad("byte-order-mark", b"\xef\xbb\xbf" + good, "statement", "")
    yield _bad("newline-at-the-end", good + b"\n", "statement", "")
    yield _bad("space-after-colon", good.replace(b'":', b'": ', 1), "statement", "")
    yield _bad("name-twice", good.replace(b"{", b'{"payload":"",', 1), "statement", "payload")
    yield _bad(
        "too-long",
        b'{"payload":"' + b"A" * 65_528 + b'"}',
        "statement",
        "",
    )
    yield _bad("no-object", b"[]", "statement", "envelope")
    yield _bad("unknown-field", changed(lambda at: at.update(zeal="x")), "statement", "envelope.zeal")
    yield _bad("no-payload", changed(lambda at: at.pop("payload")), "statement", "envelope.payload")
    yield _bad(
        "unknown-type",
        changed(lambda at: at.update(payloadType="application/vnd.in-toto+json")),
        "statement",
        "envelope.payloadType",
    )
    yield _bad(
        "base64-second-spelling",
        changed(lambda at: at["signatures"][1].update(sig=second_spelling)),
        "statement",
        "envelope.signatures[1].sig",
    )
    yield _bad(
        "keyid-in-capitals",
        changed(lambda at: at["signatures"][0].update(keyid=value["signatures"][0]["keyid"].upper())),
        "statement",
        "envelope.signatures[0].keyid",
    )
    yield _bad(
        "signatures-out-of-order",
        changed(lambda at: at["signatures"].reverse()),
        "statement",
        "envelope.signatures",
    )
    yield _bad(
        "one-key-twice",
        changed(lambda at: at["signatures"].insert(0, at["signatures"][0])),
        "statement",
        "envelope.signatures",
    )
    yield _bad("refusal-is-a-draft", raw_envelope(b"{}", "refusal"), "statement", "")
    yield _bad("drill-is-a-draft", raw_envelope(b"{}", "drill"), "statement", "")


def _bad_payloads() -> Iterator[Json]:
    def payload(name: str, old: str, new: str, where: str, kind: Kind = Kind.LIMIT) -> Json:
        """Return the case in which the first ``old`` of a good payload reads ``new``."""
        statement = next(each for each, _ in statements().values() if each.kind is kind)
        good = encode(statement).payload
        bad = good.replace(old.encode(), new.encode(), 1)
        assert bad != good, name
        return _bad(name, raw_envelope(bad, str(kind)), "statement", where)

    yield payload("limit-float", '"ceiling":250000', '"ceiling":2.5e5', "")
    yield payload("limit-boolean", '"ceiling":250000', '"ceiling":true', "ceiling")
    yield payload("limit-null", '"ceiling":250000', '"ceiling":null', "ceiling")
    yield payload("limit-minus-zero", '"ceiling":250000', '"ceiling":-0', "")
    yield payload("limit-negative", '"ceiling":250000', '"ceiling":-1', "limit.ceiling")
    yield payload("limit-2-to-the-53", '"ceiling":250000', '"ceiling":9007199254740992', "ceiling")
    yield payload("limit-above-all", '"ceiling":250000', '"ceiling":1000001', "limit.ceiling")
    yield payload("limit-text-for-number", '"ceiling":250000', '"ceiling":"250000"', "limit.ceiling")
    yield payload("limit-needless-escape", '"rehearsal"', '"\\u0072ehearsal"', "")
    yield payload("limit-half-a-surrogate", '"rehearsal"', '"\\ud800"', "")
    yield payload("limit-unknown-field", '"unit"', '"speed":1,"unit"', "limit.speed")
    yield payload("limit-without-from", '"from":"2026-11-22T08:00:00Z",', "", "limit.from")
    yield payload("limit-without-until", '"until":"2026-11-23T08:00:00Z",', "", "limit.until")
    yield payload(
        "limit-ends-before-it-begins", "2026-11-23T08:00:00Z", "2026-11-22T08:00:00Z", "limit.until"
    )
    yield payload(
        "limit-complete-after-its-end", "2026-11-22T08:10:00Z", "2026-11-24T08:00:00Z", "limit.complete_by"
    )
    yield payload("limit-time-with-offset", "08:00:00Z", "08:00:00+00:00", "limit.from")
    yield payload("limit-time-with-fraction", "08:00:00Z", "08:00:00.0Z", "limit.from")
    yield payload("limit-leap-second", "T08:00:00Z", "T23:59:60Z", "limit.from")
    yield payload("limit-no-such-day", "2026-11-22T08:00:00Z", "2026-02-29T08:00:00Z", "limit.from")
    yield payload("limit-category-3", '"category":1', '"category":3', "limit.category")
    yield payload("limit-unknown-profile", '"cooperative"', '"harsh"', "limit.profile")
    yield payload("limit-unknown-unit", '"compute_ppm"', '"percent"', "limit.unit")
    yield payload("limit-empty-reason", '"rehearsal"', '" "', "limit.reason")
    yield payload(
        "limit-scope-without-sites", '{"kind":"all"}', '{"kind":"sites","sites":[]}', "limit.scope.sites"
    )
    yield payload(
        "limit-scope-site-in-capitals",
        '{"kind":"all"}',
        '{"kind":"sites","sites":["a","Hall"]}',
        "limit.scope.sites[1]",
    )
    yield payload(
        "limit-scope-all-with-sites", '{"kind":"all"}', '{"kind":"all","sites":[]}', "limit.scope.sites"
    )
    yield payload("limit-nonce-short", f'"{nonce(1)}"', f'"{nonce(1)[2:]}"', "limit.nonce")
    yield payload("limit-version-0", '"version":1', '"version":0', "limit.version")
    yield payload("lift-of-nothing", encode(limit()).name, "", "lift.ends[0]", Kind.LIFT)
    yield payload(
        "lift-of-both",
        '"suspends":[]',
        '"suspends":[{"end":"2026-11-23T08:00:00Z","power":"limit","start":"2026-11-22T08:00:00Z"}]',
        "lift.ends",
        Kind.LIFT,
    )
    yield payload(
        "restart-without-nonce",
        f'{{"controller":"{CONTROLLER}","nonce":"{nonce(10)}"}}',
        "",
        "restart.nonces",
        Kind.RESTART,
    )
    yield payload(
        "restart-for-all", '"purpose":"raise"', '"purpose":"start"', "restart.purpose", Kind.RESTART
    )
    yield payload("status-armed-as-boolean", '"armed":1', '"armed":true', "armed", Kind.STATUS)
    yield payload(
        "reading-missing-as-null", '"watts":8150', '"watts":null', "channels[0].watts", Kind.READING
    )
    yield payload(
        "reading-beyond-100-gw",
        '"watts":8150',
        '"watts":100000000001',
        "reading.channels[0].watts",
        Kind.READING,
    )
    yield payload(
        "evidence-success", '"verdict":"proven"', '"verdict":"success"', "evidence.verdict", Kind.EVIDENCE
    )
    yield payload("charter-format-2", '"format":1', '"format":2', "charter.format", Kind.CHARTER)
    yield payload("charter-with-log", '"kind":"none"', '"kind":"tlog"', "charter.log.kind", Kind.CHARTER)
    yield payload(
        "charter-without-a-waiver", ',"no-log-returns-can-be-secret"', "", "charter.waives", Kind.CHARTER
    )
    yield payload(
        "charter-threshold-0", '"threshold":2', '"threshold":0', "charter.bodies[0].threshold", Kind.CHARTER
    )
