"""Plants known bugs in copies of the tree, one by one, and says what finds each: ``make planted``.

A bug is ``tests/planted/NAME.patch``: lines that say what is wrong, perhaps ``Expect: DETECTOR`` and
``Tests: PATH ...``, then a unified diff. Each copy goes to the detectors in this order until one finds it,
ten minutes at most: the reference model, the soak, the crash images, the tests that the patch names. First
the unpatched copy must pass them all. Writes docs/soak/planted.json, unless only some are wanted.

Exit code 0: every bug was found; 1: not; 2: a patch does not apply, or has no words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.detectors import DETECTORS, LIMIT_S, Finding, detect, whose_code  # noqa: E402  (found beside this file)

SCHEMA: Final = "grandpause.planted/1"
RESULT: Final = ROOT / "docs" / "soak" / "planted.json"
_DIFF: Final = re.compile(r"^(?:--- |diff |Index: )", re.MULTILINE)


class BadPatchError(Exception):
    """A patch that says nothing or does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One planted bug.

    Attributes:
        what: what is wrong, in words.
        expected: the detector that its author expects to find it; may be empty.
        tests: tests to run if nothing else found it.
    """

    name: str
    path: Path
    what: str
    expected: str
    tests: tuple[str, ...]


def read_bug(path: Path) -> Bug:
    """Read a patch's head. Raises BadPatchError."""
    text = path.read_text(encoding="utf-8")
    diff = _DIFF.search(text)
    if diff is None:
        raise BadPatchError(f"{path.name}: holds no diff")
    words, fields = [], {"expect": "", "tests": ""}
    for line in text[: diff.start()].splitlines():
        said = line.lstrip("# ").rstrip()
        name, colon, rest = said.partition(":")
        if colon and name.lower() in fields:
            fields[name.lower()] = rest.strip()
        elif said:
            words.append(said)
    if not words:
        raise BadPatchError(f"{path.name}: says in no word what is wrong")
    if fields["expect"] not in ("", *DETECTORS):
        raise BadPatchError(f"{path.name}: expects {fields['expect']!r}; known: {', '.join(DETECTORS)}")
    return Bug(
        name=path.stem,
        path=path,
        what=" ".join(words),
        expected=fields["expect"],
        tests=tuple(fields["tests"].split()),
    )


def read_bugs(directory: Path, *, only: Sequence[str]) -> list[Bug]:
    """Return the bugs of a directory, or those that are named. Raises BadPatchError if there are none."""
    bugs = [read_bug(path) for path in sorted(directory.glob("*.patch"))]
    missing = set(only) - {each.name for each in bugs}
    if missing or not bugs:
        raise BadPatchError(f"no such patch: {', '.join(sorted(missing)) or directory}")
    return [each for each in bugs if not only or each.name in only]


