"""Judges a crash image: what is lost, what is raised. Real store and real keeper start on it."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.makers import nonce
from crash.disk import Do, Image, Operation, lay_out
from crash.workload import STORE, HandClock, Kept, Promise, Story, boot
from grandpause.core.memory import Memory
from grandpause.errors import GrandpauseError
from grandpause.stores.memory_codec import encode_memory
from grandpause.stores.sqlite import SqliteStore

FIRST_NONCE = 2_000_000
"""Beyond every nonce of a story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with an image; two empty texts: nothing."""

    lost: str = ""
    raised: str = ""


@dataclass(slots=True)
class Judge:
    """Judges the images of one story. What was judged once is not judged again."""

    story: Story
    directory: Path
    _known: dict[object, Verdict] = field(default_factory=dict)
    _ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ends = [each.done for each in self.story.promises]

    def promised(self, done: int) -> tuple[Promise, Promise]:
        """Return what was acknowledged after so many operations, and what was under way."""
        last = bisect_right(self._ends, done) - 1
        promises = self.story.promises
        under_way = last if promises[last].done == done else min(last + 1, len(promises) - 1)
        return promises[last], promises[under_way]

    def judge(self, image: Image) -> Verdict:
        """Open an image as the next start does, and hold it against what was promised."""
        old, new = self.promised(image.done)
        for each in self.directory.iterdir():
            each.unlink()
        lay_out(image.files, self.directory)
        try:
            store = SqliteStore(self.directory / STORE)
        except GrandpauseError as error:
            return Verdict(lost=f"the store does not open: {error}")
        try:
            kept = Kept.by(store)
            key = (_identity(kept), old.done, new.done)
            if key not in self._known:
                self._known[key] = Verdict(
                    lost=lost(kept, old.kept, new.kept), raised=self._raised(store, old, new)
                )
            return self._known[key]
        except GrandpauseError as error:
            return Verdict(lost=f"the store cannot be read: {error}")
        finally:
            store.close()

    def _raised(self, store: SqliteStore, old: Promise, new: Promise) -> str:
        """Boot on the image, and hold what the site may use against what it might before."""
        if old.caps is None:
            return ""  # nothing was promised yet
        clock = HandClock(wall=old.wall_s, boot=5.0)
        nonces = (nonce(number) for number in itertools.count(FIRST_NONCE))
        keeper = boot(store, self.story.casts, clock, lambda: next(nonces))
        caps = keeper.decide().caps
        if caps.exceeds(old.caps) and (new.caps is None or caps.exceeds(new.caps)):
            return f"may use {[*caps]}, was {[*old.caps]}"
        return ""


def _identity(kept: Kept) -> tuple[object, ...]:
    memory = kept.memory
    encoded = None if memory is None else (encode_memory(memory), memory.standby)
    return kept.statements, encoded, kept.effects, tuple(kept.values.items())


def lost(kept: Kept, old: Kept, new: Kept) -> str:
    """Return what was acknowledged and is gone, in words."""
    found = {(each.charter, each.data, each.admitted) for each in kept.statements}
    gone = [each for each in old.statements if (each.charter, each.data, each.admitted) not in found]
    if gone:
        return f"{len(gone)} of {len(old.statements)} statements"
    if not old.effects <= kept.effects:
        return f"{len(old.effects - kept.effects)} keys of commands that were sent"
    changed = [name for name, data in kept.values.items() if data not in (old.values[name], new.values[name])]
    if changed:
        return f"values {', '.join(changed)}"
    return _forgotten(kept.memory, old.memory, new.memory)


def _forgotten(memory: Memory | None, old: Memory | None, new: Memory | None) -> str:
    if old is None:
        return ""
    if memory is None:
        return "the whole memory"
    known = [each for each in (old, new) if each is not None]
    if not old.used <= memory.used:
        return "restarts that were used"
    if all(memory.latch.exceeds(each.latch) for each in known):
        return f"the latch {[*old.latch]}: it is {[*memory.latch]}"
    if memory.armed not in {each.armed for each in known}:
        return f"armed: {old.armed}"
    if memory.nonce not in {each.nonce for each in known}:
        return "the nonce"
    if memory.standby not in {each.standby for each in known}:
        return "the standby"
    return ""


def sync_points(operations: Iterable[Operation]) -> Counter[tuple[str, str, str]]:
    """Return every sync point, as (write path, file, what it made certain), with how often it was met."""
    points: Counter[tuple[str, str, str]] = Counter()
    since: dict[str, Counter[str]] = {}
    for each in operations:
        if each.do in (Do.SYNC, Do.SYNC_DIRECTORY):
            kinds = ", ".join(sorted(since.pop(each.file, Counter()))) or "nothing new"
            points[each.path, each.file or "(directory)", kinds] += 1
        elif each.do is Do.SYNC_ALL:
            points[each.path, "(all)", "everything"] += 1
            since.clear()
        elif each.do in (Do.WRITE, Do.TRUNCATE):
            since.setdefault(each.file, Counter())[str(each.do)] += 1
        else:
            above, _, name = (each.target or each.file).rpartition("/")
            since.setdefault(above, Counter())[f"{each.do} {name}"] += 1
    return points


def worst(verdicts: Sequence[tuple[Image, Verdict]]) -> str:
    """Return the first faults in words, for a failing test."""
    return "\n".join(
        f"image {image.number}, after {image.done} operations, {image.how}: lost: {each.lost or 'nothing'}; "
        f"raised: {each.raised or 'nothing'}"
        for image, each in verdicts[:5]
    )
