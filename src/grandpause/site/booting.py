"""What a controller begins with: charters and statements with their dates, its first look at the clocks."""

from __future__ import annotations

from collections.abc import Sequence

from grandpause.core.model import Interval
from grandpause.core.statement.charter import Charter
from grandpause.core.trust import SignatureCheck, TrustedSet, decode_only
from grandpause.errors import TrustError
from grandpause.ports import StoredStatement


def load_sets(
    charters: Sequence[tuple[str, Sequence[bytes]]],
    stored: Sequence[StoredStatement],
    *,
    marked: frozenset[str],
    wall_s: int,
    floor_s: int,
    check: SignatureCheck,
) -> tuple[list[TrustedSet], list[StoredStatement], frozenset[str]]:
    """Return a set for each pinned charter, the charter files that are new to the store, and their marks.

    A version that was ever installed as a file stays installed, whatever becomes of the file: else it would
    be too late again, and with it every limit that names it.

    What is stored is admitted with the time of its first admission, so that a reboot moves no date. A file is
    dated by the wall clock with its largest stated error, and never earlier than what was stored: a clock
    that is behind must not date a new charter so early that limits count as repealed.

    Args:
        charters: (charter id, the envelopes of its versions) of every pinned charter.
        marked: names of the versions that were installed before.
        wall_s: the wall clock, Unix seconds.
        floor_s: the last moment that was stored; 0 if there is none.
    """
    error_s = max((_clock_error_s(data) for _, files in charters for data in files), default=0)
    now = Interval(
        earliest=min(wall_s, floor_s or wall_s) - error_s, latest=max(wall_s, floor_s) + error_s + 1
    )
    sets = []
    installed = []
    names = marked | {decode_only(data)[0].name for _, files in charters for data in files}
    for charter_id, files in charters:
        trusted = TrustedSet(charter_id, check=check)
        for each in stored:
            if each.charter == charter_id:
                # A stored version that was installed counts from its stored date; so does what waits for it.
                is_installed = decode_only(each.data)[0].name in names
                try:
                    trusted.admit(each.data, now=each.admitted, installed=is_installed)
                except TrustError:
                    # It was kept while its charter was not known here. The charter is known now, and gives it
                    # no worth: it must not keep the controller from starting.
                    continue
        new = [data for data in files if trusted.admit(data, now=now, installed=True).changed]
        installed += [StoredStatement(charter=charter_id, data=data, admitted=now) for data in new]
        sets.append(trusted)
    return sets, installed, names


def first_look_of(stored: bytes | None, boot_id: str, *, now_s: float) -> tuple[float, float] | None:
    """Return the first look at both clocks that another process of this boot had; None: there was none.

    Args:
        boot_id: names this boot of the machine.
        now_s: boot-time seconds.
    """
    if stored is None or not boot_id:
        return None
    boot, wall, monotonic = stored.decode().split()
    looked_s = float(monotonic)
    return (float(wall), looked_s) if boot == boot_id and looked_s <= now_s else None


def _clock_error_s(data: bytes) -> int:
    _, statement = decode_only(data)
    return statement.clock_error_s if isinstance(statement, Charter) else 0
