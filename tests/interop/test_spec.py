"""Holds the pages of spec/ and the code together: examples, sections, fields, vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grandpause.core import canonical
from grandpause.core.elements import ElementTable
from grandpause.core.envelope import Envelope, Kind, parse
from grandpause.core.evidence import decode_nodes, decode_readings
from grandpause.core.fields import Fields
from grandpause.core.keys import PublicKey
from grandpause.core.rendering import sentence
from grandpause.core.statement.acts import caps_value, read_caps
from grandpause.core.statement.codec import decode, encode
from grandpause.core.statement.scope import Scope
from grandpause.errors import StatementError
from interop.vectors import ROOT, SPEC, cases

SOURCES = ROOT / "src" / "grandpause"
_FENCE = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_CITED = re.compile(r"spec/([a-z]+)\.md(?: (\d+))?")
_CITED_BY_PAGE = re.compile(r"\]\(([a-z]+)\.md\)(?:'s)? (\d+)")
_DRAFTS = ("charter", "drill", "lift", "permit", "refusal", "time")
_UNREAD = {Kind.REFUSAL, Kind.DRILL}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page: what its fence says, and its bytes."""

    page: str
    about: dict[str, str]
    text: str

    @property
    def data(self) -> bytes:
        return self.text.encode()


def blocks(word: str) -> list[Block]:
    """Return the blocks of every page whose fence begins with ``word``."""
    found = []
    for page in sorted(SPEC.glob("*.md")):
        for _, about, text in _FENCE.findall(page.read_text(encoding="utf-8")):
            said = dict(each.partition("=")[::2] for each in about.split())
            if word in said:
                found.append(Block(page.stem, said, text))
    assert found, word
    return found


def shown(block: Block) -> str:
    return f"{block.page}-{next(iter(block.about.values()))}"


def name_of(kind: str, payload: bytes) -> str:
    """Reckon a statement's name as the page says, with nothing of ours."""
    media = f"application/vnd.grandpause.{kind}+json".encode()
    pae = b" ".join([b"DSSEv1", str(len(media)).encode(), media, str(len(payload)).encode(), payload])
    return hashlib.sha256(pae).hexdigest()


@pytest.mark.parametrize("block", blocks("statement"), ids=shown)
def test_an_example_is_byte_exact_and_has_its_name(block: Block) -> None:
    kind = block.about["statement"]
    assert name_of(kind, block.data) == block.about["name"]
    envelope = Envelope(kind=Kind(kind), payload=block.data)
    assert envelope.name == block.about["name"]
    assert encode(decode(envelope)).payload == block.data


@pytest.mark.parametrize("block", blocks("envelope"), ids=shown)
def test_an_example_of_an_envelope_is_byte_exact(block: Block) -> None:
    envelope = parse(block.data)
    assert envelope.to_bytes() == block.data
    assert name_of(block.about["envelope"], envelope.payload) == block.about["name"]


def test_an_example_of_a_signed_encoding_has_its_name() -> None:
    [block] = blocks("pae")
    assert hashlib.sha256(block.data).hexdigest() == block.about["name"]
    assert name_of("reading", b"{}") == block.about["name"]


@pytest.mark.parametrize("block", blocks("file"), ids=shown)
def test_an_example_of_a_file_is_byte_exact(block: Block) -> None:
    assert hashlib.sha256(block.data).hexdigest() == block.about["sha256"]
    {
        "elements.json": ElementTable.from_bytes,
        "nodes.json": decode_nodes,
        "after.json": decode_readings,
    }[block.about["file"]](block.data)


def test_an_example_of_a_key_has_its_id() -> None:
    [block] = blocks("key")
    value = json.loads(block.text)
    public = base64.b64decode(value["key"])
    assert hashlib.sha256(value["alg"].encode() + b"\0" + public).hexdigest() == block.about["keyid"]
    assert PublicKey(algorithm=value["alg"], public=public).key_id == block.about["keyid"]


