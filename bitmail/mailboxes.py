"""Mailboxes: what a person has received, sent and begun to write, and where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar
from zoneinfo import ZoneInfo

from bitmail.catalogue import _
from bitmail.erasure import strip
from bitmail.errors import NoSuchMail, Refused
from bitmail.mail import PAGE, Mail, Moved, Only, Page, fits
from bitmail.places import Folders, MailboxName
from bitmail.search import parse_search
from bitmail.threads import Threads
from mta.parsed import ParsedMail, parse
from store import BlobStore, Entry, JsonStore, TextIndex

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = ["COUNTED", "GROUPS", "PAGE", "Mail", "MailboxName", "Mailboxes", "Moved", "Only", "Page"]

COUNTED = 100
"""Counts go up to here; beyond it a page says "99+"."""
LOOKED_THROUGH = 3
"""Pages of mails that one page of conversations is made of at most."""
GROUPS = (
    ("user", "mailbox"),
    ("user", "mailbox", "unread"),
    ("user", "mailbox", "starred"),
    ("user", "mailbox", "files"),
    ("user", "thread"),
    ("user", "message_id"),
    ("kind", "user"),
)
"""Keys that are always asked for together, for the store to index together."""
_AT_ONCE = 8
"""Changes made at once, so that they share commits."""


class Mailboxes:
    """The mailboxes of everyone; each call names whose it is about, and touches nobody else's."""

    def __init__(self, store: JsonStore, blobs: BlobStore, index: TextIndex, folders: Folders) -> None:
        self._store = store
        self._blobs = blobs
        self._index = index
        self._folders = folders
        self._threads = Threads(store)

    def page(
        self,
        user: str,
        mailbox: str,
        before: int | None = None,
        *,
        only: Only | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """One page of a mailbox, newest first unless asked otherwise.

        Args:
            user: whose.
            mailbox: a place.
            before: `Page.older` of the page above it.
            only: show only such mails.
            oldest_first: begin at the other end.
        """
        return self._listed(_wanted(user, mailbox, only), before, newest_first=not oldest_first)

    def conversations(
        self,
        user: str,
        mailbox: str,
        before: int | None = None,
        *,
        only: Only | None = None,
        oldest_first: bool = False,
    ) -> tuple[Page, dict[str, int]]:
        """One page of a mailbox with one mail for each conversation: its newest there, unread if any of it there is.

        To fill a page, no more than `LOOKED_THROUGH` pages of mails are looked through, so that a page may hold fewer
        and still have one after it.

        Args:
            user, mailbox, before, only, oldest_first: as for `page`.

        Returns:
            The page, and how many mails each of its conversations has in all, up to a hundred.
        """
        wanted = _wanted(user, mailbox, only)
        heads: list[Mail] = []
        sizes: dict[str, int] = {}
        older = None
        for entry, mails, has_more in self._with_conversations(user, wanted, before, not oldest_first):
            older = entry.id if has_more else None
            here = [mail for mail in mails if wanted.items() <= mail.data.items()] or [entry]
            if here[0].id == entry.id:
                unread = any(mail.data.get("unread") == "1" for mail in here)
                heads.append(replace(Mail.of(entry), unread=unread))
                sizes |= {entry.data["thread"]: len(mails)} if mails else {}
            if len(heads) == PAGE:
                break
        return Page(tuple(heads), older), sizes

    def _with_conversations(
        self, user: str, wanted: Mapping[str, str], before: int | None, newest_first: bool
    ) -> Iterator[tuple[Entry, list[Entry], bool]]:
        """Some pages of mails, each with all of its conversation, newest first, and whether more come after it."""
        for _round in range(LOOKED_THROUGH):
            found = self._store.get(wanted, newest_first=newest_first, limit=PAGE + 1, before=before)
            entries = found[:PAGE]
            together = self._threads.members(user, (entry.data.get("thread", "") for entry in entries))
            for number, entry in enumerate(entries, 1):
                yield entry, together.get(entry.data.get("thread", ""), []), number < len(found)
            if len(found) <= PAGE:
                return
            before = entries[-1].id

    def together(self, user: str, mailbox: str, ids: Sequence[int]) -> list[int]:
        """The mails with these ids, and the others of their conversations that lie in the same mailbox."""
        named = [entry for id in dict.fromkeys(ids) if (entry := self._find(user, id)) is not None]
        members = self._threads.members(user, (entry.data.get("thread", "") for entry in named))
        others = (mail for mails in members.values() for mail in mails if mail.data.get("mailbox") == mailbox)
        return list(dict.fromkeys([*(entry.id for entry in named), *(mail.id for mail in others)]))

    def conversation(self, user: str, thread: str, before: int | None = None) -> Page:
        """One page of the mails of a thread, wherever they lie, newest first."""
        return self._listed({"user": user, "thread": thread}, before)

    def sizes(self, user: str, threads: Iterable[str]) -> dict[str, int]:
        """How many mails each of these threads has, up to a hundred."""
        return self._threads.sizes(user, threads)

    def search(self, user: str, typed: str, zone: ZoneInfo, before: int | None = None) -> Page:
        """One page of the mails in which something is found, newest first; drafts are not looked into.

        Args:
            user: whose.
            typed: by the person; see `parse_search`.
            zone: the person's time zone.
            before: `Page.older` of the page above it.
        """
        ids = self._index.find(user, parse_search(typed, zone), limit=PAGE + 1, before=before)
        entries = [self._find(user, id) for id in ids[:PAGE]]
        mails = tuple(Mail.of(entry) for entry in entries if entry is not None)
        return Page(mails, ids[PAGE - 1] if len(ids) > PAGE else None)

    def unread(self, user: str, mailbox: str = MailboxName.INBOX) -> int:
        """How many mails in a mailbox are unread, up to `COUNTED`."""
        return self._counted({"user": user, "mailbox": str(mailbox), Only.UNREAD.value: "1"})

    def count(self, user: str, mailbox: str) -> int:
        """How many mails there are in a mailbox, up to `COUNTED`."""
        return self._counted({"user": user, "mailbox": str(mailbox)})

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
        data = self._entry(user, id).data
        if "key" in data:
            return ParsedMail(subject=data.get("subject", ""), text=data.get("text", ""))
        return parse(self.raw(user, id))

    def raw(self, user: str, id: int) -> bytes:
        """The mail as it came.

        Raises:
            NoSuchMail: as above, or its content is gone.
        """
        raw = self._blobs.get(self._entry(user, id).data.get("blob", ""))
        if raw is None:
            raise NoSuchMail(_("This mail is not here any more. Go back to the list."))
        return raw

    def mark_read(self, user: str, id: int) -> bool:
        """Take the mail as read; whether that is news."""
        return self._store.update_by_id(id, {"unread": "0"}, expecting={"user": user, "unread": "1"})

    def set_unread(self, user: str, ids: Sequence[int], unread: bool) -> None:
        """Take mails as not read yet, or as read."""
        self._change(user, ids, {"unread": "1" if unread else "0"})

    def set_starred(self, user: str, ids: Sequence[int], starred: bool) -> None:
        """Mark mails with a star, or take it off."""
        self._change(user, ids, {"starred": "1" if starred else "0"})

    def move(self, user: str, ids: Sequence[int], to: str) -> list[Moved]:
        """Move mails to another place; those that cannot lie there stay where they are.

        Returns:
            Those that were moved, with where they came from, for `put_back`.

        Raises:
            Refused: there is no such place.
        """
        if not self._folders.is_place(user, to):
            raise Refused(_("There is no such folder any more."))
        entries = [entry for id in dict.fromkeys(ids) if (entry := self._find(user, id)) is not None]
        fitting = [entry for entry in entries if fits(Mail.of(entry), to)]
        moved = [Moved(entry.id, entry.data["mailbox"]) for entry in fitting]
        done = _each(lambda one: self._shift(user, one.id, one.origin, str(to)), moved)
        return [one for one, was_moved in zip(moved, done, strict=True) if was_moved]

    def put_back(self, user: str, moved: Sequence[Moved], to: str) -> int:
        """Undo `move`; how many mails went back. What was moved on meanwhile stays where it is."""
        return sum(_each(lambda one: self._shift(user, one.id, str(to), one.origin), moved))

    def erase(self, user: str, ids: Sequence[int]) -> int:
        """Delete mails for good; how many were. Only what lies in Trash is."""
        wanted = list(dict.fromkeys(ids))
        was_erased = _each(lambda id: self._erase(user, id), wanted)
        erased = [id for id, was in zip(wanted, was_erased, strict=True) if was]
        self._index.remove(erased)
        return len(erased)

    def empty_trash(self, user: str) -> int:
        """Delete for good what lies in Trash; how many mails that were."""
        erased = 0
        while page := self._store.get({"user": user, "mailbox": MailboxName.TRASH.value}, limit=4 * PAGE):
            erased += self.erase(user, [entry.id for entry in page])
        return erased

    def remove_folder(self, user: str, id: int) -> int:
        """Remove a folder; what is in it goes to Archive, and how many mails that were.

        Raises:
            NoSuchFolder: there is none.
        """
        inside, moved = {"user": user, "mailbox": self._folders.folder(user, id).place}, 0
        while page := self._store.get(inside, limit=4 * PAGE):
            moved += len(self.move(user, [entry.id for entry in page], MailboxName.ARCHIVE))
        self._folders.forget(user, id)
        return moved

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
            "indexed": "0",
            **self._threads.facts(user, mail, arrival),
        }
        _, created = self._store.put_if_absent({"user": user, "arrival": arrival}, data)
        return created

    def _listed(self, wanted: Mapping[str, str], before: int | None, *, newest_first: bool = True) -> Page:
        found = self._store.get(wanted, newest_first=newest_first, limit=PAGE + 1, before=before)
        mails = tuple(Mail.of(entry) for entry in found[:PAGE])
        return Page(mails, mails[-1].id if len(found) > PAGE else None)

    def _change(self, user: str, ids: Sequence[int], changes: Mapping[str, str]) -> None:
        mine = {"user": user}
        known = [id for id in dict.fromkeys(ids) if self._find(user, id) is not None]
        _each(lambda id: self._store.update_by_id(id, changes, expecting=mine), known)

    def _shift(self, user: str, id: int, origin: str, to: str) -> bool:
        return self._store.update_by_id(id, {"mailbox": to}, expecting={"user": user, "mailbox": origin})

    def _erase(self, user: str, id: int) -> bool:
        entry = self._find(user, id)
        if entry is None:
            return False
        return strip(self._store, entry, {"user": user, "mailbox": MailboxName.TRASH.value})

    def _find(self, user: str, id: int) -> Entry | None:
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("user") != user or "mailbox" not in entry.data:
            return None
        return entry

    def _entry(self, user: str, id: int) -> Entry:
        entry = self._find(user, id)
        if entry is None:
            raise NoSuchMail(_("There is no such mail. Go back to the list."))
        return entry

    def _counted(self, matching: Mapping[str, str]) -> int:
        return len(self._store.get(matching, limit=COUNTED))


def _wanted(user: str, mailbox: str, only: Only | None) -> dict[str, str]:
    return {"user": user, "mailbox": str(mailbox)} | ({only.value: "1"} if only else {})


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))
