"""A mail to show: read from whatever arrived, as well as can be, in bounded time and memory."""

from __future__ import annotations

import binascii
import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mta.addresses import NAME_CHARACTERS, Address, BadAddress, halves
from mta.charsets import decode
from mta.email import DEFAULT_TYPE, DIRECTION, Attachment, one_line
from mta.fields import Head, decode_base64, decode_words, parameters, read_head
from mta.listmail import NO_WAY, Unsubscribe, read_unsubscribe
from mta.pieces import Kind, Piece, split_addresses
from mta.plaintext import html_to_text

DEPTH = 30
PARTS = 1000
ADDRESSES_CHARACTERS = 300_000
"""Of one field; room for several thousand people."""
SNIPPET_CHARACTERS = 200
SUBJECT_CHARACTERS = 2000
HTML_AS_TEXT_CHARACTERS = 500_000
MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
ENCODING = re.compile(r"[\w-]+")
META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody in the head of a mail to show: nothing about it is certain to be valid.

    Attributes:
        name: the display name, or "".
        email: what stands for the address, as it came, or "".
    """

    name: str
    email: str

    @property
    def label(self) -> str:
        """The name, or else the address."""
        return self.name or self.email

    @property
    def address(self) -> Address | None:
        """The address to send to, or None when it is not valid."""
        try:
            return Address(self.name[:NAME_CHARACTERS], *halves(self.email))
        except BadAddress:
            return None


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """What can be shown of a mail.

    Attributes:
        subject: one line, or "".
        sender: who it says it is from, or None.
        reply_to, to, cc, bcc: those named there.
        to_label: the name of a group of recipients without members, such as `undisclosed-recipients`, or "".
        date: when it says it was written, or None.
        message_id, in_reply_to: in angle brackets, or "".
        references: Message-IDs, oldest first.
        text: the plain text; made from the HTML where there is none.
        html: the HTML as it came, not safe to show, or None.
        attachments: files, and images that the HTML shows (those have a `content_id`).
        snippet: the first words of the text, on one line.
        unsubscribe: how to leave the list that the mail came by.
        wants_receipt: its author asks to be told when it is read (RFC 8098).
        damaged: something could not be read, so the source tells more than this.
    """

    subject: str = ""
    sender: Mailbox | None = None
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    to_label: str = ""
    date: datetime | None = None
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    snippet: str = ""
    unsubscribe: Unsubscribe = NO_WAY
    wants_receipt: bool = False
    damaged: bool = False


@dataclass(slots=True)
class _Block:
    """A stretch of a mail to be read: its text, and its HTML if it has one."""

    text: str | None = None
    html: str | None = None


@dataclass(slots=True)
class _Reading:
    """What was gathered so far from one mail."""

    raw: bytes
    attachments: list[Attachment] = field(default_factory=list)
    parts: int = 0
    damaged: bool = False


def parse(raw: bytes) -> ParsedMail:
    """Read a mail for showing. Never fails: what cannot be read is left out and the mail marked damaged."""
    head = read_head(raw)
    reading = _Reading(raw, damaged=not head.fields)
    blocks = _read(reading, head, head.body_start, len(raw), 0)
    text, markup = _together(blocks)
    to, to_label = read_mailboxes(head.get("to"))
    senders, _ = read_mailboxes(head.get("from"))
    return ParsedMail(
        subject=_words(head.get("subject"))[:SUBJECT_CHARACTERS],
        sender=senders[0] if senders else None,
        reply_to=read_mailboxes(head.get("reply-to"))[0],
        to=to,
        cc=read_mailboxes(head.get("cc"))[0],
        bcc=read_mailboxes(head.get("bcc"))[0],
        to_label=to_label,
        date=_date(head.get("date")),
        message_id=next(iter(message_ids(head, "message-id")), ""),
        in_reply_to=next(iter(message_ids(head, "in-reply-to")), ""),
        references=message_ids(head, "references")[-100:],
        text=text,
        html=markup,
        attachments=tuple(reading.attachments),
        snippet=_snippet(text),
        unsubscribe=read_unsubscribe(head),
        wants_receipt=bool(head.get("disposition-notification-to")),
        damaged=reading.damaged,
    )


def _snippet(text: str) -> str:
    """How the text begins, as one line of the list."""
    return DIRECTION.sub("", one_line(" ".join(text[: SNIPPET_CHARACTERS * 10].split())))[:SNIPPET_CHARACTERS]


def read_mailboxes(value: str) -> tuple[tuple[Mailbox, ...], str]:
    """Those named in a field of addresses, and the name of a group there that has no members, or ""."""
    mailboxes: list[Mailbox] = []
    label = ""
    for piece in split_addresses(value[:ADDRESSES_CHARACTERS]):
        piece_label, members = _without_group(piece)
        if members.tokens:
            mailboxes.append(_mailbox(members))
        else:
            label = label or _words(piece_label)
    return tuple(mailboxes), "" if mailboxes else label


def _without_group(piece: Piece) -> tuple[str, Piece]:
    """RFC 5322 section 3.4: `label: member, member;`."""
    for index, token in enumerate(piece.tokens):
        if token.kind is not Kind.WORD or token.text.startswith('"') or token.has_at:
            break
        if token.text.endswith(":"):
            label = " ".join(word.text for word in piece.tokens[: index + 1])[:-1]
            return label, Piece(piece.tokens[index + 1 :])
    return "", piece


def _mailbox(piece: Piece) -> Mailbox:
    specification = piece.specification
    if "@" in specification:
        return Mailbox(_words(piece.name), DIRECTION.sub("", one_line(specification)))
    return Mailbox(_words(piece.name or piece.text), "")


def _words(value: str) -> str:
    """A display name or subject; it cannot turn around what stands after it on the screen."""
    return DIRECTION.sub("", decode_words(value))


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if not 1970 <= date.year < 9999:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def message_ids(head: Head, name: str) -> tuple[str, ...]:
    """The Message-IDs in a field (`name` in lower case)."""
    return tuple(MESSAGE_ID.findall(head.get(name)))


def _read(reading: _Reading, head: Head, start: int, end: int, depth: int) -> list[_Block]:
    """The readable stretches of one entity; its files go to `reading`."""
    kind, details = parameters(head.get("content-type"))
    disposition, where = parameters(head.get("content-disposition"))
    name = where.get("filename") or details.get("name", "")
    if kind.startswith("multipart/"):
        if depth >= DEPTH:
            reading.damaged = True
            return []
        parts = parts_of(reading.raw, details.get("boundary", ""), start, end)
        if parts is not None:
            spans, closed = parts
            reading.damaged = reading.damaged or not closed
            return _read_parts(reading, kind, spans, depth)
        reading.damaged = True
        kind = "text/plain"
    readable = kind in ("text/plain", "text/html", "") or "/" not in kind
    content = decoded(reading.raw[start:end], head)
    if not readable or disposition == "attachment" or name:
        content_id = head.get("content-id")
        fallback = f"{DEFAULT_TYPE}" if "/" not in kind else kind
        reading.attachments.append(Attachment(name, fallback, content, content_id))
        return []
    label = details.get("charset", "")
    if kind == "text/html":
        if not label and (meta := META_CHARSET.search(content, 0, 2000)):
            label = meta[1].decode("ascii")
        return [_Block(html=_lines(decode(content, label)).rstrip("\n"))]
    return [_Block(text=_lines(decode(content, label)).rstrip("\n"))]


def _read_parts(reading: _Reading, kind: str, spans: list[tuple[int, int]], depth: int) -> list[_Block]:
    groups: list[list[_Block]] = []
    for start, end in spans:
        reading.parts += 1
        if reading.parts > PARTS:
            reading.damaged = True
            break
        head = read_head(reading.raw, start, end)
        groups.append(_read(reading, head, head.body_start, end, depth + 1))
    if kind != "multipart/alternative":
        return [block for group in groups for block in group]
    text = [block.text for group in groups for block in group if block.text is not None]
    rich = [group for group in groups if any(block.html is not None for block in group)]
    return [_Block("\n".join(text) if text else None, _together(rich[-1])[1] if rich else None)]


def parts_of(raw: bytes, boundary: str, start: int, end: int) -> tuple[list[tuple[int, int]], bool] | None:
    """Where the parts of a multipart are, and whether the last is closed; None when it cannot be parted.

    Args:
        raw: the whole mail.
        boundary: the parameter of its Content-Type.
        start, end: where the body of the multipart is.
    """
    try:
        mark = b"--" + boundary.encode("ascii")
    except UnicodeEncodeError:
        return None
    if not boundary.strip():
        return None
    spans: list[tuple[int, int]] = []
    open_at: int | None = None
    position = raw.find(mark, start, end)
    while position >= 0:
        after = position + len(mark)
        at_line_start = position == start or raw[position - 1 : position] == b"\n"
        line_end = raw.find(b"\n", after, min(end, after + 200))
        rest = raw[after : line_end if line_end >= 0 else min(end, after + 200)].strip()
        if at_line_start and rest in (b"", b"--"):
            if open_at is not None:
                spans.append((open_at, max(open_at, _before_line_end(raw, position))))
            if rest:
                return spans, True
            if len(spans) > PARTS:
                return spans, False
            open_at = line_end + 1 if line_end >= 0 else end
        position = raw.find(mark, after, end)
    if open_at is None:
        return None
    return [*spans, (open_at, end)], False


def _before_line_end(raw: bytes, position: int) -> int:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1)."""
    if raw[position - 2 : position] == b"\r\n":
        return position - 2
    return position - 1


def decoded(body: bytes, head: Head) -> bytes:
    """The octets that a body stands for, by the Content-Transfer-Encoding of its head."""
    encoding = ENCODING.search(head.get("content-transfer-encoding"))
    match encoding[0].lower() if encoding else "":
        case "base64":
            return decode_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case _:
            return body


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _together(blocks: list[_Block]) -> tuple[str, str | None]:
    """The text and the HTML of a whole mail: a stretch in one form only is shown in both."""
    texts = [
        html_to_text((block.html or "")[:HTML_AS_TEXT_CHARACTERS]) if block.text is None else block.text
        for block in blocks
    ]
    text = "\n\n".join(filter(None, texts)) if len(texts) != 1 else texts[0]
    if all(block.html is None for block in blocks):
        return text, None
    return text, "\n".join(_markup(block) for block in blocks if block.html or block.text)


def _markup(block: _Block) -> str:
    if block.html is not None:
        return block.html
    return f'<div style="white-space: pre-wrap">{html.escape(block.text or "")}</div>'
