"""`python -m store`: serves the database of the settings to other hosts."""

from __future__ import annotations

import logging
import sys

import uvicorn

from store import logs, tracing
from store.database import Database
from store.errors import StoreError
from store.migration import migrate
from store.opening import open_blobs
from store.search import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, SearchIndex
from store.server import AREAS, make_server
from store.settings import StoreSettings
from store.sql import SqlStore


def main() -> int:
    """Serve until stopped; the exit status."""
    settings = StoreSettings()
    logs.set_up(settings.log, settings.log_level, uvicorn=logging.INFO)
    tracing.set_up("bitmail-store", settings)
    database = Database(settings.resolved_database_url())
    try:
        migrate(database)
        migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
        index = SearchIndex(database)
        server = make_server(SqlStore(database), open_blobs(settings, database), index, settings.store_secret)
        uvicorn.run(
            # Only as a part of what its callers do, since they also ask by themselves all the time.
            logs.Traced(tracing.Requests(server, AREAS, begins=False)),
            host=settings.store_host,
            port=settings.store_port,
            ssl_certfile=settings.store_certificate,
            ssl_keyfile=settings.store_key,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            limit_concurrency=512,
            access_log=False,
            log_config=None,
        )
    except (StoreError, ValueError) as error:
        print(f"store: {error}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
