"""Mail put together again from the parts that a provider took it apart into."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from mta.addresses import Address
from mta.email import Attachment, Email
from mta.fields import read_head
from mta.incoming import IncomingMail
from mta.mime import compose

FIELD_NAME = re.compile(r"[!-9;-~]{1,200}")
LINE_BREAKS = re.compile(r"[\r\n]+[ \t]*|\0")
OF_THE_BODY = ("content-", "mime-version")


def rebuilt(fields: Iterable[bytes], text: str, html: str, attachments: Sequence[Attachment]) -> bytes:
    """The mail: the header fields that it came with, but for those of its body, and the parts as MIME.

    Args:
        fields: the fields, without their last line ends.
        text, html: what it says, each perhaps "".
        attachments: its files.
    """
    kept = [field for field in fields if not field.lower().startswith(tuple(map(str.encode, OF_THE_BODY)))]
    unique = hashlib.sha256(b"\0".join((*kept, text.encode(), html.encode()))).hexdigest()[:32]
    body = compose(
        Email(
            sender=Address("", "nobody", "localhost"),
            text=text,
            html=html or None,
            attachments=tuple(attachments),
            message_id=f"<{unique}@localhost>",
            date=datetime.fromtimestamp(0, UTC),
        )
    )
    head = read_head(body)
    own = [field.raw for field in head.fields if field.name.startswith(OF_THE_BODY)]
    return b"\r\n".join((*kept, *own)) + b"\r\n\r\n" + body[head.body_start :]


def header_field(name: object, value: object) -> bytes | None:
    """A header field on one line, or None when this is no name of one."""
    if not (isinstance(name, str) and isinstance(value, str) and FIELD_NAME.fullmatch(name)):
        return None
    return f"{name}: {LINE_BREAKS.sub(' ', value)}".encode("utf-8", "replace")


def mails(
    provider: str, sender: str, recipients: Iterable[str], raw: bytes, at: float
) -> tuple[IncomingMail, ...]:
    """One mail for each recipient; its id is the same each time the same bytes come for the same recipient."""
    found = []
    for recipient in dict.fromkeys(filter(None, (one.strip().strip("<>") for one in recipients))):
        digest = hashlib.sha256(recipient.encode("utf-8", "replace") + b"\0" + raw).hexdigest()
        found.append(IncomingMail(f"{provider}-{digest}", sender, recipient, raw, at))
    return tuple(found)
