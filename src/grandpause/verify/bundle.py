"""Verifies an evidence bundle: every digest, signature and quorum, and the verdict from the readings.

Nothing in the bundle is believed: the verdict is recomputed from the readings by ``core.proving``, and must
be the one that the evidence claims. No network. (spec/evidence.md 4)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from grandpause.core import evidence as files
from grandpause.core.ceiling import ceiling
from grandpause.core.elements import MAX_TABLE_BYTES, ElementTable
from grandpause.core.envelope import Kind, parse
from grandpause.core.metering import complete_sums
from grandpause.core.model import Caps, Interval, VerdictWord
from grandpause.core.proving import Proof, Prover, Question, Snapshot
from grandpause.core.statement.charter import Charter
from grandpause.core.statement.facts import Declaration, Evidence
from grandpause.core.trust import Standing, TrustedSet, decode_only, signed_by
from grandpause.errors import BundleError, StatementError, TrustError
from grandpause.verify.claims import check_frame, check_nodes, check_verdict

_T = TypeVar("_T")

MAX_FILES: Final = 100_000
WINDOW_S: Final = 3_600
"""Readings older than this at the verdict are no proof, whatever window the site used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle that holds together.

    Attributes:
        checked: what was checked, one line each, for people.
        proof: the verdict as recomputed here.
    """

    evidence: Evidence
    name: str
    charter_id: str
    proof: Proof
    checked: tuple[str, ...]
    returns_can_be_secret: bool

    @property
    def verdict(self) -> VerdictWord:
        """The recomputed verdict, which is also the claimed one."""
        return self.proof.word


_CHARTERS: Final = "charters/"
_SIGNED: Final = "readings/signed/"
_NEEDED: Final = (
    files.EVIDENCE_FILE,
    files.DECLARATION_FILE,
    files.ELEMENTS_FILE,
    files.NODES_FILE,
    files.BEFORE_FILE,
    files.AFTER_FILE,
)


def verify_bundle(directory: Path, *, charter_id: str) -> Verified:
    """Verify the bundle in ``directory`` under the pinned charter.

    Raises:
        BundleError: a file is missing, extra or unreadable (exit code 2).
        StatementError: a file has the wrong form (exit code 2).
        TrustError: a digest, signature, quorum or verdict is not what it must be (exit code 3).
            Every error names the file.
    """
    content = _read_all(directory)
    evidence = _evidence(content)
    _check_files(content, evidence)
    trusted = _charters(content, charter_id, evidence)
    check_frame(evidence, charter_id)
    declaration = _declaration(content, trusted, evidence)
    table = _at(files.ELEMENTS_FILE, lambda: ElementTable.from_bytes(content[files.ELEMENTS_FILE]))
    caps = _statements(content, trusted, evidence)
    nodes = _at(files.NODES_FILE, lambda: files.decode_nodes(content[files.NODES_FILE]))
    snapshots = _snapshots(content, trusted, evidence, table)
    prover = Prover(table)
    at_first = files.before_the_stop(snapshots.before, snapshots.signed, evidence.began)
    _check_before(evidence, prover, at_first)
    question = Question(
        caps=evidence.allowed,
        keep=frozenset(each.id for each in nodes if each.keep),
        operator=declaration.operator,
        now_s=evidence.ended,
        window_s=min(evidence.window_s, WINDOW_S),
    )
    history = files.by_meter([*snapshots.after, *snapshots.signed])
    proof = prover.prove(question, history, at_first)
    check_nodes(nodes, evidence, proof, table)
    check_verdict(evidence, proof)
    return Verified(
        evidence=evidence,
        name=parse(content[files.EVIDENCE_FILE]).name,
        charter_id=charter_id,
        proof=proof,
        returns_can_be_secret=not trusted.newest.has_log,
        checked=(
            f"{len(evidence.files)} files: SHA-256 and length of each, none missing, none extra",
            f"charter {charter_id[:16]}…: {len(trusted.counting(Kind.CHARTER))} version(s), quorums complete",
            f"declaration {evidence.declaration[:16]}…: signed by the operator and every controller",
            f"{len(evidence.binds)} limit(s) in force, quorums complete; ceiling: {len(caps.entries)} cap(s)",
            f"verdict recomputed from the readings: {proof.word}",
        ),
    )


def _read_all(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        raise BundleError("is no directory", where=str(directory), hint="name the bundle's directory")
    content: dict[str, bytes] = {}
    total = 0
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleError("is no plain file", where=name)
        if path.is_file():
            total += path.stat().st_size
            if len(content) >= MAX_FILES or total > 4 * MAX_TABLE_BYTES:
                raise BundleError("the bundle has too many files or bytes", where=name)
            try:
                content[name] = path.read_bytes()
            except OSError as cause:
                raise BundleError(f"cannot be read: {cause.strerror}", where=name) from cause
    for needed in _NEEDED:
        if needed not in content:
            raise BundleError("is missing from the bundle", where=needed)
    return content


def _evidence(content: Mapping[str, bytes]) -> Evidence:
    _, statement = _at(files.EVIDENCE_FILE, lambda: decode_only(content[files.EVIDENCE_FILE]))
    if not isinstance(statement, Evidence):
        raise BundleError("holds another statement", where=files.EVIDENCE_FILE)
    return statement


def _check_signed_at_all(content: Mapping[str, bytes], differing: str) -> None:
    """One file differs from its digest: if the evidence's own signature fails, too, the evidence was changed.

    With a changed declaration the key is not known, and the declaration is what differs.
    """
    if differing == files.DECLARATION_FILE:
        return
    _, declaration = _at(files.DECLARATION_FILE, lambda: decode_only(content[files.DECLARATION_FILE]))
    keys = declaration.controllers.values() if isinstance(declaration, Declaration) else ()
    envelope = parse(content[files.EVIDENCE_FILE])
    if not any(signed_by(envelope, key) for key in keys):
        raise TrustError("is not signed by a controller of the declaration", where=files.EVIDENCE_FILE)


def _check_files(content: Mapping[str, bytes], evidence: Evidence) -> None:
    listed = {each.path: each for each in evidence.files}
    if files.EVIDENCE_FILE in listed:
        raise BundleError("lists itself", where=files.EVIDENCE_FILE)
    known = {*_NEEDED, *(files.STATEMENT_FILE.format(name=each) for each in evidence.binds)}
    for name in sorted(listed):
        if name not in content:
            raise BundleError("is listed in the evidence and missing from the bundle", where=name)
    for name, data in content.items():
        if name == files.EVIDENCE_FILE:
            continue
        if name not in listed:
            raise BundleError("is in the bundle and not listed in the evidence", where=name)
        if name not in known and not name.startswith((_CHARTERS, _SIGNED)):
            raise BundleError("is a file that no bundle has, or a statement that does not bind", where=name)
        if len(data) != listed[name].size or hashlib.sha256(data).hexdigest() != listed[name].sha256:
            _check_signed_at_all(content, name)
            raise TrustError("is not the file that the evidence was signed over", where=name)


def _charters(content: Mapping[str, bytes], charter_id: str, evidence: Evidence) -> TrustedSet:
    """Admit every version, dated as late as it can have come into force: at its void-after, or the verdict.

    Without a log nothing else dates it; the latest date repeals the fewest limits.
    """
    trusted = TrustedSet(charter_id)
    for name in sorted(each for each in content if each.startswith(_CHARTERS)):
        _, charter = _at(name, partial(decode_only, content[name]))
        if not isinstance(charter, Charter) or name != files.CHARTER_FILE.format(version=charter.version):
            raise TrustError("is not the charter version that its name says", where=name)
        came = min(charter.void_after, evidence.ended)
        now = Interval(earliest=came, latest=came)
        admission = _at(name, partial(trusted.admit, content[name], now=now))
        if admission.standing is not Standing.COUNTS:
            raise TrustError(f"does not count: {admission.why}", where=name)
    if not trusted.charters(1):
        raise BundleError("holds no version 1 of the charter", where="charters/0001.json")
    return trusted


def _declaration(content: Mapping[str, bytes], trusted: TrustedSet, evidence: Evidence) -> Declaration:
    name = files.DECLARATION_FILE
    now = Interval(earliest=evidence.ended, latest=evidence.ended)
    admission = _at(name, lambda: trusted.admit(content[name], now=now))
    entry = trusted.entry(admission.name)
    assert entry is not None
    declaration = entry.statement
    if not isinstance(declaration, Declaration) or admission.standing is not Standing.COUNTS:
        raise TrustError(f"does not count: {admission.why}", where=name)
    if admission.name != evidence.declaration or declaration.site != evidence.site:
        raise TrustError("is not the declaration that the evidence names", where=name)
    data = content[files.ELEMENTS_FILE]
    if hashlib.sha256(data).hexdigest() != declaration.elements.sha256:
        raise TrustError("is not the table that was declared", where=files.ELEMENTS_FILE)
    key = declaration.controllers.get(evidence.controller)
    if key is None or not signed_by(parse(content[files.EVIDENCE_FILE]), key):
        raise TrustError(
            f"is not signed by the declared key of {evidence.controller}", where=files.EVIDENCE_FILE
        )
    return declaration


def _statements(content: Mapping[str, bytes], trusted: TrustedSet, evidence: Evidence) -> Caps:
    began = Interval(earliest=evidence.began, latest=evidence.began)
    for bound in evidence.binds:
        name = files.STATEMENT_FILE.format(name=bound)
        if name not in content:
            raise BundleError("is named as binding and missing from the bundle", where=name)
        admission = _at(name, partial(trusted.admit, content[name], now=began))
        if admission.standing is not Standing.COUNTS or admission.name != bound:
            raise TrustError(f"does not count: {admission.why or 'wrong name'}", where=name)
    # The site judged by its clock's interval: a limit may bind it that much earlier and later.
    ended = Interval.around(evidence.ended, error_s=trusted.newest.clock_error_s)
    now = ceiling(trusted, site=evidence.site, now=ended)
    for each in evidence.binds:
        if each not in {found.name for found in now.in_force}:
            raise TrustError("was not in force at the verdict", where=files.STATEMENT_FILE.format(name=each))
    if evidence.allowed.exceeds(now.caps):
        raise TrustError("claims to allow more than the limits in it do", where=files.EVIDENCE_FILE)
    return now.caps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshots:
    """Every reading of the bundle; the signed ones in the order of meter and sequence."""

    before: tuple[Snapshot, ...]
    after: tuple[Snapshot, ...]
    signed: tuple[Snapshot, ...]


def _snapshots(
    content: Mapping[str, bytes], trusted: TrustedSet, evidence: Evidence, table: ElementTable
) -> _Snapshots:
    before, after = (
        _at(name, partial(files.decode_readings, content[name]))
        for name in (files.BEFORE_FILE, files.AFTER_FILE)
    )
    to_be_signed = {each.id for each in table.meters if each.signed}
    for name, snapshots in ((files.BEFORE_FILE, before), (files.AFTER_FILE, after)):
        for each in snapshots:
            if each.meter in to_be_signed and each.watts:
                raise TrustError(f"has watts of {each.meter} that its owner did not sign", where=name)
    late = next((each for each in before if each.at_s > evidence.began), None)
    if late is not None:
        raise TrustError(f"{late.meter} was read after the stop began", where=files.BEFORE_FILE)
    return _Snapshots(before=before, after=after, signed=_signed_readings(content, trusted, evidence))


def _check_before(evidence: Evidence, prover: Prover, at_first: Mapping[str, Snapshot]) -> None:
    shown = complete_sums(prover.paths, {name: each.watts for name, each in at_first.items()})
    if dict(evidence.before) != shown:
        raise TrustError(
            "claims other watts before the stop than its readings show", where=files.EVIDENCE_FILE
        )


def _signed_readings(
    content: Mapping[str, bytes], trusted: TrustedSet, evidence: Evidence
) -> tuple[Snapshot, ...]:
    found: list[tuple[str, int, Snapshot]] = []
    for name in sorted(each for each in content if each.startswith(_SIGNED)):
        reading, body = _at(name, partial(trusted.reader_of, content[name]))
        if reading.site != evidence.site:
            raise TrustError(f"is of site {reading.site}", where=name)
        # One name for each (meter, sequence): so none can be shown twice.
        if name != files.SIGNED_READING_FILE.format(meter=reading.meter, sequence=reading.sequence):
            raise TrustError("is not the reading that its name says", where=name)
        snapshot = Snapshot(
            meter=reading.meter, at_s=reading.at, watts=dict(reading.channels), signed_by=body
        )
        found.append((reading.meter, reading.sequence, snapshot))
    return tuple(each for _, _, each in sorted(found, key=lambda each: each[:2]))


def _at(name: str, work: Callable[[], _T]) -> _T:
    """Run ``work``; put the file's name before the place of any error."""
    try:
        return work()
    except (StatementError, TrustError) as cause:
        raise cause.at(name) from cause
