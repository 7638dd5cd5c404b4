"""What must be found when a bundle is tampered with, by strangers and by the site that signs it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tools.vectors import lies
from tools.vectors.cast import Json, charter_id
from tools.vectors.stops import case, content

from grandpause.core import evidence as files
from grandpause.core.envelope import parse

__all__ = ["cases", "content"]


def _damage() -> Iterator[Json]:
    """Yield what somebody without the site's key can do."""
    for path, data in content().items():
        if path != files.EVIDENCE_FILE:
            middle = len(data) // 2
            yield case(f"one-bit-of-{path}", "trust", path, {"edits": [{"flip_bit": path, "byte": middle}]})
            yield case(f"without-{path}", "bundle", path, {"edits": [{"remove": path}]})
    yield case("without-evidence", "bundle", "evidence.json", {"edits": [{"remove": "evidence.json"}]})
    yield case(
        "an-extra-file", "bundle", "notes.txt", {"edits": [{"write": "notes.txt", "text": "all is well\n"}]}
    )
    yield case(
        "evidence-cut-short",
        "statement",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": content()["evidence.json"][:-1].decode()}]},
    )
    yield case(
        "another-statement-as-evidence",
        "bundle",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": content()["declaration.json"].decode()}]},
    )
    envelope = parse(content()["evidence.json"])
    value = bytearray(envelope.signatures[0].value)
    value[7] ^= 1
    good = base64.b64encode(envelope.signatures[0].value).decode()
    bad = content()["evidence.json"].decode().replace(good, base64.b64encode(value).decode())
    yield case(
        "one-bit-of-the-signature",
        "trust",
        "evidence.json",
        {"edits": [{"write": "evidence.json", "text": bad}]},
    )


def cases() -> Json:
    """Return the content of bundle.json."""
    return {
        "directory": "bundle",
        "charter": charter_id(),
        "evidence": parse(content()[files.EVIDENCE_FILE]).name,
        "verdict": "proven",
        "proven_by": "with utility's meter",
        "after": {"feeds": 8_150, "rows": 8_120},
        "wrong_charter": {"charter": "00" * 32, "code": "trust", "where": "charters/0001.json"},
        "accepted": [*lies.true_ones()],
        "tampered": [*_damage(), *lies.told()],
    }
