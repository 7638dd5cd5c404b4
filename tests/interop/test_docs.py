"""Holds docs/ and the code together: pages made from code, commands, options, links, the site file."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from grandpause.cli.app import make_app
from grandpause.errors import SiteFileError
from grandpause.site.sitefile import SiteFile, load_site_file
from interop.vectors import ROOT

DOCS = ROOT / "docs"
SITE_FILE_PAGE = DOCS / "operate" / "site-file.md"
_FENCE = re.compile(r"^```[^\n]*\n.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = re.compile(r"^```(?:sh|console)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_IN_LINE = re.compile(r"`(grandpause [^`\n]+)`")
_OPTION = re.compile(r"--[a-z][a-z-]*")


def pages() -> list[Path]:
    """Return every page of the repository."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "spec").glob("*.md"))]


def test_the_reference_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_docs.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Links and commands


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_resolves(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [each for each in _LINK.findall(text) if not re.match(r"[a-z]+:|#", each)]
    missing = [each for each in targets if not (page.parent / each.partition("#")[0]).exists()]
    assert not missing


def commands() -> Iterator[tuple[str, str]]:
    """Yield (page, command line) for every use of the program on a page that people write."""
    for page in pages():
        if page.is_relative_to(DOCS / "reference"):
            continue
        text = page.read_text(encoding="utf-8")
        for block in _SHELL.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|\||[;|]|\bdo\b", line):
                    found = re.search(r"(?:^|[\s/(])grandpause (?=[a-z-])(.*)", part)
                    if found:
                        yield page.relative_to(ROOT).as_posix(), found[1]
        for line in _IN_LINE.findall(text):
            yield page.relative_to(ROOT).as_posix(), line.removeprefix("grandpause ")


@cache
def help_of(*verb: str) -> str:
    """Return a verb's help, unwrapped enough to find its options."""
    out = io.StringIO()
    with redirect_stdout(out):
        make_app()([*verb, "--help"], exit_on_error=False, result_action="return_value")
    return out.getvalue()


def verb_of(line: str) -> tuple[str, ...]:
    """Return the verb that a command line begins with."""
    known, found = set(verbs()), tuple[str, ...]()
    for word in line.split():
        if (*found, word) not in known:
            break
        found = (*found, word)
    return found


@cache
def verbs() -> tuple[tuple[str, ...], ...]:
    """Return every verb, groups included, from the reference (which is what the code says)."""
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    return tuple(tuple(each.split()) for each in re.findall(r"^#+ grandpause (\S.*)$", text, re.MULTILINE))


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_every_verb_and_option_in_the_docs_exists(page: str, line: str) -> None:
    if line.startswith("--"):
        return
    verb = verb_of(line)
    assert verb, f"{page}: no such command: grandpause {line}"
    text = help_of(*verb)
    missing = [each for each in _OPTION.findall(line) if each not in text]
    assert not missing, f"{page}: grandpause {' '.join(verb)} has no {missing}"


def test_the_docs_mention_every_verb() -> None:
    written = {verb_of(line) for _, line in commands()}
    groups = {verb[:1] for verb in verbs() if len(verb) > 1}
    left_out = set(verbs()) - written - groups - {("--install-completion",)}
    # A capture of a real BMC is served by developers alone; the reference has the rest.
    assert left_out <= {("sim", "replay")}


# The site file


def example() -> str:
    """Return the complete example."""
    found = re.search(r"^```toml\n(.*?)^```$", SITE_FILE_PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    for name in ("PDU_AUTHENTICATION", "PDU_PRIVACY", "PANEL_COMMUNITY"):
        monkeypatch.setenv(name, "a secret of the test")
    (tmp_path / "secrets").mkdir()
    password = tmp_path / "secrets" / "bmc-password"
    password.touch(mode=0o600)
    password.write_text("a secret of the test\n", encoding="utf-8")
    return Loader(tmp_path / "site.toml")


class Loader:
    """Writes a site file and loads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, text: str) -> SiteFile:
        self._path.write_text(text, encoding="utf-8")
        return load_site_file(self._path)


def test_the_example_of_a_site_file_loads(load: Loader) -> None:
    site = load(example())
    assert [each.id for each in site.table.elements][:2] == ["r1n01", "r1n02"]
    assert site.bmcs["r2n03"].host == "10.8.2.103"
    assert site.bmcs["login2"].host == "10.8.9.2"
    assert [(each.unit, each.number) for each in site.outlets["r2n03"]] == [("r2a", 3), ("r2b", 3)]
    assert {each.path for each in site.table.meters} == {"rows", "feeds", "main"}


def tables_of(text: str) -> list[str]:
    """Return every table's heading in the example, each once."""
    return list(dict.fromkeys(re.findall(r"^\[.*\]$", text, re.MULTILINE)))


def known_in(load: Loader, heading: str) -> set[str]:
    """Return the keys that a table knows, by the refusal of one that it does not."""
    broken = example().replace(f"{heading}\n", f"{heading}\nzeal = 1\n", 1)
    with pytest.raises(SiteFileError) as caught:
        load(broken)
    assert caught.value.message == "unknown key", heading
    return set(caught.value.hint.removeprefix("known here: ").split(", "))


def test_every_key_of_the_site_file_is_explained(load: Loader) -> None:
    page = _FENCE.sub("", SITE_FILE_PAGE.read_text(encoding="utf-8"))
    explained = set(re.findall(r"`([a-z_]+)`", page))
    for heading in tables_of(example()):
        assert known_in(load, heading) <= explained, heading


def test_every_key_that_is_explained_stands_in_the_example() -> None:
    """So that each of them was loaded at least once."""
    page = _FENCE.sub("", SITE_FILE_PAGE.read_text(encoding="utf-8"))
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?: or )?)+) \|", page, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`([a-z_]+)`", row)}
    written = set(re.findall(r"(?:^|[{ ])([a-z_]+) = ", example(), re.MULTILINE))
    written |= set(re.findall(r"^\[+(?:nodes\.)?([a-z]+)\]+$", example(), re.MULTILINE))
    assert keys - written == set()


# Pages whose commands run as they stand


@pytest.mark.parametrize("name", ["audit/verify-a-bundle.md"])
def test_the_commands_of_a_page_do_what_it_says(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "spec" / "vectors" / "bundle", tmp_path / "spec" / "vectors" / "bundle")
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh(?: exit=(\d))?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert blocks
    program = Path(sys.executable).parent
    for code, block in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env={"PATH": f"{program}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == int(code or 0), done.stdout + done.stderr
