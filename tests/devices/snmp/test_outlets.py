"""Switching over the three APC walks of snmpsim-data: what goes over the wire, and what is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pysnmp.proto import rfc1902

from devices.snmp.conftest import APC_WALKS, RPDU, RPDU2, RPDU2_STATE, SPDU
from devices.snmp.wire import (
    READ,
    SET,
    WRITE,
    Asked,
    Shelf,
    SnmpSim,
    agent_with,
    integer,
    read_walk,
    tapped,
    writable,
)
from grandpause.core.model import Act, Power, Reply
from grandpause.drivers.snmp import Community, Identities, Outlet, Peer, SnmpClient, SnmpOutlets
from grandpause.errors import OwnFault, SiteFileError

NUMBERS = range(1, 17)
EATON_OFF = "1.3.6.1.4.1.534.6.6.7.6.6.1.3"
EATON_ON = "1.3.6.1.4.1.534.6.6.7.6.6.1.4"


@dataclass(frozen=True, slots=True)
class Way:
    """One of the three groups of PowerNet-MIB by which APC outlets are switched: off is 2, on is 1."""

    profile: str
    column: str


WAYS = (Way("apc-rpdu2", RPDU2), Way("apc-rpdu", RPDU), Way("apc-spdu", SPDU))


async def _held(client: SnmpClient, peer: Peer, column: str) -> dict[int, int | None]:
    answers = await client.get(peer, [f"{column}.{number}" for number in NUMBERS], within_s=5)
    return {number: answers[f"{column}.{number}"].number for number in NUMBERS}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.profile)
@pytest.mark.parametrize("walk", APC_WALKS)
async def test_an_outlet_is_switched_by_one_set_of_its_own_and_no_other_is_touched(
    walk: str, way: Way, apc_units: SnmpSim, client: SnmpClient, identities: Identities
) -> None:
    community = f"{walk}-{way.profile.removeprefix('apc-')}"
    before = await _held(client, apc_units.peer(community), way.column)
    async with tapped(apc_units.address) as tap:
        peer = tap.peer(community)
        outlets = SnmpOutlets(client, identities, {"n7": [Outlet(peer=peer, number=7)]})

        off = await outlets.command("n7", Act.OUTLET_OFF, within_s=5)
        held_off = await _held(client, apc_units.peer(community), way.column)
        on = await outlets.command("n7", Act.OUTLET_ON, within_s=5)
        held_on = await _held(client, apc_units.peer(community), way.column)
        identity = await identities.of(peer, within_s=5)

    assert identity.switched_by is not None
    assert identity.switched_by.name == way.profile
    assert (off.reply, on.reply) == (Reply.ACCEPTED, Reply.ACCEPTED)
    assert tap.sets == [
        Asked(SET, community, ((f"{way.column}.7", "INTEGER", 2),)),
        Asked(SET, community, ((f"{way.column}.7", "INTEGER", 1),)),
    ]
    assert held_off == {**before, 7: 2}
    assert held_on == {**before, 7: 1}


async def test_an_eaton_outlet_is_switched_by_a_delay_of_zero_in_a_column_of_its_own(
    shared_data: Path, tmp_path: Path, client: SnmpClient, identities: Identities
) -> None:
    walk = read_walk(shared_data / "devices" / "snmp_pdu" / "eatonpdu_2.snmprec")
    for column in (EATON_OFF, EATON_ON):
        walk = writable(walk, column)
    simulator = SnmpSim(tmp_path, {"eaton": walk})
    simulator.start()
    try:
        async with tapped(simulator.address) as tap:
            outlets = SnmpOutlets(client, identities, {"n5": [Outlet(peer=tap.peer("eaton"), number=5)]})
            claim = await outlets.claim("n5", within_s=5)
            off = await outlets.command("n5", Act.OUTLET_OFF, within_s=5)
            on = await outlets.command("n5", Act.OUTLET_ON, within_s=5)
            rows = [f"{column}.0.{number}" for column in (EATON_OFF, EATON_ON) for number in range(1, 25)]
            held = await client.get(simulator.peer("eaton"), rows, within_s=5)
    finally:
        simulator.stop()

    assert claim.power is Power.ON
    assert (off.reply, on.reply) == (Reply.ACCEPTED, Reply.ACCEPTED)
    assert [asked.bindings for asked in tap.sets] == [
        ((f"{EATON_OFF}.0.5", "INTEGER", 0),),
        ((f"{EATON_ON}.0.5", "INTEGER", 0),),
    ]
    assert {row for row in rows if held[row].number != -1} == {f"{EATON_OFF}.0.5", f"{EATON_ON}.0.5"}


async def test_a_node_on_two_units_is_off_only_when_both_outlets_are(
    apc_units: SnmpSim, client: SnmpClient, identities: Identities
) -> None:
    async with tapped(apc_units.address) as left, tapped(apc_units.address) as right:
        fed_by = [
            Outlet(peer=left.peer("apc-8641-spdu"), number=3),
            Outlet(peer=right.peer("apc-8932-spdu"), number=1),
        ]
        outlets = SnmpOutlets(client, identities, {"n1": fed_by})

        assert (await outlets.claim("n1", within_s=5)).power is Power.ON
        await SnmpOutlets(client, identities, {"left": fed_by[:1]}).command(
            "left", Act.OUTLET_OFF, within_s=5
        )
        half = await outlets.claim("n1", within_s=5)
        answer = await outlets.command("n1", Act.OUTLET_OFF, within_s=5)
        whole = await outlets.claim("n1", within_s=5)

    assert half.power is Power.ON
    assert answer.reply is Reply.ACCEPTED
    assert whole.power is Power.OFF
    assert [asked.bindings for asked in left.sets] == [((f"{SPDU}.3", "INTEGER", 2),)] * 2
    assert [asked.bindings for asked in right.sets] == [((f"{SPDU}.1", "INTEGER", 2),)]


async def test_the_status_column_of_rpdu2_counts_the_other_way_round_than_its_commands(
    client: SnmpClient, identities: Identities
) -> None:
    shelf = _rpdu2({1: 1, 2: 2, 3: 7})
    async with agent_with(shelf) as (_, address):
        peer = Peer(address=address, credential=Community(name=WRITE))
        elements = {f"o{number}": [Outlet(peer=peer, number=number)] for number in (1, 2, 3, 4)}
        outlets = SnmpOutlets(client, identities, elements)
        claims = {name: await outlets.claim(name, within_s=2) for name in elements}

    assert [claims[name].power for name in elements] == [Power.OFF, Power.ON, Power.UNKNOWN, Power.UNKNOWN]
    assert "unknown position 7" in claims["o3"].detail
    assert claims["o4"].reply is Reply.REFUSED
    assert "no such outlet" in claims["o4"].detail


async def test_one_unit_out_of_two_that_fails_is_named(client: SnmpClient, identities: Identities) -> None:
    async with agent_with(_rpdu2({1: 2})) as (_, good), agent_with(_rpdu2({1: 2})) as (bad_agent, bad):
        peers = [Peer(address=address, credential=Community(name=WRITE)) for address in (good, bad)]
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1) for peer in peers]})
        await outlets.prepare(within_s=2)

        bad_agent.refuses()
        refused = await outlets.command("n1", Act.OUTLET_OFF, within_s=2)
        bad_agent.hangs()
        hanging = await outlets.command("n1", Act.OUTLET_OFF, within_s=0.3)
        claim = await outlets.claim("n1", within_s=0.3)

    assert refused.reply is Reply.REFUSED
    assert f"{good} outlet 1: accepted" in refused.detail
    assert f"{bad} outlet 1: answered notWritable" in refused.detail
    assert hanging.reply is Reply.TIMED_OUT
    assert f"{bad} outlet 1: no answer in time" in hanging.detail
    assert (claim.power, claim.reply) == (Power.ON, Reply.TIMED_OUT)


async def test_an_unread_outlet_never_makes_a_node_off(client: SnmpClient, identities: Identities) -> None:
    async with agent_with(_rpdu2({1: 1})) as (_, off), agent_with(_rpdu2({1: 1})) as (silent, unread):
        peers = [Peer(address=address, credential=Community(name=READ)) for address in (off, unread)]
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1) for peer in peers]})
        assert (await outlets.claim("n1", within_s=2)).power is Power.OFF
        silent.hangs()
        claim = await outlets.claim("n1", within_s=0.3)

    assert (claim.power, claim.reply) == (Power.UNKNOWN, Reply.TIMED_OUT)


async def test_a_unit_that_was_starting_up_is_asked_again_what_it_is(
    client: SnmpClient, identities: Identities
) -> None:
    shelf = _rpdu2({1: 2})
    state = shelf.values.pop(f"{RPDU2_STATE}.1")
    starting = Shelf({**shelf.values, f"{RPDU2_STATE}.1": None})
    async with agent_with(starting) as (agent, address):
        peer = Peer(address=address, credential=Community(name=WRITE))
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1)]})

        early = await outlets.command("n1", Act.OUTLET_OFF, within_s=2)
        starting.values[f"{RPDU2_STATE}.1"] = state
        later = await outlets.command("n1", Act.OUTLET_OFF, within_s=2)

    assert early.reply is Reply.REFUSED
    assert later.reply is Reply.ACCEPTED
    assert dict(agent.sets) == {f"{RPDU2}.1": 1}


async def test_other_acts_and_other_elements_ask_no_device(
    client: SnmpClient, identities: Identities
) -> None:
    async with agent_with(_rpdu2({1: 2})) as (agent, address):
        peer = Peer(address=address, credential=Community(name=WRITE))
        outlets = SnmpOutlets(client, identities, {"n1": [Outlet(peer=peer, number=1)]})
        answer = await outlets.command("n1", Act.FORCE_OFF, within_s=1)
        with pytest.raises(OwnFault):
            await outlets.command("n2", Act.OUTLET_OFF, within_s=1)
        with pytest.raises(OwnFault):
            await outlets.claim("n2", within_s=1)

    assert answer.reply is Reply.REFUSED
    assert (agent.gets, agent.sets.total()) == (0, 0)


async def test_an_outlet_named_twice_and_an_element_without_outlets_are_refused(
    apc_units: SnmpSim, client: SnmpClient, identities: Identities
) -> None:
    outlet = Outlet(peer=apc_units.peer("apc-8641-spdu"), number=3)
    with pytest.raises(SiteFileError, match=r"n2: .* named a second time, first by n1"):
        SnmpOutlets(client, identities, {"n1": [outlet], "n2": [outlet]})
    with pytest.raises(SiteFileError, match="n1: no outlet"):
        SnmpOutlets(client, identities, {"n1": []})


async def test_preflight_says_what_is_there_and_changes_nothing(
    client: SnmpClient, identities: Identities
) -> None:
    async with agent_with(_rpdu2({1: 2})) as (agent, address):
        peer = Peer(address=address, credential=Community(name=WRITE))
        elements = {f"o{number}": [Outlet(peer=peer, number=number)] for number in (1, 9)}
        outlets = SnmpOutlets(client, identities, elements)
        good = await outlets.check("o1", within_s=2)
        missing = await outlets.check("o9", within_s=2)

    assert [finding.level for finding in good] == ["ok", "ok", "ok"]
    assert [finding.level for finding in missing] == ["ok", "ok", "fail"]
    assert "no such outlet" in missing[-1].message
    assert missing[-1].mend
    assert agent.sets.total() == 0


def _rpdu2(states: dict[int, int]) -> Shelf:
    values: dict[str, object] = {
        "1.3.6.1.2.1.1.1.0": rfc1902.OctetString("a rack power unit"),
        "1.3.6.1.2.1.1.2.0": rfc1902.ObjectIdentifier((1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6)),
    }
    for number, state in states.items():
        values[f"{RPDU2_STATE}.{number}"] = integer(state)
        values[f"{RPDU2}.{number}"] = integer(1)
    return Shelf(values)
