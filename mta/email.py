"""A mail before it is MIME: what its author wrote, made safe in one place."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mta.addresses import Address

FILE_NAME_CHARACTERS = 200
DEFAULT_FILE_NAME = "attachment"
DEFAULT_TYPE = "application/octet-stream"
REFERENCES_KEPT = 50
"""A thread longer than this keeps its first reference and the last ones."""

LINE_BREAK = re.compile("\r\n|[\t\n\v\f\r\u0085\u2028\u2029]")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the reading direction around: in a file name they hide its real ending."""
TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")
CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")


def one_line(text: str) -> str:
    """The text as one line: blanks for line breaks, no control characters, nothing beyond UTF-8."""
    return SURROGATE.sub("\ufffd", CONTROL.sub("", LINE_BREAK.sub(" ", text))).strip()


def clean_text(text: str) -> str:
    """The text with `\\n` for every kind of line end and without NUL."""
    return SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))


def new_message_id(domain: str) -> str:
    """A Message-ID that no other mail has, made in the name of `domain`."""
    return f"<{uuid.uuid4().hex}@{domain}>"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of a mail.

    Attributes:
        name: the file name: the last part of a path, one line, never empty.
        type: its media type without parameters; `application/octet-stream` when the one given is none.
        content: its bytes.
        content_id: by which the HTML shows it (`cid:…`), without angle brackets, or "" for an ordinary file.
    """

    name: str
    type: str
    content: bytes = field(repr=False)
    content_id: str = ""

    def __post_init__(self) -> None:
        kind = self.type.partition(";")[0].strip().lower()
        content_id = self.content_id.strip().removeprefix("<").removesuffix(">")
        object.__setattr__(self, "name", _file_name(self.name))
        object.__setattr__(self, "type", kind if TYPE.fullmatch(kind) else DEFAULT_TYPE)
        object.__setattr__(self, "content_id", content_id if CONTENT_ID.fullmatch(content_id) else "")


@dataclass(frozen=True, slots=True)
class Email:
    """A mail as its author wrote it. What could not stand in a mail is replaced here, and nowhere else.

    Attributes:
        sender: the author, also the envelope sender.
        to, cc, bcc: the recipients; `bcc` is seen by nobody but the author.
        subject: one line.
        text: the plain text, lines ended by `\\n`.
        html: the same in HTML, or None.
        reply_to: where answers shall go, if not to the sender.
        attachments: files, and images that the HTML shows.
        in_reply_to: the Message-ID this answers, in angle brackets, or "".
        references: the Message-IDs of the thread, oldest first; what is none is left out.
        message_id: made when not given.
        date: when it was written, with its time zone; now when not given.

    Raises:
        ValueError: when `message_id` is none, or `date` has no time zone.
    """

    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: str = ""
    text: str = ""
    html: str | None = None
    reply_to: tuple[Address, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    message_id: str = ""
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if self.message_id and not MESSAGE_ID.fullmatch(self.message_id):
            raise ValueError("a Message-ID has the form <something@domain>")
        if self.date.tzinfo is None:
            raise ValueError("the date of a mail needs a time zone, such as datetime.UTC")
        references = tuple(filter(MESSAGE_ID.fullmatch, self.references))
        if len(references) > REFERENCES_KEPT:
            references = references[:1] + references[1 - REFERENCES_KEPT :]
        cleaned = {
            "subject": one_line(self.subject),
            "text": clean_text(self.text),
            "html": None if self.html is None else clean_text(self.html),
            "in_reply_to": self.in_reply_to if MESSAGE_ID.fullmatch(self.in_reply_to) else "",
            "references": references,
            "message_id": self.message_id or new_message_id(self.sender.domain),
        }
        for name, value in cleaned.items():
            object.__setattr__(self, name, value)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Every recipient once, To before Cc before Bcc."""
        found: dict[str, Address] = {}
        for address in (*self.to, *self.cc, *self.bcc):
            found.setdefault(address.key, address)
        return tuple(found.values())


def _file_name(name: str) -> str:
    last = DIRECTION.sub("", one_line(re.split(r"[/\\]", one_line(name))[-1])).strip()
    if not last.strip("."):
        return DEFAULT_FILE_NAME
    if len(last) <= FILE_NAME_CHARACTERS:
        return last
    stem, dot, ending = last.rpartition(".")
    ending = f"{dot}{ending}" if stem and len(ending) <= FILE_NAME_CHARACTERS // 4 else ""
    return last[: FILE_NAME_CHARACTERS - len(ending)] + ending
