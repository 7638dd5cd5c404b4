"""The same seed twice: a world that hangs on anything else is found."""

from __future__ import annotations

from grandpause.sim.soak.outcome import attempt
from grandpause.sim.soak.twice import compare, digest
from grandpause.sim.world.settings import Settings
from sim.soak import double


def test_worlds_that_are_functions_of_their_seed_are_alike() -> None:
    seen: list[int] = []
    compared = compare(double.ill, range(1, 31), processes=2, seen=seen.append)
    assert (compared.worlds, compared.different) == (30, ())
    assert compared.failed == tuple(
        seed for seed in range(1, 31) if attempt(double.ill, Settings.draw(seed)).failure
    )
    assert seen == list(range(1, 61))


def test_a_world_that_hangs_on_the_order_of_a_set_is_found() -> None:
    compared = compare(double.hash_bound, range(1, 4), processes=1)
    assert compared.different == (1, 2, 3)


def test_a_world_that_fails_once_is_different() -> None:
    settings = Settings.draw(1)
    first, second = attempt(double.fickle, settings), attempt(double.fickle, settings, words=True)
    assert digest(first) != digest(second)


def test_cpu_time_and_words_make_no_difference() -> None:
    settings = Settings.draw(1)
    first, second = attempt(double.quiet, settings), attempt(double.quiet, settings, words=True)
    assert first != second
    assert digest(first) == digest(second)


def test_a_stop_leaves_what_was_compared_so_far() -> None:
    seen: list[int] = []
    compared = compare(
        double.quiet, range(1, 31), processes=1, stopping=lambda: len(seen) >= 40, seen=seen.append
    )
    assert 5 <= compared.worlds < 30
    assert compared.different == ()
