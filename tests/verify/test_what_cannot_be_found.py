"""What a site can say and no bundle can refute: each such bundle verifies, and the page owns up to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interop.vectors import SPEC
from verify.lying_site import AFTER, BEFORE, FEEDS, LIMIT, LyingSite, payload

SAID = SPEC.joinpath("evidence.md").read_text(encoding="utf-8").partition("## 5.")[2]


@pytest.fixture
def site(tmp_path: Path) -> LyingSite:
    return LyingSite(tmp_path / "bundle")


def binds_left_out(site: LyingSite) -> str:
    del site.files[LIMIT]
    site.evidence["binds"] = []
    return "`binds` is empty"


def the_lower_of_two_limits_left_out(site: LyingSite) -> str:
    higher = payload(site.files[LIMIT]) | {"ceiling": 300_000}
    called = site.sign(LIMIT, higher, "ada", "bo")
    site.files[f"statements/{called}.json"] = site.files.pop(LIMIT)
    site.evidence |= {
        "binds": [called],
        "allowed": [{"part": "site", "unit": "compute_ppm", "value": 300_000}],
    }
    return "had no other limit"


def window_stretched(site: LyingSite) -> str:
    site.evidence |= {"window_s": 3_600, "ended": "2026-11-22T08:59:00Z"}
    return "`window_s`"


def readings_dated_after_the_end(site: LyingSite) -> str:
    site.evidence["ended"] = "2026-11-22T08:00:50Z"
    return "before or after `ended`"


def began_moved(site: LyingSite) -> str:
    site.evidence["began"] = "2026-11-22T08:00:59Z"
    return "`began`"


def unsigned_rows_rewritten(site: LyingSite) -> str:
    readings = site.value(AFTER)
    for each in readings["readings"]:
        each["watts"] = {"1": 8_030, "2": 30, "3": 30, "4": 30}
    site.write(AFTER, readings)
    return "What nobody signed"


def unsigned_watts_before_invented(site: LyingSite) -> str:
    readings = site.value(BEFORE)
    readings["readings"][0]["watts"] = dict.fromkeys("1234", 9_999)
    site.write(BEFORE, readings)
    site.evidence["watts"]["before"][1]["watts"] = 4 * 9_999
    return "What nobody signed"


def a_signed_reading_withheld(site: LyingSite) -> str:
    name = "readings/signed/feed-a-00000005.json"
    reading = payload(site.files[FEEDS[3]]) | {"sequence": 5, "at": "2026-11-22T08:01:15Z"}
    site.files[name] = site.files[FEEDS[3]]
    site.sign(name, reading, "utility-meter")
    del site.files[FEEDS[3]]
    return "can be withheld"


def an_old_reading_as_the_one_before(site: LyingSite) -> str:
    readings = site.value(BEFORE)
    readings["readings"][0]["at"] = "2020-01-01T00:00:00Z"
    site.write(BEFORE, readings)
    return "from long before it"


def the_chain_begun_anew(site: LyingSite) -> str:
    site.evidence |= {"number": 900, "previous": "ab" * 32}
    return "`number` and `previous`"


def words_on_a_node(site: LyingSite) -> str:
    nodes = site.value("nodes.json")["nodes"]
    site.tell_nodes([each | {"detail": "all is well"} for each in nodes])
    return "`detail`"


@pytest.mark.parametrize(
    "lie",
    [
        binds_left_out,
        the_lower_of_two_limits_left_out,
        window_stretched,
        readings_dated_after_the_end,
        began_moved,
        unsigned_rows_rewritten,
        unsigned_watts_before_invented,
        a_signed_reading_withheld,
        an_old_reading_as_the_one_before,
        the_chain_begun_anew,
        words_on_a_node,
    ],
)
def test_what_cannot_be_found_is_said_on_the_page(lie: Any, site: LyingSite) -> None:
    words = lie(site)
    assert str(site.verified().verdict) == "proven"
    assert words in SAID
