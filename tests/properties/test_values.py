from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from grandpause.core import canonical
from grandpause.core.calendar import format_time, parse_time
from grandpause.core.canonical import Value
from grandpause.core.envelope import parse
from grandpause.core.model import Caps, lowest
from grandpause.core.rendering import sentence, short_code, visible
from grandpause.core.statement.codec import Statement, decode, encode
from grandpause.core.statement.scope import Scope
from grandpause.errors import StatementError
from properties.strategies import LAST, caps, identifiers, json_values, scopes, statements


@given(json_values)
def test_every_value_reads_back_from_its_one_encoding(value: Value) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data) == value
    assert canonical.encode(canonical.decode(data)) == data


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@example(b"[" * 10_000)
@example(b'{"a":1e999}')
@example(b'"\xf0\x9f')
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(data: bytes) -> None:
    for read in (canonical.decode, parse):
        try:
            read(data)
        except StatementError:
            continue
        assert read is canonical.decode


@given(st.integers(0, LAST))
def test_every_second_reads_back(moment: int) -> None:
    assert parse_time(format_time(moment)) == moment


@given(statements)
def test_every_statement_reads_back_and_has_one_encoding(statement: Statement) -> None:
    envelope = encode(statement)
    assert decode(envelope) == statement
    assert encode(decode(envelope)) == envelope
    assert parse(envelope.to_bytes()) == envelope


@given(statements)
def test_every_statement_is_one_visible_line_with_a_short_code(statement: Statement) -> None:
    shown = sentence(statement)
    assert shown == visible(shown)
    assert "\n" not in shown
    assert len(short_code(encode(statement))) == 39


@given(caps, caps, caps)
def test_the_lower_of_caps_is_a_meet_semilattice(one: Caps, two: Caps, three: Caps) -> None:
    assert one.lowered(one) == one
    assert one.lowered(two) == two.lowered(one)
    assert one.lowered(two).lowered(three) == one.lowered(two.lowered(three))
    assert one.lowered(Caps()) == one
    assert lowest([one, two, three]) == lowest([three, one, two, one])


@given(caps, caps)
def test_lowering_never_raises_and_is_the_greatest_that_does_not(one: Caps, two: Caps) -> None:
    both = one.lowered(two)
    assert not both.exceeds(one)
    assert not both.exceeds(two)
    assert (both == one) is not one.exceeds(two)
    assert one.exceeds(two) or one.lowered(two) == one


@given(scopes, scopes, identifiers)
def test_a_scope_that_covers_another_reaches_every_site_of_it(one: Scope, two: Scope, site: str) -> None:
    assert one.covers(one)
    if one.covers(two):
        for each in (*two.sites, site):
            assert not two.reaches(each) or one.reaches(each)
