"""The composition root: which store, which container, which model make up the running service."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from bitmail.hooks import Hooks
from bitmail.incoming import Incoming
from bitmail.mailboxes import GROUPS
from bitmail.model import MailModel
from bitmail.postroom import PostRoom, every
from bitmail.server import ServerError
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from mta.configuration import ConfigurationError
from mta.container import Container
from mta.hooks.bucket import Buckets
from mta.listener import Listener
from mta.providers.catalogue import make_providers
from mta.providers.local import Local
from mta.providers.loopback import LoopBack
from mta.scheduler import make_scheduler
from mta.strategy import ThresholdFailureStrategy
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Blobs, Database, SqlStore, migrate

log = logging.getLogger(__name__)

HOUR = 3600.0
COLLECTING = 30.0
"""Seconds between two tries to fetch mail from a bucket."""


class OpenPages(Protocol):
    """Follows which pages are open, and tells them when something changes."""

    def join(self, user: str, token: str) -> None:
        """A page of this person is open, and about to look."""


class NoPages:
    """Where nobody looks."""

    def join(self, user: str, token: str) -> None:
        """Nothing to follow."""


class Service:
    """Everything that runs behind the page, wired by the settings.

    Attributes:
        settings: as read at start.
        database, store, blobs: the storage tier.
        container: the sending tier.
        model: the mail model.
        incoming: takes mail that comes in.
        post_room: looks after what comes back.
        collector: fetches mail that waits elsewhere.
        hooks: where providers call.
        listener: takes mail by SMTP, where that is on.
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
            StoreError: the database cannot be used.
        """
        for variable, is_set in (
            ("BITMAIL_CONTAINER=beside", settings.container == "beside"),
            ("BITMAIL_STORE_URL", settings.store_url),
        ):
            if is_set:
                raise ConfigurationError(f"{variable}: the web server cannot do that yet; leave it out")
        self.settings = settings
        self.database = Database(settings.resolved_database_url())
        migrate(self.database)
        migrate(self.database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        self.store = SqlStore(self.database, groups=GROUPS)
        self.blobs = Blobs(self.database)
        providers = make_providers(settings, lambda mail: self.model.receive(mail))
        self.is_demo = all(isinstance(provider, LoopBack) for provider in providers)
        if settings.local_delivery:
            providers.append(
                Local(
                    settings.domain,
                    lambda address: self.incoming.knows(address),
                    lambda mail: self.model.receive(mail),
                )
            )
        self.container = Container(
            self.database,
            providers,
            scheduler=make_scheduler(settings.scheduler),
            strategy=lambda: ThresholdFailureStrategy(settings.failure_threshold),
            settings=settings.container_settings(),
            when_nobody_left=when_nobody_left,
        )
        self.secret = self._shared_secret()
        self.pages: OpenPages = NoPages()
        self.model = MailModel(
            self.store,
            self.blobs,
            self.container,
            settings.domain,
            secret=self.secret,
            sign_up=settings.signup,
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
        self.hooks = Hooks(settings, self.container, self.incoming, self._wake)
        self.listener = self._make_listener()

    def start(self) -> None:
        """Finish what a crash interrupted, and begin to send."""
        if self.listener is not None:
            self._listen(self.listener)
        self.model.outbox.recover()
        self.container.start()
        self.post_room.start()
        self.collector.start()

    def _wake(self) -> None:
        self.post_room.wake()
        self.collector.wake()

    def _make_listener(self) -> Listener | None:
        host, _, port = self.settings.smtp_listen.rpartition(":")
        if not host:
            return None
        return Listener(
            host.strip("[]"),
            int(port),
            self.settings.domain,
            self.incoming.knows,
            self.incoming.deliver,
        )

    def _listen(self, listener: Listener) -> None:
        try:
            listener.start()
        except OSError as error:
            raise ServerError(
                f"BITMAIL_SMTP_LISTEN={self.settings.smtp_listen} cannot be listened on: {error.strerror}. "
                "Take an address of this machine and a port that is free; below 1024 it needs the right to it.",
                ExitStatus.CONFIGURATION,
            ) from error

    def _shared_secret(self) -> bytes:
        """32 random bytes, the same for every process on this store."""
        mine = {"kind": "secret", "value": secrets.token_hex(32)}
        id, _ = self.store.put_if_absent({"kind": "secret"}, mine)
        entry = self.store.get_by_id(id)
        return bytes.fromhex((entry.data if entry else mine)["value"])

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what is in flight, within `timeout` seconds, and close the database."""
        if self.listener is not None:
            self.listener.stop()
        self.post_room.stop(timeout)
        self.collector.stop(timeout)
        self.container.stop(timeout)
        self.store.close()
        self.database.close()
