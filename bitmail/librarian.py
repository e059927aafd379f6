"""The librarian: works behind the page, so that filing and deleting need not wait for it.

It takes new mail into the search index, and takes out of the store what was deleted for good. What is left to do
stands in the entries themselves, so a crash loses none of it. Where several processes work on one store, one at a time
takes in what there is, whoever filed it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bitmail.erasure import GONE, forget
from bitmail.search import FILES
from bitmail.threads import Threads, has_files
from bitmail.turns import Turn
from mta.parsed import Mailbox, ParsedMail, parse
from store import ANY, BlobStore, Document, Entry, JsonStore, StoreUnavailable, TextIndex

log = logging.getLogger(__name__)

BATCH = 50
SWEEP = 600.0
"""Seconds between two looks for what was deleted for good and whose content may now be forgotten."""
CHORES = 30.0
"""Seconds between two rounds of chores."""
PAUSE = 5.0
"""Seconds before it goes on after the database did not answer."""
_DONE = {"kind": "library", "holds": "all"}
"""Says that mail from before there was a library was taken in."""
_AT_ONCE = 4
_ASIDE = 1.0
"""Seconds before it looks again whether another process has taken in all there is."""


class Librarian:
    """Keeps the search index, the threads and the blobs of all mail in order, in a thread of its own."""

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        index: TextIndex,
        *,
        chore: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            store, blobs, index: what is kept in order.
            chore: what else is to be done now and then; repeating it changes nothing.
        """
        self._chore = chore
        self._store = store
        self._blobs = blobs
        self._index = index
        self._threads = Threads(store)
        self._turn = Turn(store, "library")
        self._news = threading.Event()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._helpers = ThreadPoolExecutor(_AT_ONCE, "librarian")

    def start(self) -> None:
        """Begin; what is left from before comes first."""
        if not self._store.get({"blob": ANY}, limit=1):
            self._store.put_if_absent(_DONE, _DONE)
        self._news.set()
        self._thread = threading.Thread(target=self._run, name="librarian", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    def stop(self) -> None:
        """End, within the time that one batch takes."""
        self._is_ending.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def take_in(self) -> int:
        """Take in one batch of new mails, or let another process do it; how many there were."""
        waiting = self._store.get({"indexed": "0"}, limit=BATCH)
        if waiting and not self._turn.take():
            self._is_ending.wait(_ASIDE)
            return len(waiting)
        return self._take(waiting)

    def take_in_old(self) -> None:
        """Take in the mails from before there was a library, once."""
        if self._store.get(_DONE, limit=1):
            return
        last = 0
        while page := self._store.get({"blob": ANY}, limit=BATCH, before=last):
            last = page[-1].id
            self._take([entry for entry in page if "indexed" not in entry.data and "mailbox" in entry.data])
            if self._is_ending.is_set():
                return
        self._store.put_if_absent(_DONE, _DONE)

    def sweep(self) -> int:
        """Take out what was deleted for good, as far as its content may be forgotten by now; how many mails."""
        swept, last = 0, 0
        while page := self._store.get({"mailbox": GONE}, limit=BATCH, before=last):
            last = page[-1].id
            self._index.remove([entry.id for entry in page])
            swept += sum(
                [forget(self._store, self._blobs, one.id, one.data.get("erased", "")) for one in page]
            )
        return swept

    def _run(self) -> None:
        while not self._is_ending.is_set():
            try:
                self.sweep()
                self.take_in_old()
                for _ in range(round(SWEEP / CHORES)):
                    self._wait_for_news(CHORES)
                    if self._is_ending.is_set():
                        return
                    self._chore()
            except StoreUnavailable as error:
                log.warning("the search index waits: %s", error)
                self._is_ending.wait(PAUSE)
                self._news.set()

    def _wait_for_news(self, seconds: float) -> None:
        """Take in whatever comes within these seconds."""
        end = time.monotonic() + seconds
        while not self._is_ending.is_set() and self._news.wait(max(0.0, end - time.monotonic())):
            self._news.clear()
            while not self._is_ending.is_set() and self.take_in():
                pass
            self._turn.pass_on()

    def _take(self, entries: Sequence[Entry]) -> int:
        if entries:
            at_once = self._helpers.map  # so that they share commits
            read = list(at_once(self._read, entries))
            self._add([found for _, found in read if found is not None])
            list(at_once(self._mark, entries, [changes for changes, _ in read]))
        return len(entries)

    def _read(self, entry: Entry) -> tuple[dict[str, str], Document | None]:
        """What its entry is to say from now on, and what can be found of it."""
        changes = {"indexed": "1"}
        raw = self._blobs.get(entry.data.get("blob", ""))
        if raw is None:
            return changes, None
        mail = parse(raw)
        if "thread" not in entry.data:
            changes |= self._threads.facts(entry.data.get("user", ""), mail, str(entry.id))
        return changes, document(entry, mail)

    def _add(self, documents: Sequence[Document]) -> None:
        try:
            self._index.add(documents)
        except StoreUnavailable:
            raise
        except Exception:
            # One mail that the database cannot take must not keep the others out.
            if len(documents) > 1:
                for one in documents:
                    self._add([one])
            else:
                log.exception("mail %d cannot be searched", documents[0].id)

    def _mark(self, entry: Entry, changes: dict[str, str]) -> None:
        if not self._store.update_by_id(entry.id, changes):
            self._index.remove([entry.id])  # it was deleted meanwhile


def document(entry: Entry, mail: ParsedMail) -> Document:
    """What can be found of a mail."""
    data = entry.data
    people = (*mail.to, *mail.cc, *mail.bcc)
    return Document(
        id=entry.id,
        owner=data.get("user", ""),
        at=float(data.get("date") or 0),
        author=_named([mail.sender] if mail.sender else []) or data.get("sender_address", ""),
        # One's own mail names its Bcc only in the entry.
        readers=f"{_named(people)} {data.get('bcc', '')}",
        title=mail.subject,
        body=mail.text,
        marks=(FILES,) if has_files(mail) else (),
    )


def _named(people: Sequence[Mailbox]) -> str:
    return " ; ".join(f"{person.name} {person.email}" for person in people)
