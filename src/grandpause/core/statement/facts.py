"""What a site and its meters say: declaration, status, reading, evidence.

(spec/declaration.md, spec/status.md, spec/reading.md, spec/evidence.md)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grandpause.core.calendar import format_time
from grandpause.core.canonical import Value
from grandpause.core.envelope import Kind
from grandpause.core.fields import Fields
from grandpause.core.keys import PublicKey
from grandpause.core.model import Caps, NodeState, Outcome, VerdictWord
from grandpause.core.statement.acts import NONCE_BYTES, Under, caps_value, read_caps
from grandpause.core.statement.charter import read_key

MAX_WATTS: Final = 100_000_000_000
"""100 GW: above any site; a larger value is a mistake of unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """A file by its path in the bundle, its SHA-256 and its length in bytes."""

    path: str
    sha256: str
    size: int

    def to_value(self) -> dict[str, Value]:
        """Return the three fields."""
        return {"path": self.path, "sha256": self.sha256, "bytes": self.size}

    @classmethod
    def read(cls, fields: Fields) -> FileDigest:
        """Read the three fields."""
        return cls(
            path=fields.text("path", most=200),
            sha256=fields.hexadecimal("sha256", size=32),
            size=fields.integer("bytes"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What the site is: its operator, controllers, and the table of elements and meters, by digest.

    Attributes:
        operator: the body of the charter that runs the site.
        controllers: controller id -> public key.
        pins: ids of every charter that the site obeys.
        elements: digest of the elements table (spec/elements.md), which may be longer than a statement.
    """

    under: Under
    site: str
    number: int
    operator: str
    controllers: Mapping[str, PublicKey]
    pins: tuple[str, ...]
    it_watts: int
    site_watts: int
    elements: FileDigest

    kind = Kind.DECLARATION

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            **self.under.to_value(),
            "site": self.site,
            "number": self.number,
            "operator": self.operator,
            "controllers": [
                {"id": each, "alg": key.algorithm, "key": base64.b64encode(key.public).decode()}
                for each, key in sorted(self.controllers.items())
            ],
            "pins": list(self.pins),
            "it_watts": self.it_watts,
            "site_watts": self.site_watts,
            "elements": self.elements.to_value(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Declaration:
        """Read a declaration's payload. Raises StatementError naming the field."""
        under = Under.read(fields)
        controllers = fields.each("controllers", _read_controller, most=8)
        names = [each for each, _ in controllers]
        if not names or names != sorted(set(names)):
            fields.refuse("controllers", "needs each controller once, sorted by id")
        return cls(
            under=under,
            site=fields.identifier("site"),
            number=fields.integer("number", least=1),
            operator=fields.identifier("operator"),
            controllers=dict(controllers),
            pins=fields.digests("pins"),
            it_watts=fields.integer("it_watts", most=MAX_WATTS),
            site_watts=fields.integer("site_watts", most=MAX_WATTS),
            elements=fields.within("elements", FileDigest.read),
        )


def _read_controller(fields: Fields) -> tuple[str, PublicKey]:
    return fields.identifier("id"), read_key(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a controller remembers; the last logged one restores a latch that the disk lost."""

    charter: str
    site: str
    controller: str
    number: int
    at: int
    armed: bool
    standby: bool
    nonce: str
    latch: Caps
    binds: tuple[str, ...]

    kind = Kind.STATUS

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            "charter": self.charter,
            "site": self.site,
            "controller": self.controller,
            "number": self.number,
            "at": format_time(self.at),
            "armed": int(self.armed),
            "standby": int(self.standby),
            "nonce": self.nonce,
            "latch": caps_value(self.latch),
            "binds": list(self.binds),
        }

    @classmethod
    def read(cls, fields: Fields) -> Status:
        """Read a status's payload. Raises StatementError naming the field."""
        return cls(
            charter=fields.hexadecimal("charter", size=32),
            site=fields.identifier("site"),
            controller=fields.identifier("controller"),
            number=fields.integer("number", least=1),
            at=fields.time("at"),
            armed=bool(fields.integer("armed", most=1)),
            standby=bool(fields.integer("standby", most=1)),
            nonce=fields.hexadecimal("nonce", size=NONCE_BYTES),
            latch=read_caps(fields, "latch"),
            binds=fields.digests("binds"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Values that a meter's gateway signs with its owner's key.

    Attributes:
        sequence: grows with every reading of this meter, so that none can be shown twice.
        channels: channel -> watts. A channel without a usable value is left out, never 0.
    """

    charter: str
    site: str
    meter: str
    sequence: int
    at: int
    channels: Mapping[str, int]

    kind = Kind.READING

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            "charter": self.charter,
            "site": self.site,
            "meter": self.meter,
            "sequence": self.sequence,
            "at": format_time(self.at),
            "channels": [{"id": each, "watts": watts} for each, watts in sorted(self.channels.items())],
        }

    @classmethod
    def read(cls, fields: Fields) -> Reading:
        """Read a reading's payload. Raises StatementError naming the field."""
        charter = fields.hexadecimal("charter", size=32)
        site = fields.identifier("site")
        meter = fields.identifier("meter")
        sequence = fields.integer("sequence", least=1)
        at = fields.time("at")
        channels = fields.each("channels", _read_channel, most=1_000)
        names = [each for each, _ in channels]
        if names != sorted(set(names)):
            fields.refuse("channels", "must be sorted by id, each once")
        return cls(charter=charter, site=site, meter=meter, sequence=sequence, at=at, channels=dict(channels))


def _read_channel(fields: Fields) -> tuple[str, int]:
    return fields.identifier("id"), fields.integer("watts", most=MAX_WATTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a site did and measured: totals, counts and the digest of every file of the bundle.

    Attributes:
        previous: name of the evidence before this one; empty for the first.
        declaration: name of the declaration that was in force.
        binds: names of the statements that set the ceiling.
        window_s: how old a reading could be at ``ended`` and still count.
        before, after: meter path -> IT watts before the stop and at the verdict; a path without complete
            readings is left out, never 0.
        target_w: most watts that the plan expected of what stays on, standby draw included.
    """

    charter: str
    site: str
    controller: str
    number: int
    previous: str
    declaration: str
    binds: tuple[str, ...]
    began: int
    ended: int
    window_s: int
    allowed: Caps
    verdict: VerdictWord
    proven_by: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    target_w: int
    nodes: Mapping[NodeState, int]
    outcomes: Mapping[Outcome, int]
    files: tuple[FileDigest, ...]

    kind = Kind.EVIDENCE

    def to_value(self) -> dict[str, Value]:
        """Return the payload's value."""
        return {
            "charter": self.charter,
            "site": self.site,
            "controller": self.controller,
            "number": self.number,
            "previous": self.previous,
            "declaration": self.declaration,
            "binds": list(self.binds),
            "began": format_time(self.began),
            "ended": format_time(self.ended),
            "window_s": self.window_s,
            "allowed": caps_value(self.allowed),
            "verdict": str(self.verdict),
            "proven_by": self.proven_by,
            "watts": {
                "before": _path_watts(self.before),
                "after": _path_watts(self.after),
                "target": self.target_w,
            },
            "nodes": {str(each): self.nodes.get(each, 0) for each in NodeState},
            "outcomes": {str(each): self.outcomes.get(each, 0) for each in Outcome},
            "files": [each.to_value() for each in self.files],
        }

    @classmethod
    def read(cls, fields: Fields) -> Evidence:
        """Read an evidence payload. Raises StatementError naming the field."""
        before, after, target_w = fields.within(
            "watts",
            lambda at: (
                _read_path_watts(at, "before"),
                _read_path_watts(at, "after"),
                at.integer("target", most=MAX_WATTS),
            ),
        )
        files = fields.each("files", FileDigest.read)
        paths = [each.path for each in files]
        if paths != sorted(set(paths)):
            fields.refuse("files", "must be sorted by path, each once")
        return cls(
            charter=fields.hexadecimal("charter", size=32),
            site=fields.identifier("site"),
            controller=fields.identifier("controller"),
            number=fields.integer("number", least=1),
            previous=fields.hexadecimal("previous", size=32, empty=True),
            declaration=fields.hexadecimal("declaration", size=32),
            binds=fields.digests("binds"),
            began=fields.time("began"),
            ended=fields.time("ended"),
            window_s=fields.integer("window_s", least=1, most=3_600),
            allowed=read_caps(fields, "allowed"),
            verdict=fields.choice("verdict", VerdictWord),
            proven_by=fields.text("proven_by", most=200, empty=True),
            before=before,
            after=after,
            target_w=target_w,
            nodes=fields.within("nodes", lambda at: {each: at.integer(each) for each in NodeState}),
            outcomes=fields.within("outcomes", lambda at: {each: at.integer(each) for each in Outcome}),
            files=files,
        )


def _path_watts(watts: Mapping[str, int]) -> Value:
    return [{"path": each, "watts": watts[each]} for each in sorted(watts)]


def _read_path_watts(fields: Fields, name: str) -> dict[str, int]:
    pairs = fields.each(
        name, lambda at: (at.identifier("path"), at.integer("watts", most=MAX_WATTS)), most=100
    )
    paths = [each for each, _ in pairs]
    if paths != sorted(set(paths)):
        fields.refuse(name, "must be sorted by path, each once")
    return dict(pairs)
