"""A soak on a Dask cluster on loopback gives what it gives here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grandpause.cli.app import run
from grandpause.errors import UsageError
from grandpause.sim.soak.cluster import cluster_at
from grandpause.sim.soak.document import document
from grandpause.sim.soak.origin import source_digest
from grandpause.sim.soak.outcome import DIED, RAN_AWAY
from grandpause.sim.soak.soaking import Plan, Soaked, soak
from grandpause.sim.soak.workers import Workers
from sim.soak import double

TIMED = {"seconds", "processes", "events_per_second", "began", "unfinished"}
PLAN = Plan(first_seed=1, seconds=None, worlds=40)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A scheduler with two workers of one thread, all in this process."""
    distributed: Any = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0", local_directory=tmp_path,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


def value_of(soaked: Soaked) -> dict[str, Any]:
    value = document(soaked, told=[], processes=1, began="", origin={})
    return {key: value[key] for key in value if key not in TIMED}


def test_the_same_seeds_give_the_same_result_on_a_cluster(address: str) -> None:
    with cluster_at(address, double.ill) as crew:
        assert crew.processes == 2
        there = soak(crew, PLAN)
    with Workers(double.ill, processes=1) as workers:
        here = soak(workers, PLAN)
    assert there.totals.failures == here.totals.failures != ()
    assert value_of(there) == value_of(here)


def test_a_second_soak_on_the_same_cluster_runs_its_worlds_anew(address: str) -> None:
    with cluster_at(address, double.quiet) as crew:
        assert soak(crew, PLAN).totals.failed == 0
    with cluster_at(address, double.ill) as crew:
        assert soak(crew, PLAN).totals.failed > 0


def test_a_world_that_raises_there_is_a_failure_here(address: str) -> None:
    with cluster_at(address, double.raising) as crew:
        [failure] = soak(crew, PLAN).totals.failures
    assert failure.settings.seed == double.BAD_SEED
    assert failure.violation.invariant == "world-raised-LookupError"


def test_a_world_that_runs_away_there_is_told_of_and_the_others_go_on(address: str) -> None:
    with cluster_at(address, double.halting, limit_s=1.0) as crew:
        soaked = soak(crew, PLAN)
    assert [each.violation.invariant for each in soaked.totals.failures] == [RAN_AWAY]
    assert soaked.totals.worlds == 40


def test_what_a_cluster_loses_is_not_passed_over(address: str) -> None:
    with cluster_at(address, double.unpicklable) as crew:
        [failure] = soak(crew, PLAN).totals.failures
    assert failure.settings.seed == double.BAD_SEED
    assert failure.violation.invariant == DIED


def test_a_stop_is_heeded_on_a_cluster(address: str) -> None:
    seen: list[int] = []
    with cluster_at(address, double.slow) as crew:
        soaked = soak(
            crew,
            Plan(first_seed=1, seconds=None, worlds=10**6),
            stopping=lambda: len(seen) >= 5,
            seen=lambda totals: seen.append(totals.worlds),
        )
    assert soaked.stopped
    assert 5 <= soaked.totals.worlds <= 6
    assert len(soaked.unfinished) <= 2


def test_workers_with_other_code_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from grandpause.sim.soak import cluster

    # Only what this process says of itself changes: the workers are told the function by value.
    theirs = source_digest()
    digests = iter(["other code", theirs, theirs])
    monkeypatch.setattr(cluster, "source_digest", lambda: next(digests))
    with pytest.raises(UsageError, match="other code"), cluster_at(address, double.quiet):
        pass


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        pytest.raises(UsageError, match="no scheduler answers") as caught,
        cluster_at("tcp://127.0.0.1:9", double.quiet, connect_s=1),
    ):
        pass
    assert caught.value.where == "tcp://127.0.0.1:9"


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as caught, cluster_at("tcp://127.0.0.1:9", double.quiet):
        pass
    assert caught.value.hint == "pip install 'grandpause[dask]'"


def test_the_command_gives_the_same_worlds_on_a_cluster_and_here(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sim", "soak", "--worlds", "2", "--seed", "2", "--shrink-seconds", "0", "--json"]
    values = []
    for where in ([], ["--scheduler", address]):
        capsys.readouterr()
        code = run([*line, *where])
        value = json.loads(capsys.readouterr().out)
        assert code == (1 if value["violations"] else 0)
        values.append(value)
    here, there = values
    assert there["processes"] == 2
    measured = {*TIMED, "cpu_seconds", "events_per_cpu_second", "site_years_per_cpu_hour"}
    assert {key: each for key, each in here.items() if key not in measured} == {
        key: each for key, each in there.items() if key not in measured
    }
