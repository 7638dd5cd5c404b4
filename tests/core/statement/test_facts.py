from __future__ import annotations

from typing import Any

import pytest

from core.makers import Cast, declaration, evidence, reading, signer, status
from grandpause.core import canonical
from grandpause.core.envelope import Envelope
from grandpause.core.statement.codec import Statement, decode, encode
from grandpause.core.statement.facts import MAX_WATTS
from grandpause.errors import StatementError


def refusal_of(statement: Statement, **fields: Any) -> StatementError:
    value = canonical.decode(encode(statement).payload)
    assert isinstance(value, dict)
    envelope = Envelope(kind=statement.kind, payload=canonical.encode(value | fields))
    with pytest.raises(StatementError) as refusal:
        decode(envelope)
    return refusal.value


def key(text: str, name: str = "a") -> dict[str, str]:
    return {"id": name, "alg": "ed25519", "key": text}


GOOD = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
"""The public key of RFC 8032, 7.1, test 1."""


@pytest.mark.parametrize(
    ("controllers", "where", "message"),
    [
        ([], "controllers", "each controller once, sorted"),
        ([key(GOOD, "b"), key(GOOD, "a")], "controllers", "each controller once, sorted"),
        ([key(GOOD), key(GOOD)], "controllers", "each controller once, sorted"),
        ([key("AQ")], "controllers[0].key", "not base64"),
        ([key("é===")], "controllers[0].key", "not base64"),
        ([key("AQ==")], "controllers[0].key", "32 bytes"),
        ([key("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")], "controllers[0].key", "low-order"),
        # The last two bits of the padding are set: a second spelling of the same key.
        ([key(GOOD[:-2] + "p=")], "controllers[0].key", "not canonical base64"),
        ([key(GOOD, f"c{index}") for index in range(9)], "controllers", "more than 8 items"),
    ],
)
def test_a_declaration_names_each_controller_and_a_good_key(
    operator: Cast, controllers: list[Any], where: str, message: str
) -> None:
    declared = declaration(operator, {"controller-a": signer(50)})
    refusal = refusal_of(declared, controllers=controllers)
    assert message in refusal.message
    assert refusal.where == f"declaration.{where}"


def test_a_rating_above_any_site_is_a_mistake_of_unit(operator: Cast) -> None:
    declared = declaration(operator, {"controller-a": signer(50)})
    assert refusal_of(declared, it_watts=MAX_WATTS + 1).where == "declaration.it_watts"


def test_a_flag_is_0_or_1(operator: Cast) -> None:
    assert refusal_of(status(operator), armed=2).where == "status.armed"
    assert refusal_of(status(operator), standby=2).where == "status.standby"


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
def test_channels_are_sorted_and_each_once(operator: Cast, names: list[str]) -> None:
    channels = [{"id": each, "watts": 1} for each in names]
    assert refusal_of(reading(operator), channels=channels).where == "reading.channels"


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
def test_the_files_and_paths_of_evidence_are_sorted_and_each_once(operator: Cast, names: list[str]) -> None:
    files = [{"path": each, "sha256": "ab" * 32, "bytes": 1} for each in names]
    assert refusal_of(evidence(operator), files=files).where == "evidence.files"
    watts = {"before": [{"path": each, "watts": 1} for each in names], "after": [], "target": 0}
    assert refusal_of(evidence(operator), watts=watts).where == "evidence.watts.before"


def test_evidence_counts_every_state_and_outcome(operator: Cast) -> None:
    assert refusal_of(evidence(operator), nodes={"on": 1}).where.startswith("evidence.nodes.")
    assert refusal_of(evidence(operator), window_s=3_601).where == "evidence.window_s"


def test_a_value_that_a_meter_did_not_give_is_left_out_and_never_0(operator: Cast) -> None:
    without = reading(operator, channels={})
    assert decode(encode(without)) == without
