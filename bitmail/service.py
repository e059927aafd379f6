"""The composition root: which store, which container, which model make up the running service."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Protocol

from bitmail.errors import NoSuchMail
from bitmail.mailboxes import GROUPS
from bitmail.model import MailModel
from bitmail.settings import Settings
from mta.desk import Desk
from mta.incoming import IncomingMail
from mta.opening import make_container
from mta.providers.catalogue import make_providers
from mta.providers.loopback import LoopBack
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Blobs, Database, SqlStore, Storage, migrate, open_storage

log = logging.getLogger(__name__)


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
        database: where the spool is.
        store, blobs: the storage tier, in the same database or on a store server.
        container: the sending tier, or the desk of it.
        model: the mail model.
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
        self.store, self.blobs = self._storage.store, self._storage.blobs
        self.container = self._make_container(when_nobody_left)
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

    def start(self) -> None:
        """Finish what a crash interrupted, and begin to send, or to hear of what is sent elsewhere."""
        self.model.outbox.recover()
        self.container.file_with(self._file)
        self.container.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what is in flight, within `timeout` seconds, and close the database."""
        self.container.stop(timeout)
        self.store.close()
        self._storage.close()
        self.database.close()

    def _open_storage(self) -> Storage:
        """A store server, or else the database that holds the spool as well."""
        if self.settings.store_url:
            return open_storage(self.settings)
        migrate(self.database)
        return Storage(SqlStore(self.database, groups=GROUPS), Blobs(self.database), lambda: None)

    def _make_container(self, when_nobody_left: Callable[[], None]) -> Desk:
        """The container, or its desk where `python -m mta` does the sending."""
        if self.settings.container == "beside":
            # Which providers there are is known where they are configured; so only what is said is believed.
            self.is_demo = self.settings.providers.split() == ["loopback"]
            return Desk(self.database, self.settings.container_settings())
        providers = make_providers(self.settings, lambda mail: self.model.receive(mail))
        self.is_demo = all(isinstance(provider, LoopBack) for provider in providers)
        return make_container(self.settings, self.database, providers, when_nobody_left=when_nobody_left)

    def _file(self, mail: IncomingMail) -> None:
        """Put into INBOX what came in to another process."""
        try:
            self.model.receive(mail)
        except NoSuchMail as refusal:
            log.warning("a mail that came in is let go: %s", refusal)

    def _shared_secret(self) -> bytes:
        """32 random bytes, the same for every process on this store."""
        mine = {"kind": "secret", "value": secrets.token_hex(32)}
        id, _ = self.store.put_if_absent({"kind": "secret"}, mine)
        entry = self.store.get_by_id(id)
        return bytes.fromhex((entry.data if entry else mine)["value"])
