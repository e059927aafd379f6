"""`migrate`: the database of this release."""

from __future__ import annotations

from argparse import Namespace
from contextlib import closing

from bitmail.commands.base import Command, Output
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, Database, migrate


def bring_up(_: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Bring the database up to this release, by nothing that the release before could not live with.

    Raises:
        StoreError: it cannot be done, and the database is as it was.
    """
    with closing(Database(settings.resolved_database_url())) as database:
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE, expand_only=True)
        if not settings.store_url:
            migrate(database, expand_only=True)
            migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, expand_only=True)
    out.value({"migrated": True}, "The database is that of this release.")
    return ExitStatus.OK


COMMANDS = (Command("migrate", "bring the database up to this release", bring_up),)
