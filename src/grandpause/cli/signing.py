"""``show`` and ``sign``: what a statement says, and putting one's key to it."""

from __future__ import annotations

import sys
from pathlib import Path

from grandpause.cli.charters import passphrase_from
from grandpause.cli.output import console, read_file, replace_file, say_json
from grandpause.core.envelope import Envelope
from grandpause.core.rendering import SECRET_RETURNS, sentence, short_code, visible
from grandpause.core.statement.codec import Statement
from grandpause.errors import UsageError


def show(file: Path, *, charter: Path | None = None, json: bool = False) -> int:
    """Say what a statement does, in one sentence, with the short code to read aloud.

    Parameters
    ----------
    file
        The statement.
    charter
        The charter's file: then signatures and quorum are checked, too.
    json
        Print JSON.
    """
    envelope, statement = _decoded(file)
    standing, why = ("", "") if charter is None else _standing(file, charter)
    names = {} if charter is None else _members(charter)
    if json:
        say_json(
            {
                "schema": "grandpause.shown/1",
                "kind": str(envelope.kind),
                "name": envelope.name,
                "short_code": short_code(envelope),
                "sentence": sentence(statement),
                "signatures": [each.key_id for each in envelope.signatures],
                "standing": standing or None,
                "why": why,
                "statement": statement.to_value(),
            }
        )
        return 0
    out = console()
    out.print(sentence(statement), markup=False, soft_wrap=True)
    out.print(f"name         {envelope.name}", soft_wrap=True)
    out.print(f"read aloud   {short_code(envelope)}")
    for each in envelope.signatures:
        known = names.get(each.key_id, "unknown to the charter" if charter else "not checked: no --charter")
        out.print(f"signature    by key {each.key_id[:16]}… ({known})", markup=False)
    if not envelope.signatures:
        out.print("signature    none yet")
    if standing:
        out.print(f"stands       {standing} {visible(why)}", markup=False, soft_wrap=True)
    out.print(f"[yellow]{SECRET_RETURNS}[/]")
    return 0


def sign(
    file: Path,
    *,
    key: Path,
    code: str = "",
    passphrase_env: str = "",
    out: Path | None = None,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Sign a statement. What you sign is shown first; compare the short code with the other signers.

    Parameters
    ----------
    file
        The statement; the signature is added to this file unless --out is given.
    key
        Your private key file.
    code
        The short code that was read aloud; signing is refused if it differs.
    passphrase_env
        Name of an environment variable that holds the key's passphrase.
    out
        Write here instead.
    yes
        Do not ask on a terminal. Needed where there is no terminal, unless --code is given.
    json
        Print JSON.
    """
    from grandpause.signers.file import FileSigner, signed

    envelope, statement = _decoded(file)
    expected = short_code(envelope)
    if code and code.replace(" ", "").lower() != expected.replace(" ", ""):
        from grandpause.errors import TrustError

        raise TrustError(f"its short code is {expected}, not {code}", where=str(file), hint="do not sign")
    if not json:
        _show_before_signing(envelope, statement)
    if not (yes or code) and not _agreed():
        raise UsageError("not signed", where=str(file))
    result = signed(envelope, FileSigner.read(key, passphrase=passphrase_from(passphrase_env)))
    replace_file(out or file, result.to_bytes())
    if json:
        say_json(
            {
                "schema": "grandpause.signed/1",
                "file": str(out or file),
                "name": result.name,
                "short_code": expected,
                "signatures": [each.key_id for each in result.signatures],
            }
        )
    else:
        console().print(
            f"signed       {out or file}  ({len(result.signatures)} signature(s))", soft_wrap=True
        )
    return 0


def _decoded(file: Path) -> tuple[Envelope, Statement]:
    from grandpause.core.trust import decode_only
    from grandpause.errors import StatementError

    try:
        return decode_only(read_file(file))
    except StatementError as cause:
        raise cause.at(str(file)) from cause


def _standing(file: Path, charter: Path) -> tuple[str, str]:
    """Return where the statement stands under the charter: a look, with nothing kept."""
    import time

    from grandpause.core.model import Interval
    from grandpause.core.trust import TrustedSet, charter_id_of
    from grandpause.errors import StatementError, TrustError

    envelope, _ = _decoded(file)
    if not envelope.signatures:
        return "unsigned", "nobody has signed it yet"
    now = Interval.around(int(time.time()), error_s=0)
    data = read_file(charter)
    trusted = TrustedSet(charter_id_of(data))
    trusted.admit(data, now=now)
    try:
        admission = trusted.admit(read_file(file), now=now)
    except (TrustError, StatementError) as cause:
        raise cause.at(str(file)) from cause
    return str(admission.standing), admission.why


def _members(charter: Path) -> dict[str, str]:
    """Return key id -> "member of body", for every key of the charter in ``charter``."""
    from grandpause.core.statement.charter import Charter

    _, statement = _decoded(charter)
    if not isinstance(statement, Charter):
        raise UsageError(f"holds a {statement.kind}, not a charter", where=str(charter))
    return {
        key.key_id: visible(f"{member.label} of {body.label}")
        for body in statement.roster.bodies
        for member in body.members
        for key in member.keys
    }


def _show_before_signing(envelope: Envelope, statement: Statement) -> None:
    out = console(stderr=True)
    out.print("You are about to sign:", style="bold")
    out.print(sentence(statement), markup=False, soft_wrap=True)
    out.print(f"read aloud   {short_code(envelope)}")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on", where="sign", hint="give --code CODE, or --yes")
    sys.stderr.write("Type yes to sign: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"
