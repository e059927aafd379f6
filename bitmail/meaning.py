"""What a draft means: the mail that it becomes, what lists show of it, and the mark by which it is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bitmail.accounts import Account
from bitmail.attachments import check_total
from bitmail.catalogue import _, decimal
from bitmail.drafts import Draft, storable
from bitmail.errors import FieldError, Unsendable
from bitmail.retelling import retold
from mta.addresses import Address, parse_address, parse_recipients
from mta.email import Attachment, Email

MOST_RECIPIENTS = 10_000
"""People that one mail may go to."""


def email_of(
    draft: Draft,
    author: Account,
    *,
    date: datetime,
    html: str = "",
    attachments: tuple[Attachment, ...] = (),
    name: str = "",
) -> Email:
    """The mail that a draft means.

    Raises:
        Unsendable: with one reason for each part that cannot be sent.
    """
    errors: list[FieldError] = []
    recipients: dict[str, tuple[Address, ...]] = {}
    for field in ("to", "cc", "bcc", "reply_to"):
        parsed = parse_recipients(storable(getattr(draft, field)))
        recipients[field] = parsed.addresses
        errors += [
            FieldError(field, error.value, f"{error.value}: {retold(error.reason)}")
            for error in parsed.errors
        ]
    answers = recipients.pop("reply_to")
    people = sum(len(addresses) for addresses in recipients.values())
    if not people and not errors:
        errors.append(FieldError("to", "", _("Nobody to send to yet. Type at least one address.")))
    if people > MOST_RECIPIENTS:
        errors.append(
            FieldError(
                "to",
                "",
                _(
                    "{count} recipients are more than one mail may have: {most}.",
                    count=decimal(people),
                    most=decimal(MOST_RECIPIENTS),
                ),
            )
        )
    try:
        check_total((file.name, len(file.content)) for file in attachments)
    except Unsendable as refusal:
        errors += refusal.errors
    if errors:
        raise Unsendable(tuple(errors))
    return Email(
        sender=replace(parse_address(author.address), name=name),
        to=recipients["to"],
        cc=recipients["cc"],
        bcc=recipients["bcc"],
        subject=" ".join(storable(draft.subject).split()),
        text=storable(draft.text),
        html=storable(html) or None,
        reply_to=answers,
        attachments=attachments,
        in_reply_to=draft.in_reply_to,
        references=tuple(draft.references.split()),
        date=date,
    )


def shown(
    to: Iterable[str], cc: Iterable[str], bcc: Iterable[str], subject: str, snippet: str
) -> dict[str, str]:
    """What the lists show of a mail."""
    return {
        "to": ", ".join(to),
        "cc": ", ".join(cc),
        "bcc": ", ".join(bcc),
        "subject": subject,
        "snippet": snippet,
    }


def mark_of(words: Iterable[str], attachments: Iterable[Attachment], raw: bytes = b"") -> str:
    """The same for the same mail, whenever it is composed."""
    digest = hashlib.sha256()
    parts = [word.encode("utf-8", "surrogatepass") for word in words]
    for file in attachments:
        parts += [file.name.encode("utf-8", "surrogatepass"), file.type.encode(), file.content]
    for part in (*parts, raw):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
