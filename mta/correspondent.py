"""The correspondent: one thread of each process that exchanges news and files what came in elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from mta.bulletin import Bulletin
from mta.events import Told
from mta.incoming import IncomingMail, IncomingTray
from mta.news import KEPT, News
from mta.tallies import Tallies
from store.database import Database
from store.errors import DatabaseClosed, StoreUnavailable

LOG = logging.getLogger(__name__)

INTERVAL = 0.3
"""Seconds between two looks for news."""
FILED_AT_ONCE = 20
"""Mails filed between two looks."""
FILING_PAUSE = 30.0
"""Seconds until a mail that could not be filed is tried again."""
STORE_PAUSE = 5.0
"""Seconds until filing is tried again after the store did not answer."""
MOST_WAITING = 10_000
"""News kept while the spool cannot be written; they are of a moment, and the oldest go first."""

File = Callable[[IncomingMail], None]


class Correspondent:
    """Tells the other processes on a spool what happened here, and this one what happened there."""

    def __init__(
        self, database: Database, holder: str, bulletin: Bulletin, clock: Callable[[], float]
    ) -> None:
        self._news = News(database, holder)
        self._tallies = Tallies(database)
        self._tray = IncomingTray(database)
        self._bulletin = bulletin
        self._clock = clock
        self._file: File | None = None
        self._heard: Callable[[], None] = _nothing
        self._outgoing: list[Told] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._is_away = False
        self._last_filed = ""
        self._not_before: dict[str, float] = {}
        self._no_filing_before = 0.0
        self._next_sweep = 0.0
        self._thread = threading.Thread(target=self._run, name="correspondent", daemon=True)

    def start(self) -> None:
        """Begin: what others write from now on is told here."""
        self._news.begin()
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what is left to tell, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def file_with(self, file: File) -> None:
        """Have mail filed that came in to other processes; `file` goes by its id, since it may come again."""
        self._file = file

    def heard_with(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever there was news."""
        self._heard = heard

    def send(self, told: Told) -> None:
        """Tell the other processes soon; returns at once."""
        with self._changed:
            self._outgoing.append(told)
            del self._outgoing[:-MOST_WAITING]
            self._changed.notify()

    def post(self, told: Told) -> None:
        """Tell the other processes before this returns.

        Raises:
            StoreUnavailable: the spool cannot be written.
        """
        self._news.post([told], self._clock())

    def prove_writable(self) -> None:
        """Write something to the spool that means nothing.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        self._news.prove_writable(self._clock())

    def _run(self) -> None:
        stopping = False
        while not stopping:
            with self._changed:
                self._changed.wait_for(self._has_to_act, INTERVAL)
                stopping = self._stopping
            try:
                self._correspond()
                self._is_away = False
            except DatabaseClosed:
                return
            except StoreUnavailable as error:
                if not self._is_away:
                    LOG.warning("no news from or to other processes until the spool is back: %s", error)
                self._is_away = True
            except Exception:
                LOG.exception("a look for news failed; the next one goes on")

    def _has_to_act(self) -> bool:
        return self._stopping or (bool(self._outgoing) and not self._is_away)

    def _correspond(self) -> None:
        self._write()
        told = self._news.read()
        for one in told:
            self._bulletin.pass_on(one)
        if told:
            self._heard()
        self._file_some()
        if (ticks := time.monotonic()) >= self._next_sweep:
            self._next_sweep = ticks + KEPT / 4
            self._news.forget(self._clock())
            self._tallies.forget(self._clock())

    def _write(self) -> None:
        with self._changed:
            told, self._outgoing = self._outgoing, []
        if not told:
            return
        try:
            self._news.post(told, self._clock())
        except StoreUnavailable:
            with self._changed:
                self._outgoing[:0] = told
            raise

    def _file_some(self) -> None:
        """File what lies in the tray; one that cannot be filed keeps no other waiting."""
        if self._file is None or time.monotonic() < self._no_filing_before:
            return
        ids = self._tray.ids(self._last_filed, FILED_AT_ONCE)
        self._last_filed = ids[-1] if len(ids) == FILED_AT_ONCE else ""
        for id in ids:
            if self._not_before.get(id, 0.0) > time.monotonic():
                continue
            mail = self._tray.mail(id)
            if mail is None:  # another process was quicker
                self._not_before.pop(id, None)
                continue
            try:
                self._file(mail)
            except StoreUnavailable as error:
                LOG.warning("mail that came in cannot be filed now and waits: %s", error)
                self._no_filing_before = time.monotonic() + STORE_PAUSE
                return
            except Exception:  # filing is anybody's code; the mail stays where it is
                LOG.exception("mail %s could not be filed; it is tried again in %g seconds", id, FILING_PAUSE)
                self._not_before[id] = time.monotonic() + FILING_PAUSE
            else:
                self._tray.remove(id)
                self._not_before.pop(id, None)


def _nothing() -> None:
    pass
