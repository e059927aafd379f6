"""A mail as SES wants it: in 7 bits, and nothing said twice."""

from __future__ import annotations

from mta.fields import read_head
from mta.sevenbit import seven_bit

ONCE = frozenset(
    """accept-language acceptlanguage archived-at auto-submitted bounces-to comments content-alternative content-base
    content-class content-description content-disposition content-duration content-id content-language content-length
    content-location content-md5 content-transfer-encoding content-type date delivered-to
    disposition-notification-options disposition-notification-to dkim-signature domainkey-signature errors-to from
    importance in-reply-to keywords list-archive list-help list-id list-owner list-post list-subscribe
    list-unsubscribe list-unsubscribe-post message-context message-id mime-version organization original-from
    original-message-id original-recipient original-subject precedence priority references reply-to return-path
    return-receipt-to sender solicitation sensitivity subject thread-index thread-topic user-agent vbr-info""".split()  # noqa: SIM905 - one a line would be a page
)
"""https://docs.aws.amazon.com/ses/latest/dg/header-fields.html: a mail with one of these twice is refused."""
JOINED = frozenset(["from", "reply-to"])
"""Fields of addresses: said twice they mean all of them."""


def mail_as_ses_wants_it(raw: bytes) -> bytes:
    """The mail; to the byte where nothing is wrong with it.

    Raises:
        NotSevenBit: it cannot be written in 7 bits.
    """
    return seven_bit(_without_repetition(raw))


def _without_repetition(raw: bytes) -> bytes:
    """The mail with each field that SES wants once standing there once: the first, or all addresses in one."""
    head = read_head(raw)
    names = [item.name for item in head.fields if item.name in ONCE]
    if len(names) == len(set(names)):
        return raw
    fields: dict[str, bytes] = {}
    for number, item in enumerate(head.fields):
        if item.name not in ONCE:
            fields[f"{number}"] = item.raw
        elif item.name not in fields:
            fields[item.name] = item.raw
        elif item.name in JOINED:
            fields[item.name] += b",\r\n " + item.raw.partition(b":")[2].strip()
    return b"".join(field + b"\r\n" for field in fields.values()) + b"\r\n" + raw[head.body_start :]
