"""Writes the evidence of one stop as a bundle: a directory that a stranger can verify. (spec/evidence.md)

The directory is written under a temporary name, synced with every directory in it, and renamed, so that a
bundle is whole or absent.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grandpause.core import evidence as files
from grandpause.core.elements import digest_of
from grandpause.core.envelope import Kind, parse
from grandpause.core.metering import MeterPath, complete_sums
from grandpause.core.model import Caps
from grandpause.core.proving import Proof, Snapshot
from grandpause.core.statement.charter import Charter
from grandpause.core.statement.codec import encode
from grandpause.core.statement.facts import Evidence, Reading
from grandpause.core.trust import TrustedSet, decode_only
from grandpause.errors import StoreError
from grandpause.ports import Signer
from grandpause.signers.file import signed
from grandpause.site.observation import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one stop was, as the engine knows it at the verdict."""

    site: str
    controller: str
    number: int
    previous: str
    binds: tuple[str, ...]
    began_s: int
    ended_s: int
    window_s: int
    allowed: Caps
    before: Mapping[str, int]
    proof: Proof
    target_w: int
    nodes: Sequence[files.NodeReport]


def bundle_files(
    account: Account,
    *,
    trusted: TrustedSet,
    declaration: bytes,
    elements: bytes,
    seen: Observation,
    signer: Signer,
) -> dict[str, bytes]:
    """Return path -> bytes of every file of the bundle, the signed evidence included."""
    content = {
        files.DECLARATION_FILE: declaration,
        files.ELEMENTS_FILE: elements,
        files.NODES_FILE: files.encode_nodes(account.nodes),
        files.BEFORE_FILE: files.encode_readings(_unsigned(seen.before.values())),
        files.AFTER_FILE: files.encode_readings(
            _unsigned(each for history in seen.history.values() for each in history)
        ),
    }
    for entry in trusted.counting(Kind.CHARTER):
        assert isinstance(entry.statement, Charter)
        content[files.CHARTER_FILE.format(version=entry.statement.version)] = entry.envelope.to_bytes()
    for name in account.binds:
        bound = trusted.entry(name)
        if bound is not None:
            content[files.STATEMENT_FILE.format(name=name)] = bound.envelope.to_bytes()
    readings = [each for kept in seen.signed.values() for each in kept]
    for reading in [*seen.signed_before.values(), *readings]:
        path = files.SIGNED_READING_FILE.format(meter=reading.meter, sequence=reading.sequence)
        content[path] = reading.data
    statement = _evidence(account, trusted, declaration, content)
    content[files.EVIDENCE_FILE] = signed(encode(statement), signer).to_bytes()
    return content


def write_bundle(directory: Path, content: Mapping[str, bytes]) -> None:
    """Write a bundle to ``directory``, which must not exist. Durable when this returns.

    Raises:
        StoreError: it could not be written; nothing is left behind.
    """
    part = directory.with_name(directory.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        for path, data in content.items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        # A synced file whose name was not synced can be gone: every directory, from the inside out.
        for inner, _, _ in os.walk(part, topdown=False):
            _sync_directory(Path(inner))
        part.rename(directory)
        _sync_directory(directory.parent)
        _sync_directory(directory.parent.parent)  # where the first bundle has made the directory of all
    except OSError as cause:
        raise StoreError(f"the bundle could not be written: {cause}", where=str(directory)) from cause


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _evidence(
    account: Account,
    trusted: TrustedSet,
    declaration: bytes,
    content: Mapping[str, bytes],
) -> Evidence:
    states, outcomes = files.totals(account.nodes)
    return Evidence(
        charter=trusted.charter_id,
        site=account.site,
        controller=account.controller,
        number=account.number,
        previous=account.previous,
        declaration=parse(declaration).name,
        binds=account.binds,
        began=account.began_s,
        ended=account.ended_s,
        window_s=account.window_s,
        allowed=account.allowed,
        verdict=account.proof.word,
        proven_by=account.proof.proven_by,
        before=account.before,
        after=account.proof.path_watts,
        target_w=account.target_w,
        nodes=states,
        outcomes=outcomes,
        files=tuple(digest_of(name, content[name]) for name in sorted(content)),
    )


def watts_before(seen: Observation, paths: Iterable[MeterPath], *, began_s: int) -> dict[str, int]:
    """Return path -> IT watts before the stop, from what the bundle will hold, as a verifier finds it."""
    kept = {(each.meter, each.sequence): each for each in seen.signed_before.values()}
    kept |= {(each.meter, each.sequence): each for history in seen.signed.values() for each in history}
    signed = []
    for each in sorted(kept.values(), key=lambda each: (each.meter, each.sequence)):
        _, reading = decode_only(each.data)
        assert isinstance(reading, Reading)
        signed.append(Snapshot(meter=each.meter, at_s=each.at_s, watts=dict(reading.channels)))
    before = files.before_the_stop(_unsigned(seen.before.values()), signed, began_s)
    return complete_sums(paths, {meter: each.watts for meter, each in before.items()})


def _unsigned(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return the readings that nobody signed; signed ones go into the bundle as they came."""
    return [each for each in snapshots if not each.signed_by]
