from __future__ import annotations

import re
from typing import Any

import pytest

from core.makers import (
    Cast,
    declaration,
    evidence,
    lift,
    limit,
    nonce,
    operator_cast,
    permit,
    reading,
    restart,
    signer,
    status,
    suspension,
)
from grandpause.core.model import CapKey, Caps, Unit
from grandpause.core.rendering import (
    SECRET_RETURNS,
    amount,
    caps_in_words,
    sentence,
    short_code,
    visible,
    watts,
)
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.statement.codec import Statement, encode
from grandpause.core.statement.scope import Scope, ScopeKind

OPERATOR = operator_cast()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a<U+202E>b"),
        ("a\u2066b\u2069", "a<U+2066>b<U+2069>"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("a\nb\r\x1b[2J\x00", "a<U+000A>b<U+000D><U+001B>[2J<U+0000>"),
        ("a\u2028b\u2029", "a<U+2028>b<U+2029>"),
        ("\ud800", "<U+D800>"),
        ("\ue000\U000e0041", "<U+E000><U+E0041>"),
        ("Größe, 停止 — “quoted”", "Größe, 停止 — “quoted”"),
    ],
)
def test_what_could_hide_or_reorder_text_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_reason_cannot_fake_another_line(operator: Cast) -> None:
    trick = "test\nLIFT 3 limit(s)\u202e"
    shown = sentence(limit(operator, reason=trick))
    assert "\n" not in shown
    assert "test<U+000A>LIFT 3 limit(s)<U+202E>" in shown


def test_the_short_code_is_the_first_128_bits_in_8_groups_of_4(operator: Cast) -> None:
    envelope = encode(limit(operator))
    code = short_code(envelope)
    assert re.fullmatch(r"[0-9a-f]{4}( [0-9a-f]{4}){7}", code)
    assert code.replace(" ", "") == envelope.name[:32]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 W"),
        (999, "999 W"),
        (1_000, "1 kW"),
        (1_500, "1.5 kW"),
        (25_600_000, "25.6 MW"),
        (900_000_000, "900 MW"),
        (1_200_000_000, "1.2 GW"),
        (100_000_000_000, "100 GW"),
    ],
)
def test_watts_are_written_in_the_unit_that_fits(value: int, text: str) -> None:
    assert watts(value) == text


@pytest.mark.parametrize("value", [999_499, 999_500, 999_999, 999_999_999, 1_234_567, 75_000_001])
def test_watts_are_never_written_with_an_exponent(value: int) -> None:
    assert "e+" not in watts(value)


@pytest.mark.parametrize("value", [1, 50_000, 123_456, 999_999, 1_000_000])
def test_a_share_is_written_exactly(value: int) -> None:
    text = amount(value, Unit.COMPUTE)
    assert text.endswith(" % of rated compute")
    assert round(float(text.split(" ")[0]) * 10_000) == value


@pytest.mark.parametrize("value", [1_234_567, 999_999, 1_000_001, 7, 25_600_000])
def test_a_ceiling_in_watts_is_written_exactly(value: int) -> None:
    """A signer reads this: two ceilings that differ must not look alike."""
    for unit in (Unit.IT_WATTS, Unit.SITE_WATTS):
        number, size = amount(value, unit).split(" ")[:2]
        factor = {"W": 1, "kW": 10**3, "MW": 10**6, "GW": 10**9}[size]
        assert round(float(number) * factor) == value


def test_no_caps_are_as_rated() -> None:
    assert caps_in_words(Caps()) == "as rated"
    caps = Caps({CapKey("hall:h1", Unit.COMPUTE): 0, CapKey("site", Unit.SITE_WATTS): 5_000})
    assert caps_in_words(caps) == "hall:h1: 0 % of rated compute; site: 5 kW of site power"


SITES = Scope(kind=ScopeKind.SITES, sites=("a", "b"))
HALL = Scope(kind=ScopeKind.HALL, sites=("a",), name="h1")


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        (
            limit(OPERATOR),
            [
                "LIMIT ALL sites of the charter to 5 % of rated compute from 2026-11-22T08:00:00Z until",
                "stop category 1",
                "by power limit",
                "because: a test",
            ],
        ),
        (limit(OPERATOR, scope=SITES, unit=Unit.IT_WATTS), ["site(s) a, b to 50 kW of IT power"]),
        (limit(OPERATOR, scope=HALL), ["hall h1 of site a"]),
        (
            lift(OPERATOR, "ab" * 32, "cd" * 32),
            [
                "LIFT: end the limit(s) abab abab abab abab abab abab abab abab; cdcd cdcd",
                "if complete by 2026",
            ],
        ),
        (lift(OPERATOR, *(f"{each:064x}" for each in range(5))), ["and 2 more"]),
        (lift(OPERATOR, suspends=(suspension("limit"),)), ["suspend the power limit from 2026-11-22"]),
        (permit(OPERATOR), ["PERMIT all sites 50 % of rated compute until"]),
        (
            restart(OPERATOR, nonce(1)),
            ["RESTART site site-7f3a once, until 2026", "allowed afterwards: as rated"],
        ),
        (restart(OPERATOR, nonce(1), purpose=RestartPurpose.DISARM), ["Allow site site-7f3a to DISARM once"]),
        (
            OPERATOR.charter,
            [
                "CHARTER version 1 “Hall of the tests”: bodies ",
                "lift by ",
                "waives ",
                "no-log-returns-can-be-secret",
            ],
        ),
        (
            declaration(OPERATOR, {"a": signer(50)}),
            ["DECLARATION 1 of site site-7f3a, run by ", "1 MW IT", "controllers a"],
        ),
        (status(OPERATOR), ["STATUS 1 of site site-7f3a at 2026-11-22T08:00:00Z"]),
        (reading(OPERATOR), ["READING 1 of meter feed-a"]),
        (evidence(OPERATOR), ["EVIDENCE 1 of site site-7f3a: proven; before feed 1 kW; after feed 10 W"]),
        (evidence(OPERATOR, before={}, after={}), ["before no reading; after no reading"]),
    ],
)
def test_every_statement_is_one_sentence_for_people(statement: Statement, parts: list[Any]) -> None:
    shown = sentence(statement)
    for part in parts:
        assert part in shown
    assert "\n" not in shown


@pytest.mark.parametrize("word", ["success", "kill", "unlock"])
def test_words_that_promise_too_much_are_not_used(word: str) -> None:
    for statement in (limit(OPERATOR), evidence(OPERATOR), restart(OPERATOR, nonce(1))):
        assert word not in sentence(statement).lower()


def test_that_returns_can_be_secret_is_one_sentence() -> None:
    assert "no log" in SECRET_RETURNS
    assert "secret" in SECRET_RETURNS
