"""Reads captures of the Redfish-Mockup-Creator kind: a directory a resource, ``index.json`` in it.

A capture may be a directory or a tar archive, may hold several trees, and may begin at ``/`` or at
``/redfish/v1``. Everything is read into memory; nothing is unpacked to the disk.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grandpause.errors import FormError, UsageError

MOST_BYTES = 512 * 1024 * 1024
_SERVICE = "/redfish/v1"
_XML = "application/xml;charset=utf-8"
_JSON = "application/json;charset=utf-8"
_NOT_REPLAYED = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding", "date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One captured answer to a GET."""

    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class Capture:
    """The pages of one tree, by path without a trailing slash."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self._pages = pages
        self._by_folded: dict[str, Page] = {}
        for path, page in pages.items():
            self._by_folded.setdefault(path.casefold(), page)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pages)

    def page(self, path: str) -> Page | None:
        """Return the page at ``path``; failing an exact match, one whose path differs in case only.

        HPE's tree holds both ``Systems`` and ``systems``: exact matches come first.
        """
        path = path.rstrip("/")
        return self._pages.get(path) or self._by_folded.get(path.casefold())


def trees_in(path: Path) -> list[str]:
    """Return the names of the trees that a capture holds; a single one without a folder is ``.``."""
    return _trees(_files(path))


def load_capture(path: Path, *, tree: str | None = None) -> Capture:
    """Read a capture.

    Args:
        path: a directory, or a tar archive in any compression that tarfile knows.
        tree: which tree, where there are several.

    Raises:
        UsageError: no such file, no such tree, or several trees and none named.
        FormError: the archive is broken, larger than 512 MiB, or holds no service root.
    """
    files = _files(path)
    trees = _trees(files)
    if not trees:
        raise FormError("no index.json in it: no Redfish capture", where=str(path))
    if tree is None and len(trees) > 1:
        raise UsageError("several trees", where=str(path), hint=f"name one of: {', '.join(trees)}")
    chosen = trees[0] if tree is None else tree
    if chosen not in trees:
        raise UsageError(f"no tree {chosen!r}", where=str(path), hint=f"there are: {', '.join(trees)}")
    prefix = "" if chosen == "." else f"{chosen}/"
    inside = {name.removeprefix(prefix): data for name, data in files.items() if name.startswith(prefix)}
    short_form = not any(name.startswith("redfish/v1/") for name in inside)
    capture = Capture(_pages(inside, start=_SERVICE if short_form else ""))
    if capture.page(_SERVICE) is None:
        raise FormError("no service root in it", where=str(path))
    return capture


def _pages(files: dict[str, bytes], *, start: str) -> dict[str, Page]:
    pages = {}
    for name, body in files.items():
        path = PurePosixPath(name)
        if path.name == "index.json":
            at = f"{start}/{path.parent}".removesuffix("/.")
            headers = files.get(str(path.parent / "headers.json"))
            pages[at] = Page(body=body, content_type=_JSON, headers=_headers(headers))
        elif path.name == "index.xml":
            pages[f"{start}/{path.parent}"] = Page(body=body, content_type=_XML)
        elif path.suffix in {".json", ".xml"} and path.name != "headers.json":
            pages[f"{start}/{name}"] = Page(body=body, content_type=_XML if path.suffix == ".xml" else _JSON)
    return pages


def _headers(data: bytes | None) -> tuple[tuple[str, str], ...]:
    """Return the captured response headers that still hold in a replay."""
    if data is None:
        return ()
    try:
        recorded = json.loads(data).get("GET", {})
        return tuple(
            (str(name), str(value)) for name, value in recorded.items() if name.lower() not in _NOT_REPLAYED
        )
    except (UnicodeDecodeError, ValueError, AttributeError) as error:
        raise FormError(f"no JSON object of headers: {error}", where="headers.json") from error


def _trees(files: dict[str, bytes]) -> list[str]:
    """Return the folders that hold a service; ``.`` where the service lies at the top itself."""
    if any(name.startswith("redfish/") for name in files):
        return ["."]
    return sorted({name.partition("/")[0] for name in files if name.endswith("/index.json")})


def _files(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        files = _in_directory(path)
    elif path.is_file():
        files = _in_archive(path)
    else:
        raise UsageError("no such capture", where=str(path))
    if "index.json" in files:  # short form without a folder: every other folder is a resource, not a tree
        return {f"{path.name.partition('.')[0]}/{name}": data for name, data in files.items()}
    return files


def _in_directory(path: Path) -> dict[str, bytes]:
    files = [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    if sum(each.stat().st_size for each in files) > MOST_BYTES:
        raise FormError("more than 512 MiB", where=str(path))
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in files}


def _in_archive(path: Path) -> dict[str, bytes]:
    files = {}
    total = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile():
                    continue
                total += member.size
                if total > MOST_BYTES:
                    raise FormError("more than 512 MiB", where=str(path))
                stream = archive.extractfile(member)
                if stream is not None:
                    files[str(PurePosixPath(member.name))] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FormError(f"no readable tar archive: {error}", where=str(path)) from error
    return files
