"""What a document says of the code that ran."""

from __future__ import annotations

import json
import re
from pathlib import Path

from grandpause.sim.soak.origin import commit, origin, source_digest
from interop.vectors import ROOT


def test_the_digest_of_the_source_changes_with_any_line_and_any_name(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "one.py").write_text("1\n")
    seen = {source_digest(tmp_path)}
    (tmp_path / "inner" / "one.py").write_text("2\n")
    seen.add(source_digest(tmp_path))
    (tmp_path / "inner" / "one.py").rename(tmp_path / "one.py")
    seen.add(source_digest(tmp_path))
    (tmp_path / "two.py").touch()
    seen.add(source_digest(tmp_path))
    assert len(seen) == 4
    (tmp_path / "notes.txt").write_text("no code")
    assert source_digest(tmp_path) in seen
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in seen)


def test_it_names_the_commit_and_no_machine() -> None:
    assert re.fullmatch(r"[\w.-]+", commit())
    value = origin()
    assert set(value) == {"commit", "source", "python", "machine"}
    assert set(value["machine"]) == {"cpus", "architecture"}
    assert str(ROOT) not in json.dumps(value)
