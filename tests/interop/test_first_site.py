"""Runs docs/operate/first-site.md as it stands, from the first key to the last command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from interop.vectors import ROOT

PAGE = ROOT / "docs" / "operate" / "first-site.md"
_BLOCK = re.compile(r"^```sh([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PATIENCE_S = 90


@dataclass(slots=True)
class Reader:
    """Somebody who reads the page and types what stands there, in more than one terminal."""

    directory: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    shown: str = ""

    def follow(self, about: str, commands: str) -> None:
        """Type one block; wait for what its fence says."""
        said = dict(each.partition("=")[::2] for each in about.split())
        if "background" in said:
            # A last "exec", so that the signal at the end reaches the program and not a shell around it.
            self.start(f"exec {commands.strip()}", self.directory / said["until"])
            return
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        self.shown = done.stdout
        assert done.returncode == int(said.get("exit", "0")), f"{commands}\n{done.stdout}"

    def start(self, command: str, until: Path) -> None:
        """Start a program that goes on; wait until it has written a file."""
        with (self.directory / f"terminal-{len(self.running)}.txt").open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.directory,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        deadline = time.monotonic() + _PATIENCE_S
        while not until.exists():
            assert process.poll() is None, Path(output.name).read_text()
            assert time.monotonic() < deadline, f"{command}: no {until.name}"
            time.sleep(0.1)

    @property
    def environment(self) -> dict[str, str]:
        """Return an environment in which the program is found."""
        kept = {each: os.environ[each] for each in ("HOME", "LANG") if each in os.environ}
        return {**kept, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "COLUMNS": "200"}


@contextmanager
def reader(directory: Path) -> Iterator[Reader]:
    """Let somebody work in ``directory``; end what is still running."""
    somebody = Reader(directory)
    try:
        yield somebody
    finally:
        for process in reversed(somebody.running):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_who_follows_the_page_stops_a_hall_proves_it_and_brings_it_back(tmp_path: Path) -> None:
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    shown = []
    with reader(tmp_path) as somebody:
        for about, commands in blocks:
            somebody.follow(about, commands)
            shown.append((commands, somebody.shown))
    by_command = "\n".join(f"$ {commands}{output}" for commands, output in shown)
    assert "PROVEN (with utility's meter)" in by_command
    assert "nodes.json" in next(output for commands, output in shown if "off_claimed" in commands)
    back = next(output for commands, output in shown if "resume" in commands)
    assert "as rated" in back
    assert not list(tmp_path.glob("hall/inbox/refused/*"))
    assert all(process.returncode == 0 for process in somebody.running)
