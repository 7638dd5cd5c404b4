from __future__ import annotations

from collections import Counter

from grandpause.sim.world.settings import SHARE_ON, Fault, Settings


def test_a_seed_draws_the_same_settings_again_and_another_one_others() -> None:
    assert Settings.draw(42) == Settings.draw(42)
    assert len({Settings.draw(seed).faults for seed in range(100)}) > 90


def test_every_class_is_on_in_about_its_share_of_the_seeds() -> None:
    seeds = 1_000
    on = Counter(fault for seed in range(seeds) for fault in Settings.draw(seed).faults)
    assert set(on) == set(Fault)
    assert all(abs(on[each] / seeds - SHARE_ON) < 0.07 for each in Fault)


def test_sites_and_days_vary_and_a_site_has_64_elements() -> None:
    drawn = [Settings.draw(seed) for seed in range(100)]
    assert {each.sites for each in drawn} == {1, 2, 3}
    assert {each.days for each in drawn} == {20.0, 60.0, 180.0}
    assert {each.elements for each in drawn} == {64}
