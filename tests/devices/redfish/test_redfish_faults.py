"""Every way in which a simulated BMC misbehaves, and what the driver says of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from devices.redfish.raw_bmc import RESET, SYSTEM, WallClock
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.redfish import Auth, Credentials, Limits, Pinned, RedfishActuator, Target, parse_pin
from grandpause.errors import OwnFault
from grandpause.sim.faults import Bmc
from grandpause.sim.parts import Timing
from grandpause.sim.plant import Plant
from grandpause.sim.redfish import BmcFarm, serve_bmcs

AT_ONCE = Timing(soft_off_s=(0.0, 0.0), force_off_s=(0.0, 0.0), power_on_s=(0.0, 0.0))
BAD = "r01n01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    plant: Plant
    farm: BmcFarm
    driver: RedfishActuator


@asynccontextmanager
async def site(
    *,
    nodes: int = 2,
    auth: Auth = Auth.BASIC,
    limits: Limits | None = None,
    keep_warm: bool = False,
    known: bool = True,
    password: str = "",
) -> AsyncIterator[Site]:
    plant = Plant.hall(nodes=nodes, timing=AT_ONCE)
    farm = await serve_bmcs(plant, clock=time.monotonic)
    login = Credentials(user=farm.credentials.user, password=password or farm.credentials.password, auth=auth)
    targets = {
        node: Target(
            host=farm.address(node)[0],
            port=farm.port,
            security=Pinned(pins=frozenset({parse_pin(farm.pin)})),
            credentials=login,
            system=SYSTEM if known else "",
            reset=RESET if known else "",
        )
        for node in plant.nodes
    }
    driver = RedfishActuator(targets, clock=WallClock(), limits=limits, keep_warm=keep_warm)
    try:
        yield Site(plant=plant, farm=farm, driver=driver)
    finally:
        await driver.close()
        await farm.close()


FAULTS: dict[str, tuple[Callable[[Bmc], None], Reply, Power, str]] = {
    "obeys": (lambda _: None, Reply.ACCEPTED, Power.OFF, "HTTP 204"),
    "accepts TLS and never answers": (Bmc.hangs, Reply.TIMED_OUT, Power.UNKNOWN, "for its answer"),
    "accepts, stays on and says so": (Bmc.lies_openly, Reply.ACCEPTED, Power.ON, "HTTP 204"),
    "accepts, stays on and says off": (Bmc.lies, Reply.ACCEPTED, Power.OFF, "HTTP 204"),
    "answers 500": (lambda bmc: bmc.answers(500), Reply.UNREACHABLE, Power.UNKNOWN, "HTTP 500"),
    "answers 503": (lambda bmc: bmc.answers(503), Reply.UNREACHABLE, Power.UNKNOWN, "HTTP 503"),
    "answers 429": (lambda bmc: bmc.answers(429), Reply.UNREACHABLE, Power.UNKNOWN, "HTTP 429"),
    "answers 501": (lambda bmc: bmc.answers(501), Reply.REFUSED, Power.UNKNOWN, "HTTP 501"),
    "answers 401": (lambda bmc: bmc.answers(401), Reply.REFUSED, Power.UNKNOWN, "HTTP 401"),
    "answers 403": (lambda bmc: bmc.answers(403), Reply.REFUSED, Power.UNKNOWN, "HTTP 403"),
    "answers 404": (lambda bmc: bmc.answers(404), Reply.REFUSED, Power.UNKNOWN, "HTTP 404"),
    "answers 400": (lambda bmc: bmc.answers(400), Reply.REFUSED, Power.UNKNOWN, "HTTP 400"),
    "drops the connection": (Bmc.drops, Reply.UNREACHABLE, Power.UNKNOWN, ""),
    "is too slow": (lambda bmc: bmc.slow(30), Reply.TIMED_OUT, Power.UNKNOWN, "for its answer"),
    "offers no ForceOff": (
        lambda bmc: bmc.offers_reset_types(["On", "GracefulShutdown"]),
        Reply.REFUSED,
        Power.ON,
        "HTTP 400",
    ),
}


@pytest.mark.parametrize(("breaks", "reply", "power", "detail"), FAULTS.values(), ids=FAULTS)
async def test_each_fault_has_its_own_answer(
    breaks: Callable[[Bmc], None], reply: Reply, power: Power, detail: str
) -> None:
    async with site() as it:
        breaks(it.plant.node(BAD).bmc)
        answer = await it.driver.command(BAD, Act.FORCE_OFF, within_s=0.5)
        assert answer.reply is reply
        assert detail in answer.detail
        claim = await it.driver.claim(BAD, within_s=0.5)
        assert claim.power is power
        good = await it.driver.command("r01n02", Act.FORCE_OFF, within_s=5)
        assert good.reply is Reply.ACCEPTED, "one bad BMC harms no other"


async def test_a_dead_bmc_is_unreachable_which_is_not_off() -> None:
    async with site() as it:
        for outlet in it.plant.node(BAD).outlets:
            it.plant.switch_outlet(outlet.unit.id, outlet.index, False, time.monotonic())
        claim = await it.driver.claim(BAD, within_s=2)
        assert (claim.power, claim.reply) == (Power.UNKNOWN, Reply.UNREACHABLE)


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with site() as it:
        await it.farm.close()
        answer = await it.driver.command(BAD, Act.FORCE_OFF, within_s=2)
        assert answer.reply is Reply.UNREACHABLE
        assert "no connection" in answer.detail


async def test_a_command_that_has_taken_effect_is_accepted_again() -> None:
    async with site() as it:
        for _ in range(3):
            assert (await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED


@pytest.mark.parametrize("known", [True, False])
async def test_types_behind_action_info_are_found_when_nothing_was_learned(known: bool) -> None:  # noqa: FBT001
    async with site(known=known) as it:
        it.plant.node(BAD).bmc.offers_by_action_info()
        assert (await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED
        assert it.farm.commands == [(BAD, "ForceOff")]


async def test_a_soft_off_that_is_not_offered_is_refused_without_asking_for_it() -> None:
    async with site(known=False) as it:
        it.plant.node(BAD).bmc.offers_reset_types(["On", "ForceOff", "PowerCycle"])
        answer = await it.driver.command(BAD, Act.SOFT_OFF, within_s=5)
        assert answer.reply is Reply.REFUSED
        assert "GracefulShutdown is not offered (offered: On, ForceOff, PowerCycle)" in answer.detail
        assert it.farm.commands == []


async def test_power_cycle_never_stands_in_for_force_off() -> None:
    async with site(known=False) as it:
        it.plant.node(BAD).bmc.offers_reset_types(["On", "PowerCycle", "ForceRestart", "PushPowerButton"])
        assert (await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)).reply is Reply.REFUSED
        assert it.farm.commands == []


async def test_force_on_stands_in_for_on() -> None:
    async with site(known=False) as it:
        it.plant.node(BAD).bmc.offers_reset_types(["ForceOn", "ForceOff"])
        assert (await it.driver.command(BAD, Act.POWER_ON, within_s=5)).reply is Reply.ACCEPTED
        assert it.farm.commands == [(BAD, "ForceOn")]


@pytest.mark.parametrize("act", [Act.OUTLET_OFF, Act.OUTLET_ON])
async def test_a_bmc_has_no_outlets(act: Act) -> None:
    async with site() as it:
        assert (await it.driver.command(BAD, act, within_s=5)).reply is Reply.REFUSED
        assert it.farm.counters["requests"] == 0


async def test_an_unknown_element_is_our_own_fault() -> None:
    async with site() as it:
        with pytest.raises(OwnFault, match="nobody"):
            await it.driver.claim("nobody", within_s=1)


async def test_a_session_that_the_bmc_forgot_is_renewed_once() -> None:
    async with site(auth=Auth.SESSION) as it:
        assert (await it.driver.claim(BAD, within_s=5)).power is Power.ON
        it.farm.access.expire_sessions()
        assert (await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)).reply is Reply.ACCEPTED
        assert it.farm.counters["201"] == 2


async def test_a_session_that_does_not_help_is_not_renewed_for_ever() -> None:
    async with site(auth=Auth.SESSION) as it:
        await it.driver.claim(BAD, within_s=5)
        it.plant.node(BAD).bmc.flickers(401, None, 401)
        answer = await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)
        assert (answer.reply, answer.detail) == (Reply.REFUSED, "ForceOff: HTTP 401")


@pytest.mark.parametrize("auth", Auth)
async def test_a_wrong_password_is_refused_and_named_nowhere(auth: Auth) -> None:
    async with site(auth=auth, password="hunter2-hunter2") as it:
        answer = await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)
        assert answer.reply is Reply.REFUSED
        assert "401" in answer.detail
        shown = repr(it.driver) + str(answer) + str(await it.driver.check(BAD, within_s=5))
        assert "hunter2" not in shown


async def test_the_connection_of_a_node_that_claims_off_is_closed() -> None:
    async with site() as it:
        await it.driver.command(BAD, Act.FORCE_OFF, within_s=5)
        assert it.driver.client.kept == 1
        assert (await it.driver.claim(BAD, within_s=5)).power is Power.OFF
        assert it.driver.client.kept == 0


async def test_warm_connections_carry_a_stop_without_a_handshake() -> None:
    async with site(nodes=20, keep_warm=True) as it:
        nodes = list(it.plant.nodes)
        await asyncio.gather(*(it.driver.claim(node, within_s=5) for node in nodes))
        await asyncio.gather(*(it.driver.command(node, Act.FORCE_OFF, within_s=5) for node in nodes))
        claims = await asyncio.gather(*(it.driver.claim(node, within_s=5) for node in nodes))
        assert {claim.power for claim in claims} == {Power.OFF}
        assert it.farm.counters["connections"] == 20
        assert it.driver.client.kept == 20


async def test_idle_connections_are_bounded_and_the_oldest_goes_first() -> None:
    async with site(nodes=6, limits=Limits(kept=3)) as it:
        nodes = list(it.plant.nodes)
        for node in nodes:
            await it.driver.claim(node, within_s=5)
            assert it.driver.client.kept <= 3
        for node in nodes[3:]:
            await it.driver.claim(node, within_s=5)
        assert it.farm.counters["connections"] == 6
        await it.driver.claim(nodes[0], within_s=5)
        assert it.farm.counters["connections"] == 7


async def test_a_bmc_that_restarted_is_reached_on_a_new_connection_in_the_same_call() -> None:
    async with site() as it:
        await it.driver.claim(BAD, within_s=5)
        it.farm.drop_connections(BAD)
        assert (await it.driver.claim(BAD, within_s=5)).power is Power.ON


async def test_bmcs_that_hang_do_not_keep_the_others_waiting() -> None:
    limits = Limits(window=4, lend_after_s=0.2)
    async with site(nodes=16, limits=limits) as it:
        nodes = list(it.plant.nodes)
        for node in nodes[:8]:
            it.plant.node(node).bmc.hangs()
        hanging = [asyncio.ensure_future(it.driver.command(n, Act.FORCE_OFF, within_s=3)) for n in nodes[:8]]
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        good = await asyncio.gather(
            *(it.driver.command(node, Act.FORCE_OFF, within_s=3) for node in nodes[8:])
        )
        took_s = time.monotonic() - begun
        assert {answer.reply for answer in good} == {Reply.ACCEPTED}
        assert took_s < 1.5, "twice the window hangs: two rounds of lending, not two time-outs"
        assert {(await each).reply for each in hanging} == {Reply.TIMED_OUT}


async def test_a_cancelled_call_frees_its_slot_at_once() -> None:
    async with site(limits=Limits(window=1, lend_after_s=60)) as it:
        it.plant.node(BAD).bmc.hangs()
        stuck = asyncio.ensure_future(it.driver.command(BAD, Act.FORCE_OFF, within_s=60))
        await asyncio.sleep(0.1)
        late = await it.driver.command("r01n02", Act.FORCE_OFF, within_s=0.1)
        assert (late.reply, late.detail) == (Reply.TIMED_OUT, "waited 0.1 s for a slot in the window")
        stuck.cancel()
        answer = await it.driver.command("r01n02", Act.FORCE_OFF, within_s=1)
        assert answer.reply is Reply.ACCEPTED
        with pytest.raises(asyncio.CancelledError):
            await stuck


async def test_a_slot_is_not_held_while_a_node_goes_off() -> None:
    async with site(nodes=8, limits=Limits(window=1)) as it:
        for node in it.plant.nodes.values():
            node.bmc.ignores_graceful()
        for name in it.plant.nodes:
            assert (await it.driver.command(name, Act.SOFT_OFF, within_s=1)).reply is Reply.ACCEPTED
            assert (await it.driver.claim(name, within_s=1)).power is Power.ON


async def test_a_closed_driver_reaches_nobody() -> None:
    async with site() as it:
        await it.driver.close()
        assert (await it.driver.claim(BAD, within_s=1)).reply is Reply.UNREACHABLE
        assert it.farm.counters["connections"] == 0
