"""The figures of the machine types against the data that they name as their sources."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from grandpause.sim.machines import A100X8, FRONTIER, H100X8, SELENE, Machine
from grandpause.sim.redfish.capture import load_capture


def test_a100_figures_are_those_of_the_trace(shared_data: Path) -> None:
    with (shared_data / "power/acme_2023/server_power_cdf.csv").open(newline="") as file:
        watts = [float(row["power_W_a"]) for row in csv.DictReader(file)]
    running = [value for value in watts if value > 0]
    assert min(running) == A100X8.idle_w
    assert max(running) == A100X8.rated_w
    assert watts[int(len(watts) * 0.9) - 1] == pytest.approx(A100X8.load_w, rel=0.002)


def test_h100_idle_is_what_the_captured_node_drew(shared_data: Path) -> None:
    capture = load_capture(shared_data / "devices/redfish/supermicro.tar.xz")
    page = capture.page("/redfish/v1/Chassis/1/Power")
    assert page is not None
    readings = [control.get("PowerConsumedWatts") for control in json.loads(page.body)["PowerControl"]]
    assert readings[0] == H100X8.idle_w


@pytest.mark.parametrize(("machine", "name"), [(FRONTIER, "frontier"), (SELENE, "selene")])
def test_raps_machines_are_the_sums_of_their_parts(shared_data: Path, machine: Machine, name: str) -> None:
    text = (shared_data / f"clusters/raps_system_configs/config/{name}.yaml").read_text()
    part = {
        key: float(value) for key, value in re.findall(r"^  (\w+): ([\d.]+)\s*(?:#.*)?$", text, re.MULTILINE)
    }
    fixed = part["power_mem"] + part["nics_per_node"] * part["power_nic"] + part["power_nvme"]
    idle, most = (
        part["cpus_per_node"] * part[f"power_cpu_{level}"]
        + part["gpus_per_node"] * part[f"power_gpu_{level}"]
        for level in ("idle", "max")
    )
    assert machine.idle_w == int(idle + fixed)
    assert machine.rated_w == int(most + fixed)
    assert machine.load_w == pytest.approx(idle + fixed + 0.8 * (most - idle), abs=1)


@pytest.mark.parametrize(
    ("machine", "accelerator"), [(H100X8, "NVIDIA H100 SXM5 80GB"), (A100X8, "NVIDIA A100 SXM4 80 GB")]
)
def test_compute_is_dense_bf16_of_the_hardware_table(
    shared_data: Path, machine: Machine, accelerator: str
) -> None:
    column = "Tensor-FP16/BF16 performance (FLOP/s)"
    with (shared_data / "hardware/epoch_ml_hardware_2026-04.csv").open(newline="") as file:
        dense = {row["Hardware name"]: row[column] for row in csv.DictReader(file)}
    assert machine.bf16_teraflops == int(machine.accelerators * float(dense[accelerator]) / 1e12)
