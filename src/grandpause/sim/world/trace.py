"""The trace of a world: a digest over every event, and the last of them in words."""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from typing import Final

BLOCK: Final = 8_192
_KEPT: Final = 50


class Trace:
    """Takes every event in its order.

    Attributes:
        numbers: of each event since the last block, when it happened, and its number in the order in which
            events were made.
        keeps_words: whether the last events are kept in words; costs time, so only a replay asks for it.
    """

    def __init__(self, *, keeps_words: bool) -> None:
        self.keeps_words = keeps_words
        self.numbers = array("d")
        self._taken = 0
        self._digest = hashlib.sha256()
        self._words: deque[str] = deque(maxlen=_KEPT)

    def full(self) -> None:
        """Take the events in ``numbers`` into the digest; called when there are ``BLOCK`` of them."""
        self._taken += len(self.numbers) // 2
        self._digest.update(self.numbers.tobytes())
        del self.numbers[:]

    @property
    def count(self) -> int:
        """How many events there were."""
        return self._taken + len(self.numbers) // 2

    def mark(self, text: str) -> None:
        """Take something that is told by words: an alarm, a verdict, what holds now."""
        self._digest.update(text.encode())

    def say(self, at_s: float, text: str) -> None:
        """Keep some words for the case of a failure."""
        day, rest = divmod(at_s, 86_400)
        hour, rest = divmod(rest, 3_600)
        minute, second = divmod(rest, 60)
        self._words.append(f"#{self.count} day {day:.0f} {hour:02.0f}:{minute:02.0f}:{second:06.3f} {text}")

    @property
    def words(self) -> tuple[str, ...]:
        """The last events in words, oldest first."""
        return tuple(self._words)

    def hexdigest(self) -> str:
        """Return the digest over every event until now."""
        digest = self._digest.copy()
        digest.update(self.numbers.tobytes())
        return digest.hexdigest()
