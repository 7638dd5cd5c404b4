"""A bit that flips on the disk: without effect, or noticed; never another latch, never a statement less."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crash.crash_images import fast_directory, story_of
from crash.workload import STORE, VALUES, Kept, Story
from grandpause.core.model import CapKey, Caps, Unit
from grandpause.errors import StoreError
from grandpause.stores.sqlite import SqliteStore

SEED = 20261122
FLIPS = int(os.environ.get("BIT_FLIPS", "2500"))
LOG_FLIPS = 400


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory for thousands of damaged copies."""
    with fast_directory() as made:
        yield made


@pytest.fixture(scope="module")
def story(directory: Path) -> Story:
    """A story whose store was closed: all of it lies in the database file."""
    return story_of(SEED, directory)


@pytest.fixture(scope="module")
def whole(directory: Path, story: Story) -> bytes:
    """The bytes of the database file after a latch was lowered, without leftovers of what was replaced."""
    path = directory / "story" / "state" / STORE
    store = SqliteStore(path)
    memory = store.memory()
    assert memory is not None
    store.commit(memory=replace(memory, latch=Caps({CapKey("site", Unit.COMPUTE): 500_000})))
    store.close()
    assert not path.with_name(f"{STORE}-wal").exists()
    with sqlite3.connect(path) as database:
        database.execute("VACUUM")
    database.close()
    return path.read_bytes()


def read(files: dict[str, bytes], directory: Path) -> Kept | StoreError:
    """Open damaged files as the next start does; return what is read, or the refusal."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name, data in files.items():
        (directory / name).write_bytes(data)
    try:
        store = SqliteStore(directory / STORE)
    except StoreError as refusal:
        return refusal
    try:
        return Kept.by(store)
    except StoreError as refusal:
        return refusal
    finally:
        store.close()


def flipped(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit turned over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def what_counts(kept: Kept) -> tuple[object, ...]:
    """Return everything that a ceiling hangs on."""
    return kept.statements, kept.memory, {name: kept.values[name] for name in VALUES}


def test_any_flipped_bit_of_the_database_is_without_effect_or_noticed(
    directory: Path, story: Story, whole: bytes
) -> None:
    del story
    unharmed = read({STORE: whole}, directory / "copy")
    assert isinstance(unharmed, Kept)
    chance = random.Random(SEED)
    memory_row = whole.index(b'"latch":[') * 8
    bits = [chance.randrange(len(whole) * 8) for _ in range(FLIPS)]
    bits += range(100 * 8)  # the file's header
    bits += range(memory_row, memory_row + 120 * 8)
    ends: Counter[str] = Counter()
    for bit in bits:
        found = read({STORE: flipped(whole, bit)}, directory / "copy")
        if isinstance(found, StoreError):
            ends["noticed"] += 1
        else:
            assert what_counts(found) == what_counts(unharmed), f"bit {bit} changed what counts, unseen"
            ends["without effect"] += 1
    assert min(ends["noticed"], ends["without effect"]) > FLIPS // 10, ends


def test_every_flipped_bit_of_the_stored_latch_is_noticed(directory: Path, whole: bytes) -> None:
    unharmed = read({STORE: whole}, directory / "copy")
    assert isinstance(unharmed, Kept)
    assert unharmed.memory is not None
    latch = b'"latch":[{"part":"site","unit":"compute_ppm","value":'
    assert whole.count(latch) == 1
    assert unharmed.memory.latch.get("site", Unit.COMPUTE) == 500_000
    begin = whole.index(latch) + len(latch)
    for bit in range(begin * 8, (begin + 6) * 8):
        found = read({STORE: flipped(whole, bit)}, directory / "copy")
        assert isinstance(found, StoreError), f"bit {bit} of the latch's digits"


def test_a_flipped_bit_of_the_log_takes_back_at_most_the_last_transaction(
    directory: Path, story: Story
) -> None:
    """SQLite takes a damaged frame for the log's end; what lies behind it was acknowledged, and is missed."""
    store_directory = directory / "unclosed"
    store_directory.mkdir()
    store = SqliteStore(store_directory / STORE)
    ends = []
    for promise in story.promises[-12:]:
        store.commit(memory=promise.kept.memory, statements=promise.kept.statements)
        ends.append(Kept.by(store))
    files = {name: (store_directory / name).read_bytes() for name in (STORE, f"{STORE}-wal")}
    store.close()
    chance = random.Random(SEED)
    log = files[f"{STORE}-wal"]
    found: Counter[str] = Counter()
    for bit in [*range(0, 32 * 8, 5), *(chance.randrange(len(log) * 8) for _ in range(LOG_FLIPS))]:
        kept = read({**files, f"{STORE}-wal": flipped(log, bit)}, directory / "copy")
        if isinstance(kept, StoreError):
            found["noticed"] += 1
        else:
            assert what_counts(kept) in [what_counts(each) for each in ends[-2:]], f"bit {bit}"
            found["last transaction or nothing"] += 1
    assert found["noticed"] > LOG_FLIPS // 2, found
