"""The composition root: which store, which container, which model make up the running service."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

from bitmail.alerts import Alerts
from bitmail.audit import Audit
from bitmail.caller import Caller
from bitmail.hooks import Hooks
from bitmail.incoming import Incoming
from bitmail.invitations import Invitations
from bitmail.mailboxes import GROUPS
from bitmail.metrics import MeasuredStore, WebMetrics
from bitmail.model import MailModel
from bitmail.operations import Operations
from bitmail.postroom import PostRoom, every
from bitmail.presence import BEAT, Presence
from bitmail.quota import Limits
from bitmail.rates import Paces
from bitmail.server import ServerError
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from bitmail.smtpoffice import SmtpOffice
from bitmail.webhooknotice import WebhookNotice
from mta.addresses import parse_recipients
from mta.calls import CALLED_FOR
from mta.configuration import ConfigurationError
from mta.container import Container
from mta.desk import Desk
from mta.events import StatusChange
from mta.hooks.bucket import Buckets
from mta.incoming import IncomingMail, NoMailbox
from mta.listener import Listener
from mta.opening import make_container
from mta.providers.catalogue import make_providers
from mta.providers.local import Local
from mta.providers.loopback import LoopBack
from mta.smtpserver import ServerCertificate, SmtpServer
from mta.submissionlistener import SubmissionListener
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import (
    SEARCH_MIGRATIONS,
    SEARCH_VERSION_TABLE,
    Database,
    SearchIndex,
    SqlStore,
    Storage,
    migrate,
    open_blobs,
    open_storage,
)

log = logging.getLogger(__name__)

HOUR = 3600.0
LARGEST_MAIL = 40 * 1024 * 1024
"""Bytes of a mail that is handed in by SMTP: as many as the API takes."""
COLLECTING = 30.0
"""Seconds between two tries to fetch mail from a bucket."""


class OpenPages(Protocol):
    """Follows which pages are open, and tells them when something changes."""

    def join(self, user: str, token: str) -> None:
        """A page of this person is open, and about to look."""

    def is_open(self, token: str) -> bool:
        """Whether a page is connected to this process."""

    def reconnect(self, token: str) -> None:
        """Have a page connect anew, as who its browser has become."""

    def cut_off(self, token: str) -> None:
        """Close a page's connection, since what all pages need is away."""

    def may_connect(self) -> bool:
        """Whether a page that connects now is of use."""

    def ask(self, token: str, handler: Any) -> None:
        """Have an event of a page handled as if the page had sent it."""


class NoPages:
    """Where nobody looks."""

    def join(self, user: str, token: str) -> None:
        """Nothing to follow."""

    def is_open(self, token: str) -> bool:
        """None is."""
        return False

    def reconnect(self, token: str) -> None:
        """Nothing is connected."""

    def cut_off(self, token: str) -> None:
        """Nothing is connected."""

    def may_connect(self) -> bool:
        """Nothing is away."""
        return True

    def ask(self, token: str, handler: Any) -> None:
        """Nobody is to hear of it."""


