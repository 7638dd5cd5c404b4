"""A site lies in every field that it signs or writes: each lie is refused, or the page owns up to it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from grandpause.cli.app import run
from grandpause.core.model import NodeState, Outcome
from interop.vectors import SPEC, vectors
from verify.lying_site import (
    AFTER,
    BEFORE,
    CHARTER,
    DECLARATION,
    EVIDENCE,
    FEEDS,
    LIMIT,
    LyingSite,
    Place,
    every_change,
    payload,
)

NAMED = ("", EVIDENCE, LIMIT, CHARTER, DECLARATION, "nodes.json", "elements.json", BEFORE, AFTER, *FEEDS)
SAID = SPEC.joinpath("evidence.md").read_text(encoding="utf-8").partition("## 5.")[2]
OF_THE_LIMIT = "the limit's file"
FIELDS_OF_ITS_OWN = {"began", "ended", "window_s"}
"""What a site may move a little; the page says so, and how far."""


@pytest.fixture
def site(tmp_path: Path) -> LyingSite:
    return LyingSite(tmp_path / "bundle")


def test_the_truth_told_anew_verifies(site: LyingSite) -> None:
    assert str(site.verified().verdict) == "proven"


# What it signs


def test_no_figure_of_the_evidence_can_be_changed_but_those_that_the_page_names(site: LyingSite) -> None:
    truth = site.evidence
    free: set[str | int] = set()
    tried: set[Place] = set()
    for place, lie in every_change(truth):
        site.evidence = lie
        tried.add(place)
        refused = site.refusal(as_listed=True)
        assert refused in NAMED or place[0] in {"binds", "files"}, (place, refused)
        if not refused:
            free.add(place[0])
    assert {place[0] for place in tried} >= set(truth) - {"previous"}
    assert len(tried) > 60
    assert free == FIELDS_OF_ITS_OWN
    assert all(f"`{each}`" in SAID for each in free)


@pytest.mark.parametrize("field", ["nodes", "outcomes", "watts", "allowed", "binds", "files"])
def test_nothing_can_be_left_out_of_the_evidence(field: str, site: LyingSite) -> None:
    empty: Any = [] if isinstance(site.evidence[field], list) else {}
    site.evidence[field] = empty
    assert site.refusal(as_listed=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("began", "2026-11-22T08:00:04Z"),  # its readings from before came later
        ("began", "2026-11-22T08:01:11Z"),  # later than the end
        ("ended", "2026-11-22T08:01:41Z"),  # its readings are too old by then
        ("ended", "2026-11-22T08:00:29Z"),  # its readings come from the future
        ("window_s", 9),  # holds two readings
        ("window_s", 3_601),
        ("verdict", "not proven"),
        ("verdict", "stale"),
        ("proven_by", ""),
        ("proven_by", "with council's meter"),
        ("previous", "ab" * 32),
        ("number", 2),
    ],
)
def test_what_is_its_own_word_has_bounds(field: str, value: Any, site: LyingSite) -> None:
    site.evidence[field] = value
    assert site.refusal()


# What it writes beside


def test_of_each_node_only_the_truth_can_be_said(site: LyingSite) -> None:
    truth = site.value("nodes.json")["nodes"]
    said = []
    for index, keep, state, outcome in product(range(4), (0, 1), NodeState, Outcome):
        node = truth[index] | {"keep": keep, "state": str(state), "outcome": str(outcome)}
        site.tell_nodes([*truth[:index], node, *truth[index + 1 :]])
        if not site.refusal():
            said.append(node)
    assert said == truth


def test_of_a_stop_that_failed_only_what_its_meters_show_can_be_said(site: LyingSite) -> None:
    """A node that should be off is on. Why is the site's word; that it is on is not."""
    truth = site.value("nodes.json")["nodes"]
    site.evidence |= {"verdict": "not proven", "proven_by": ""}
    said = set()
    for state, outcome in product(NodeState, Outcome):
        site.tell_nodes([truth[0] | {"keep": 0, "state": str(state), "outcome": str(outcome)}, *truth[1:]])
        if not site.refusal():
            said.add((str(state), str(outcome)))
    assert said == {("on", each) for each in ("refused", "unreachable", "contradicted", "unknown")}


def test_nodes_are_each_named_once_and_in_order(site: LyingSite) -> None:
    truth = site.value("nodes.json")["nodes"]
    for lie in (truth[:3], truth[::-1], [*truth[:3], truth[2]], [*truth, truth[3]]):
        site.tell_nodes(lie)
        assert site.refusal() == "nodes.json"


@pytest.mark.parametrize("name", [BEFORE, AFTER, "elements.json", "nodes.json"])
def test_no_figure_of_a_file_can_be_changed_without_the_evidence_it_signed(
    name: str, site: LyingSite
) -> None:
    """Nor with it: the watts that it claims, the table that was declared and the counts are still there."""
    truth = site.value(name)
    site.verified()
    for place, lie in every_change(truth):
        site.write(name, lie)
        assert site.refusal(as_listed=True), place
        refused = site.refusal()
        assert bool(refused) is not _harmless(name, place, lie), (place, refused)
        site.write(name, truth)
        site.verified()


def _harmless(name: str, place: Place, lie: Any) -> bool:
    """Say whether a small change leaves everything as it was claimed.

    A reading's time within the window; watts of a reading that is not the last one; words on a node.
    """
    if name == "nodes.json":
        return place[-1] == "detail"
    if name not in {BEFORE, AFTER}:
        return False
    if place[-1] == "at":
        return True
    return name == AFTER and "watts" in place and place[1] != len(lie["readings"]) - 1


