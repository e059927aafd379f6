"""Mail as the lists show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bitmail.places import MailboxName, place_of
from store import Entry

PAGE = 50
"""Mails on one page of a list."""


class Only(StrEnum):
    """Which mails of a mailbox to show, where not all; each is a key that such mails have."""

    UNREAD = "unread"
    STARRED = "starred"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Mail:
    """One line of a mailbox.

    Attributes:
        id: the store's id; greater is newer.
        mailbox: the place where it lies: a `MailboxName`, or the place of a folder.
        sender: as people read it: the name, or else the address.
        sender_address: `local@domain`.
        to, cc, bcc: as they were written, in one line each; Bcc only in one's own mail.
        subject, snippet: text, perhaps empty.
        date: seconds since the epoch.
        unread: not opened yet.
        starred: marked with a star.
        has_files: there are attachments.
        thread: what it has in common with the mails it belongs to; "" when that is not known yet.
        submission: for sent mail, the submission's id.
        key: for a draft, its id.
        is_own: written by this person, not received.
    """

    id: int
    mailbox: str
    sender: str
    sender_address: str
    to: str
    cc: str
    bcc: str
    subject: str
    snippet: str
    date: float
    unread: bool
    starred: bool
    has_files: bool
    thread: str
    submission: str
    key: str
    is_own: bool

    @classmethod
    def of(cls, entry: Entry) -> Mail:
        """The mail that an entry of the store stands for."""
        data: Mapping[str, str] = entry.data
        return cls(
            id=entry.id,
            mailbox=place_of(data["mailbox"]),
            sender=data.get("sender", "") or data.get("sender_address", ""),
            sender_address=data.get("sender_address", ""),
            to=data.get("to", ""),
            cc=data.get("cc", ""),
            bcc=data.get("bcc", ""),
            subject=data.get("subject", ""),
            snippet=data.get("snippet", ""),
            date=float(data.get("date", "0")),
            unread=data.get("unread") == "1",
            starred=data.get("starred") == "1",
            has_files=data.get("files") == "1",
            thread=data.get("thread", ""),
            submission=data.get("submission", ""),
            key=data.get("key", ""),
            is_own="send" in data or "key" in data,
        )

    @property
    def is_draft(self) -> bool:
        """Whether it is still being written, wherever it lies."""
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list.

    Attributes:
        mails: at most `PAGE` of them.
        older: what to give as `before` for the next page, or None when this is the last.
    """

    mails: tuple[Mail, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A mail that was moved, and where it came from."""

    id: int
    origin: str


def fits(mail: Mail, to: str) -> bool:
    """Whether a mail may be moved there from where it lies."""
    if MailboxName.OUTBOX in (mail.mailbox, to) or mail.mailbox == to:
        return False
    if mail.is_draft:
        return to in (MailboxName.TRASH, MailboxName.DRAFTS)
    return to != MailboxName.DRAFTS and (to != MailboxName.SENT or mail.is_own)
