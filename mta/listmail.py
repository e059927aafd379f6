"""What a mailing list says about itself: how to leave it (RFC 2369, RFC 8058)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mta.fields import Head

LIMIT = 4000
"""Characters of the field that are looked at."""
_URI = re.compile(r"<\s*([^<>\s]{1,1000})\s*>")
_ONE_CLICK = re.compile(r"list-unsubscribe\s*=\s*one-click", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The ways to leave a list.

    Attributes:
        post: an `https` address that takes one POST and asks nothing more (RFC 8058), or "".
        page: an `http` or `https` address to open, or "".
        mail: a `mailto:` address to write to, or "".
    """

    post: str = ""
    page: str = ""
    mail: str = ""

    def __bool__(self) -> bool:
        return bool(self.post or self.page or self.mail)


NO_WAY = Unsubscribe()
"""Of a mail that names no way to leave."""


def read_unsubscribe(head: Head) -> Unsubscribe:
    """The ways to leave that the head of a mail names; none of them is certain to be honest."""
    page = mail = post = ""
    for uri in _URI.findall(head.get("list-unsubscribe")[:LIMIT]):
        scheme = uri.partition(":")[0].lower()
        if scheme in ("http", "https"):
            page = page or uri
        if scheme == "https":
            post = post or uri
        if scheme == "mailto":
            mail = mail or uri
    is_one_click = _ONE_CLICK.search(head.get("list-unsubscribe-post")[:LIMIT]) is not None
    return Unsubscribe(post if is_one_click else "", page, mail)
