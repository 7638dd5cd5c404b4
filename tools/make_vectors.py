"""Writes spec/vectors/ and the byte-exact examples in spec/*.md: ``python tools/make_vectors.py``.

Everything comes from fixed seeds, so that a second run gives the same bytes. What must come out is written
by hand in tools/vectors/ wherever a person can say it; names, digests and sentences are taken from the code,
and checked against a reckoning of their own in tests/interop. ``--out DIRECTORY`` writes elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.vectors import (  # noqa: E402  (found beside this file)
    bundles,
    ceilings,
    envelopes,
    keys,
    memories,
    plans,
    proofs,
    quorums,
    renderings,
    times,
    trusts,
)
from tools.vectors.cast import Json, hall  # noqa: E402

FILES: Mapping[str, Callable[[], Json]] = {
    "bundle": bundles.cases,
    "ceiling": ceilings.cases,
    "envelopes": envelopes.cases,
    "keys": keys.cases,
    "memory": memories.cases,
    "plan": plans.cases,
    "proving": proofs.cases,
    "quorum": quorums.cases,
    "rendering": renderings.cases,
    "time": times.cases,
    "trust": trusts.cases,
}
_EXAMPLE = re.compile(r"```json (statement|file|envelope)=([a-z.]+) \w+=[0-9a-f]*\n.*?\n```", re.DOTALL)


def write_vectors(directory: Path) -> None:
    """Write every file of spec/vectors/ into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, cases in FILES.items():
        value = {"schema": f"grandpause.vectors.{name}/1", **cases()}
        text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
        (directory / f"{name}.json").write_text(text, encoding="utf-8")
    bundle = directory / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    for path, data in bundles.content().items():
        target = bundle / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def examples() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Return (fence, subject) -> (word, digest, text) of every example that a page may show."""
    from hashlib import sha256  # noqa: PLC0415

    result: dict[tuple[str, str], tuple[str, str, str]] = {}
    for case in envelopes.cases()["valid"]:
        result.setdefault(("statement", case["kind"]), ("name", case["name"], case["payload"]))
        result.setdefault(("envelope", case["kind"]), ("name", case["name"], case["envelope"]))
    content = bundles.content()
    for name in ("elements.json", "nodes.json", "readings/after.json"):
        data = hall().to_bytes() if name == "elements.json" else content[name]
        key = name.rpartition("/")[2]
        result["file", key] = ("sha256", sha256(data).hexdigest(), data.decode())
    return result


def refresh_pages(directory: Path) -> None:
    """Put the present examples into the pages."""
    found = examples()

    def example(match: re.Match[str]) -> str:
        fence, subject = match.groups()
        word, digest, text = found[fence, subject]
        return f"```json {fence}={subject} {word}={digest}\n{text}\n```"

    for page in sorted(directory.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = _EXAMPLE.sub(example, old)
        if new != old:
            page.write_text(new, encoding="utf-8")


def main() -> int:
    """Write the vectors, and the examples of the pages unless they go elsewhere."""
    if sys.argv[1:2] == ["--out"]:
        write_vectors(Path(sys.argv[2]))
    else:
        write_vectors(ROOT / "spec" / "vectors")
        refresh_pages(ROOT / "spec")
    return 0


if __name__ == "__main__":
    sys.exit(main())
