"""The store: settings that took, damage that is noticed, and a failed write after which it is shut."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crash.workload import OLD_SCHEMA
from grandpause.core.memory import Memory
from grandpause.core.model import CapKey, Caps, Interval, Stage, Unit
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import JournalLine, StoredStatement
from grandpause.stores.memory_codec import encode_memory, encode_standby
from grandpause.stores.sqlite import SqliteStore
from stories.rig import comes_true, limit, post, program, served

MEMORY = Memory(
    nonce="ab" * 16,
    latch=Caps({CapKey("site", Unit.COMPUTE): 50_000, CapKey("hall:h1", Unit.IT_WATTS): 7}),
    latched=frozenset({"cd" * 32}),
    standby=frozenset({"r01n01", "r01n02"}),
    used=frozenset({"ef" * 32}),
    armed=True,
    adversarial=True,
    category=0,
)


@contextmanager
def full_disk(at_byte: int) -> Iterator[None]:
    """Let every write beyond this place in any file fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_byte, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "site.sqlite"


def test_everything_comes_back_after_the_store_was_closed(path: Path) -> None:
    statement = StoredStatement(charter="c", data=b"bytes", admitted=Interval(earliest=1, latest=3))
    key = EffectKey("s", "r01n01", Stage.SOFT_OFF, 1)
    line = JournalLine(at_s=5, code="armed", subject="", text="by its operator")
    store = SqliteStore(path)
    assert store.memory() is None
    store.commit(statements=[statement], memory=MEMORY, values={"a": b"1"}, journal=[line])
    store.commit(statements=[statement], values={"a": b"2"})
    store.record_effects([key, key], at_s=9)
    store.record_effects([key], at_s=10)
    store.close()
    again = SqliteStore(path)
    assert again.statements() == [statement]
    assert again.memory() == MEMORY
    assert again.value("a") == b"2"
    assert again.value("b") is None
    assert again.effects() == [(key, 9)], "a key is written once"
    assert again.journal(last=5) == [line]
    again.close()


def test_a_standby_without_elements_is_not_the_same_as_none(path: Path) -> None:
    store = SqliteStore(path)
    for standby in (frozenset[str](), None, frozenset({"n1"})):
        store.commit(memory=Memory(nonce="00" * 16, standby=standby))
        memory = store.memory()
        assert memory is not None
        assert memory.standby == standby
    store.close()


