"""What ``ports.Store`` promises, held against every store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grandpause.core.memory import Memory
from grandpause.core.model import CapKey, Caps, Interval, Stage, Unit
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, Store, StoredStatement
from grandpause.stores.memory import MemoryStore
from grandpause.stores.sqlite import SqliteStore

Open = Callable[[], Store]

MEMORY = Memory(
    nonce="ab" * 16,
    latch=Caps({CapKey("hall:h1", Unit.IT_WATTS): 7, CapKey("site", Unit.COMPUTE): 50_000}),
    latched=frozenset({"cd" * 32}),
    standby=frozenset({"n1", "n2"}),
    used=frozenset({"ef" * 32}),
    armed=True,
    adversarial=True,
    category=0,
)


def statement(data: bytes, at: int = 100) -> StoredStatement:
    return StoredStatement(charter="00" * 32, data=data, admitted=Interval(earliest=at, latest=at + 5))


@pytest.fixture(params=["sqlite", "memory"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "state" / "site.sqlite")
    kept = MemoryStore()
    return lambda: kept


def test_a_new_store_says_that_its_state_was_lost(open_store: Open) -> None:
    store = open_store()

    assert store.memory() is None
    assert list(store.statements()) == []
    assert store.value("anything") is None
    assert list(store.effects()) == []
    assert list(store.journal(last=10)) == []
    store.close()


@pytest.mark.parametrize(
    "memory",
    [
        MEMORY,
        Memory(nonce="00" * 16),
        Memory(nonce="00" * 16, standby=frozenset()),
    ],
    ids=["all fields", "no standby", "an empty standby"],
)
def test_a_memory_comes_back_as_it_was_committed(open_store: Open, memory: Memory) -> None:
    store = open_store()

    store.commit(memory=memory)

    assert store.memory() == memory
    store.close()


def test_a_standby_that_shrinks_or_ends_is_committed_with_the_rest(open_store: Open) -> None:
    store = open_store()

    for standby in (frozenset({"n1", "n2"}), frozenset({"n1"}), None, frozenset({"n3"})):
        store.commit(memory=Memory(nonce="00" * 16, standby=standby))
        memory = store.memory()
        assert memory is not None
        assert memory.standby == standby
    store.close()


def test_statements_keep_their_order_and_the_time_of_their_first_admission(open_store: Open) -> None:
    store = open_store()

    store.commit(statements=[statement(b"b", 1), statement(b"a", 2)])
    store.commit(statements=[statement(b"b", 99), statement(b"c", 3)])

    assert [(each.data, each.admitted.earliest) for each in store.statements()] == [
        (b"b", 1),
        (b"a", 2),
        (b"c", 3),
    ]
    store.close()


def test_an_effect_key_is_written_once(open_store: Open) -> None:
    store = open_store()
    key = EffectKey("aa" * 32, "n1", Stage.FORCE_OFF, 1)
    other = EffectKey("aa" * 32, "n1", Stage.FORCE_OFF, 2)

    store.record_effects([key], at_s=10)
    store.record_effects([key, other], at_s=20)

    assert dict(store.effects()) == {key: 10, other: 20}
    store.close()


def test_values_are_replaced_and_the_journal_grows(open_store: Open) -> None:
    store = open_store()
    lines = [JournalLine(at_s=at, code="c", subject="", text=str(at)) for at in range(3)]

    store.commit(values={"x": b"1"}, journal=lines[:2])
    store.commit(values={"x": b"2"}, journal=lines[2:])

    assert store.value("x") == b"2"
    assert list(store.journal(last=2)) == lines[1:]
    store.close()


def test_a_closed_store_keeps_nothing_and_says_so(open_store: Open) -> None:
    store = open_store()
    store.close()

    with pytest.raises(StoreError):
        store.commit(memory=MEMORY)


def test_what_was_committed_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "site.sqlite"
    store = SqliteStore(path)
    store.commit(memory=MEMORY, statements=[statement(b"a")], values={"x": b"1"})
    store.close()

    again = SqliteStore(path)

    assert again.memory() == MEMORY
    assert [each.data for each in again.statements()] == [b"a"]
    assert again.value("x") == b"1"
    again.close()
