"""The desk: where mail is handed in and followed, in a process that leaves the sending to others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mta.bulletin import Bulletin
from mta.calls import Calls
from mta.correspondent import Correspondent
from mta.errors import KeyConflict
from mta.events import Event, EventKind, OwnerChange, ProviderOrder, StatusChange, Told
from mta.health import ContainerReport, HealthBoard
from mta.holder import new_holder
from mta.hooks.call import DeliveryReport
from mta.incoming import IncomingMail, IncomingTray
from mta.inquiry import Inquiry
from mta.reports import Reports
from mta.returns import Returns
from mta.service import ProviderHealth
from mta.settings import ContainerSettings
from mta.spool import Backlog, Spool, status_of
from mta.steering import Steering
from mta.submission import Delivery, NewSubmission, Submission
from mta.tallies import Tallies
from store import tracing
from store.database import Database, Heard
from store.errors import StoreUnavailable

LOG = logging.getLogger(__name__)


class Desk:
    """The container's API without the sending: containers on the same spool do that, now or later.

    Every method may be called from any thread; none waits for a provider. One that is never started still
    accepts mail.
    """

    def __init__(
        self,
        database: Database,
        settings: ContainerSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            database: where the spool lives; migrated, and closed by whoever opened it.
            settings: how it works.
            clock: the time in seconds since the epoch.
        """
        self._settings = settings or ContainerSettings()
        self._clock = clock
        self._holder = new_holder()
        self._spool = Spool(database)
        self.inquiry = Inquiry(database, self._spool)
        """Finds a mail for an operator."""
        self._tray = IncomingTray(database)
        self._reports = Reports(database, self._holder)
        self.returns = Returns(database)
        """The deliveries that came to nothing, until somebody has told their authors."""
        self.steering = Steering(database, self._holder)
        """What operators set of the schedule."""
        self.tallies = Tallies(database)
        """What came of mail lately, in all containers."""
        self.calls = Calls(database)
        """What webhooks are still to be told."""
        self._bulletin = Bulletin()
        self._board = HealthBoard(database, self._holder, stale_after=4 * self._settings.beat)
        self._correspondent = Correspondent(database, self._holder, self._bulletin, clock)
        self._is_started = False

    def submit(self, new: NewSubmission) -> Submission:
        """Accept a mail: on disk when this returns, and sent as soon as a provider takes it.

        The same key and the same mail again give the same submission, as it is now, and send nothing twice.

        Raises:
            KeyConflict: the owner used this key for another mail.
        """
        with tracing.span("submit") as span:
            (accepted,) = self.submit_all([replace(new, trace=tracing.context())])
            if isinstance(accepted, KeyConflict):
                raise accepted
            span.say(submission=accepted.id)
            LOG.info("accepted a mail", extra={"account": accepted.owner, "submission": accepted.id})
            return accepted

    def submit_all(self, news: Sequence[NewSubmission]) -> list[Submission | KeyConflict]:
        """The same for several mails in one commit, with a refusal in the place of what would be raised."""
        accepted = self._spool.submit_all(news, self._clock(), self._settings.lifetime)
        if self._is_started and any(not isinstance(one, KeyConflict) and one[1] for one in accepted):
            self._submitted()
        return [one if isinstance(one, KeyConflict) else one[0] for one in accepted]

    def submit_soon(self, news: Sequence[NewSubmission], heard: Heard[list[str | KeyConflict]]) -> None:
        """The same for a caller that cannot wait, and wants the ids alone: returns at once.

        Args:
            news: the mails.
            heard: told the submissions' ids once all are on disk, in a thread that it must not hold up.

        Raises:
            DatabaseClosed: no more is taken.
        """

        def answered(accepted: list[str | KeyConflict] | None, error: BaseException | None) -> None:
            heard(accepted, error)
            if self._is_started and any(isinstance(one, str) for one in accepted or ()):
                self._submitted()

        self._spool.submit_soon(news, self._clock(), self._settings.lifetime, answered)

    def submission(self, submission_id: str) -> Submission | None:
        """The submission with its deliveries and attempts as it is now, or None."""
        return self._spool.submission(submission_id)

    def submissions(self, ids: Iterable[str]) -> dict[str, Submission]:
        """Those of these submissions that exist, by id; few queries for any number."""
        return self._spool.submissions(ids)

    def raw(self, submission_id: str) -> bytes:
        """The mail itself, byte by byte as it was submitted.

        Raises:
            KeyError: there is no such submission.
        """
        return self._spool.raw(submission_id)

    def take_reports(self, reports: Iterable[DeliveryReport], token: str = "", used_for: str = "") -> int:
        """Write down what a provider reported: on disk when this returns, and settled by `settle_reports`.

        Args:
            reports: what became of deliveries.
            token: what the provider may use once only, or "".
            used_for: what it may be used for again, since repeating that changes nothing; "" for nothing.

        Returns:
            How many of them did not come before.

        Raises:
            HookRefused: the token was used before.
        """
        return self._reports.add(reports, self._clock(), token, used_for)

    def settle_reports(self) -> None:
        """Make of every report that waits what it means for its delivery, and tell that in every process.

        A delivery that a provider surely has is not sent again. May be called by any number of processes.
        """
        began = tracing.now()
        while (news := self._reports.settle(self._clock())) is not None:
            self._trace(began, news)
            for told in news:
                self._bulletin.tell(told)

    def _trace(self, began: int, news: Iterable[Told]) -> None:
        """Note in the trace of each mail what a report made of it."""
        changes = [told for told in news if isinstance(told, StatusChange)] if tracing.is_on() else []
        if not changes:
            return
        try:
            traces = self._spool.traces({change.submission_id for change in changes})
        except StoreUnavailable as error:
            LOG.debug("reports are settled without being traced: %s", error)
            return
        for change in changes:
            tracing.past(
                "report",
                began,
                traces.get(change.submission_id, ""),
                submission=change.submission_id,
                delivery=change.delivery_id,
                provider=change.provider,
                status=change.status.value,
            )

    def prune_reports(self) -> None:
        """Forget the reports that are too old to come again."""
        self._reports.prune(self._clock())

    def cancel(self, submission_id: str) -> Submission | None:
        """Cancel those deliveries of a submission that surely no provider has.

        Returns:
            The submission as it is now, or None when there is none.
        """
        now = self._clock()
        cancelled = self._spool.cancel(submission_id, now)
        submission = self._spool.submission(submission_id)
        if submission is not None:
            for one in cancelled:
                self._tell_delivery(submission, one, now)
        return submission

    def retry(self, submission_id: str, delivery_id: str) -> Submission | None:
        """Try one delivery again now, with a new lifetime, where that may help: it waits, failed, bounced or is
        uncertain, and no container has it in hand. Otherwise it stays as it is.

        Returns:
            The submission as it is now, or None when there is none.
        """
        now = self._clock()
        queued = self._spool.retry(submission_id, delivery_id, now, self._settings.lifetime)
        submission = self._spool.submission(submission_id)
        if submission is not None and queued is not None:
            self._tell_delivery(submission, queued, now)
            if self._is_started:
                self._submitted()
        return submission

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call back for each event, in threads of the container's, until the function returned is called.

        Of other processes on this spool come the events that concern a person or a provider's service.
        """
        return self._bulletin.listen(callback)

    def watch(self, callback: Callable[[StatusChange], None]) -> Callable[[], None]:
        """Call back for each status change once it is on disk, whichever process made it, in threads of the
        container's, until the function returned is called.
        """
        return self._bulletin.watch(callback)

    def announce(self, owner: str) -> None:
        """Tell here and in the other processes that something of an account's changed; returns at once."""
        self._tell_all(OwnerChange(self._clock(), owner))

    def inform(self, owner: str, text: str) -> None:
        """Tell an account's owner something that is about no mail, here and in the other processes; returns at once."""
        self._tell_all(Event(EventKind.INFORM_USER, self._clock(), text, owner=owner))

    def follow(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call back with the account that was announced, in whichever process, until the function returned is
        called.
        """
        return self._bulletin.follow(lambda change: callback(change.owner))

    def order(self, provider_name: str, *, is_out: bool) -> None:
        """Have a provider leave service in every container on this spool, or come back.

        The last one in service stays. An order holds until the opposite one, or until the container is started anew.
        """
        order = ProviderOrder(self._clock(), provider_name, is_out)
        self._tell_all(order)
        if not self._is_started:  # a command, which is over before it could be told later
            self._correspondent.post(order)

    def choose_scheduler(self, name: str, by: str) -> None:
        """Have every container on this spool pick by this scheduler, from now on and when started anew.

        Args:
            name: of a built-in scheduler, or `configured`.
            by: who wants it.

        Raises:
            CannotSteer: there is no such scheduler.
        """
        for told in self.steering.choose(name, by, self._clock()):
            self._bulletin.tell(told)

    def weigh(self, provider_name: str, weight: str, by: str) -> None:
        """Give a provider this weight in every container on this spool, from now on and when started anew.

        Args:
            provider_name: of a provider in a container that runs.
            weight: a whole number from 1 on, or `configured`.
            by: who wants it.

        Raises:
            CannotSteer: there is no such provider, or it is no weight.
        """
        known = {one.name for one in self.health()}
        for told in self.steering.weigh(provider_name, weight, known, by, self._clock()):
            self._bulletin.tell(told)

    def hand_in(self, mail: IncomingMail) -> None:
        """Keep a mail that came in until some process has filed it; durable on return."""
        self._tray.put(mail)

    def file_with(self, callback: Callable[[IncomingMail], None]) -> None:
        """Have mail filed that was handed in, in whichever process, once this is started.

        Args:
            callback: files the mail, durably. It goes by the mail's id, since the same mail may come again; when
                it raises, the mail stays and comes again later.
        """
        self._correspondent.file_with(callback)

    def start(self) -> None:
        """Begin to hear what other processes on this spool do."""
        self._is_started = True
        self._correspondent.start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Tell the other processes what is left to tell, within `timeout` seconds, and end.

        Returns:
            Whether everything in flight was finished.
        """
        if self._is_started:
            self._correspondent.stop(timeout)
        return True

    def health(self) -> list[ProviderHealth]:
        """How the providers of every container on this spool are."""
        return [health for providers in self.health_of_all().values() for health in providers]

    def health_of_all(self) -> dict[str, list[ProviderHealth]]:
        """How the providers of every container on this spool are, by container."""
        return self._board.all(self._clock())

    def containers(self) -> list[ContainerReport]:
        """What every container on this spool says of itself."""
        return self._board.reports(self._clock())

    def backlog(self) -> Backlog:
        """What waits in the spool; the cost depends on what waits, not on what is finished."""
        return self._spool.backlog()

    def prove_writable(self) -> None:
        """Write something to the spool that means nothing.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        self._correspondent.prove_writable()

    def _submitted(self) -> None:
        """Something new is in the spool."""

    def _tell_delivery(self, submission: Submission, delivery: Delivery, at: float) -> None:
        self._tell_all(status_of(submission.owner, submission.id, delivery, at))

    def _tell_all(self, told: Told) -> None:
        self._bulletin.tell(told)
        if self._is_started:
            self._correspondent.send(told)
