"""The host's clock beside the time of the network (SNTP, RFC 4330)."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable

EPOCH = 2_208_988_800
"""Seconds from 1900, which SNTP counts from, to 1970."""
SECONDS = 3.0


def offset(server: str, port: int = 123, clock: Callable[[], float] = time.time) -> float:
    """By how many seconds this host's clock is ahead of a time server's.

    Args:
        server: name or address.
        port: of UDP.
        clock: this host's.

    Raises:
        OSError: no answer that counts, within `SECONDS`.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as asking:
        asking.settimeout(SECONDS)
        cookie = secrets.token_bytes(8)  # comes back, so that an answer of somebody else's is none
        sent = clock()
        asking.sendto(struct.pack("!B39x8s", 0x23, cookie), address)
        answer, _ = asking.recvfrom(512)
        received = clock()
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[24:32] != cookie or not 0 < answer[1] < 16:
        raise OSError(f"{server} gave no time")
    theirs = (_seconds(answer[32:40]) + _seconds(answer[40:48])) / 2
    return (sent + received) / 2 - theirs


def _seconds(stamp: bytes) -> float:
    whole: int
    whole, fraction = struct.unpack("!II", stamp)
    return whole - EPOCH + float(fraction) / 2.0**32
