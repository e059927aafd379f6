"""Names of hosts in the configuration."""

from __future__ import annotations

import ipaddress
import re

HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")


def is_host(host: str) -> bool:
    """Whether it can be a name or IP address."""
    return _is_ip(host) or (HOST.fullmatch(host) is not None and ".." not in host)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether what is sent there does not leave this machine."""
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
