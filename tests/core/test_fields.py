from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pytest

from grandpause.core.canonical import Value
from grandpause.core.fields import MAX_TEXT, Fields
from grandpause.errors import StatementError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def fields(value: Value) -> Fields:
    return Fields({"it": value}, "act")


@pytest.mark.parametrize(
    ("value", "read", "message"),
    [
        (1, lambda at: at.text("it"), "must be a string"),
        ("", lambda at: at.text("it"), "must not be empty"),
        (" \n ", lambda at: at.text("it"), "must not be empty"),
        ("x" * (MAX_TEXT + 1), lambda at: at.text("it"), "longer than 2000"),
        ("Upper", lambda at: at.identifier("it"), "must be 1 to 64"),
        ("-a", lambda at: at.identifier("it"), "must be 1 to 64"),
        ("a\n", lambda at: at.identifier("it"), "must be 1 to 64"),
        ("а", lambda at: at.identifier("it"), "must be 1 to 64"),
        ("x" * 65, lambda at: at.identifier("it"), "must be 1 to 64"),
        (7, lambda at: at.identifier("it"), "must be 1 to 64"),
        (["a", "a"], lambda at: at.identifiers("it"), "one identifier twice"),
        ("a", lambda at: at.identifiers("it"), "must be an array"),
        ("1", lambda at: at.integer("it"), "must be an integer"),
        (-1, lambda at: at.integer("it"), "must be from 0"),
        (3, lambda at: at.integer("it", most=2), "must be from 0 to 2, is 3"),
        (1, lambda at: at.time("it"), "must be a time of the form"),
        ("today", lambda at: at.time("it"), "is no time of the form"),
        ("green", lambda at: at.choice("it", Colour), "must be one of red, blue"),
        (["red"], lambda at: at.choice("it", Colour), "must be one of red, blue"),
        (["red", "red"], lambda at: at.choices("it", Colour), "one value twice"),
        ("AA", lambda at: at.hexadecimal("it", size=1), "must be 1 bytes"),
        ("a", lambda at: at.hexadecimal("it", size=1), "must be 1 bytes"),
        ("aaaa", lambda at: at.hexadecimal("it", size=1), "must be 1 bytes"),
        ("", lambda at: at.hexadecimal("it", size=1), "must be 1 bytes"),
        (7, lambda at: at.hexadecimal("it", size=1), "must be 1 bytes"),
        (["aa" * 32, "aa" * 32], lambda at: at.digests("it"), "one name twice"),
        ([1, 2, 3], lambda at: at.array("it", most=2), "more than 2 items"),
        ([], lambda at: at.within("it", lambda _: None), "must be an object"),
        ({"x": 1}, lambda at: at.within("it", lambda _: None), "unknown field"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    value: Value, read: Callable[[Fields], object], message: str
) -> None:
    with pytest.raises(StatementError, match=message) as refusal:
        read(fields(value))
    assert refusal.value.where.startswith("act.it")


def test_a_missing_field_is_refused_by_its_name() -> None:
    with pytest.raises(StatementError, match="missing field") as refusal:
        Fields({}, "act").integer("it")
    assert refusal.value.where == "act.it"


def test_an_unknown_field_is_refused_by_its_name() -> None:
    at = Fields({"it": 1, "zz": 1, "extra": 1}, "act")
    at.integer("it")
    with pytest.raises(StatementError, match="unknown field") as refusal:
        at.close()
    assert refusal.value.where == "act.extra"


def test_the_place_of_a_nested_field_is_spelled_out() -> None:
    at = Fields({"a": [{"b": ["ok", "NO"]}]}, "act")
    with pytest.raises(StatementError) as refusal:
        at.each("a", lambda inner: inner.identifiers("b"))
    assert refusal.value.where == "act.a[0].b[1]"
    with pytest.raises(StatementError) as refusal:
        fields(["aa" * 32, "zz"]).digests("it")
    assert refusal.value.where == "act.it[1]"


def test_right_fields_are_read() -> None:
    at = Fields(
        {
            "text": "x",
            "none": "",
            "id": "a.b-c_9",
            "ids": ["a", "b"],
            "number": 2,
            "time": "1970-01-01T00:00:01Z",
            "one": "red",
            "more": ["blue", "red"],
            "hex": "0aff",
            "empty": "",
            "names": ["ab" * 32],
            "inner": {"n": 1},
            "list": [{"n": 1}, {"n": 2}],
        },
        "act",
    )
    assert (at.text("text"), at.text("none", empty=True)) == ("x", "")
    assert (at.identifier("id"), at.identifiers("ids")) == ("a.b-c_9", ("a", "b"))
    assert (at.integer("number", most=2), at.time("time")) == (2, 1)
    assert (at.choice("one", Colour), at.choices("more", Colour)) == (Colour.RED, (Colour.BLUE, Colour.RED))
    assert (at.hexadecimal("hex", size=2), at.hexadecimal("empty", size=2, empty=True)) == ("0aff", "")
    assert at.digests("names") == ("ab" * 32,)
    assert at.within("inner", lambda inner: inner.integer("n")) == 1
    assert at.each("list", lambda inner: inner.integer("n")) == (1, 2)
    at.close()


def test_what_is_no_object_has_no_fields() -> None:
    with pytest.raises(StatementError, match="must be an object") as refusal:
        Fields(["x"], "act")
    assert refusal.value.where == "act"