def apply(bug: Bug, tree: Path, *, dry: bool = False) -> None:
    """Apply a patch to a tree; its context must fit to the letter. Raises BadPatchError."""
    line = ["patch", "-p1", "--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "-d", str(tree)]
    done = subprocess.run(  # noqa: S603  (our own patches)
        [*line, *(["--dry-run"] if dry else []), "-i", str(bug.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise BadPatchError(f"{bug.path.name}: does not apply\n{done.stdout}{done.stderr}")


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """Make a copy of everything that git knows or would add, as it lies here; remove it afterwards."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    with tempfile.TemporaryDirectory(prefix="planted-") as made:
        copy = Path(made) / "tree"
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        whose_code(copy)
        yield copy


def hunt(
    tree: Path, detectors: Sequence[str], tests: Sequence[str], *, workers: int, limit_s: float
) -> tuple[Finding | None, float, list[str]]:
    """Run detectors until one finds something; return that, seconds, and which could not do their work."""
    began_s = time.monotonic()
    broken = []
    for name in detectors:
        left_s = limit_s - (time.monotonic() - began_s)
        if left_s <= 0:
            broken.append(f"{name}: no time left")
            continue
        finding = detect(name, tree, tests, workers=workers, limit_s=min(left_s, DETECTORS[name]))
        if finding is None:
            continue
        if finding.found:
            return finding, time.monotonic() - began_s, broken
        broken.append(f"{name}: {finding.said}")
    return None, time.monotonic() - began_s, broken


def judge(bug: Bug, detectors: Sequence[str], *, workers: int, limit_s: float) -> dict[str, Any]:
    """Return what found a bug, and after how long."""
    with copy_of_the_tree() as tree:
        apply(bug, tree)
        finding, seconds, broken = hunt(tree, detectors, bug.tests, workers=workers, limit_s=limit_s)
    return {
        "name": bug.name,
        "what": bug.what,
        "expected": bug.expected,
        "found_by": finding.detector if finding else None,
        "seconds": round(seconds, 1),
        "said": finding.said if finding else "",
        "could_not_run": broken,
    }


def unpatched(bugs: Sequence[Bug], detectors: Sequence[str], *, workers: int) -> dict[str, Any]:
    """Run every detector over an unpatched copy; each has its whole time."""
    tests = sorted({each for bug in bugs for each in bug.tests})
    began_s = time.monotonic()
    wrong = []
    with copy_of_the_tree() as tree:
        for name in detectors:
            finding = detect(name, tree, tests, workers=workers, limit_s=LIMIT_S)
            wrong += [f"{name}: {finding.said}"] if finding else []
    return {"passed": not wrong, "said": wrong, "seconds": round(time.monotonic() - began_s, 1)}


def document(bugs: Sequence[Mapping[str, Any]], control: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the report."""
    from grandpause.sim.soak.origin import origin  # noqa: PLC0415  (after whose_code)

    return {
        "schema": SCHEMA,
        "began": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **origin(),
        "unpatched": control,
        "found": sum(bool(each["found_by"]) for each in bugs),
        "found_by_model_or_soak": sum(each["found_by"] in ("model", "soak") for each in bugs),
        "bugs": list(bugs),
    }


def main() -> int:
    """Hunt, print and write."""
    arguments = _arguments()
    try:
        bugs = read_bugs(arguments.patches, only=arguments.only)
        for bug in bugs:
            apply(bug, ROOT, dry=True)
    except BadPatchError as cause:
        print(cause, file=sys.stderr)
        return 2
    if arguments.check:
        print(f"{len(bugs)} patches apply")
        return 0
    detectors = arguments.detectors or list(DETECTORS)
    control = None
    if not arguments.only:
        print("unpatched ...", file=sys.stderr, flush=True)
        control = unpatched(bugs, detectors, workers=arguments.workers)
        print(f"  {'passes' if control['passed'] else control['said']}", file=sys.stderr, flush=True)
    found = []
    for number, bug in enumerate(bugs, 1):
        print(f"[{number}/{len(bugs)}] {bug.name} ...", file=sys.stderr, flush=True)
        found.append(judge(bug, detectors, workers=arguments.workers, limit_s=LIMIT_S))
        print(f"  {_line(found[-1])}", file=sys.stderr, flush=True)
    value = document(found, control)
    if not arguments.only and not arguments.detectors and arguments.patches == ROOT / "tests" / "planted":
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        part = RESULT.with_suffix(".part")
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(RESULT)
    if arguments.json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        print(
            f"{value['found']} of {len(found)} found, {value['found_by_model_or_soak']} by model or soak; "
            f"unpatched: {'not run' if control is None else 'passes' if control['passed'] else 'FAILS'}"
        )
    whole = value["found"] == len(found) and (control is None or control["passed"])
    return 0 if whole else 1


def _line(bug: Mapping[str, Any]) -> str:
    if bug["found_by"] is None:
        return f"NOT FOUND in {bug['seconds']} s {bug['could_not_run'] or ''}"
    note = f" (expected: {bug['expected']})" if bug["expected"] not in ("", bug["found_by"]) else ""
    return f"{bug['found_by']} after {bug['seconds']} s{note}: {bug['said']}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this bug; may repeat")
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, help="these detectors alone")
    parser.add_argument("--patches", type=Path, default=ROOT / "tests" / "planted", help="their directory")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes a detector may use"
    )
    parser.add_argument("--check", action="store_true", help="only see whether every patch applies")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
