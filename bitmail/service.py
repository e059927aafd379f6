"""The composition root: which store, which container, which model make up the running service."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bitmail.mailboxes import GROUPS
from bitmail.model import MailModel
from bitmail.settings import Settings
from mta.container import Container
from mta.migrations import MTA_MIGRATIONS, MTA_VERSION_TABLE
from mta.providers import make_providers
from mta.providers.loopback import LoopBack
from mta.scheduler import make_scheduler
from store import Blobs, Database, SqlStore, migrate

log = logging.getLogger(__name__)


class Service:
    """Everything that runs behind the page, wired by the settings.

    Attributes:
        settings: as read at start.
        database, store, blobs: the storage tier.
        container: the sending tier.
        model: the mail model.
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
        self.settings = settings
        self.database = Database(settings.database())
        migrate(self.database)
        migrate(self.database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        self.store = SqlStore(self.database, groups=GROUPS)
        self.blobs = Blobs(self.database)
        providers = make_providers(settings, lambda mail: self.model.receive(mail))
        self.is_demo = all(isinstance(provider, LoopBack) for provider in providers)
        self.container = Container(
            self.database,
            providers,
            scheduler=make_scheduler(settings.scheduler),
            settings=settings.container_settings(),
            when_nobody_left=when_nobody_left,
        )
        self.model = MailModel(self.store, self.blobs, self.container, settings.domain)

    def start(self) -> None:
        """Finish what a crash interrupted, and begin to send."""
        self.model.outbox.recover()
        self.container.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what is in flight, within `timeout` seconds, and close the database."""
        self.container.stop(timeout)
        self.store.close()
        self.database.close()
