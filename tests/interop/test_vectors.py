"""Every vector of spec/vectors, through the code. (spec/README.md says how to read the files.)"""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grandpause.core.ceiling import InForce, allowed, ceiling
from grandpause.core.envelope import Envelope, Kind, parse
from grandpause.core.keys import PublicKey
from grandpause.core.memory import Memory, disarmed, latched, restarted
from grandpause.core.model import Profile, Unit
from grandpause.core.quorum import Body, Group, Member, Roster
from grandpause.core.rendering import sentence, short_code
from grandpause.core.statement.acts import Limit, Restart
from grandpause.core.statement.charter import LimitBounds, PowerRule, Ramp, Returns, Right
from grandpause.core.statement.codec import Statement, decode, encode
from grandpause.core.statement.scope import Scope, ScopeKind
from grandpause.core.timekeeping import TimeKeeper
from grandpause.core.trust import TrustedSet, decode_only
from grandpause.errors import GrandpauseError, StatementError, TrustError
from grandpause.signers.file import FileSigner
from interop.vectors import (
    Json,
    caps,
    caps_json,
    cases,
    data_of,
    interval,
    label,
    memory,
    vectors,
)


def refused(error: GrandpauseError, case: Json) -> None:
    assert (error.code, error.where) == (case["code"], case["where"]), str(error)


# Envelopes, keys, quorums


@pytest.mark.parametrize("case", cases("envelopes", "valid"), ids=label)
def test_a_valid_envelope_has_its_name_code_and_sentence(case: Json) -> None:
    envelope, statement = decode_only(data_of(case))
    assert envelope.to_bytes() == data_of(case)
    assert envelope.payload == case["payload"].encode()
    assert (str(envelope.kind), envelope.name) == (case["kind"], case["name"])
    assert encode(statement).payload == envelope.payload
    assert (short_code(envelope), sentence(statement)) == (case["short_code"], case["sentence"])


@pytest.mark.parametrize("case", cases("envelopes", "valid"), ids=label)
def test_the_signatures_of_an_envelope_are_those_of_its_signers(case: Json) -> None:
    keys = {each["id"]: each for each in cases("keys", "keys")}
    made = {
        keys[each]["keyid"]: FileSigner(
            Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys[each]["private"]))
        ).sign(parse(data_of(case)).signed_bytes)
        for each in case["signers"]
    }
    assert {each.key_id: each.value for each in parse(data_of(case)).signatures} == made


@pytest.mark.parametrize("case", cases("envelopes", "invalid"), ids=label)
def test_a_bad_envelope_is_refused_with_the_field_named(case: Json) -> None:
    with pytest.raises(StatementError) as caught:
        decode_only(data_of(case))
    refused(caught.value, case)


@pytest.mark.parametrize("case", cases("keys", "keys"), ids=label)
def test_a_key_has_its_id(case: Json) -> None:
    assert PublicKey(algorithm=case["alg"], public=bytes.fromhex(case["public"])).key_id == case["keyid"]


@pytest.mark.parametrize("case", cases("keys", "refused"), ids=label)
def test_a_bad_key_is_refused(case: Json) -> None:
    with pytest.raises(StatementError) as caught:
        PublicKey(algorithm=case["alg"], public=bytes.fromhex(case["public"]))
    assert caught.value.code == case["code"]


@pytest.mark.parametrize("case", cases("keys", "signatures"), ids=label)
def test_a_signature_is_valid_or_not(case: Json) -> None:
    public = next(each["public"] for each in cases("keys", "keys") if each["id"] == case["key"])
    key = PublicKey(algorithm="ed25519", public=bytes.fromhex(public))
    assert key.verifies(bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])) is case["valid"]


def roster(case: Json) -> Roster:
    def key(value: Json) -> PublicKey:
        return PublicKey(algorithm=value["alg"], public=base64.b64decode(value["key"]))

    def body(value: Json) -> Body:
        members = tuple(
            Member(id=each["id"], label=each["label"], keys=tuple(key(one) for one in each["keys"]))
            for each in value["members"]
        )
        return Body(id=value["id"], label=value["label"], threshold=value["threshold"], members=members)

    groups = tuple(
        Group(id=each["id"], threshold=each["threshold"], of=tuple(each["of"])) for each in case["groups"]
    )
    return Roster(tuple(body(each) for each in case["bodies"]), groups)


@pytest.mark.parametrize("case", cases("quorum", "rosters"), ids=label)
def test_a_quorum_is_complete_or_not(case: Json) -> None:
    made = roster(case)
    for asked in case["cases"]:
        assert made.satisfied(asked["group"], asked["signers"]) is asked["satisfied"], asked


@pytest.mark.parametrize("case", cases("quorum", "refused"), ids=label)
def test_a_bad_roster_is_refused(case: Json) -> None:
    with pytest.raises(StatementError) as caught:
        roster(case)
    refused(caught.value, case)


