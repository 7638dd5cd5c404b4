"""The trace of a world: a digest over every event, and the last of them in words."""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from typing import Final

_BLOCK: Final = 8_192
_KEPT: Final = 50


class Trace:
    """Takes every event in its order.

    Attributes:
        count: events so far.
        keeps_words: whether the last events are kept in words; costs time, so only a replay asks for it.
    """

    def __init__(self, *, keeps_words: bool) -> None:
        self.keeps_words = keeps_words
        self.count = 0
        self._digest = hashlib.sha256()
        self._numbers = array("d")
        self._words: deque[str] = deque(maxlen=_KEPT)

    def add(self, at_s: float, serial: int) -> None:
        """Take one event: when it happens, and its number in the order in which events were made."""
        self.count += 1
        numbers = self._numbers
        numbers.append(at_s)
        numbers.append(serial)
        if len(numbers) >= _BLOCK:
            self._digest.update(numbers.tobytes())
            del numbers[:]

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
        digest.update(self._numbers.tobytes())
        return digest.hexdigest()
