"""The simulated SNMP agent's protocol, datagram by datagram: RFC 3416 as far as power units need it."""

from __future__ import annotations

from typing import Any

import pytest
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.api import v2c

from grandpause.sim.snmp import Agent, power_unit_objects

COMMAND = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 4, 1, 5)
STATE = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 3, 1, 5)
WATTS = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 4, 3, 1, 7)


class Unit:
    """Two outlets in memory."""

    outlet_count = 2

    def __init__(self) -> None:
        self.on = {1: True, 2: True}
        self.shown: float | None = 250.0

    def outlet_on(self, outlet: int) -> bool:
        return self.on[outlet]

    def switch(self, outlet: int, *, on: bool) -> None:
        self.on[outlet] = on

    def outlet_watts(self, outlet: int) -> float | None:
        return None if self.shown is None else self.shown * outlet

    def total_watts(self) -> float | None:
        return self.shown


@pytest.fixture
def unit() -> Unit:
    return Unit()


@pytest.fixture
def agent(unit: Unit) -> Agent:
    objects = power_unit_objects(unit, name="u1", up_s=lambda: 12.5)
    return Agent(objects, read_community=b"reads", write_community=b"writes")


def _request(pdu: Any, bindings: list[tuple[Any, Any]], *, community: str, version: int = 1) -> bytes:
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_version(message, version)
    v2c.apiMessage.set_community(message, community)
    api = v2c.apiBulkPDU if isinstance(pdu, v2c.GetBulkRequestPDU) else v2c.apiPDU
    api.set_defaults(pdu)
    api.set_varbinds(pdu, bindings)
    v2c.apiMessage.set_pdu(message, pdu)
    encoded: bytes = encoder.encode(message)
    return encoded


def _answered(data: bytes | None) -> tuple[int, int, list[tuple[tuple[int, ...], Any]]]:
    assert data is not None
    message, rest = decoder.decode(data, asn1Spec=v2c.Message())
    assert not rest
    pdu = v2c.apiMessage.get_pdu(message)
    bindings = [(tuple(name), value) for name, value in v2c.apiPDU.get_varbinds(pdu)]
    status, index = v2c.apiPDU.get_error_status(pdu), v2c.apiPDU.get_error_index(pdu, muteErrors=True)
    return int(status), int(index), bindings


def test_a_walk_gives_every_object_once_in_order_and_ends(agent: Agent) -> None:
    name: tuple[int, ...] = (1, 3)
    walked = []
    while True:
        _, _, [(following, value)] = _answered(
            agent.answer(_request(v2c.GetNextRequestPDU(), [(name, v2c.Null(""))], community="reads"))
        )
        if isinstance(value, rfc1905.EndOfMibView):
            break
        walked.append(following)
        name = following
    assert walked == sorted(set(walked))
    assert len(walked) == 4 + 1 + 3 * 2


def test_a_bulk_request_gives_the_same_as_single_steps(agent: Agent) -> None:
    _, _, bindings = _answered(
        agent.answer(_request(v2c.GetBulkRequestPDU(), [(STATE, v2c.Null(""))], community="reads"))
    )
    assert [name for name, _ in bindings[:4]] == [(*STATE, 1), (*STATE, 2), (*COMMAND, 1), (*COMMAND, 2)]
    assert [int(value) for _, value in bindings[:4]] == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("column", "value", "community", "status"),
    [
        (COMMAND, rfc1902.Integer32(2), "writes", 0),
        (COMMAND, rfc1902.Integer32(2), "reads", 6),
        (COMMAND, rfc1902.Integer32(3), "writes", 10),
        (COMMAND, rfc1902.Integer32(0), "writes", 10),
        (COMMAND, rfc1902.OctetString("2"), "writes", 7),
        (COMMAND, rfc1902.Gauge32(2), "writes", 7),
        (STATE, rfc1902.Integer32(1), "writes", 17),
        (WATTS, rfc1902.Integer32(0), "writes", 17),
    ],
)
def test_a_set_is_granted_for_a_command_only(
    *, column: tuple[int, ...], value: Any, community: str, status: int, agent: Agent, unit: Unit
) -> None:
    answered = _answered(
        agent.answer(_request(v2c.SetRequestPDU(), [((*column, 1), value)], community=community))
    )
    assert answered[:2] == (status, 1 if status else 0)
    assert unit.on == {1: status != 0, 2: True}
    assert agent.sets == {".".join(map(str, (*column, 1))): 1}


def test_a_set_of_two_is_granted_whole_or_not_at_all(agent: Agent, unit: Unit) -> None:
    off = rfc1902.Integer32(2)
    half = [((*COMMAND, 1), off), ((*COMMAND, 3), off)]
    status, index, _ = _answered(agent.answer(_request(v2c.SetRequestPDU(), half, community="writes")))
    assert (status, index) == (17, 2)
    assert unit.on == {1: True, 2: True}
    whole = [((*COMMAND, 1), off), ((*COMMAND, 2), off)]
    assert _answered(agent.answer(_request(v2c.SetRequestPDU(), whole, community="writes")))[0] == 0
    assert unit.on == {1: False, 2: False}


def test_a_missing_value_is_no_such_instance_and_a_huge_one_stays_an_integer(
    agent: Agent, unit: Unit
) -> None:
    asked = _request(v2c.GetRequestPDU(), [((*WATTS, 1), v2c.Null(""))], community="reads")
    unit.shown = None
    assert isinstance(_answered(agent.answer(asked))[2][0][1], rfc1905.NoSuchInstance)
    unit.shown = float("nan")
    assert int(_answered(agent.answer(asked))[2][0][1]) == -(2**31)
    unit.shown = float("inf")
    assert int(_answered(agent.answer(asked))[2][0][1]) == 2**31 - 1


def test_an_answer_that_fits_no_frame_is_too_big(agent: Agent) -> None:
    name = (1, 3, 6, 1, 2, 1, 1, 1, 0)
    asked = _request(v2c.GetRequestPDU(), [(name, v2c.Null(""))] * 40, community="reads")
    assert _answered(agent.answer(asked)) == (1, 0, [])


def test_what_is_no_request_is_dropped_and_counted(agent: Agent) -> None:
    good = _request(v2c.GetRequestPDU(), [((*WATTS, 1), v2c.Null(""))], community="reads")
    bad = [
        b"",
        good[:-1],
        good + b"\x00",
        b"\xff" * 40,
        _request(v2c.GetRequestPDU(), [((*WATTS, 1), v2c.Null(""))], community="guess"),
        _request(v2c.GetRequestPDU(), [((*WATTS, 1), v2c.Null(""))], community="reads", version=0),
        _request(v2c.ResponsePDU(), [((*WATTS, 1), v2c.Null(""))], community="reads"),
    ]
    assert [agent.answer(data) for data in bad] == [None] * len(bad)
    assert (agent.malformed, agent.gets) == (len(bad), 0)