# What counts, and what follows from it


def take(trusted: TrustedSet, step: Json, envelopes: Json) -> None:
    data = envelopes[step["envelope"]].encode()
    if "code" in step:
        held = trusted.entries
        with pytest.raises((StatementError, TrustError)) as caught:
            trusted.admit(data, now=interval(step["at"]))
        refused(caught.value, step)
        assert trusted.entries == held, "a refusal changed the set"
        return
    admission = trusted.admit(data, now=interval(step["at"]))
    assert (str(admission.standing), admission.name) == (step["stands"], parse(data).name), admission.why


@pytest.mark.parametrize("case", cases("trust"), ids=label)
def test_what_comes_through_the_door_stands_as_it_must(case: Json) -> None:
    trusted = TrustedSet(case["charter"])
    envelopes = vectors("trust")["envelopes"]
    for step in case["steps"]:
        take(trusted, step, envelopes)
    newest = max((version for version in (1, 2) if trusted.charters(version)), default=0)
    assert (newest, trusted.forked) == (case["newest_version"], case["forked"])


def asked_ceilings(case: Json, steps: list[Json]) -> None:
    trusted = TrustedSet(case["charter"])
    envelopes = vectors("ceiling")["envelopes"]
    for step in steps:
        trusted.admit(envelopes[step["envelope"]].encode(), now=interval(step["at"]))
    for asked in case["asked"]:
        found = ceiling(trusted, site=case["site"], now=interval(asked["now"]))
        assert sorted(each.name for each in found.in_force) == asked["in_force"], asked
        assert caps_json(found.caps) == asked["caps"], asked
        assert caps_json(allowed([found], caps(asked["latch"]))) == asked["allowed"], asked


@pytest.mark.parametrize("case", cases("ceiling"), ids=label)
def test_a_set_of_statements_makes_its_ceiling(case: Json) -> None:
    asked_ceilings(case, case["steps"])


@pytest.mark.parametrize(
    "case",
    # Without a log a statement is dated by its arrival: only what arrives at one moment has no order.
    [case for case in cases("ceiling") if len({tuple(step["at"]) for step in case["steps"]}) == 1],
    ids=label,
)
def test_the_order_of_arrival_does_not_matter(case: Json) -> None:
    asked_ceilings(case, case["steps"][::-1])


def statement_of(kind: Kind, payload: str) -> Statement:
    return decode(Envelope(kind=kind, payload=payload.encode()))


def in_force(value: Json) -> InForce:
    limit = statement_of(Kind.LIMIT, value["payload"])
    assert isinstance(limit, Limit)
    bounds = LimitBounds(
        least=((Unit.COMPUTE, 0),),
        profiles=tuple(Profile),
        categories=(0, 1, 2),
        longest_s=86_400,
        returns=Returns(value["returns"]),
        ramp=Ramp.KEEP,
    )
    everywhere = Scope(kind=ScopeKind.ALL)
    power = PowerRule(id="limit", right=Right.LIMIT, quorum="any", scope=everywhere, bounds=bounds)
    return InForce(name=value["name"], limit=limit, power=power)


def taken(before: Memory, step: Json, case: Json) -> Memory:
    if step["do"] == "look":
        return latched(before, [in_force(each) for each in step["in_force"]], fresh_nonce=step["fresh_nonce"])
    permission = None
    if "payload" in step:
        act = statement_of(Kind.RESTART, step["payload"])
        assert isinstance(act, Restart)
        permission = (step["name"], act)
    now, roof = interval(step["now"]), caps(step["ceiling"])
    if step["do"] == "disarm":
        return disarmed(
            before,
            ceiling=roof,
            permission=permission,
            site=case["site"],
            controller=case["controller"],
            now=now,
        )
    assert permission is not None
    return restarted(
        before,
        *permission,
        site=case["site"],
        controller=case["controller"],
        ceiling=roof,
        now=now,
        fresh_nonce=step["fresh_nonce"],
    )


@pytest.mark.parametrize("case", cases("memory"), ids=label)
def test_a_memory_changes_only_as_it_must(case: Json) -> None:
    now = memory(case["begin"])
    for step in case["steps"]:
        if "after" in step:
            now = taken(now, step, case)
            assert now == memory(step["after"])
            continue
        with pytest.raises(TrustError) as caught:
            taken(now, step, case)
        refused(caught.value, step)


@pytest.mark.parametrize("case", cases("time"), ids=label)
def test_time_is_an_interval_that_no_doubt_shortens(case: Json) -> None:
    keeper = TimeKeeper(error_s=case["error_s"], floor_s=case["floor_s"])
    for look in case["looks"]:
        found = keeper.observe(wall_s=look["wall_s"], monotonic_s=look["monotonic_s"])
        assert (found.earliest, found.latest) == (look["earliest"], look["latest"]), look
        assert keeper.stepped is look["stepped"], look
