"""Replies: new drafts made from a mail that was received or sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from bitmail.catalogue import _, moment
from bitmail.drafts import LINE_LIMIT, SUBJECT_LIMIT, TEXT_LIMIT, Draft
from mta.email import Attachment
from mta.parsed import Mailbox, ParsedMail

QUOTED_LIMIT = TEXT_LIMIT // 2
"""Characters of a mail that an answer quotes."""
_ANSWERED = re.compile(r"(?:re|sv|aw|antw|vs|ref)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_FORWARDED = re.compile(r"(?:fwd?|vs|wg|tr|vb)\s*:", re.IGNORECASE)


class Answer(StrEnum):
    """How a mail is gone on from."""

    REPLY = "reply"
    REPLY_ALL = "reply_all"
    FORWARD = "forward"
    EDIT_AS_NEW = "edit"


@dataclass(frozen=True, slots=True)
class Beginning:
    """A draft to be gone on with, and the files that it begins with."""

    draft: Draft
    files: tuple[Attachment, ...] = ()


def reply(mail: ParsedMail, key: str, own: str, zone: ZoneInfo, *, to_all: bool = False) -> Beginning:
    """Answer a mail.

    Args:
        mail: what is answered.
        key: the new draft's key.
        own: the address of whoever answers, who is not written to.
        zone: in which the quotation tells when the mail was written.
        to_all: whether to answer everyone that the mail was written to.

    Returns:
        A draft to those whom its author wants answers sent to (RFC 5322, 3.6.2 and 3.6.4), which quotes it.
    """
    is_own = mail.sender is not None and _same(mail.sender.email, own)
    main = mail.to if is_own else mail.reply_to or ((mail.sender,) if mail.sender else ())
    others = (*(() if is_own else mail.to), *mail.cc) if to_all else ()
    seen = {own.casefold()}
    to = _line(main, seen) or _line(main, set())
    subject = mail.subject if _ANSWERED.match(mail.subject) else f"Re: {mail.subject}"
    return Beginning(
        Draft(
            key,
            to=to,
            cc=_line(others, seen),
            subject=subject[:SUBJECT_LIMIT],
            text=f"\n\n{_attribution(mail, zone)}\n{_quoted(mail.text)}",
            in_reply_to=mail.message_id,
            references=_references(mail),
        )
    )


def forward(mail: ParsedMail, key: str, zone: ZoneInfo) -> Beginning:
    """Hand a mail on, with its files."""
    subject = mail.subject if _FORWARDED.match(mail.subject) else f"Fwd: {mail.subject}"
    head = [
        "---------- Forwarded message ----------",
        f"From: {_written((mail.sender,) if mail.sender else ())}",
        *([f"Date: {mail.date.astimezone(zone):%Y-%m-%d %H:%M}"] if mail.date else []),
        f"Subject: {mail.subject}",
        *([f"To: {_written(mail.to)}"] if mail.to else []),
        *([f"Cc: {_written(mail.cc)}"] if mail.cc else []),
    ]
    text = "\n\n" + "\n".join(head) + "\n\n" + mail.text[:QUOTED_LIMIT]
    draft = Draft(key, subject=subject[:SUBJECT_LIMIT], text=text, references=_references(mail))
    return Beginning(draft, _as_files(mail.attachments))


def edit_as_new(mail: ParsedMail, key: str, bcc: str = "") -> Beginning:
    """Write the same mail once more, to change it; `bcc` is what only its author's copy tells."""
    return Beginning(
        Draft(
            key,
            to=_line(mail.to, set()),
            cc=_line(mail.cc, set()),
            bcc=bcc,
            reply_to=_line(mail.reply_to, set()),
            subject=mail.subject[:SUBJECT_LIMIT],
            text=mail.text[:TEXT_LIMIT],
            in_reply_to=mail.in_reply_to,
            references=" ".join(mail.references),
        ),
        _as_files(mail.attachments),
    )


def from_mailto(link: str, key: str) -> Draft | None:
    """The draft that a `mailto:` link asks for (RFC 6068), or None when it is none.

    Only what a person sees before sending is taken from it: no Bcc, no other header, no file.
    """
    scheme, _, rest = link.partition(":")
    if scheme.strip().lower() != "mailto":
        return None
    address, _, query = rest.partition("?")
    query = urlsplit(f"?{query}").query.replace("+", "%2B")
    try:
        fields = [(name.lower(), value) for name, value in parse_qsl(query, max_num_fields=100)]
    except ValueError:
        fields = []
    to = [unquote(address)] if address else []
    to += [value for name, value in fields if name == "to"]
    cc = [value for name, value in fields if name == "cc"]
    words = {name: value for name, value in fields if name in ("subject", "body")}
    return Draft(
        key,
        to="\n".join(to)[:LINE_LIMIT],
        cc="\n".join(cc)[:LINE_LIMIT],
        subject=" ".join(words.get("subject", "").split())[:SUBJECT_LIMIT],
        text=words.get("body", "").replace("\r\n", "\n")[:TEXT_LIMIT],
    )


def _references(mail: ParsedMail) -> str:
    """Its references and its id; of a mail without references those it answers (RFC 5322, 3.6.4)."""
    before = mail.references or ((mail.in_reply_to,) if mail.in_reply_to else ())
    return " ".join((*before, *([mail.message_id] if mail.message_id else [])))


def _line(people: Iterable[Mailbox], seen: set[str]) -> str:
    """One address a line, each once, none of those seen; what is no address stays as it came, to be corrected."""
    lines = []
    for person in people:
        if person.email.casefold() in seen:
            continue
        seen.add(person.email.casefold())
        lines.append(person.address.header if person.address else f"{person.name} <{person.email}>")
    return "\n".join(lines)[:LINE_LIMIT]


def _written(people: Iterable[Mailbox]) -> str:
    return ", ".join(
        f"{person.name} <{person.email}>" if person.name and person.email else person.label
        for person in people
    )


def _attribution(mail: ParsedMail, zone: ZoneInfo) -> str:
    who = mail.sender.label if mail.sender else "someone"
    if mail.date is None:
        return f"{who} wrote:"
    at = mail.date.astimezone(zone)
    return _(
        "On {day} at {time}, {who} wrote:",
        day=moment(at, _("EEEE, d MMMM y")),
        time=moment(at, _("HH:mm")),
        who=who,
    )


def _quoted(text: str) -> str:
    """The text as a quotation, without the signature below it (RFC 3676, 4.3 and 4.5)."""
    text = re.split(r"^-- $", text[:QUOTED_LIMIT], maxsplit=1, flags=re.MULTILINE)[0].strip("\n")
    return "\n".join(
        f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in text.split("\n")
    )


def _as_files(files: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Images that the HTML showed become ordinary files: the new draft is plain text."""
    return tuple(Attachment(file.name, file.type, file.content) for file in files)


def _same(email: str, own: str) -> bool:
    return email.casefold() == own.casefold()
