"""One connection to one BMC: TCP, TLS, who it is, and one request at a time.

TLS runs over ``ssl.MemoryBIO`` instead of the event loop's own TLS transport: the peer can be judged
before a single byte of a request leaves, and a kept connection costs 20 to 23 KB instead of the loop's
buffers of 256 KiB (docs/adr/0003).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from grandpause.drivers.redfish.http import BadResponse, Response, ResponseReader
from grandpause.errors import DeviceError, DeviceRefused, DeviceUnreachable

_READ = 16_384
"""A TLS record's most (RFC 8446, part 5.1)."""

_SLICE = 4_096
"""A MemoryBIO never shrinks: it is filled in slices, so that a kept connection does not keep the size of
its largest response (38 KB for a DGX)."""

Judge = Callable[[bytes], None]
"""Given the peer's DER certificate; raises DeviceRefused if it is not who it should be."""


class Connection(asyncio.Protocol):
    """A byte stream that takes one request at a time.

    A request may be given before the handshake is done: it leaves once the peer is judged, never before.
    """

    __slots__ = (
        "_fault",
        "_finished",
        "_incoming",
        "_judge",
        "_outgoing",
        "_pending",
        "_reader",
        "_ready",
        "_tls",
        "_transport",
        "_waiter",
    )

    def __init__(self, context: ssl.SSLContext | None, *, name: str | None, judge: Judge | None) -> None:
        """Prepare a connection; ``context`` None means no TLS, ``name`` is what the certificate must say."""
        self._transport: asyncio.Transport | None = None
        self._judge = judge
        self._ready = context is None
        self._finished = False
        self._pending = b""
        self._reader: ResponseReader | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._tls: ssl.SSLObject | None = None
        self._fault: DeviceError | None = None
        if context is not None:
            self._incoming = ssl.MemoryBIO()
            self._outgoing = ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    @property
    def usable(self) -> bool:
        """Open, and no request under way."""
        return not self._finished and self._waiter is None

    @property
    def unanswered(self) -> bool:
        """Tell whether the last request brought not even a first byte."""
        return self._reader is not None and not self._reader.begun

    async def exchange(self, request: bytes, reader: ResponseReader) -> Response:
        """Send one request and return its response.

        Cancelled, it closes the connection: a response that comes late must not be taken for the next one.

        Raises:
            DeviceRefused: the peer is not who it should be; nothing was sent.
            DeviceUnreachable: TLS failed, or the connection ended, or what came is no response.
        """
        if self._finished:
            raise self._fault or BadResponse("closed without an answer")
        self._reader = reader
        self._waiter = asyncio.get_running_loop().create_future()
        if self._ready:
            self._write(request)
        else:
            self._pending = request
        try:
            response = await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
        self._reader = None
        if not response.reusable:
            self.close()
        return response

    def close(self) -> None:
        """Say goodbye and close. Does nothing the second time."""
        if self._finished:
            return
        self._finished = True
        if self._transport is None:
            return
        if self._tls is not None and self._ready:
            with suppress(ssl.SSLError):  # it wants the peer's goodbye, for which nobody waits
                self._tls.unwrap()
            self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once, without goodbye."""
        self._finished = True
        if self._transport is not None:
            self._transport.abort()

    # What follows is called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        if self._finished:
            self._transport.abort()
        elif self._tls is not None:
            self._shake_hands()
        elif self._pending:
            self._write(self._pending)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the wire."""
        for begin in range(0, len(data), _SLICE):
            self._take(data[begin : begin + _SLICE])

    def eof_received(self) -> bool:
        """Take the end of the stream; a body without framing is complete by it."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(f"connection lost: {exc}" if exc else "")
        self._transport = None
        if self._tls is not None:  # a kept connection that its BMC closed may lie here for long
            self._tls = None
            del self._incoming, self._outgoing

    def _take(self, data: bytes) -> None:
        if self._finished:
            return
        if self._tls is None:
            self._deliver(data)
            return
        self._incoming.write(data)
        if not self._ready:
            self._shake_hands()
        if self._ready:
            self._decrypt()

    def _shake_hands(self) -> None:
        tls = cast("ssl.SSLObject", self._tls)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLCertVerificationError as error:
            self._flush()
            self._fail(DeviceRefused(f"certificate not accepted: {error.verify_message}"))
            return
        except ssl.SSLError as error:
            self._flush()
            self._fail(DeviceUnreachable(f"TLS failed: {error.reason or error}"))
            return
        try:
            if self._judge is not None:
                self._judge(tls.getpeercert(binary_form=True) or b"")
        except DeviceRefused as error:
            self._fail(error)
            return
        self._judge = None
        self._ready = True
        if self._pending:
            self._write(self._pending)
            self._pending = b""
        else:
            self._flush()

    def _decrypt(self) -> None:
        tls = cast("ssl.SSLObject", self._tls)
        while not self._finished:
            try:
                plain = tls.read(_READ)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                plain = b""
            except ssl.SSLError as error:
                self._fail(DeviceUnreachable(f"TLS failed: {error.reason or error}"))
                return
            if not plain:
                self._end()
                return
            self._deliver(plain)
            if not self._incoming.pending and not tls.pending():
                break
        if self._outgoing.pending and not self._finished:
            self._flush()

    def _deliver(self, plain: bytes) -> None:
        reader, waiter = self._reader, self._waiter
        if reader is None or waiter is None or waiter.done():
            self.abort()  # bytes that nobody asked for: the next response could not be told from them
            return
        try:
            response = reader.feed(plain)
        except BadResponse as error:
            self._fail(error)
            return
        if response is not None:
            waiter.set_result(response)

    def _end(self, why: str = "") -> None:
        reader, waiter = self._reader, self._waiter
        if reader is not None and waiter is not None and not waiter.done():
            try:
                waiter.set_result(reader.feed_end())
            except BadResponse as error:
                waiter.set_exception(BadResponse(why) if why else error)
        self.abort()

    def _fail(self, error: DeviceError) -> None:
        self._fault = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()

    def _write(self, request: bytes) -> None:
        if self._transport is None:
            self._pending = request
        elif self._tls is None:
            self._transport.write(request)
        else:
            try:
                self._tls.write(request)
            except ssl.SSLError as error:
                self._fail(DeviceUnreachable(f"TLS failed: {error.reason or error}"))
                return
            self._flush()

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing.pending:
            self._transport.write(self._outgoing.read())