class Service:
    """Everything that runs behind the page, wired by the settings.

    Attributes:
        settings: as read at start.
        database: where the spool is.
        store, blobs: the storage tier, in the same database or on a store server.
        container: the sending tier, or the desk of it.
        model: the mail model.
        alerts: tells operators what cannot wait.
        operations: what operators see and do.
        incoming: takes mail that comes in.
        post_room: looks after what comes back.
        collector: fetches mail that waits elsewhere.
        caller: calls webhooks.
        hooks: where providers call.
        listeners: take mail by SMTP, where that is on.
        metrics: what is counted in this process.
        paces: how fast accounts call the API of this process.
        secret: shared by every process on this store, never shown.
        pages: the open pages.
        is_demo: no provider is configured, so mail comes back to its author.
    """

    def __init__(self, settings: Settings, *, when_nobody_left: Callable[[], None] = lambda: None) -> None:
        """
        Args:
            settings: what the operator set.
            when_nobody_left: called once when the container has said GOOD_BYE.

        Raises:
            ConfigurationError: naming the variable that cannot work.
            StoreError: the database or the store server cannot be used.
        """
        self.settings = settings
        self.database = Database(settings.resolved_database_url())
        migrate(self.database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        self._storage = self._open_storage()
        self.metrics = WebMetrics()
        self.paces = Paces(time.monotonic)
        self.store, self.blobs = MeasuredStore(self._storage.store, self.metrics), self._storage.blobs
        self.container = self._make_container(when_nobody_left)
        self.secret = self._shared_secret()
        self.pages: OpenPages = NoPages()
        self.model = MailModel(
            self.store,
            self.blobs,
            self._storage.index,
            self.container,
            settings.domain,
            secret=self.secret,
            sign_up=settings.signup,
            limits=Limits(settings.mails_an_hour, settings.bytes_a_day, settings.most_drafts),
            operators=settings.operator_names(),
            webhooks_to_loopback=settings.webhooks_to_loopback,
        )
        self.caller = Caller(
            self.container.calls,
            self.model.webhooks,
            WebhookNotice(self.model.accounts, self.model.mailboxes, self.container).tell,
            to_loopback=settings.webhooks_to_loopback,
            measure=self.metrics.called,
        )
        self.metrics.watch_calls(self.container.calls)
        self.container.watch(self._status_changed)
        self.presence = Presence(self.store)
        self.operations = Operations(
            settings.operator_names(),
            self.model,
            self.container,
            self.presence,
            Invitations(self.store),
            Audit(self.store),
            check=self.container.check if isinstance(self.container, Container) else None,
        )
        self.incoming = Incoming(
            self.store,
            self.model.accounts,
            self.model.receive,
            Buckets(settings.s3_endpoint).fetch,
            settings.domain,
            time.time,
        )
        self.post_room = PostRoom(
            self.container.settle_reports,
            self.model.bounces.work_off,
            every(HOUR, self.container.prune_reports),
        )
        # On its own, since Amazon may keep it waiting.
        self.collector = PostRoom(self.incoming.fetch, poll=COLLECTING)
        self.beat = PostRoom(self.presence.tell, poll=BEAT)
        self.hooks = Hooks(settings, self.container, self.incoming, self._wake)
        self.listeners = self._make_listeners()
        self.alerts = Alerts(
            self.store,
            self.container,
            sender=f"postmaster@{settings.domain}",
            people=parse_recipients(settings.alert_mail).addresses,
            url=settings.alert_url.get_secret_value(),
            queue_age=settings.alert_queue_age,
        )
        self.model.door.listen(lambda knock, _: self.metrics.knocked(knock))
        self.model.door.listen(self.alerts.knocked)

    def start(self) -> None:
        """Finish what a crash interrupted, and begin to send, or to hear of what is sent elsewhere."""
        self._listen()
        self.presence.tell()
        self.model.leaving.recover()
        self.model.librarian.start()
        self.container.file_with(self._file)
        self.container.start()
        self.post_room.start()
        self.collector.start()
        self.caller.start()
        self.alerts.start()
        self.beat.start()

    def _wake(self) -> None:
        self.post_room.wake()
        self.collector.wake()

    def _status_changed(self, change: StatusChange) -> None:
        if change.status in CALLED_FOR:
            self.caller.wake()

    def _make_listeners(self) -> dict[str, SmtpServer]:
        """What is to listen by SMTP, by the setting that says where."""
        settings = self.settings
        certificate = self._smtp_certificate()
        made: dict[str, SmtpServer] = {}
        if settings.smtp_listen:
            made["BITMAIL_SMTP_LISTEN"] = Listener(
                *_place(settings.smtp_listen),
                settings.domain,
                self.incoming.knows,
                self.incoming.deliver,
                certificate=certificate,
            )
        if settings.submission_listen:
            if certificate is None:
                raise ConfigurationError(
                    "BITMAIL_SUBMISSION_LISTEN: needs BITMAIL_SMTP_CERTIFICATE, since passwords come there"
                )
            made["BITMAIL_SUBMISSION_LISTEN"] = SubmissionListener(
                *_place(settings.submission_listen),
                settings.domain,
                SmtpOffice(self.model),
                certificate,
                largest=LARGEST_MAIL,
            )
        return made

    def _smtp_certificate(self) -> ServerCertificate | None:
        file = self.settings.smtp_certificate
        try:
            return ServerCertificate(file, self.settings.smtp_key) if file else None
        except OSError as error:
            raise ConfigurationError(
                f"BITMAIL_SMTP_CERTIFICATE: {file} cannot be used: {error}. Name a file in PEM with the certificate "
                "first, and its key in it or in BITMAIL_SMTP_KEY"
            ) from error

    def _listen(self) -> None:
        for name, listener in self.listeners.items():
            try:
                listener.start()
            except OSError as error:
                raise ServerError(
                    f"{name}={getattr(self.settings, name.removeprefix('BITMAIL_').lower())} cannot be listened on: "
                    f"{error.strerror}. Take an address of this machine and a port that is free; below 1024 it "
                    "needs the right to it.",
                    ExitStatus.CONFIGURATION,
                ) from error

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what is in flight, within `timeout` seconds, and close the database."""
        for listener in self.listeners.values():
            listener.stop()
        self.beat.stop(timeout)
        self.post_room.stop(timeout)
        self.collector.stop(timeout)
        self.caller.stop(timeout)
        self.container.stop(timeout)
        self.alerts.stop(timeout)
        self.model.librarian.stop()
        self.store.close()
        self._storage.close()
        self.database.close()

    def prove_writable(self) -> None:
        """Write to the spool and to the store something that means nothing.

        Raises:
            StoreError: one of them cannot be written.
        """
        self.container.prove_writable()
        id, _ = self.store.put_if_absent({"kind": "proof"}, {"kind": "proof", "at": ""})
        self.store.update_by_id(id, {"at": repr(time.time())})

    def _open_storage(self) -> Storage:
        """A store server, or else the database that holds the spool as well."""
        if self.settings.store_url:
            return open_storage(self.settings)
        migrate(self.database)
        migrate(self.database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
        store, blobs = SqlStore(self.database, groups=GROUPS), open_blobs(self.settings, self.database)
        return Storage(store, blobs, SearchIndex(self.database), lambda: None)

    def _make_container(self, when_nobody_left: Callable[[], None]) -> Desk:
        """The container, or its desk where `python -m mta` does the sending."""
        if self.settings.container == "beside":
            if self.settings.local_delivery:
                raise ConfigurationError(
                    "BITMAIL_LOCAL_DELIVERY: needs the container inside the web server; leave out one of it and "
                    "BITMAIL_CONTAINER=beside"
                )
            # Which providers there are is known where they are configured; so only what is said is believed.
            self.is_demo = self.settings.providers.split() == ["loopback"]
            return Desk(self.database, self.settings.container_settings())
        providers = make_providers(self.settings, lambda mail: self.model.receive(mail))
        self.is_demo = all(isinstance(provider, LoopBack) for provider in providers)
        if self.settings.local_delivery:
            providers.append(Local(self.settings.domain, lambda mail: self.model.receive(mail)))
        container = make_container(
            self.settings,
            self.database,
            providers,
            when_nobody_left=when_nobody_left,
            measure=self.metrics.attempted,
        )
        self.metrics.watch(container)
        return container

    def _file(self, mail: IncomingMail) -> None:
        """Put into INBOX what came in to another process."""
        try:
            self.model.receive(mail)
        except NoMailbox as refusal:
            log.warning("a mail that came in is let go: %s", refusal)

    def _shared_secret(self) -> bytes:
        """32 random bytes, the same for every process on this store."""
        mine = {"kind": "secret", "value": secrets.token_hex(32)}
        id, _ = self.store.put_if_absent({"kind": "secret"}, mine)
        entry = self.store.get_by_id(id)
        return bytes.fromhex((entry.data if entry else mine)["value"])


def _place(address: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
