"""A hundred nodes, ten of them with bad BMCs: each one is named with its own outcome. (requirements.md)

Nodes 91 to 94 accept TLS and never answer, 95 to 97 answer 204 and stay on, 98 answers 500, 99 answers 401,
100 drops every connection; which nodes these are follows from a seed.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from grandpause.core.evidence import NODES_FILE, NodeReport, decode_nodes
from grandpause.core.model import NodeState, Outcome, VerdictWord
from grandpause.sim.redfish.farm import bmc_address
from grandpause.sim.serve import SimulatedSite
from grandpause.site.sitefile import load_site_file
from grandpause.verify.bundle import Verified, verify_bundle
from stories.rig import QUICK, limit, post, program, running, served

SEED = 90
NODES = 100
BAD = ("hang",) * 4 + ("lie-openly",) * 3 + ("500", "401", "drop")
OUTCOMES = {
    "hang": Outcome.UNREACHABLE,
    "lie-openly": Outcome.CONTRADICTED,
    "500": Outcome.UNREACHABLE,  # real BMCs show it for minutes and recover; the detail says what it was
    "401": Outcome.REFUSED,
    "drop": Outcome.UNREACHABLE,
}
CONFIRMED = {Outcome.CONFIRMED_BY_METER}
SETTINGS = {**QUICK, "timing": {**QUICK["timing"], "soft_off_s": 4, "force_off_s": 3, "outlet_off_s": 5}}


def name_of(index: int) -> str:
    """Return the name of the simulated hall's node with this index."""
    return f"r{index // 16 + 1:02}n{index % 16 + 1:02}"


def bad_ones() -> dict[str, str]:
    """Return node -> what is wrong with its BMC, from the seed."""
    chosen = random.Random(SEED).sample([name_of(index) for index in range(NODES)], len(BAD))
    return dict(zip(chosen, BAD, strict=True))


def take_outlets_away(site_file: Path, nodes: set[str]) -> None:
    """Rewrite the site file so that the outlets of ``nodes`` may be read, not switched."""
    text = site_file.read_text()
    begin, end = text.index("[[nodes]]"), text.index("[[units]]")
    block = text[begin:end]
    groups: list[list[int]] = []
    for index in range(NODES):
        alone = name_of(index) in nodes
        if alone or not groups or name_of(groups[-1][-1]) in nodes:
            groups.append([])
        groups[-1].append(index)
    parts = []
    for group in groups:
        names = [name_of(index) for index in group]
        lines = block.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("ids = "):
                lines[number] = f'ids = "{",".join(names)}"'
            elif line.startswith("host_first = "):
                lines[number] = f'host_first = "{bmc_address(group[0])}"'
            elif line.startswith("outlet = ") and names[0] in nodes:
                lines[number] += "\nswitch = false"
        parts.append("\n".join(lines))
    site_file.write_text(text[:begin] + "\n".join(parts) + "\n" + text[end:])


async def stop_everything(sim: SimulatedSite) -> tuple[Verified, dict[str, NodeReport]]:
    """Bring the whole site to 0 %; return the verified bundle, and what it says of each node."""
    async with running(load_site_file(sim.folder.site_file)) as controller:
        await controller.armed_and_started(sim.folder)
        post(sim.folder, "limit.json", limit(sim.folder, 0), "ada", "bo")
        bundle = await controller.stopped(within_s=80)
    verified = verify_bundle(bundle, charter_id=sim.folder.charter_id)
    reports = {each.id: each for each in decode_nodes((bundle / NODES_FILE).read_bytes())}
    return verified, reports


def words(bad: dict[str, str]) -> list[str]:
    """Return the faults as the simulator takes them."""
    return [f"{node}={fault}" for node, fault in bad.items()]


@pytest.mark.slow
async def test_without_outlets_nothing_is_proven_and_each_of_the_ten_is_named(tmp_path: Path) -> None:
    bad = bad_ones()
    async with served(tmp_path, nodes=NODES, faults=words(bad), outlets=False, settings=SETTINGS) as sim:
        verified, reports = await stop_everything(sim)
        bundle = max((tmp_path / "state" / "evidence").iterdir())
        async with program("verify", str(bundle), "--charter", str(sim.folder.charter)) as verify:
            said, _ = await verify.communicate()
    assert verified.verdict is VerdictWord.NOT_PROVEN
    assert verify.returncode == 1
    assert all(node in said.decode() for node in bad)
    assert {each.id: each.outcome for each in reports.values() if each.outcome not in CONFIRMED} == {
        node: OUTCOMES[fault] for node, fault in bad.items()
    }
    details = {fault: reports[node].detail for node, fault in bad.items()}
    assert "500" in details["500"]
    assert "401" in details["401"]
    assert {each.id for each in reports.values() if each.state is NodeState.ON} == set(bad)


@pytest.mark.slow
async def test_with_outlets_the_ten_are_cut_there_and_the_stop_is_proven(tmp_path: Path) -> None:
    bad = bad_ones()
    async with served(tmp_path, nodes=NODES, faults=words(bad), settings=SETTINGS) as sim:
        verified, reports = await stop_everything(sim)
        cut = {node.id for node in sim.plant.nodes.values() if not any(each.on for each in node.outlets)}
        still_on = list(sim.plant.nodes_on(time.monotonic()))
    assert verified.verdict is VerdictWord.PROVEN
    assert verified.proof.proven_by == "with utility's meter"
    assert cut == set(bad), "no outlet of a good node was touched"
    assert not still_on
    assert {each.outcome for each in reports.values()} == {Outcome.CONFIRMED_BY_METER}


@pytest.mark.slow
async def test_with_two_nodes_that_lack_outlets_just_these_two_are_named(tmp_path: Path) -> None:
    bad = bad_ones()
    lacking = {next(node for node, fault in bad.items() if fault == each) for each in ("hang", "lie-openly")}
    async with served(tmp_path, nodes=NODES, faults=words(bad), settings=SETTINGS) as sim:
        take_outlets_away(sim.folder.site_file, lacking)
        verified, reports = await stop_everything(sim)
        still_on = set(sim.plant.nodes_on(time.monotonic()))
    assert still_on == lacking
    assert verified.verdict is VerdictWord.NOT_PROVEN
    assert verified.proof.reasons[0] == f"no meter shows to be off, and must be: {', '.join(sorted(lacking))}"
    assert {each.id for each in reports.values() if each.outcome not in CONFIRMED} == lacking
    assert not any(node in reason for reason in verified.proof.reasons for node in set(bad) - lacking)
