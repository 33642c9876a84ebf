"""Announces the Wyoming server on the local network by zeroconf (multicast DNS), where Home Assistant looks for it."""

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zeroconf import Error
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from app.gateway.errors import CannotAnnounceError

SERVICE_TYPE = "_wyoming._tcp.local."
#: Of multicast DNS; the kernel chooses the interface for it.
_GROUP = ("224.0.0.251", 5353)
#: Of a label in a name of DNS.
_MAX_NAME_BYTES = 63


@asynccontextmanager
async def announced(name: str, host: str, port: int) -> AsyncIterator[str]:
    """Announce the service while the block runs, and take it back at the end; yields the address that others see.

    Args:
        name: shown to people; "" for the host's name.
        host: that the server listens on; for all addresses, the one that reaches the local network is announced.
        port: that the server listens on.

    Raises:
        CannotAnnounceError: there is no network, or the name is too long.
    """
    name = name or f"Chorus on {socket.gethostname()}"
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise CannotAnnounceError(f"--zeroconf {name!r} is longer than {_MAX_NAME_BYTES} bytes; choose a shorter name")
    address = reachable_address(host)
    info = AsyncServiceInfo(
        SERVICE_TYPE, f"{name.replace('.', '-')}.{SERVICE_TYPE}", port=port, addresses=[address.packed],
        server=f"{socket.gethostname().partition('.')[0]}-chorus.local.",
    )  # fmt: skip
    try:
        network = AsyncZeroconf(interfaces=[str(address)])
        # The next name that is free, if two servers of the network have the same.
        await network.async_register_service(info, allow_name_change=True)
    except (OSError, Error) as error:
        raise CannotAnnounceError(f"zeroconf cannot announce {name!r} on {address}: {error or type(error).__name__}") from error
    try:
        yield str(address)
    finally:
        await network.async_unregister_service(info)
        await network.async_close()


def reachable_address(host: str) -> ipaddress.IPv4Address:
    """Return the IPv4 address that the local network reaches a server on `host` by.

    Raises:
        CannotAnnounceError: there is none.
    """
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0] if host != "::" else "0.0.0.0"
        if str(found) == "0.0.0.0":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                # Sends nothing.
                probe.connect(_GROUP)
                found = probe.getsockname()[0]
    except OSError as error:
        raise CannotAnnounceError(f"--zeroconf needs an IPv4 network, and {host} has none ({error})") from error
    address = ipaddress.IPv4Address(found)
    if address.is_loopback:
        raise CannotAnnounceError(f"--zeroconf is for other machines, which cannot reach {host}; set --uri tcp://0.0.0.0:10200")
    return address
