"""Feeds systemd's watchdog, and only while the event loop is on time. (sd_notify(3), sd_watchdog_enabled(3))

A controller that hangs is not fed, and systemd ends it and starts it again: set ``WatchdogSec=`` and
``Restart=always`` in its unit. Without systemd nothing is done.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

FEEDS_IN_A_PERIOD: Final = 4
MICROSECONDS: Final = 1_000_000


async def feed_watchdog(environment: Mapping[str, str], *, tell: Callable[[str, str], None]) -> None:
    """Say that the controller is ready, then feed until cancelled; return at once if nobody listens.

    A wake-up that came late by more than half the watchdog's time is told of and not followed by a feed.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them.
        tell: hears (code, text) of every such lateness, and of a socket that takes nothing.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as to:
        place = f"\0{address[1:]}" if address.startswith("@") else address
        _say(to, place, b"READY=1", tell)
        period_s = _period_s(environment)
        while period_s is not None:
            late_s = await _nap(period_s / FEEDS_IN_A_PERIOD)
            if late_s > period_s / 2:
                tell("late", f"the controller did nothing for {late_s:.1f} s; the watchdog is not fed")
            else:
                _say(to, place, b"WATCHDOG=1", tell)


async def _nap(seconds: float) -> float:
    """Sleep; return how many seconds too late this woke up."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    await asyncio.sleep(seconds)
    return loop.time() - due


def _period_s(environment: Mapping[str, str]) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or int(microseconds) == 0 or meant != str(os.getpid()):
        return None
    return int(microseconds) / MICROSECONDS


def _say(to: socket.socket, place: str, word: bytes, tell: Callable[[str, str], None]) -> None:
    try:
        to.sendto(word, place)
    except OSError as problem:
        tell("watchdog", f"systemd could not be told {word.decode()}: {problem}")
