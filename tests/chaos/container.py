"""A container in a process of its own, from the settings of the web server: `python -m tests.chaos.container`."""

from __future__ import annotations

import logging
import os
import threading

from mta.configuration import MtaSettings, read_settings
from mta.container import Container
from mta.incoming import IncomingMail
from mta.providers.catalogue import make_providers
from mta.scheduler import make_scheduler
from mta.strategy import ThresholdFailureStrategy
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate

UNAVAILABLE = 69


def main() -> None:
    """Send until killed, or until no provider is left."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = read_settings(MtaSettings)
    database = Database(settings.resolved_database_url())
    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
    lost = threading.Event()
    container = Container(
        database,
        make_providers(settings, _refuse),
        scheduler=make_scheduler(settings.scheduler),
        strategy=lambda: ThresholdFailureStrategy(settings.failure_threshold),
        settings=settings.container_settings(),
        when_nobody_left=lost.set,
    )
    container.start()
    print(f"The container is at {os.getpid()}", flush=True)
    lost.wait()
    container.stop()
    os._exit(UNAVAILABLE)


def _refuse(mail: IncomingMail) -> None:
    raise AssertionError("no provider of the campaign hands in mail")


if __name__ == "__main__":
    main()
