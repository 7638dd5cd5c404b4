"""Machine types of the simulated site: electrical and compute figures with their sources.

Watts are wall watts of one node with all of its outlets on. Where no source was found the figure is an
assumption and says so; the verdicts of a stop do not rest on any of them, only its believable size does.
"""

from __future__ import annotations

from dataclasses import dataclass

from grandpause.errors import UsageError

_EPOCH = "Epoch AI, ML hardware table, 2026-04: tensor FP16/BF16, dense"
_RAPS = "ExaDigiT/RAPS commit 6c142bfdbfeb, config/{name}.yaml: watts of the parts, summed as RAPS does"
_STANDBY_ASSUMED = (
    "standby watts (management controller, standby rails, supplies without load) are an assumption"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One type of node.

    Attributes:
        name: short identifier, used on the command line.
        model: what a BMC shows as the model.
        accelerator: model of its accelerators.
        accelerators: how many of them.
        standby_w: wall watts with the host off and the BMC alive.
        idle_w: wall watts with the host on and no work.
        load_w: wall watts under a training load.
        rated_w: the most that it may draw.
        bf16_teraflops: dense BF16 compute of the whole node, in 10^12 FLOP/s, rounded down.
        power_supplies: how many supplies its chassis holds.
        sources: where each figure comes from.
        assumptions: which figures have no source.
    """

    name: str
    model: str
    accelerator: str
    accelerators: int
    standby_w: int
    idle_w: int
    load_w: int
    rated_w: int
    bf16_teraflops: int
    power_supplies: int
    sources: tuple[str, ...]
    assumptions: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < self.standby_w < self.idle_w <= self.load_w <= self.rated_w:
            raise UsageError("watts must rise from standby over idle and load to rated", where=self.name)


H100X8 = Machine(
    name="h100x8",
    model="8 x H100 node (simulated)",
    accelerator="NVIDIA H100 80GB HBM3",
    accelerators=8,
    standby_w=45,
    idle_w=2_161,
    load_w=7_750,
    rated_w=10_200,
    bf16_teraflops=7_915,
    power_supplies=6,
    sources=(
        "rated: NVIDIA DGX H100 user guide, 10.2 kW maximum",
        "load: arXiv 2506.14551, training on 8 x H100 at 76 % of 10.2 kW (IEEE Access 13: at most 8.4 kW)",
        "idle: a Supermicro 8 x H100 node as captured in NVIDIA/libredfish, PowerConsumedWatts 2161",
        f"compute: {_EPOCH}, 989.4 TFLOP/s a GPU",
    ),
    assumptions=(_STANDBY_ASSUMED, "the captured Supermicro node was idle"),
)

A100X8 = Machine(
    name="a100x8",
    model="8 x A100 node (simulated)",
    accelerator="NVIDIA A100 SXM4 80 GB",
    accelerators=8,
    standby_w=40,
    idle_w=1_386,
    load_w=4_851,
    rated_w=6_554,
    bf16_teraflops=2_496,
    power_supplies=6,
    sources=(
        (
            "AcmeTrace 2023, server_power_cdf.csv: lowest running 1,386 W (idle), median 2,520 W, "
            "90th percentile 4,851 W (load), maximum 6,554 W (rated)"
        ),
        f"compute: {_EPOCH}, 312 TFLOP/s a GPU",
    ),
    assumptions=(_STANDBY_ASSUMED, "percentiles of one cluster stand for idle and load"),
)

FRONTIER = Machine(
    name="frontier",
    model="Frontier node (simulated)",
    accelerator="AMD Instinct MI250X",
    accelerators=4,
    standby_w=30,
    idle_w=626,
    load_w=2_288,
    rated_w=2_704,
    bf16_teraflops=1_532,
    power_supplies=2,
    sources=(
        (
            f"{_RAPS.format(name='frontier')}: idle 90 + 4 x 88 + 74.26 + 4 x 20 + 30, "
            "maximum 280 + 4 x 560 + 74.26 + 80 + 30"
        ),
        f"compute: {_EPOCH}, 383 TFLOP/s a module",
    ),
    assumptions=(_STANDBY_ASSUMED, "load is idle and 80 % of the way to the maximum"),
)

SELENE = Machine(
    name="selene",
    model="Selene node (simulated)",
    accelerator="NVIDIA A100 SXM4 80 GB",
    accelerators=8,
    standby_w=40,
    idle_w=1_068,
    load_w=3_369,
    rated_w=3_944,
    bf16_teraflops=2_496,
    power_supplies=6,
    sources=(
        (
            f"{_RAPS.format(name='selene')}: idle 2 x 90 + 8 x 88 + 74.26 + 4 x 20 + 30, "
            "maximum 2 x 280 + 8 x 400 + 74.26 + 80 + 30"
        ),
        f"compute: {_EPOCH}, 312 TFLOP/s a GPU",
    ),
    assumptions=(_STANDBY_ASSUMED, "load is idle and 80 % of the way to the maximum"),
)

MACHINES: dict[str, Machine] = {machine.name: machine for machine in (H100X8, A100X8, FRONTIER, SELENE)}


def machine_named(name: str) -> Machine:
    """Return the machine type ``name``; raise UsageError, naming those known, for any other."""
    try:
        return MACHINES[name]
    except KeyError:
        raise UsageError(f"no machine type {name!r}", hint=f"known: {', '.join(MACHINES)}") from None
