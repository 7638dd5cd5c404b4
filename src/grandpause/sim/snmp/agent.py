"""One simulated SNMP v2c agent: GET, GETNEXT, GETBULK and SET over a given set of objects, and its moods."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, cast

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pysnmp.proto import rfc1905
from pysnmp.proto.api import v2c

from grandpause.sim.snmp.objects import ManagedObject, ObjectId, Objects

MOST_REPETITIONS = 50
VERSION_2C = 1

TOO_BIG = 1
NO_ACCESS = 6
NOT_WRITABLE = 17
"""RFC 3416, section 3: error-status."""

MOST_RESPONSE_BYTES = 1472
"""What an Ethernet frame carries; a larger answer is refused as tooBig, as small cards do."""


class Manner(StrEnum):
    """How the agent behaves."""

    WELL = "well"
    HANGS = "hangs"
    REFUSES = "refuses"


class Agent(asyncio.DatagramProtocol):
    """An agent on one socket. Reading takes either community; writing takes the write community.

    Attributes:
        sets: every SET that was asked for, by object, whether it was granted or not.
        gets: requests that read.
        malformed: datagrams that were no SNMP v2c request, or came with an unknown community.
    """

    def __init__(self, objects: Objects, *, read_community: bytes, write_community: bytes) -> None:
        self.sets: Counter[str] = Counter()
        self.gets = 0
        self.malformed = 0
        self._objects = objects
        self._order = sorted(objects)
        self._read_community = read_community
        self._write_community = write_community
        self._manner = Manner.WELL
        self._transport: asyncio.DatagramTransport | None = None

    def hangs(self) -> None:
        """Take every request, do nothing and never answer."""
        self._manner = Manner.HANGS

    def refuses(self) -> None:
        """Refuse every SET as notWritable; reading works."""
        self._manner = Manner.REFUSES

    def recovers(self) -> None:
        """End every fault."""
        self._manner = Manner.WELL

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one request; anything that is no request is dropped, as agents do."""
        if self._manner is Manner.HANGS:
            return
        answer = self.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def answer(self, data: bytes) -> bytes | None:
        """Return the response to one datagram; None for what is dropped."""
        try:
            message, rest = decoder.decode(data, asn1Spec=v2c.Message())
        except PyAsn1Error:
            self.malformed += 1
            return None
        community = bytes(v2c.apiMessage.get_community(message))
        known = community in (self._read_community, self._write_community)
        if rest or not known or int(v2c.apiMessage.get_version(message)) != VERSION_2C:
            self.malformed += 1
            return None
        asked = v2c.apiMessage.get_pdu(message)
        act = self._acts().get(asked.tagSet)
        if act is None:
            self.malformed += 1
            return None
        response = v2c.apiMessage.get_response(message)
        reply = v2c.apiMessage.get_pdu(response)
        status, index, bindings = act(asked, may_write=community == self._write_community)
        self._fill(reply, status, index, bindings)
        encoded: bytes = encoder.encode(response)
        if len(encoded) > MOST_RESPONSE_BYTES:
            self._fill(reply, TOO_BIG, 0, [])
            encoded = encoder.encode(response)
        return encoded

    def _acts(self) -> dict[Any, Callable[..., tuple[int, int, list[tuple[Any, Any]]]]]:
        return {
            v2c.GetRequestPDU.tagSet: self._get,
            v2c.GetNextRequestPDU.tagSet: self._get_next,
            v2c.GetBulkRequestPDU.tagSet: self._get_bulk,
            v2c.SetRequestPDU.tagSet: self._set,
        }

    @staticmethod
    def _fill(reply: Any, status: int, index: int, bindings: list[tuple[Any, Any]]) -> None:
        v2c.apiPDU.set_varbinds(reply, bindings)
        v2c.apiPDU.set_error_status(reply, status)
        v2c.apiPDU.set_error_index(reply, index)

    def _get(self, asked: Any, *, may_write: bool) -> tuple[int, int, list[tuple[Any, Any]]]:
        del may_write
        self.gets += 1
        return 0, 0, [(name, self._value(tuple(name))) for name, _ in v2c.apiPDU.get_varbinds(asked)]

    def _get_next(self, asked: Any, *, may_write: bool) -> tuple[int, int, list[tuple[Any, Any]]]:
        del may_write
        self.gets += 1
        return 0, 0, [self._after(tuple(name)) for name, _ in v2c.apiPDU.get_varbinds(asked)]

    def _get_bulk(self, asked: Any, *, may_write: bool) -> tuple[int, int, list[tuple[Any, Any]]]:
        del may_write
        self.gets += 1
        names = [tuple(name) for name, _ in v2c.apiBulkPDU.get_varbinds(asked)]
        once = max(0, int(v2c.apiBulkPDU.get_non_repeaters(asked)))
        times = min(max(0, int(v2c.apiBulkPDU.get_max_repetitions(asked))), MOST_REPETITIONS)
        found = [self._after(name) for name in names[:once]]
        for _ in range(times):
            row = [self._after(name) for name in names[once:]]
            found += row
            names[once:] = [tuple(name) for name, _ in row]
        return 0, 0, found

    def _set(self, asked: Any, *, may_write: bool) -> tuple[int, int, list[tuple[Any, Any]]]:
        """Check every value, then write all of them: RFC 3416, 4.2.5."""
        bindings = list(v2c.apiPDU.get_varbinds(asked))
        for name, _ in bindings:
            self.sets[".".join(str(arc) for arc in tuple(name))] += 1
        granted: list[tuple[ManagedObject, Any]] = []
        for index, (name, value) in enumerate(bindings, 1):
            target = self._objects.get(tuple(name))
            if not may_write:
                return NO_ACCESS, index, bindings
            if target is None or target.check is None or self._manner is Manner.REFUSES:
                return NOT_WRITABLE, index, bindings
            if status := target.check(value):
                return status, index, bindings
            granted.append((target, value))
        for target, value in granted:
            if target.write is not None:
                target.write(value)
        return 0, 0, bindings

    def _value(self, name: ObjectId) -> Any:
        target = self._objects.get(name)
        value = None if target is None else target.read()
        return rfc1905.noSuchInstance if value is None else value

    def _after(self, name: ObjectId) -> tuple[Any, Any]:
        """Return the next object that has a value, with it; the name itself and endOfMibView at the end."""
        for following in self._order[bisect_right(self._order, name) :]:
            value = self._objects[following].read()
            if value is not None:
                return v2c.ObjectIdentifier(following), value
        return v2c.ObjectIdentifier(name), rfc1905.endOfMibView
