"""Any mixture of good, deaf, silent and lying devices, any replans: the stop ends, and tells the truth."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.virtual import FULL, TIMING, Way, World, plan_of
from grandpause.core.evidence import report_of
from grandpause.core.model import Act, NodeState, Outcome, Power, Reply, Stage
from grandpause.core.plan import Cut
from grandpause.core.stop import Phase

TOTAL_S = sum(TIMING.rung_s.values())
replies = st.sampled_from([*Reply, None])
ways = st.builds(
    Way,
    applied=st.booleans(),
    reply=replies,
    answer_s=st.floats(0.01, 15),
    effect_s=st.floats(0.01, 30),
)
claims = st.sampled_from(
    [
        lambda on: Power.ON if on else Power.OFF,
        lambda _: Power.OFF,
        lambda _: Power.ON,
        lambda _: Power.UNKNOWN,
    ]
)
nodes = st.lists(st.tuples(ways, ways, claims, replies, st.booleans()), min_size=1, max_size=5)


def world_of(found: list[tuple[Way, Way, object, Reply | None, bool]]) -> tuple[World, list[Cut]]:
    names = [f"n{index}" for index in range(len(found))]
    world = World(names, asks_s=3.0)
    cuts = []
    for index, (soft, force, claim, reply, outlet) in enumerate(found):
        node = world.nodes[names[index]]
        node.ways = {Act.SOFT_OFF: soft, Act.FORCE_OFF: force}
        node.claim = claim  # type: ignore[assignment]
        node.claim_reply = reply
        cuts.append(Cut(names[index], float(index), FULL if outlet else FULL[:2]))
    return world, cuts


@settings(max_examples=150)
@given(nodes)
def test_whatever_the_devices_do_the_stop_settles_in_time_and_names_who_stayed_on(
    found: list[tuple[Way, Way, object, Reply | None, bool]],
) -> None:
    world, cuts = world_of(found)
    world.begin(plan_of(cuts))
    world.passes(TOTAL_S + len(found) + 40)
    for cut in cuts:
        run, node = world.run(cut.element), world.nodes[cut.element]
        if Stage.OUTLET_OFF in cut.ladder:
            assert not node.on
        report = report_of(run, run.metered)
        assert (report.state is NodeState.ON) is node.on
        if node.on:
            assert "residual" in world.codes(cut.element)
            assert report.outcome not in {Outcome.CONFIRMED_BY_METER, Outcome.CONFIRMED_BY_BMC}
        assert world.codes(cut.element).count("residual") <= 1


@settings(max_examples=150)
@given(nodes, st.lists(st.tuples(st.floats(0.1, 40), st.integers(0, 31), st.booleans()), max_size=6))
def test_any_replans_keep_the_books_and_never_repeat_a_command(
    found: list[tuple[Way, Way, object, Reply | None, bool]], replans: list[tuple[float, int, bool]]
) -> None:
    world, cuts = world_of(found)
    world.begin(plan_of(cuts))
    for delay_s, kept, strict in replans:
        world.passes(delay_s)
        keep = [each for index, each in enumerate(cuts) if kept >> index & 1]
        cut = [
            each._replace(ladder=tuple(stage for stage in each.ladder if not strict or stage is not FULL[0]))
            for each in cuts
            if each not in keep
        ]
        world.begin(plan_of(cut, keep=[each.element for each in keep]))
        world.passes(0)
        assert world.stop.pending == len(world.stop.unbegun) + sum(
            each.open for each in world.stop.runs.values()
        )
    for name, run in world.stop.runs.items():
        if run.phase is Phase.KEPT:
            told = len(world.nodes[name].told)
            world.passes(30)
            assert len(world.nodes[name].told) == told
    keys = [command.key for _, command in world.commands]
    assert len(keys) == len(set(keys))


@settings(max_examples=150)
@given(nodes, st.floats(1, 100), st.integers(0, 4))
def test_whoever_comes_back_is_cut_again(
    found: list[tuple[Way, Way, object, Reply | None, bool]], delay_s: float, which: int
) -> None:
    world, cuts = world_of([(*each[:4], True) for each in found])
    world.begin(plan_of(cuts))
    world.passes(TOTAL_S + len(found) + delay_s)
    name = cuts[which % len(cuts)].element
    world.switch(name, on=True)
    world.passes(TOTAL_S + TIMING.retry_s + 40)
    assert not world.nodes[name].on
