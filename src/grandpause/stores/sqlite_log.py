"""Looks at SQLite's write-ahead log for damage that SQLite takes for its end.

A frame whose checksum is wrong ends the log for SQLite, and with it all that was acknowledged later: a
flipped bit would take back a latch. But every transaction is synced before the next one begins, so a power
cut leaves at most one that is not whole. Where two or more lie behind the end, the end is damage.
What this cannot tell from a power cut is damage to the very last transaction.
(The format: sqlite.org/fileformat2.html, 4.1 and 4.2.)
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from grandpause.errors import StoreError

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">4I")
_FRAME_BYTES: Final = 24
_BIG_ENDIAN: Final = 0x377F0683
_MAGIC: Final = (_BIG_ENDIAN & ~1, _BIG_ENDIAN)
_WORD: Final = 2**32


def check_log(log: Path, *, valid_frames: int) -> None:
    """Look behind the end of a log that was emptied when the store was last opened.

    Args:
        log: the ``-wal`` file; one that is not there is no damage.
        valid_frames: how many frames SQLite found.

    Raises:
        StoreError: what was acknowledged lies behind the end.
    """
    try:
        data = log.read_bytes()
    except FileNotFoundError:
        return
    if len(data) <= _HEADER.size or not any(data):
        return
    magic, _, page_bytes, _, *salts, _, _ = _HEADER.unpack_from(data)
    if (
        magic not in _MAGIC
        or _checksum(data[: _HEADER.size - 8], magic) != data[_HEADER.size - 8 : _HEADER.size]
    ):
        raise StoreError("is damaged: the head of its log was changed", where=str(log))
    behind = 0
    begin = _HEADER.size + valid_frames * (_FRAME_BYTES + page_bytes)
    for at in range(begin, len(data) - _FRAME_BYTES + 1, _FRAME_BYTES + page_bytes):
        _, ends_transaction, *own = _FRAME.unpack_from(data, at)
        behind += bool(ends_transaction and own == salts)
    if behind > 1:
        raise StoreError(f"is damaged: {behind} transactions lie behind the end of its log", where=str(log))


def _checksum(head: bytes, magic: int) -> bytes:
    words = struct.unpack(f"{'>' if magic == _BIG_ENDIAN else '<'}{len(head) // 4}I", head)
    one = two = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) % _WORD
        two = (two + second + one) % _WORD
    return struct.pack(">2I", one, two)
