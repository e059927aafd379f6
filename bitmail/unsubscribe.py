"""Leaving a mailing list with one click (RFC 8058): one POST to an address that a stranger chose.

Such an address must not reach what only this server can reach. So its name is resolved once, every answer must be a
public address, and the connection goes to that very address.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import urllib3

from bitmail.catalogue import _
from bitmail.errors import Refused
from bitmail.outward import IPAddress, is_public

TIMEOUT = 10.0
"""Seconds for each step of the request."""
_BODY = b"List-Unsubscribe=One-Click"

Judge = Callable[[IPAddress], bool]


def leave_list(url: str, *, may_reach: Judge = is_public, trust: ssl.SSLContext | None = None) -> None:
    """Tell a mailing list that its reader leaves. Blocks for some seconds at most.

    Args:
        url: of the list, `https`.
        may_reach: which addresses may be connected to.
        trust: whose certificates are believed; the system's when None.

    Raises:
        Refused: it did not work, with a sentence for the person.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    if parts.scheme != "https" or not parts.hostname or not port or parts.username:
        raise Refused(_("This list names no address that can be used. Open its page instead."))
    address = _resolved(parts.hostname, port, may_reach)
    pool = urllib3.HTTPSConnectionPool(
        address,
        port,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
        ssl_context=trust or ssl.create_default_context(),
        timeout=TIMEOUT,
        retries=False,
    )
    target = parts.path or "/"
    headers = {
        "Host": parts.netloc,
        "User-Agent": "BitMail",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    try:
        with pool:
            answer = pool.urlopen(
                "POST",
                f"{target}?{parts.query}" if parts.query else target,
                body=_BODY,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Refused(
            _("{host} could not be reached. Try again later, or open its page.", host=parts.hostname)
        ) from error
    if not 200 <= answer.status < 300:
        raise Refused(
            _(
                "{host} did not accept that (status {status}). Open its page instead.",
                host=parts.hostname,
                status=answer.status,
            )
        )


def _resolved(host: str, port: int, may_reach: Judge) -> str:
    try:
        found = {
            str(answer[4][0]).partition("%")[0]
            for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        }
    except (OSError, UnicodeError) as error:
        raise Refused(_("{host} is not known. The list may be gone.", host=host[:100])) from error
    if not found or not all(may_reach(ipaddress.ip_address(address)) for address in found):
        raise Refused(_("This list names an address inside a private network. It is not contacted."))
    return sorted(found)[0]
