"""The controller's memory as canonical JSON, for stores."""

from __future__ import annotations

from grandpause.core import canonical
from grandpause.core.fields import Fields
from grandpause.core.memory import Memory
from grandpause.core.statement.acts import NONCE_BYTES, caps_value, read_caps
from grandpause.errors import StatementError, StoreError


def encode_memory(memory: Memory) -> bytes:
    """Return the memory's one encoding, without the standby."""
    return canonical.encode(
        {
            "nonce": memory.nonce,
            "latch": caps_value(memory.latch),
            "latched": [*sorted(memory.latched)],
            "used": [*sorted(memory.used)],
            "armed": int(memory.armed),
            "adversarial": int(memory.adversarial),
            "category": memory.category,
        }
    )


def encode_standby(standby: frozenset[str] | None) -> bytes:
    """Return the standby's one encoding; no standby and an empty one differ."""
    elements: list[canonical.Value] = [*sorted(standby or ())]
    return canonical.encode({"in_standby": int(standby is not None), "elements": elements})


def decode_memory(data: bytes, standby: bytes) -> Memory:
    """Read a memory and its standby. Raises StoreError for anything else: the store was damaged."""
    try:
        fields = Fields(canonical.decode(data, limit=2**26), "memory")
        apart = Fields(canonical.decode(standby, limit=2**26), "standby")
        in_standby = apart.integer("in_standby", most=1)
        elements = frozenset(apart.identifiers("elements"))
        apart.close()
        memory = Memory(
            nonce=fields.hexadecimal("nonce", size=NONCE_BYTES),
            latch=read_caps(fields, "latch"),
            latched=frozenset(fields.digests("latched")),
            standby=elements if in_standby else None,
            used=frozenset(fields.digests("used")),
            armed=bool(fields.integer("armed", most=1)),
            adversarial=bool(fields.integer("adversarial", most=1)),
            category=fields.integer("category", most=2),
        )
        fields.close()
    except StatementError as cause:
        raise StoreError(f"the stored memory is damaged: {cause}") from cause
    return memory