@pytest.mark.parametrize("block", blocks("scope"), ids=lambda block: block.text)
def test_an_example_of_a_scope_is_byte_exact(block: Block) -> None:
    fields = Fields(canonical.decode(block.data), "scope")
    scope = Scope.read(fields)
    fields.close()
    assert canonical.encode(scope.to_value()) == block.data


def test_an_example_of_caps_is_byte_exact() -> None:
    [block] = blocks("caps")
    found = read_caps(Fields({"caps": canonical.decode(block.data)}, "example"), "caps")
    assert canonical.encode(caps_value(found)) == block.data


def test_an_example_of_a_sentence_is_that_of_its_statement() -> None:
    [block] = blocks("sentence")
    example = next(each for each in blocks("statement") if each.page == block.about["sentence"])
    statement = decode(Envelope(kind=Kind(example.page), payload=example.data))
    assert sentence(statement) == block.text


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_page_with_an_example_or_is_refused(kind: Kind) -> None:
    page = SPEC / f"{kind}.md"
    assert page.is_file()
    if kind in _UNREAD:
        with pytest.raises(StatementError, match="draft"):
            decode(Envelope(kind=kind, payload=b"{}"))
    else:
        assert any(each.page == kind for each in blocks("statement"))


def names_in(value: object) -> Iterator[str]:
    """Yield the name of every field in a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


@pytest.mark.parametrize("block", [*blocks("statement"), *blocks("file")], ids=shown)
def test_every_field_of_an_example_is_on_its_page_or_one_that_it_names(block: Block) -> None:
    page = (SPEC / f"{block.page}.md").read_text(encoding="utf-8")
    near = {block.page, "envelope", *re.findall(r"\]\(([a-z]+)\.md\)", page)}
    prose = "".join(_FENCE.sub("", (SPEC / f"{each}.md").read_text(encoding="utf-8")) for each in near)
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`[^`]+`", prose))))
    channels = {"1", "2", "3", "4"}
    missing = set(names_in(json.loads(block.text))) - words - channels
    assert not missing


def cited(paths: Iterator[Path], pattern: re.Pattern[str]) -> dict[tuple[str, str], str]:
    found = {}
    for path in paths:
        for page, section in pattern.findall(path.read_text(encoding="utf-8")):
            found[page, section] = path.relative_to(ROOT).as_posix()
    assert found
    return found


def test_every_page_and_section_that_is_cited_exists() -> None:
    cases_ = cited(SOURCES.rglob("*.py"), _CITED) | cited(SPEC.glob("*.md"), _CITED_BY_PAGE)
    missing = []
    for (page, section), where in cases_.items():
        path = SPEC / f"{page}.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not text or (section and f"\n## {section}. " not in text):
            missing.append(f"{where}: spec/{page}.md {section}")
    assert not missing


def test_every_page_is_on_the_map() -> None:
    text = (SPEC / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in SPEC.glob("*.md") if f"({page.name})" not in text] == ["README.md"]


def test_every_file_of_vectors_is_explained_and_every_one_that_is_named_exists() -> None:
    there = {path.name for path in (SPEC / "vectors").glob("*.json")}
    explained = set(re.findall(r"^\| `([a-z]+\.json)`", (SPEC / "README.md").read_text(), re.MULTILINE))
    assert explained == there
    named = {
        name
        for page in SPEC.glob("*.md")
        for line in page.read_text(encoding="utf-8").splitlines()
        if "Vectors:" in line
        for name in re.findall(r"`([a-z]+\.json)`", line.partition("Vectors:")[2])
    }
    assert named <= there


@pytest.mark.parametrize("page", _DRAFTS)
def test_a_draft_says_so_at_its_top(page: str) -> None:
    top = (SPEC / f"{page}.md").read_text(encoding="utf-8").splitlines()[:4]
    assert any(line.startswith("> ") and "draft" in line for line in top)


def test_the_vectors_hold_every_kind_that_is_read() -> None:
    assert {each["kind"] for each in cases("envelopes", "valid")} == {str(each) for each in Kind} - {
        str(each) for each in _UNREAD
    }
