"""Pictures inside a rich text: written as data by the editor, sent as parts of the mail."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from mta.email import Attachment

PICTURE_LIMIT = 500_000
"""Octets of a picture that is pasted into the text; a larger one is attached beside it."""
_DATA = re.compile(r'(?<=src=")data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/=\s]{1,2000000})(?=")')


def as_parts(html: str) -> tuple[str, tuple[Attachment, ...]]:
    """The text with a `cid:` address in the place of each picture's data (RFC 2392), and the pictures.

    What is no picture stays as it is; the same picture twice is one part. The same text gives the same addresses.
    """
    found: dict[str, Attachment] = {}

    def part(match: re.Match[str]) -> str:
        try:
            content = base64.b64decode(re.sub(r"\s", "", match[2]), validate=True)
        except binascii.Error:
            return match[0]
        kind = match[1]
        content_id = f"{hashlib.sha256(content).hexdigest()[:32]}@picture"
        name = f"picture-{len(found) + 1}.{kind.partition('/')[2].replace('jpeg', 'jpg')}"
        found.setdefault(content_id, Attachment(name, kind, content, content_id))
        return f"cid:{content_id}"

    return _DATA.sub(part, html), tuple(found.values())
