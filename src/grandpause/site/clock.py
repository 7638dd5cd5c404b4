"""The machine's clocks (``ports.Clock``)."""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Wall clock and boot-time clock of this machine."""

    def wall_s(self) -> int:
        """Return the wall clock in whole Unix seconds."""
        return int(time.time())

    def monotonic_s(self) -> float:
        """Return CLOCK_BOOTTIME: it counts while the machine is suspended, and never steps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return what names this boot of the machine; empty where the kernel does not say."""
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            return ""