def test_rows_that_do_not_agree_with_the_owner_s_signed_feed_prove_nothing(site: LyingSite) -> None:
    """Everything is on; the site hides it in its own rows, and cannot in the utility's feed."""
    for sequence, name in enumerate(FEEDS[1:], start=2):
        reading = payload(site.files[name]) | {"sequence": sequence}
        reading["channels"] = [{"id": "total", "watts": 32_000}]
        site.sign(name, reading, "utility-meter")
    site.evidence["watts"]["after"][0]["watts"] = 32_000
    assert site.refusal() == EVIDENCE


# What others signed


@pytest.mark.parametrize("name", FEEDS)
def test_no_figure_of_a_signed_reading_can_be_changed(name: str, site: LyingSite) -> None:
    truth, envelope = payload(site.files[name]), site.files[name]
    for signers in ((), ("controller-1",), ("stranger",)):
        for place, lie in every_change(truth):
            site.files[name] = envelope
            site.sign(name, lie, *signers)
            assert site.refusal() == name, place


@pytest.mark.parametrize("name", FEEDS)
def test_no_signed_reading_can_be_left_out_or_called_otherwise(name: str, site: LyingSite) -> None:
    data = site.files.pop(name)
    assert site.refusal() == EVIDENCE
    other = "readings/signed/feed-a-00000009.json"
    site.files[other] = data
    assert site.refusal() == other
    site.files[name] = data
    assert site.refusal() == other


@pytest.mark.parametrize("name", [LIMIT, CHARTER, DECLARATION])
def test_no_figure_of_a_signed_statement_can_be_changed(name: str, site: LyingSite) -> None:
    truth, envelope = payload(site.files[name]), site.files[name]
    own = () if name == CHARTER else ("controller-1",)
    for signers in {(), own}:
        for place, lie in every_change(truth):
            site.files[name] = envelope
            site.sign(name, lie, *signers)
            assert site.refusal() == name, place


def test_nor_if_the_evidence_names_the_changed_statement(site: LyingSite) -> None:
    for name, field in ((LIMIT, "binds"), (DECLARATION, "declaration")):
        truth, envelope, said = payload(site.files[name]), site.files[name], site.evidence[field]
        for place, lie in every_change(truth):
            site.files[name] = envelope
            called = site.sign(name, lie, "controller-1")
            file = name
            if name == LIMIT:
                file = f"statements/{called}.json"
                site.files[file] = site.files.pop(name)
            site.evidence[field] = [called] if name == LIMIT else called
            assert site.refusal() == file, place
            del site.files[file]
        site.files[name], site.evidence[field] = envelope, said


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"scope": {"kind": "sites", "sites": ["hall-9999"]}}, OF_THE_LIMIT),
        ({"scope": {"kind": "sites", "sites": ["hall-7f3a"]}}, ""),
        ({"scope": {"kind": "hall", "site": "hall-9999", "name": "h1"}}, OF_THE_LIMIT),
        ({"until": "2026-11-22T08:01:04Z", "complete_by": "2026-11-22T08:01:04Z"}, OF_THE_LIMIT),
        ({"until": "2026-11-22T08:01:05Z", "complete_by": "2026-11-22T08:01:05Z"}, ""),
        ({"from": "2026-11-22T08:01:15Z"}, ""),
        ({"from": "2026-11-22T08:01:16Z"}, OF_THE_LIMIT),
        ({"ceiling": 249_999}, EVIDENCE),
        ({"ceiling": 0}, EVIDENCE),
        ({"ceiling": 250_001}, ""),
        ({"unit": "it_watts"}, EVIDENCE),
    ],
)
def test_a_real_limit_must_reach_the_site_be_in_force_and_be_kept(
    changes: dict[str, Any], place: str, site: LyingSite
) -> None:
    """Signed by its quorum; what is allowed stays as the site claims it."""
    called = site.sign(LIMIT, payload(site.files[LIMIT]) | changes, "ada", "bo")
    file = f"statements/{called}.json"
    site.files[file] = site.files.pop(LIMIT)
    site.evidence["binds"] = [called]
    assert site.refusal() == (file if place == OF_THE_LIMIT else place)


def test_a_real_declaration_of_another_site_or_table_is_not_this_one(site: LyingSite) -> None:
    truth = payload(site.files[DECLARATION])
    other = truth["elements"] | {"sha256": "ab" * 32}
    for change, place in (({"site": "hall-9999"}, DECLARATION), ({"elements": other}, "elements.json")):
        site.evidence["declaration"] = site.sign(DECLARATION, truth | change, "ada", "bo", "controller-1")
        assert site.refusal() == place


def test_files_that_no_check_reads_are_refused(site: LyingSite) -> None:
    for name in ("report.txt", "statements/" + "ab" * 32 + ".json", "readings/other.json", "charters.json"):
        site.files[name] = b"{}"
        assert site.refusal() == name
        del site.files[name]
    for name in ("charters/0002.json", "charters/notes.txt", "readings/signed/x.json"):
        site.files[name] = b"{}"
        assert site.refusal() == name
        del site.files[name]


@pytest.mark.parametrize(("said", "code"), [({"number": 7}, 3), ({"number": 0}, 2), ({"site": "Hall 1"}, 2)])
def test_the_command_says_whose_fault_it_is(
    said: dict[str, Any], code: int, site: LyingSite, capsys: pytest.CaptureFixture[str]
) -> None:
    site.evidence |= said
    assert site.refusal() == EVIDENCE
    assert run(["verify", str(site.directory), "--charter", vectors("bundle")["charter"]]) == code
    assert EVIDENCE in capsys.readouterr().err
