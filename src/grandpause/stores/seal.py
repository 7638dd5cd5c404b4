"""The seal of a store: what it must hold, so that no flipped bit goes unseen.

SQLite checks no page of its database file: a bit that flips on the disk can change a digit of the latch,
or make a row vanish, and nobody is told. The seal is one row, written in every transaction that changes a
statement or a value. It holds the number of statements, a digest chained through all of them in their
order, and the digest of every named value. What does not fit it is damage, and is never read as less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from grandpause.core import canonical
from grandpause.core.fields import Fields
from grandpause.errors import StatementError, StoreError
from grandpause.ports import StoredStatement

_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_MOST_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a store must hold.

    Attributes:
        count: how many statements there are.
        chain: SHA-256 in hex, chained through all of them in their order; zeros where there are none.
        values: name -> SHA-256 in hex of every named value.
    """

    count: int = 0
    chain: str = "00" * _DIGEST_BYTES
    values: Mapping[str, str] = field(default_factory=dict)

    def with_statement(self, statement: StoredStatement) -> Seal:
        """Return the seal of a store that holds one more statement."""
        return replace(self, count=self.count + 1, chain=_link(self.chain, statement))

    def with_values(self, named: Mapping[str, bytes]) -> Seal:
        """Return the seal of a store in which these values were replaced."""
        digests = {name: _digest_of(name, data) for name, data in named.items()}
        return replace(self, values={**self.values, **digests})

    def check_statements(self, statements: Iterable[StoredStatement]) -> None:
        """Raise StoreError unless these are all the statements, unchanged and in their order."""
        found = Seal()
        for each in statements:
            found = found.with_statement(each)
        if found.count != self.count:
            raise StoreError(f"is damaged: {found.count} of {self.count} statements are left")
        if found.chain != self.chain:
            raise StoreError("is damaged: a stored statement was changed")

    def check_value(self, name: str, data: bytes | None) -> None:
        """Raise StoreError unless this is the value of that name; None: there is none."""
        known = self.values.get(name)
        if data is None and known is not None:
            raise StoreError(f"is damaged: its value {name!r} is missing")
        if data is not None and _digest_of(name, data) != known:
            raise StoreError(f"is damaged: its value {name!r} was changed")

    def to_bytes(self) -> bytes:
        """Return the seal as stored: its own SHA-256, then canonical JSON."""
        values: dict[str, canonical.Value] = {**self.values}
        body = canonical.encode({"statements": self.count, "chain": self.chain, "values": values})
        return hashlib.sha256(body).digest() + body

    @classmethod
    def read(cls, data: object) -> Seal:
        """Read a stored seal. Raises StoreError for anything else: the store was damaged."""
        if (
            not isinstance(data, bytes)
            or hashlib.sha256(data[_DIGEST_BYTES:]).digest() != (data[:_DIGEST_BYTES])
        ):
            raise StoreError("is damaged: its seal is missing or was changed")
        try:
            fields = Fields(canonical.decode(data[_DIGEST_BYTES:], limit=_MOST_BYTES), "seal")
            values = fields.take("values")
            if not isinstance(values, dict):
                fields.refuse("values", "must be an object")
            seal = cls(
                count=fields.integer("statements"),
                chain=fields.hexadecimal("chain", size=_DIGEST_BYTES),
                values={name: str(digest) for name, digest in values.items()},
            )
            fields.close()
        except StatementError as cause:
            raise StoreError(f"is damaged: its seal makes no sense: {cause}") from cause
        return seal


def _link(chain: str, statement: StoredStatement) -> str:
    at = statement.admitted
    head = f"{chain}\n{statement.charter}\n{at.earliest}\n{at.latest}\n{len(statement.data)}\n"
    return hashlib.sha256(head.encode() + statement.data).hexdigest()


def _digest_of(name: str, data: bytes) -> str:
    return hashlib.sha256(f"{name}\n{len(data)}\n".encode() + data).hexdigest()
