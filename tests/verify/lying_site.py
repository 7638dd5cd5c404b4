"""A site that signs with its own good key whatever it likes: the bundle of the vectors, told anew."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grandpause.core import canonical
from grandpause.core.envelope import Envelope, parse
from grandpause.errors import FormError, TrustError
from grandpause.signers.file import FileSigner, signed
from grandpause.verify.bundle import Verified, verify_bundle
from interop.vectors import VECTORS, Json, vectors

EVIDENCE = "evidence.json"
LIMIT = next(f"statements/{each.name}" for each in (VECTORS / "bundle" / "statements").iterdir())
CHARTER, DECLARATION = "charters/0001.json", "declaration.json"
FEEDS = [f"readings/signed/feed-a-{number:08}.json" for number in (1, 2, 3, 4)]
BEFORE, AFTER = "readings/before.json", "readings/after.json"
CONTROLLER = "controller-1"
Place = tuple[str | int, ...]


def signer(name: str) -> FileSigner:
    """Return a key pair of the vectors."""
    [key] = [each for each in vectors("keys")["keys"] if each["id"] == name]
    return FileSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key["private"])))


class LyingSite:
    """The files of the vectors' bundle as JSON, to be changed, signed anew and verified."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = {
            path.relative_to(VECTORS / "bundle").as_posix(): path.read_bytes()
            for path in sorted((VECTORS / "bundle").rglob("*"))
            if path.is_file()
        }
        self.evidence = payload(self.files.pop(EVIDENCE))

    def write(self, name: str, value: Any) -> None:
        """Put a file without signature."""
        self.files[name] = canonical.encode(value)

    def value(self, name: str) -> Any:
        """Return what a file without signature says."""
        return json.loads(self.files[name])

    def sign(self, name: str, value: Any, *signers: str) -> str:
        """Put a statement into the file ``name``, in the envelope that is there; return its name."""
        envelope = envelope_of(parse(self.files[name]), value, *signers)
        self.files[name] = envelope.to_bytes()
        return envelope.name

    def tell_nodes(self, nodes: list[Json]) -> None:
        """Put nodes, with the counts and the target that fit."""
        self.write("nodes.json", {"schema": "grandpause.nodes/1", "nodes": nodes})
        for field, of in (("nodes", "state"), ("outcomes", "outcome")):
            said = [each[of] for each in nodes]
            self.evidence[field] = {each: said.count(each) for each in self.evidence[field]}
        table = {each["id"]: each for each in self.value("elements.json")["elements"]}
        self.evidence["watts"]["target"] = sum(
            table[each["id"]]["rated_w" if each["keep"] else "off_w"] for each in nodes
        )

    def verified(self, *, as_listed: bool = False) -> Verified:
        """Sign over the files as they are now (or as the evidence lists them), and verify the bundle."""
        if not as_listed:
            self.evidence["files"] = [
                {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
                for name, data in sorted(self.files.items())
            ]
        shutil.rmtree(self.directory, ignore_errors=True)
        old = parse((VECTORS / "bundle" / EVIDENCE).read_bytes())
        made = envelope_of(old, self.evidence, CONTROLLER).to_bytes()
        for name, data in (*self.files.items(), (EVIDENCE, made)):
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return verify_bundle(self.directory, charter_id=vectors("bundle")["charter"])

    def refusal(self, *, as_listed: bool = False) -> str:
        """Return the file that the refusal names; empty if the bundle verifies."""
        try:
            self.verified(as_listed=as_listed)
        except (FormError, TrustError) as refused:
            return refused.where.split(": ")[0]
        return ""


def payload(data: bytes) -> Any:
    """Return what an envelope says."""
    return json.loads(base64.b64decode(json.loads(data)["payload"]))


def envelope_of(old: Envelope, value: Any, *signers: str) -> Envelope:
    """Return ``value`` in an envelope of the same kind: with these signatures, or else with the old ones."""
    envelope = Envelope(
        kind=old.kind, payload=canonical.encode(value), signatures=() if signers else old.signatures
    )
    for each in signers:
        envelope = signed(envelope, signer(each))
    return envelope


def leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield where every figure and text of a value lies."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from leaves(each, (*place, key))
    else:
        yield place


def others(value: Any) -> tuple[Any, ...]:
    """Return what a figure or text could be changed to a little, in its form."""
    if isinstance(value, int):
        return (value + 1, value - 1) if value else (1,)
    if value.endswith("Z") and "T" in value:
        return tuple(
            f"{value[:-3]}{int(value[-3:-1]) + step:02}Z" for step in (1, -1) if value[-3:] != "00Z"
        ) or (f"{value[:-3]}01Z",)
    if len(value) == 64:
        return (value[:-1] + ("0" if value[-1] != "0" else "1"),)
    return (value + "x",)


def changed(value: Any, place: Place, to: Any) -> Any:
    """Return a copy with another figure or text at one place."""
    result = copy.deepcopy(value)
    inner = result
    for each in place[:-1]:
        inner = inner[each]
    inner[place[-1]] = to
    return result


def every_change(value: Any) -> Iterator[tuple[Place, Any]]:
    """Yield (place, changed copy) for every small change of one figure or text."""
    for place in leaves(value):
        inner = value
        for each in place:
            inner = inner[each]
        for to in others(inner):
            yield place, changed(value, place, to)