def test_the_file_is_in_write_ahead_mode(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_a_setting_that_does_not_take_is_refused(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="cannot be opened: database is locked"):
        SqliteStore(path)
    other.close()


@pytest.mark.parametrize(
    "damage", [b"no database at all, but text" * 100, b"SQLite format 3\x00" + b"\xff" * 8_000]
)
def test_a_file_that_is_no_store_is_refused(damage: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(path)


def test_a_store_of_a_later_format_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(StoreError, match="has format 99, this version reads 2"):
        SqliteStore(path)


def test_a_store_of_the_first_format_is_brought_to_this_one_with_all_it_held(path: Path) -> None:
    _make_a_store_of_the_first_format(path)
    for _ in range(2):
        store = SqliteStore(path)
        assert store.memory() == MEMORY
        assert [(each.data, each.admitted.earliest) for each in store.statements()] == [(b"b", 1), (b"a", 2)]
        assert store.value("seen_s") == b"7"
        assert store.effects() == [(EffectKey("s", "n1", Stage.SOFT_OFF, 1), 5)]
        store.close()
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (2,)
    other.close()


def test_a_first_format_that_cannot_be_brought_over_is_left_as_it_was(path: Path) -> None:
    _make_a_store_of_the_first_format(path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE statements SET earliest = 99 WHERE number = 1")
    other.close()
    with pytest.raises(StoreError, match="a statement's row makes no sense"):
        SqliteStore(path)
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM statements").fetchone() == (2,)
    other.close()


def _make_a_store_of_the_first_format(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(OLD_SCHEMA)
        old.execute("PRAGMA journal_mode=WAL")
        old.executemany(
            "INSERT INTO statements (charter, earliest, latest, data) VALUES (?, ?, ?, ?)",
            [("c", 1, 3, b"b"), ("c", 2, 4, b"a")],
        )
        named = {"memory": encode_memory(MEMORY), "standby": encode_standby(MEMORY.standby), "seen_s": b"7"}
        old.executemany("INSERT INTO named_values VALUES (?, ?)", [*named.items()])
        old.execute("INSERT INTO effects VALUES ('s', 'n1', 'soft off', 1, 5)")
    old.close()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM statements WHERE number = 1", "1 of 2 statements are left"),
        ("UPDATE statements SET latest = latest + 1 WHERE number = 2", "a stored statement was changed"),
        ("UPDATE statements SET data = x'00' WHERE number = 2", "a stored statement was changed"),
        ("UPDATE statements SET number = 9 WHERE number = 1", "a stored statement was changed"),
        ("DELETE FROM named_values WHERE name = 'a'", "its value 'a' is missing"),
        ("UPDATE named_values SET data = x'39' WHERE name = 'a'", "its value 'a' was changed"),
        ("INSERT INTO named_values VALUES ('b', x'39')", "its value 'b' was changed"),
        ("UPDATE named_values SET name = 'b'", "its value 'a' is missing"),
        ("DELETE FROM seal", "its seal is missing or was changed"),
        ("UPDATE seal SET data = substr(data, 1, 40)", "its seal is missing or was changed"),
    ],
)
def test_what_does_not_fit_the_seal_is_damage(harm: str, said: str, path: Path) -> None:
    at = Interval(earliest=1, latest=3)
    store = SqliteStore(path)
    store.commit(statements=[StoredStatement(charter="c", data=each, admitted=at) for each in (b"1", b"2")])
    store.commit(values={"a": b"1"})
    with sqlite3.connect(path) as other:
        other.execute(harm)
    other.close()
    with pytest.raises(StoreError, match=said):
        (store.statements(), store.value("a"), store.value("b"))
    with pytest.raises(StoreError, match="failed before"):
        store.commit(values={"a": b"2"})
    store.close()


@pytest.mark.parametrize("data", [b"{}", b"nonsense", b'{"armed":1}'], ids=["empty", "no json", "half of it"])
def test_a_damaged_memory_is_noticed_and_never_taken_for_a_free_site(data: bytes, path: Path) -> None:
    store = SqliteStore(path)
    store.commit(memory=MEMORY)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE named_values SET data = ? WHERE name = 'memory'", (data,))
    other.close()
    with pytest.raises(StoreError, match="its value 'memory' was changed"):
        store.memory()
    store.close()


@pytest.mark.parametrize("name", ["memory", "standby"])
def test_half_a_memory_is_damage_and_no_first_boot(name: str, path: Path) -> None:
    store = SqliteStore(path)
    store.commit(memory=MEMORY)
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM named_values WHERE name = ?", (name,))
    other.close()
    with pytest.raises(StoreError, match=f"damaged: its value {name!r} is missing"):
        store.memory()
    store.close()


def test_after_a_failed_write_the_store_is_shut_and_the_old_state_stands(path: Path) -> None:
    store = SqliteStore(path)
    store.commit(memory=MEMORY)
    with full_disk(200_000), pytest.raises(StoreError, match="did not keep what it was given"):
        store.commit(values={"big": b"x" * 400_000})
    for work in (
        lambda: store.commit(values={"small": b"x"}),
        lambda: store.record_effects([EffectKey("s", "n", Stage.SOFT_OFF, 1)], at_s=1),
        store.memory,
    ):
        with pytest.raises(StoreError, match="failed before; nothing more is written"):
            work()
    store.close()
    again = SqliteStore(path)
    assert again.memory() == MEMORY
    assert again.value("big") is None
    assert again.effects() == []
    again.close()


def test_a_store_that_failed_touches_its_files_no_more_not_even_when_it_is_closed(path: Path) -> None:
    """SQLite would empty its log when it closes: that syncs again what the kernel counts as clean."""
    store = SqliteStore(path)
    store.commit(memory=MEMORY)
    with full_disk(200_000), pytest.raises(StoreError, match="did not keep what it was given"):
        store.commit(values={"big": b"x" * 400_000})
    log = path.with_name("site.sqlite-wal")
    before = path.read_bytes(), log.read_bytes()
    store.close()
    assert (path.read_bytes(), log.read_bytes()) == before


async def test_a_controller_whose_disk_is_full_ends_without_sending_anything(tmp_path: Path) -> None:
    async with served(tmp_path / "site", nodes=4) as sim:
        folder, state = sim.folder, sim.site.identity.state
        site_file = str(folder.site_file)
        async with program("site", "arm", site_file) as arm:
            assert await arm.wait() == 0
        async with program("site", "run", site_file) as run:
            await comes_true((state / "status.json").exists)
            resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (8_000, resource.RLIM_INFINITY))
            post(folder, "limit.json", limit(folder, 0), "ada", "bo")
            _, said = await asyncio.wait_for(run.communicate(), 30)
        assert run.returncode == 5
        assert b"did not keep what it was given" in said
        assert sim.bmcs.commands == []
        assert (folder.inbox / "limit.json").exists(), "it waits for a controller that can keep it"
