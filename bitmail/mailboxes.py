"""Mailboxes: what a person has received, sent and begun to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bitmail.errors import NoSuchMail
from mta.parsed import ParsedMail, parse
from store import BlobStore, Entry, JsonStore

PAGE = 50
"""Mails on one page of a list."""
COUNTED = 100
"""Counts go up to here; beyond it a page says "99+"."""
GROUPS = (("user", "mailbox"), ("user", "mailbox", "unread"))
"""Keys that are always asked for together, for the store to index together."""


class MailboxName(StrEnum):
    """The mailboxes everyone has."""

    INBOX = "INBOX"
    DRAFTS = "Drafts"
    OUTBOX = "Outbox"
    SENT = "Sent"


@dataclass(frozen=True, slots=True)
class Mail:
    """One line of a mailbox.

    Attributes:
        id: the store's id; greater is newer.
        mailbox: where it lies.
        sender: as people read it: the name, or else the address.
        sender_address: `local@domain`.
        to, cc, bcc: as they were written, in one line each; Bcc only in one's own mail.
        subject, snippet: text, perhaps empty.
        date: seconds since the epoch.
        unread: not opened yet.
        submission: for sent mail, the submission's id.
        key: for a draft, its id.
    """

    id: int
    mailbox: MailboxName
    sender: str
    sender_address: str
    to: str
    cc: str
    bcc: str
    subject: str
    snippet: str
    date: float
    unread: bool
    submission: str
    key: str
    _blob: str

    @classmethod
    def of(cls, entry: Entry) -> Mail:
        """The mail that an entry of the store stands for."""
        data: Mapping[str, str] = entry.data
        return cls(
            id=entry.id,
            mailbox=MailboxName(data["mailbox"]),
            sender=data.get("sender", "") or data.get("sender_address", ""),
            sender_address=data.get("sender_address", ""),
            to=data.get("to", ""),
            cc=data.get("cc", ""),
            bcc=data.get("bcc", ""),
            subject=data.get("subject", ""),
            snippet=data.get("snippet", ""),
            date=float(data.get("date", "0")),
            unread=data.get("unread") == "1",
            submission=data.get("submission", ""),
            key=data.get("key", ""),
            _blob=data.get("blob", ""),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a mailbox, newest first.

    Attributes:
        mails: at most `PAGE` of them.
        older: what to give as `before` for the next page, or None when this is the last.
    """

    mails: tuple[Mail, ...]
    older: int | None


class Mailboxes:
    """The mailboxes of everyone; each call names whose it is about, and touches nobody else's."""

    def __init__(self, store: JsonStore, blobs: BlobStore) -> None:
        self._store = store
        self._blobs = blobs

    def page(self, user: str, mailbox: MailboxName, before: int | None = None) -> Page:
        """One page of a mailbox; `before` is `Page.older` of the page above it."""
        found = self._store.get(
            {"user": user, "mailbox": mailbox.value}, newest_first=True, limit=PAGE + 1, before=before
        )
        mails = tuple(Mail.of(entry) for entry in found[:PAGE])
        return Page(mails, mails[-1].id if len(found) > PAGE else None)

    def unread(self, user: str) -> int:
        """How many mails in INBOX are unread, up to `COUNTED`."""
        return self._counted({"user": user, "mailbox": MailboxName.INBOX.value, "unread": "1"})

    def drafts(self, user: str) -> int:
        """How many drafts there are, up to `COUNTED`."""
        return self._counted({"user": user, "mailbox": MailboxName.DRAFTS.value})

    def mail(self, user: str, id: int) -> Mail:
        """One mail of this person.

        Raises:
            NoSuchMail: there is none with this id, or it is somebody else's.
        """
        return Mail.of(self._entry(user, id))

    def content(self, user: str, id: int) -> ParsedMail:
        """The mail itself, taken apart for showing.

        Raises:
            NoSuchMail: as above, or its content is gone.
        """
        return parse(self.raw(user, id))

    def raw(self, user: str, id: int) -> bytes:
        """The mail as it came.

        Raises:
            NoSuchMail: as above, or its content is gone.
        """
        raw = self._blobs.get(self._entry(user, id).data.get("blob", ""))
        if raw is None:
            raise NoSuchMail("This mail is not here any more. Go back to the list.")
        return raw

    def mark_read(self, user: str, id: int) -> bool:
        """Take the mail as read; whether that is news."""
        return self._store.update_by_id(id, {"unread": "0"}, expecting={"user": user, "unread": "1"})

    def file(self, user: str, arrival: str, raw: bytes, received_at: float) -> bool:
        """Put a received mail into INBOX, durably and once.

        Args:
            user: whose INBOX.
            arrival: identifies this arrival; filing it again changes nothing.
            raw: the mail.
            received_at: seconds since the epoch.

        Returns:
            Whether it was new.
        """
        mail = parse(raw)
        data = {
            "user": user,
            "mailbox": MailboxName.INBOX.value,
            "arrival": arrival,
            "blob": self._blobs.put(raw),
            "unread": "1",
            "date": repr(received_at),
            "sender": mail.sender.name if mail.sender else "",
            "sender_address": mail.sender.email if mail.sender else "",
            "to": ", ".join(address.label for address in mail.to),
            "cc": ", ".join(address.label for address in mail.cc),
            "subject": mail.subject,
            "snippet": mail.snippet,
        }
        _, created = self._store.put_if_absent({"user": user, "arrival": arrival}, data)
        return created

    def _entry(self, user: str, id: int) -> Entry:
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("user") != user or "mailbox" not in entry.data:
            raise NoSuchMail("There is no such mail. Go back to the list.")
        return entry

    def _counted(self, matching: Mapping[str, str]) -> int:
        return len(self._store.get(matching, limit=COUNTED))
