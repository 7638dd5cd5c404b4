from __future__ import annotations

import pytest

from grandpause.core.canonical import MAX_BYTES, MAX_INTEGER, Value, decode, encode
from grandpause.errors import StatementError


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({}, b"{}"),
        ([], b"[]"),
        ("", b'""'),
        (0, b"0"),
        (-1, b"-1"),
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        # RFC 8785, 3.2.3: names are sorted by UTF-16 code units, so U+10000 (D800 DC00) before U+FB33.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7},
            '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'.encode(),
        ),
        # RFC 8785, 3.2.2.2: two-character escapes, lower-case \u00xx, and nothing else escaped.
        (
            '\x00\x08\t\n\x0b\x0c\r\x1f"\\/\x7f\u2028',
            b'"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\"\\\\/\x7f\xe2\x80\xa8"',
        ),
        (MAX_INTEGER, b"9007199254740991"),
        (-MAX_INTEGER, b"-9007199254740991"),
        (["x", ["y", {"z": []}]], b'["x",["y",{"z":[]}]]'),
    ],
)
def test_a_value_has_exactly_this_encoding(value: Value, data: bytes) -> None:
    assert encode(value) == data
    assert decode(data) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}x", "not JSON"),
        (b"{}\n", "not canonical"),
        (b" {}", "not canonical"),
        (b'{"a": 1}', "not canonical"),
        (b'{"b":1,"a":2}', "not canonical"),
        (b'{"a":1,"a":1}', "a: the name occurs twice"),
        (b'[{"x":{"a":1,"a":2}}]', "a: the name occurs twice"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udfff":1}', "half of a surrogate pair"),
        (b'"\\u0041"', "not canonical"),
        (b'"\\u001F"', "not canonical"),
        (b'"\\/"', "not canonical"),
        (b'"\x01"', "not JSON"),
        (b"1.0", "1.0 is no integer"),
        (b"1e3", "1e3 is no integer"),
        (b"NaN", "NaN is no integer"),
        (b"-Infinity", "-Infinity is no integer"),
        (b"-0", "not canonical"),
        (b"007", "not JSON"),
        (b"+1", "not JSON"),
        (b"9007199254740992", "integer beyond"),
        (b"-9007199254740992", "integer beyond"),
        (b"1" * 5_000, "integer beyond"),
        (b"true", "only strings, integers"),
        (b'{"a":[null]}', r"a\[0\]: only strings, integers"),
        (b"[" * 30_000, "nested too deeply|not JSON"),
        (b"[" * 30 + b"]" * 30, "nested too deeply"),
        (b'"' + b"x" * MAX_BYTES + b'"', "65537 bytes, more than the 65535"),
    ],
)
def test_other_bytes_are_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(StatementError, match=message):
        decode(data)


def test_the_limit_of_bytes_is_the_last_that_passes() -> None:
    data = encode("x" * (MAX_BYTES - 2))
    assert len(data) == MAX_BYTES
    assert decode(data) == "x" * (MAX_BYTES - 2)
    assert decode(b'"xxxx"', limit=6) == "xxxx"
    with pytest.raises(StatementError, match="6 bytes, more than the 5"):
        decode(b'"xxxx"', limit=5)


def test_sixteen_levels_are_read_and_seventeen_are_not() -> None:
    decode(b"[" * 16 + b"1" + b"]" * 16)
    with pytest.raises(StatementError, match="nested too deeply"):
        decode(b"[" * 17 + b"1" + b"]" * 17)


@pytest.mark.parametrize("value", [1.5, True, None, b"x", {1, 2}])
def test_values_without_a_canonical_form_are_refused_with_their_place(value: object) -> None:
    with pytest.raises(StatementError) as refusal:
        encode({"a": [value]})  # type: ignore[list-item]
    assert refusal.value.where == "a[0]"


def test_the_first_byte_that_differs_is_named() -> None:
    with pytest.raises(StatementError, match="differs from byte 4"):
        decode(b'{"a" :1}')
    with pytest.raises(StatementError, match="differs from byte 2"):
        decode(b"{} ")


def test_a_tuple_is_written_as_an_array() -> None:
    assert encode(("a", 1)) == b'["a",1]'  # type: ignore[arg-type]
