"""Credentials: never in the site file; from the environment, a file with checked mode, or systemd."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from grandpause.site.toml_table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that was found; it never shows in a repr or an error."""

    value: str = field(repr=False)


def read_secret(table: Table, key: str, *, base: Path) -> Secret:
    """Return the secret that ``key`` points at: ``{env = ...}``, ``{file = ...}`` or ``{systemd = ...}``.

    Raises:
        SiteFileError: the secret is missing or empty, stands in the site file itself, or its file can be
            read by others than its owner.
    """
    return table.within(key, lambda inner: Secret(value=_find(inner, base)))


def _find(table: Table, base: Path) -> str:
    if table.has("env"):
        name = table.text("env")
        value = os.environ.get(name, "")
        if not value:
            table.refuse("env", f"the environment has no {name}", hint=f"set {name} before you start")
        return value
    if table.has("systemd"):
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if directory is None:
            table.refuse("systemd", "no CREDENTIALS_DIRECTORY: not started by systemd with LoadCredential=")
        return _from_file(table, "systemd", Path(directory) / table.text("systemd"), check_mode=False)
    if table.has("file"):
        return _from_file(table, "file", base / table.text("file"), check_mode=True)
    table.refuse("env", "missing key", hint='{env = "NAME"}, {file = "PATH"} or {systemd = "NAME"}')


def _from_file(table: Table, key: str, path: Path, *, check_mode: bool) -> str:
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as cause:
        table.refuse(key, f"{path} cannot be read: {cause}")
    if check_mode and mode & (stat.S_IRWXG | stat.S_IRWXO):
        table.refuse(key, f"{path} can be read by others than its owner", hint=f"chmod 600 {path}")
    if not value:
        table.refuse(key, f"{path} is empty")
    return value
