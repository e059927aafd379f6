"""The dispatcher: one thread that writes results and claims, a turn at a time, and tells what was written."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from mta.bulletin import Bulletin
from mta.claim import Claim, Result
from mta.events import Told
from mta.health import HealthBoard
from mta.holder import is_gone
from mta.leases import Leases
from mta.report import beat_event, sending_change
from mta.service import ProviderHealth
from mta.settings import ContainerSettings
from mta.work import Errand, Settled, Work
from store.errors import DatabaseClosed, StoreUnavailable

LOG = logging.getLogger(__name__)

SHORTEST_TURN = 0.002
"""Seconds in which results gather into one commit when there is nothing else to do."""
TROUBLE_PAUSE = 0.5
"""Seconds between two tries when the spool cannot be reached."""
MOST_NEWS = 10_000
"""News kept while the spool cannot be written; they are of a moment, and the oldest go first."""

Measure = Callable[[str, Result], None]
"""Is told the provider's name and what an attempt came to, once that is written."""


class Dispatcher:
    """Runs turns until the work is over."""

    def __init__(
        self,
        work: Work,
        leases: Leases,
        bulletin: Bulletin,
        board: HealthBoard,
        settings: ContainerSettings,
        clock: Callable[[], float],
        when_nobody_left: Callable[[], None],
        measure: Measure,
    ) -> None:
        self._work = work
        self._leases = leases
        self._bulletin = bulletin
        self._board = board
        self._settings = settings
        self._clock = clock
        self._when_nobody_left = when_nobody_left
        self._measure = measure
        self._woken = True
        self._spool_is_away = False
        self._stop_at = float("inf")
        self._last_turn = 0.0
        self._follows_clock = False
        self._next_beat = 0.0
        self._news: deque[Told] = deque(maxlen=MOST_NEWS)
        self._reported: list[tuple[str, str, float | None, int, str]] = []
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Wait until what is in flight is finished and written, for so many seconds at most."""
        with self._work.lock:
            self._stop_at = time.monotonic() + timeout
            self._work.stop()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout + TROUBLE_PAUSE)

    def wake(self) -> None:
        """Look into the spool now: something was submitted."""
        with self._work.lock:
            self._woken = True
            if not self._work.is_sated():
                self._work.changed.notify()  # else an answer comes before any claim, and wakes it

    def tell_sending(self, claim: Claim, at: float) -> None:
        """Tell that an attempt, already written down, is about to be made."""
        change = sending_change(claim, at)
        self._bulletin.tell(change)
        self._news.append(change)

    def _run(self) -> None:
        self._take_over()
        while self._wait():
            try:
                self._turn()
            except DatabaseClosed:
                LOG.critical(
                    "the database was closed before the container; its deliveries wait for their leases"
                )
                return
            except Exception:
                LOG.exception("a turn failed; the next one goes on")
                self._work.not_written([])
        self._report_health(())
        if self._work.has_lost_all():
            # In a thread of its own, since it may well stop this container and wait for this one.
            threading.Thread(target=self._when_nobody_left, name="good-bye", daemon=True).start()

    def _take_over(self) -> None:
        """Nobody has to wait for the leases of a container that was killed on this host."""
        try:
            taken = self._leases.take_over(self._clock(), is_gone)
        except Exception:
            LOG.exception("could not look for leases of containers that are gone; they run out by themselves")
            return
        if taken:
            LOG.warning("took over %d deliveries of a container that is gone", taken)

    def _wait(self) -> bool:
        """Wait until the next turn; False when there is none."""
        work = self._work
        with work.lock:
            if work.is_in_trouble():
                work.changed.wait(TROUBLE_PAUSE)
            poll_at = self._last_turn + self._settings.poll
            while not (self._woken or work.has_news() or work.is_over()):
                left = min(poll_at, self._stop_at) - time.monotonic()
                if left <= 0 or (left := min(left, work.next_change())) <= 0:
                    break
                work.changed.wait(left)
            # While the providers have enough to do, results gather for one commit.
            while not (work.is_over() or (self._woken and not work.is_sated())):
                turn = self._settings.turn if work.is_busy() else SHORTEST_TURN
                if (left := self._last_turn + turn - time.monotonic()) <= 0:
                    break
                work.changed.wait(left)
            self._last_turn = time.monotonic()
            return not work.is_over() and self._last_turn < self._stop_at

    def _turn(self) -> None:
        self._woken = False
        errand = self._work.errand()
        now = errand.now
        self._follow_clock(errand)
        for event in errand.events:
            self._bulletin.tell(event)
            self._news.append(event)
        if errand.settled or errand.renew or errand.want or self._news:
            self._write(errand, now)
        self._beat(now)

    def _follow_clock(self, errand: Errand) -> None:
        """Let nothing wait longer because the clock was set back, while this runs or before it was started."""
        if errand.set_back:
            LOG.warning(
                "the clock was set back by %.0f seconds; every wait keeps its length", errand.set_back
            )
            self._follows_clock = False
        if not self._follows_clock:
            try:
                self._leases.follow_clock(errand.now)
            except StoreUnavailable:
                return  # the next turn tries again, and says what there is to say
            self._follows_clock = True

    def _write(self, errand: Errand, now: float) -> None:
        until = now + self._settings.lease_seconds
        settlements = [one.settlement for one in errand.settled]
        news = [self._news.popleft() for _ in range(len(self._news))]
        try:
            turned = self._leases.turn(now, until, settlements, errand.renew, errand.want, news)
        except StoreUnavailable as error:
            self._news.extendleft(reversed(news))
            if not self._spool_is_away:
                LOG.critical("the spool cannot be written, and is tried until it can: %s", error)
            self._spool_is_away = True
            self._work.not_written(errand.settled)
            return
        except DatabaseClosed:
            raise
        except Exception:
            LOG.exception("a turn cannot be written; writing its results one by one")
            self._write_one_by_one(errand.settled, now, until)
            return
        if self._spool_is_away:
            LOG.warning("the spool can be written again")
            self._spool_is_away = False
        self._work.written(errand, turned.claims)
        self._tell(errand.settled, turned.applied)

    def _write_one_by_one(self, settled: Sequence[Settled], now: float, until: float) -> None:
        """One result that cannot be written must not keep the others from being."""
        for one in settled:
            alone = Errand([one], [], (), 0, now)
            try:
                turned = self._leases.turn(now, until, [one.settlement])
            except StoreUnavailable:
                self._work.not_written([one])
            except Exception:
                LOG.exception("delivery %s cannot be written; its lease runs out", one.settlement.claim.id)
                self._work.written(alone, ())
            else:
                self._work.written(alone, ())
                self._tell([one], turned.applied)

    def _tell(self, settled: Sequence[Settled], applied: Sequence[bool]) -> None:
        for one, changed in zip(settled, applied, strict=True):
            settlement = one.settlement
            if changed and settlement.change is not None:
                self._bulletin.tell(settlement.change)
            for event in one.events:
                self._bulletin.tell(event)
            if changed and settlement.notice is not None:
                self._bulletin.tell(settlement.notice)
            if settlement.result is not None:
                self._measure(settlement.claim.provider, settlement.result)

    def _beat(self, now: float) -> None:
        states = self._work.states()
        ticks = time.monotonic()
        if states == self._reported and ticks < self._next_beat:
            return
        self._reported, self._next_beat = states, ticks + self._settings.beat
        providers = self._work.health()
        self._bulletin.tell(beat_event(providers, now))
        self._report_health(providers)

    def _report_health(self, providers: Sequence[ProviderHealth]) -> None:
        if self._spool_is_away:
            return  # which was said
        try:
            self._board.report(providers, self._clock(), self._work.scheduler())
        except Exception:  # the mail goes on without it
            LOG.exception("could not tell the spool how the providers are")
