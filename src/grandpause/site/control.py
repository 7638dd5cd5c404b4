"""Local acts (arm, disarm): the operator's own, asked for by a file in the state directory.

Whoever may write there is the operator; there is no network way in. The answer is a file too.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from grandpause.errors import GrandpauseError, StaleError, TrustError, UsageError

_REQUEST, _ANSWER = ".request", ".answer"
_POLL_S = 0.1
_MOST_BYTES = 100


class Control:
    """One directory of requests and answers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self) -> None:
        """Make the directory, for its owner alone; forget requests of an earlier run."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._directory.iterdir():
            path.unlink()

    def answer(self, acts: Mapping[str, Callable[[], None]]) -> None:
        """Do what is asked for, and say how it went."""
        for path in sorted(self._directory.glob(f"*{_REQUEST}")):
            act = path.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace").strip()
            path.unlink()
            if act not in acts:
                answer = {"ok": False, "code": UsageError.code, "message": f"unknown act {act!r}"}
            else:
                answer = _tried(acts[act])
            _write(path.with_suffix(_ANSWER), json.dumps(answer))

    def request(self, act: str, *, within_s: float = 5.0) -> None:
        """Ask the running controller for ``act`` and wait for its answer.

        Raises:
            TrustError: it was refused. StaleError: no answer in time.
        """
        name = f"{act}-{secrets.token_hex(8)}"
        _write(self._directory / f"{name}{_REQUEST}", act)
        answer = self._directory / f"{name}{_ANSWER}"
        deadline = time.monotonic() + within_s
        while not answer.exists():
            if time.monotonic() > deadline:
                raise StaleError("the controller did not answer", where=str(self._directory))
            time.sleep(_POLL_S)
        value = json.loads(answer.read_text(encoding="utf-8"))
        answer.unlink()
        if not value["ok"]:
            failure: type[GrandpauseError] = UsageError if value["code"] == UsageError.code else TrustError
            raise failure(value["message"])


def _tried(act: Callable[[], None]) -> dict[str, object]:
    try:
        act()
    except TrustError as refusal:
        return {"ok": False, "code": refusal.code, "message": str(refusal)}
    return {"ok": True, "message": ""}


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
