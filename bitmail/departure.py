"""Departure: what a person takes along, and what is removed when they delete their account."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from bitmail.accounts import Accounts
from bitmail.audit import Action, Audit
from bitmail.erasure import erase
from store import ANY, BlobStore, Entry, JsonStore, Match, TextIndex

PAGE = 200
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)


class Departure:
    """Of every account; each call names whose."""

    def __init__(
        self, store: JsonStore, blobs: BlobStore, index: TextIndex, accounts: Accounts, audit: Audit
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._index = index
        self._accounts = accounts
        self._audit = audit

    def mbox(self, user: str) -> Iterator[bytes]:
        """All mail of a person in one file of the mbox form (RFC 4155; lines that begin with `From ` are marked as
        the mboxrd form does), oldest first, a mail at a time.
        """
        for entry in self._entries({"user": user, "mailbox": ANY, "blob": ANY}):
            raw = self._blobs.get(entry.data["blob"])
            if raw is None:
                continue
            sender = entry.data.get("sender_address", "").replace(" ", "") or "MAILER-DAEMON"
            date = time.asctime(time.gmtime(float(entry.data.get("date", "0"))))
            head = f"From {sender} {date}\nX-BitMail-Mailbox: {entry.data['mailbox']}\n".encode()
            body = _FROM.sub(rb">\1", raw.replace(b"\r\n", b"\n"))
            yield head + body + (b"\n" if body.endswith(b"\n") else b"\n\n")

    def delete(self, user: str) -> int:
        """Remove everything that is this person's; how many entries that were.

        The name stays taken, so that nobody else receives what is still sent to it. Mail that was accepted for sending
        still goes out, and what others received is theirs. Bytes that came within the hour lose their name at once, and
        are gone when the librarian looks after that hour. What an interruption leaves, a second call removes.
        """
        self._accounts.close(user)
        removed = 0
        for whose in (
            {"user": user},
            {"templates of": user},
            {"contacts of": user},
            {"contact groups of": user},
            {"suppressed_by": user},
            {"webhooks of": user},
        ):
            for entry in self._entries(whose):
                if "mailbox" in entry.data:
                    self._index.remove([entry.id])
                if "blob" in entry.data:
                    removed += erase(self._store, self._blobs, entry)
                else:
                    removed += self._store.remove(entry.id)
        self._audit.record(user, Action.DELETED)
        return removed

    def _entries(self, matching: Match) -> Iterator[Entry]:
        before: int | None = None
        while found := self._store.get(matching, limit=PAGE, before=before):
            yield from found
            before = found[-1].id
