"""Outward: connections to places that strangers name, which have to be in the open net.

A name is looked up once, and what is connected to is the very address that was looked at; so a name that leads to
another place the next time leads nowhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that IANA gave out for the open net; addresses that carry one of IPv4 are elsewhere, but for 6to4."""
SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
TRIES = 3
"""Addresses of one name that are tried."""
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class NotOutside(Exception):
    """A place is not in the open net."""


def is_public(address: IPAddress) -> bool:
    """Whether an address is in the open net: no private, link-local, loopback, multicast or reserved one, and none
    that carries another in it but as one of IPv4 written as IPv6.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in GLOBAL_UNICAST or address in SIX_TO_FOUR or address.scope_id:
            return False
    return address.is_global and not address.is_multicast


def looked_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host; blocks.

    Raises:
        OSError: there are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outward(httpcore.AsyncNetworkBackend):
    """Connects where it may."""

    def __init__(self, allowed: Callable[[IPAddress], bool], resolve: Resolve = looked_up) -> None:
        """
        Args:
            allowed: whether an IP address may be connected to.
            resolve: finds the addresses of a host and port.
        """
        self._allowed = allowed
        self._resolve = resolve
        self._below = httpcore.AnyIOBackend()
        # On their own: a name server that does not answer keeps nobody else waiting.
        self._names = ThreadPoolExecutor(4, "names")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that may be connected to, and answers.

        Raises:
            NotOutside: none of its addresses may be connected to.
            httpcore.ConnectError, httpcore.ConnectTimeout: it has none, or none answers.
        """
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._names, self._resolve, host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = [address for address in found if self._allowed(ipaddress.ip_address(address))][:TRIES]
        if not addresses:
            raise NotOutside(host)
        for address in addresses[:-1]:
            try:
                return await self._below.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._below.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Look nothing up any more."""
        self._names.shutdown(wait=False, cancel_futures=True)
