"""``key`` and ``init``: keys and charters."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from grandpause.cli.output import console, read_file, say_json, write_new
from grandpause.core.envelope import parse
from grandpause.core.fields import is_digest
from grandpause.core.rendering import SECRET_RETURNS, short_code
from grandpause.errors import StatementError, UsageError

if TYPE_CHECKING:
    from grandpause.core.statement.charter import Charter
    from grandpause.core.templates import Person

keys = App(name="key", help="Make keys. A private key never leaves its file.")

_YEAR_S = 366 * 86_400


@keys.command
def new(path: Path, *, passphrase_env: str = "", json: bool = False) -> int:
    """Make a new Ed25519 key: ada.pem (private, mode 0600) and ada.pub.json. Never overwrites.

    Parameters
    ----------
    path
        Where the private key goes, for example ada.pem.
    passphrase_env
        Name of an environment variable that holds a passphrase for the file.
    json
        Print JSON.
    """
    from grandpause.signers.file import FileSigner

    signer = FileSigner.generate()
    public = signer.write(path, passphrase=passphrase_from(passphrase_env))
    if json:
        say_json(
            {
                "schema": "grandpause.key-made/1",
                "private": str(path),
                "public": str(public),
                "keyid": signer.key_id,
            }
        )
    else:
        out = console()
        out.print(f"private key  {path}  (keep it; nobody can make it again)", soft_wrap=True)
        out.print(f"public key   {public}  (hand it to whoever drafts the charter)", soft_wrap=True)
        out.print(f"key id       {signer.key_id}", soft_wrap=True)
    return 0


def init(
    *,
    template: str = "operator",
    title: str,
    member: Annotated[list[str], Parameter(negative=())],
    meter_owner: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006  read only
    days: int = 365,
    clock_error_s: int = 5,
    out: Path = Path("charter.json"),
    json: bool = False,
) -> int:
    """Draft version 1 of a charter. It counts once its charter quorum has signed it (grandpause sign).

    Parameters
    ----------
    template
        Which template; this version has: operator.
    title
        A name for people.
    member
        ID=PUBLIC_KEY_FILE of a member of the operator; at least three times.
    meter_owner
        BODY=PUBLIC_KEY_FILE of another body whose meter gateway signs readings, such as the utility.
    days
        Days until the charter expires (this ends permits only).
    clock_error_s
        The wall clock's stated error in seconds; this charter has no log to take the time from.
    out
        The file to write; must not exist.
    json
        Print JSON.
    """
    from grandpause.core.statement.codec import encode
    from grandpause.core.templates import TEMPLATES, operator_charter

    if template not in TEMPLATES:
        raise UsageError(f"unknown template {template!r}", where="--template", hint=", ".join(TEMPLATES))
    charter = operator_charter(
        title=title,
        members=[_person(each, "--member") for each in member],
        meter_owners=[
            (
                each.partition("=")[0],
                each.partition("=")[0].capitalize(),
                _person(each, "--meter-owner", "-meter"),
            )
            for each in meter_owner
        ],
        expires=int(time.time()) + days * 86_400,
        clock_error_s=clock_error_s,
    )
    envelope = encode(charter)
    write_new(out, envelope.to_bytes())
    if json:
        say_json(
            {
                "schema": "grandpause.charter-drafted/1",
                "file": str(out),
                "charter": envelope.name,
                "short_code": short_code(envelope),
                "waives": [str(each) for each in charter.waives],
                "returns_can_be_secret": not charter.has_log,
            }
        )
    else:
        text = console()
        text.print(f"drafted      {out}", soft_wrap=True)
        text.print(f"charter id   {envelope.name}", soft_wrap=True)
        text.print(f"read aloud   {short_code(envelope)}")
        text.print("waives       " + ", ".join(charter.waives), soft_wrap=True)
        text.print(f"[yellow]{SECRET_RETURNS}[/]")
        text.print(f"next         grandpause sign {out} --key KEY.pem   (two members)", soft_wrap=True)
    return 0


def charter_id_from(id_or_file: str) -> str:
    """Return a charter's id, given itself or the charter's file. Raises UsageError, StatementError."""
    if is_digest(id_or_file):
        return id_or_file
    path = Path(id_or_file)
    if not path.exists():
        raise UsageError("neither a charter id (64 hexadecimal digits) nor a file", where=id_or_file)
    return pinned_id(path)


def charter_in(path: Path) -> Charter:
    """Return version 1 of the charter in ``path``. Raises UsageError, StatementError naming the file."""
    from grandpause.core.statement.charter import Charter
    from grandpause.core.trust import decode_only

    try:
        envelope, charter = decode_only(read_file(path))
    except StatementError as cause:
        raise cause.at(str(path)) from cause
    if not isinstance(charter, Charter):
        raise UsageError(f"holds a {envelope.kind}, not a charter", where=str(path))
    if charter.version != 1:
        raise UsageError("name the file of version 1, and --version for a later one", where=str(path))
    return charter


def pinned_id(path: Path) -> str:
    """Return the id of the charter whose version 1 lies in ``path``."""
    charter_in(path)
    return parse(read_file(path)).name


def passphrase_from(variable: str) -> bytes | None:
    """Return the passphrase in an environment variable; None for no variable. Raises UsageError."""
    if not variable:
        return None
    value = os.environ.get(variable, "")
    if not value:
        raise UsageError("is not set, or empty", where=f"environment variable {variable}")
    return value.encode()


def _person(text: str, option: str, suffix: str = "") -> Person:
    from grandpause.core.templates import Person
    from grandpause.signers.file import read_public

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError("must be ID=PUBLIC_KEY_FILE", where=f"{option} {text}")
    return Person(id=name + suffix, label=name, key=read_public(Path(path)))
