"""The controller's memory as canonical JSON, for stores."""

from __future__ import annotations

from grandpause.core import canonical
from grandpause.core.fields import Fields
from grandpause.core.memory import Memory
from grandpause.core.statement.acts import NONCE_BYTES, caps_value, read_caps
from grandpause.errors import StatementError, StoreError


def encode_memory(memory: Memory) -> bytes:
    """Return the memory's one encoding."""
    standby: list[canonical.Value] = [] if memory.standby is None else [*sorted(memory.standby)]
    return canonical.encode(
        {
            "nonce": memory.nonce,
            "latch": caps_value(memory.latch),
            "latched": [*sorted(memory.latched)],
            "in_standby": int(memory.standby is not None),
            "standby": standby,
            "used": [*sorted(memory.used)],
            "armed": int(memory.armed),
            "adversarial": int(memory.adversarial),
            "category": memory.category,
        }
    )


def decode_memory(data: bytes) -> Memory:
    """Read a memory. Raises StoreError where the store holds something else: it was damaged."""
    try:
        fields = Fields(canonical.decode(data, limit=2**26), "memory")
        in_standby = fields.integer("in_standby", most=1)
        standby = frozenset(fields.identifiers("standby"))
        memory = Memory(
            nonce=fields.hexadecimal("nonce", size=NONCE_BYTES),
            latch=read_caps(fields, "latch"),
            latched=frozenset(fields.digests("latched")),
            standby=standby if in_standby else None,
            used=frozenset(fields.digests("used")),
            armed=bool(fields.integer("armed", most=1)),
            adversarial=bool(fields.integer("adversarial", most=1)),
            category=fields.integer("category", most=2),
        )
        fields.close()
    except StatementError as cause:
        raise StoreError(f"the stored memory is damaged: {cause}") from cause
    return memory
