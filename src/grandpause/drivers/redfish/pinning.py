"""Ask a BMC which key it shows, to be written down as a pin after somebody compared it."""

from __future__ import annotations

import asyncio

from grandpause.drivers.redfish.client import pinning_context
from grandpause.drivers.redfish.connection import Connection
from grandpause.drivers.redfish.http import ResponseReader
from grandpause.drivers.redfish.pins import pin_of_certificate
from grandpause.errors import DeviceRefused, DeviceUnreachable


class _Shown(DeviceRefused):
    """Ends the handshake once the certificate is seen: nothing is sent to a peer that nobody has judged."""

    pin = b""


async def pin_of(host: str, port: int = 443, *, within_s: float) -> bytes:
    """Return the 32-byte pin of the key that answers at ``host``; no request and no credential is sent.

    Whoever sits between us and the BMC can answer too: a pin counts once a person has compared it with
    the BMC's own console or label.

    Raises:
        DeviceUnreachable: no TLS within ``within_s`` seconds.
        DeviceRefused: what it shows is no certificate.
    """

    def look(certificate: bytes) -> None:
        shown = _Shown("seen")
        shown.pin = pin_of_certificate(certificate)
        raise shown

    connection = Connection(pinning_context(), name=None, judge=look)
    try:
        async with asyncio.timeout(within_s):
            await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
            await connection.exchange(b"", ResponseReader(header_limit=1, body_limit=1))
    except _Shown as shown:
        return shown.pin
    except TimeoutError:
        raise DeviceUnreachable(f"no TLS within {within_s:g} s", where=f"{host}:{port}") from None
    except OSError as error:
        raise DeviceUnreachable(
            f"no connection: {error.strerror or error}", where=f"{host}:{port}"
        ) from error
    finally:
        connection.abort()
        await asyncio.sleep(0)
    raise DeviceUnreachable("it let itself be asked without TLS", where=f"{host}:{port}")
