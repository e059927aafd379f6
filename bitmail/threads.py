"""Threads: which mails belong together, by References, In-Reply-To and Message-ID (RFC 5322, 3.6.4)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from mta.email import Email
from mta.parsed import ParsedMail
from store import Entry, JsonStore

LOOKED_AT = 20
"""References that are looked up, the last ones: one that is here is enough."""
COUNTED = 100
"""Mails of a thread are counted up to here."""


class Threads:
    """The threads of everyone."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store

    def facts(self, user: str, mail: ParsedMail | Email, otherwise: str = "") -> dict[str, str]:
        """What an entry keeps of a mail so that its thread is found, and whether it has files.

        A mail belongs to the thread of the nearest one it names that is here. Where none is, the oldest one it names
        stands for the thread, so that mails which come in any order meet.

        Args:
            user: whose mail.
            mail: the mail.
            otherwise: what stands for the Message-ID of a mail that may have none.
        """
        named = [_key(id) for id in (*mail.references, mail.in_reply_to) if id]
        own = _key(mail.message_id or otherwise)
        thread = self._known(user, [*reversed(named[-LOOKED_AT:]), own]) or (named[0] if named else own)
        return {"message_id": own, "thread": thread, "files": "1" if has_files(mail) else "0"}

    def sizes(self, user: str, threads: Iterable[str]) -> dict[str, int]:
        """How many mails each of these threads has, up to `COUNTED`."""
        return {thread: len(mails) for thread, mails in self.members(user, threads).items()}

    def members(self, user: str, threads: Iterable[str]) -> dict[str, list[Entry]]:
        """The mails of each of these threads, wherever they lie, newest first: the `COUNTED` newest."""
        return {
            thread: self._store.get({"user": user, "thread": thread}, newest_first=True, limit=COUNTED)
            for thread in dict.fromkeys(threads)
            if thread
        }

    def _known(self, user: str, keys: Iterable[str]) -> str:
        for key in dict.fromkeys(keys):
            for entry in self._store.get({"user": user, "message_id": key}, limit=1):
                if thread := entry.data.get("thread", ""):
                    return thread
        return ""


def has_files(mail: ParsedMail | Email) -> bool:
    """Whether there are attachments, beside the images that its HTML shows."""
    return any(not file.content_id for file in mail.attachments)


def _key(id: str) -> str:
    """A Message-ID in a length that suits an index."""
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
