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
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
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
from tools.vectors.cast import Json  # noqa: E402

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
_EXAMPLE = re.compile(
    r"```(?P<language>json|text) (?P<fence>statement|file|envelope|key|sentence)=(?P<subject>[a-z.]+)"
    r"(?: \w+=[0-9a-f]*)?\n.*?\n```",
    re.DOTALL,
)


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


def examples() -> dict[tuple[str, str], tuple[str, str]]:
    """Return (fence, subject) -> (what the fence says of it, text) of every example that a page may show."""
    result: dict[tuple[str, str], tuple[str, str]] = {}
    for case in envelopes.cases()["valid"]:
        kind, name = case["kind"], f" name={case['name']}"
        result.setdefault(("statement", kind), (name, case["payload"]))
        result.setdefault(("envelope", kind), (name, case["envelope"]))
        result.setdefault(("sentence", kind), ("", case["sentence"]))
    content = bundles.content()
    for path in ("elements.json", "nodes.json", "readings/after.json"):
        data = content[path]
        result["file", path.rpartition("/")[2]] = (f" sha256={sha256(data).hexdigest()}", data.decode())
    for case in keys.cases()["keys"]:
        value = {"alg": case["alg"], "key": b64encode(bytes.fromhex(case["public"])).decode()}
        text = json.dumps(value, separators=(",", ":"))
        result["key", case["id"]] = (f" keyid={case['keyid']}", text)
    return result


def refresh_pages(directory: Path) -> None:
    """Put the present examples into the pages."""
    found = examples()

    def example(match: re.Match[str]) -> str:
        fence, subject = match["fence"], match["subject"]
        said, text = found[fence, subject]
        return f"```{match['language']} {fence}={subject}{said}\n{text}\n```"

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
