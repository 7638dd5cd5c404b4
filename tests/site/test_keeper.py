"""The keeper: what counts, what is remembered, and that it is on disk before anyone hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grandpause.core.model import CapKey, Caps, Profile, Unit
from grandpause.core.statement.acts import RestartPurpose
from grandpause.core.trust import Standing
from grandpause.errors import StoreError, TrustError
from grandpause.sim.folder import SITE_KEY, make_identity
from grandpause.sim.serve import SITE_ID
from grandpause.site.keeper import Keeper
from grandpause.stores.sqlite import SqliteStore
from stories.bootable import NODES, BootableSite
from stories.rig import DAY_S, lift, limit, restart, sealed

HOUR_S = 3_600


@pytest.fixture
def site(tmp_path: Path) -> Iterator[BootableSite]:
    """A site after its very first boot."""
    made = BootableSite(make_identity(tmp_path, now_s=int(time.time())))
    yield made
    made.store.close()


@pytest.fixture
def started(site: BootableSite) -> BootableSite:
    """A site that is armed and out of its first standby."""
    site.keeper.arm()
    assert site.takes(restart(site.folder, site.nonce), "ada", "bo") is Standing.COUNTS
    assert site.keeper.memory.standby is None
    return site


def test_a_first_boot_is_unarmed_and_a_standby_of_everything(site: BootableSite) -> None:
    assert site.keeper.memory.standby == NODES
    assert not site.keeper.memory.armed
    assert site.on_disk() == site.keeper.memory
    assert site.keeper.decide().binds


def test_every_boot_has_a_new_nonce_on_disk_first(site: BootableSite) -> None:
    nonces = {site.nonce}
    for _ in range(5):
        nonces.add(site.boots().memory.nonce)
        assert site.on_disk().nonce == site.nonce
    assert len(nonces) == 6


def test_what_was_seen_off_may_not_come_on_in_a_standby(site: BootableSite) -> None:
    site.keeper.seen_off(["n1", "unheard-of"])
    assert site.on_disk().standby == frozenset({"n2"})
    assert site.boots().memory.standby == frozenset({"n2"})


def test_an_unarmed_site_lowers_no_latch_and_an_armed_one_does_at_once(site: BootableSite) -> None:
    assert site.takes(limit(site.folder, 400_000), "ada", "bo") is Standing.COUNTS
    assert (site.allowed, site.latch) == (400_000, None)
    site.keeper.arm()
    assert site.on_disk().latch == Caps({CapKey("site", Unit.COMPUTE): 400_000})


def test_statement_and_latch_are_on_disk_when_the_admission_returns(started: BootableSite) -> None:
    act = limit(started.folder, 300_000, profile=Profile.ADVERSARIAL, category=0)
    started.takes(act, "ada", "bo")
    other = SqliteStore(started.path)
    assert any(each.data == sealed(started.folder, act, "ada", "bo") for each in other.statements())
    other.close()
    memory = started.on_disk()
    assert memory.latch.get("site", Unit.COMPUTE) == 300_000
    assert (memory.adversarial, memory.category) == (True, 0)


def test_a_limit_outlives_every_boot_and_its_latch_outlives_the_limit(started: BootableSite) -> None:
    now = started.clock.wall_s()
    started.takes(limit(started.folder, 300_000, start=now, until=now + HOUR_S), "ada", "bo")
    assert started.boots().memory.armed
    assert (started.allowed, started.latch) == (300_000, 300_000)
    started.clock.passes(2 * HOUR_S)
    decision = started.keeper.decide()
    assert decision.in_force == ()
    assert decision.ceiling.get("site", Unit.COMPUTE) is None
    assert (started.allowed, started.latch) == (300_000, 300_000)
    started.boots()
    assert (started.allowed, started.latch) == (300_000, 300_000)


def test_one_signature_less_than_the_quorum_does_nothing(started: BootableSite) -> None:
    act = limit(started.folder, 0)
    assert started.takes(act, "ada") is Standing.PENDING
    assert started.allowed is None
    assert started.boots().decide().caps == Caps()
    assert started.takes(act, "cy") is Standing.COUNTS, "the first signature was kept over the boot"
    assert started.allowed == 0


@pytest.mark.parametrize("signers", [(), ("ada",)])
def test_a_restart_below_its_quorum_ends_nothing(signers: tuple[str, ...], site: BootableSite) -> None:
    act = restart(site.folder, site.nonce)
    if signers:
        assert site.takes(act, *signers) is Standing.PENDING
    else:
        with pytest.raises(TrustError, match="no valid signature"):
            site.takes(act)
    assert site.on_disk().standby == NODES


def test_a_restart_of_an_earlier_boot_is_refused(site: BootableSite) -> None:
    old = restart(site.folder, site.nonce)
    site.boots()
    with pytest.raises(TrustError, match="present nonce"):
        site.takes(old, "ada", "bo")
    assert site.on_disk().standby == NODES
    site.boots()
    assert site.keeper.memory.standby == NODES, "nor does it count after the next boot"


def test_a_restart_signed_before_a_new_limit_is_refused(started: BootableSite) -> None:
    started.takes(limit(started.folder, 500_000), "ada", "bo")
    old = restart(started.folder, started.nonce)
    started.takes(limit(started.folder, 100_000), "ada", "bo")
    with pytest.raises(TrustError, match="present nonce"):
        started.takes(old, "ada", "bo")
    assert started.latch == 100_000


def test_a_restart_never_raises_above_the_ceiling(started: BootableSite) -> None:
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    high = Caps({CapKey("site", Unit.COMPUTE): 900_000})
    started.takes(restart(started.folder, started.nonce, caps=high), "ada", "bo")
    assert (started.allowed, started.latch) == (200_000, 200_000)


def test_a_lift_alone_changes_nothing_and_with_a_restart_the_site_is_free(started: BootableSite) -> None:
    act = limit(started.folder, 200_000)
    name = started.keeper.receive(sealed(started.folder, act, "ada", "bo")).name
    started.takes(lift(started.folder, name), "bo", "cy")
    assert started.keeper.decide().in_force == ()
    assert (started.allowed, started.latch) == (200_000, 200_000)
    started.takes(restart(started.folder, started.nonce), "ada", "cy")
    assert (started.allowed, started.latch) == (None, None)
    started.boots()
    assert (started.allowed, started.latch) == (None, None)


def test_a_restart_counts_once(started: BootableSite) -> None:
    act = limit(started.folder, 200_000)
    name = started.keeper.receive(sealed(started.folder, act, "ada", "bo")).name
    started.takes(lift(started.folder, name), "ada", "bo")
    again = restart(started.folder, started.nonce)
    started.takes(again, "ada", "bo")
    started.takes(limit(started.folder, 100_000), "ada", "bo")
    assert started.takes(again, "ada", "bo") is Standing.COUNTS
    assert (started.allowed, started.latch) == (100_000, 100_000)


def test_a_restart_that_came_too_late_is_refused_even_under_a_clock_set_back(started: BootableSite) -> None:
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    now = started.clock.wall_s()
    late = restart(started.folder, started.nonce, void_after=now + HOUR_S)
    started.clock.passes(2 * HOUR_S)
    started.keeper.decide()
    started.clock.steps(-2 * HOUR_S)
    assert started.takes(late, "ada", "bo") is Standing.VOID
    assert started.latch == 200_000


@pytest.mark.parametrize("step_s", [-10 * DAY_S, -HOUR_S, HOUR_S, 10 * DAY_S])
def test_a_step_of_the_wall_clock_ends_no_limit(step_s: int, started: BootableSite) -> None:
    now = started.clock.wall_s()
    started.takes(limit(started.folder, 200_000, start=now, until=now + DAY_S), "ada", "bo")
    started.clock.steps(step_s)
    assert len(started.keeper.decide().in_force) == 1
    assert started.keeper.clock_stepped
    assert started.allowed == 200_000


def test_a_boot_under_a_clock_that_is_behind_brings_no_voided_restart_back(started: BootableSite) -> None:
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    began = started.clock.wall_s()
    started.clock.passes(3 * HOUR_S)
    started.keeper.decide()
    started.clock.steps(-3 * HOUR_S)
    started.boots()
    assert started.keeper.clock_stepped
    late = restart(started.folder, started.nonce, void_after=began + HOUR_S)
    assert started.takes(late, "ada", "bo") is Standing.VOID
    assert started.latch == 200_000


def test_disarming_is_free_only_while_nothing_binds(started: BootableSite) -> None:
    started.keeper.disarm()
    assert not started.on_disk().armed
    started.keeper.arm()
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    with pytest.raises(TrustError, match="disarming now takes the restart quorum"):
        started.keeper.disarm()
    assert started.on_disk().armed


def test_a_standby_binds_too(site: BootableSite) -> None:
    site.keeper.arm()
    with pytest.raises(TrustError, match="restart quorum"):
        site.keeper.disarm()


def test_the_restart_quorum_allows_one_disarming_which_clears_nothing(started: BootableSite) -> None:
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    permission = restart(started.folder, started.nonce, purpose=RestartPurpose.DISARM)
    assert started.takes(permission, "ada") is Standing.PENDING
    with pytest.raises(TrustError, match="restart quorum"):
        started.keeper.disarm()
    started.takes(permission, "bo")
    assert started.latch == 200_000, "a permission to disarm raises nothing"
    started.keeper.disarm()
    memory = started.on_disk()
    assert not memory.armed
    assert memory.latch.get("site", Unit.COMPUTE) == 200_000
    started.keeper.arm()
    with pytest.raises(TrustError, match="restart quorum"):
        started.keeper.disarm()


def test_a_permission_to_disarm_of_an_earlier_boot_is_worthless(started: BootableSite) -> None:
    started.takes(limit(started.folder, 200_000), "ada", "bo")
    started.takes(restart(started.folder, started.nonce, purpose=RestartPurpose.DISARM), "ada", "bo")
    started.boots()
    with pytest.raises(TrustError, match="restart quorum"):
        started.keeper.disarm()


def test_acts_of_a_charter_that_is_not_pinned_are_refused(site: BootableSite, tmp_path: Path) -> None:
    stranger = make_identity(tmp_path / "stranger", now_s=int(time.time()))
    with pytest.raises(TrustError, match="not pinned here"):
        site.keeper.receive(sealed(stranger, limit(stranger, 0), "ada", "bo"))
    with pytest.raises(TrustError, match="not pinned here"):
        site.keeper.receive(stranger.charter.read_bytes())
    assert site.allowed is None


def test_a_restart_for_another_site_is_refused(site: BootableSite) -> None:
    elsewhere = replace(restart(site.folder, site.nonce), site="sim-hall-2")
    with pytest.raises(TrustError, match="is for site sim-hall-2"):
        site.takes(elsewhere, "ada", "bo")
    assert site.keeper.memory.standby is not None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda site: site.takes(limit(site.folder, 0), "ada", "bo"), id="limit"),
        pytest.param(lambda site: site.takes(restart(site.folder, site.nonce), "ada", "bo"), id="restart"),
        pytest.param(lambda site: site.keeper.disarm(), id="disarm"),
    ],
)
def test_what_could_not_be_written_did_not_happen(
    change: Callable[[BootableSite], object], started: BootableSite
) -> None:
    before = started.keeper.memory
    started.store.close()
    with pytest.raises(StoreError):
        change(started)
    assert started.keeper.memory == before
    assert started.on_disk() == before


def test_a_charter_file_of_another_charter_is_refused_at_boot(site: BootableSite, tmp_path: Path) -> None:
    stranger = make_identity(tmp_path / "stranger", now_s=int(time.time()))
    with pytest.raises(TrustError, match="is not the pinned charter"):
        Keeper.boot(
            site=SITE_ID,
            controller=SITE_KEY,
            store=site.store,
            clock=site.clock,
            fresh_nonce=lambda: "00" * 16,
            charters=[(site.folder.charter_id, [stranger.charter.read_bytes()])],
            elements=NODES,
        )
