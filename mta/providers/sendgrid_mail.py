"""A mail as SendGrid's JSON: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from mta.addresses import BadAddress, parse_address
from mta.charsets import decode
from mta.email import Attachment
from mta.headers import encoded_words
from mta.parsed import Mailbox, ParsedMail, parse
from mta.providers.base import DELIVERY_TAG, Outgoing
from mta.tree import Entity

NO_SUBJECT = "(no subject)"
"""SendGrid refuses a mail without one."""
NO_TEXT = " "
"""Nor may a text be empty."""
OWN = frozenset(
    """x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding to from subject reply-to cc bcc
    mime-version date return-path sender content-disposition content-id delivered-to""".split()  # noqa: SIM905 - one a line would be long
)
"""Fields that SendGrid writes itself: it refuses them, or they would stand there twice."""

Json = dict[str, Any]


def mail_as_json(tree: Entity, message: Outgoing) -> Json:
    """The request for one delivery.

    Args:
        tree: the mail.
        message: the delivery of that mail.
    """
    parsed = parse(message.raw)
    mail: Json = {
        "personalizations": [
            {
                "to": [_recipient(parsed, message.recipient)],
                "custom_args": {DELIVERY_TAG: message.delivery_id},
            }
        ],
        "from": _mailbox(parsed.sender) if parsed.sender else {"email": message.sender},
        "subject": parsed.subject or NO_SUBJECT,
        "content": list(_contents(tree, parsed)),
    }
    if files := [_file(entity) for entity in tree.walk() if _is_attached(tree, entity)]:
        mail["attachments"] = files
    replies = {box.email.lower(): _mailbox(box) for box in parsed.reply_to if box.address}
    if replies:
        mail["reply_to_list"] = list(replies.values())
    if headers := {
        field.raw.partition(b":")[0].decode("ascii").strip(): _in_ascii(field.value)
        for field in reversed(tree.head.fields)
        if field.name not in OWN and field.value
    }:
        mail["headers"] = headers
    return mail


def encoded_size(mail: Json) -> int:
    """The bytes of text and files, as they count against SendGrid's limit."""
    texts = sum(len(content["value"].encode()) for content in mail["content"])
    return texts + sum(len(file["content"]) for file in mail.get("attachments", ()))


def _in_ascii(value: str) -> str:
    return value if value.isascii() else " ".join(encoded_words(value))


def _recipient(parsed: ParsedMail, email: str) -> Json:
    """The recipient with the name that the mail gives them."""
    try:
        key = parse_address(email).key
    except BadAddress:
        return {"email": email}
    for box in (*parsed.to, *parsed.cc):
        if box.name and box.address is not None and box.address.key == key:
            return {"email": email, "name": box.name}
    return {"email": email}


def _mailbox(box: Mailbox) -> Json:
    address = box.address
    named = {"email": address.email if address else box.email}
    return {**named, "name": box.name} if box.name else named


def _contents(tree: Entity, parsed: ParsedMail) -> Iterator[Json]:
    """The text, then the HTML, then what else says the same."""
    shown = [entity for entity in tree.walk() if not entity.parts and not entity.is_file]
    if parsed.html is None or any(entity.kind != "text/html" for entity in shown):
        yield {"type": "text/plain", "value": parsed.text or NO_TEXT}
    if parsed.html is not None:
        yield {"type": "text/html", "value": parsed.html or NO_TEXT}
    for entity in _other_forms(tree):
        text = decode(entity.content, entity.details.get("charset", ""))
        method = f"; method={entity.details['method']}" if "method" in entity.details else ""
        yield {"type": entity.kind + method, "value": text or NO_TEXT}


def _other_forms(tree: Entity) -> Iterator[Entity]:
    """Alternatives that are neither plain text nor HTML, such as an invitation."""
    for entity in tree.walk():
        if entity.kind == "multipart/alternative":
            yield from (part for part in entity.parts if part.is_file and part.kind.startswith("text/"))


def _is_attached(tree: Entity, entity: Entity) -> bool:
    return entity.is_file and not any(entity is other for other in _other_forms(tree))


def _file(entity: Entity) -> Json:
    file = Attachment(entity.file_name, entity.kind, entity.content, entity.head.get("content-id"))
    known = {
        "content": base64.b64encode(file.content).decode(),
        "type": file.type,
        "filename": file.name,
        "disposition": "inline" if file.content_id else "attachment",
    }
    return {**known, "content_id": file.content_id} if file.content_id else known
