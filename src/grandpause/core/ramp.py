"""The ramp while it happens: who may be told to go down now. (spec/conductor.md 6)

A plan's slots say when each command is due at the earliest. When a machine really goes down is another
matter: at some moment between its command and the confirmation. So the book charges a machine's watts from
its first command until a minute after it was seen to be down (or was given up), and lets the next one go
only while all charges together keep within the site's watts a minute. Whatever falls within any minute was
charged at the end of it; so no minute can see more fall than the rule says, however late devices are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RampRule:
    """The most that the site may drop (or raise) at once and within any minute; None: no bound."""

    watts_per_minute: int | None = None
    watts_per_step: int | None = None
    step_s: float = 1.0


@dataclass(slots=True)
class RampBook:
    """Charges of one site. Times are the caller's monotonic seconds and never go back.

    Attributes:
        under_way: element -> watts that may fall at any moment.
    """

    under_way: dict[str, int] = field(default_factory=dict)
    _settled: list[tuple[float, int]] = field(default_factory=list)
    _charged: int = 0
    _step: deque[tuple[float, int]] = field(default_factory=deque)
    _in_step: int = 0

    def grant(self, element: str, watts: int, rule: RampRule, now_s: float) -> float | None:
        """Charge ``element`` and return None if it may go now; else return when to ask again.

        A machine that is larger than the rule may go when nothing else is charged. One that is under way
        already may be told again.
        """
        if element in self.under_way:
            return None
        self._forget(rule, now_s)
        minute, step = rule.watts_per_minute, rule.watts_per_step
        if minute is not None and self._charged and self._charged + watts > minute:
            # What is under way ends its charge a minute after it is seen to be down: none can end sooner.
            return self._settled[0][0] + WINDOW_S if self._settled else now_s + WINDOW_S
        if step is not None and self._in_step and self._in_step + watts > step:
            return self._step[0][0] + rule.step_s
        self.under_way[element] = watts
        self._charged += watts
        if step is not None:
            self._step.append((now_s, watts))
            self._in_step += watts
        return None

    def resume(self, watts: int, down_s: float) -> None:
        """Charge what an earlier process told to go down, and must be down by ``down_s``."""
        self._charged += watts
        heappush(self._settled, (down_s, watts))

    def settle(self, element: str, down_s: float) -> bool:
        """The element is down at ``down_s`` at the latest, or given up: its charge ends a minute after that.

        Return whether it had one.
        """
        watts = self.under_way.pop(element, None)
        if watts is None:
            return False
        heappush(self._settled, (down_s, watts))
        return True

    def _forget(self, rule: RampRule, now_s: float) -> None:
        settled, step = self._settled, self._step
        while settled and settled[0][0] + WINDOW_S <= now_s:
            self._charged -= heappop(settled)[1]
        while step and step[0][0] + rule.step_s <= now_s:
            self._in_step -= step.popleft()[1]
