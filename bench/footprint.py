"""`python -m bench.footprint`: what one mail costs, in processor time and on the disk; the numbers of docs/scale.md."""

from __future__ import annotations

import argparse
import secrets
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from bench.figures import Figure, report
from bitmail.drafts import Draft, new_key
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.settings import Settings

OCTETS = 5_000
"""Of the text of one mail: the usual mail without a picture."""
AUTHORS = 8
LOOKS = 200
PATIENCE = 600.0


def measure(service: Service, mails: int) -> list[Figure]:
    """Send mails from some authors at once; LoopBack hands each in again, so twice as many can be found in the end."""
    names = [f"author{n}" for n in range(AUTHORS)]
    authors = [service.model.accounts.log_in(name, "correct horse battery") for name in names]
    before, processor, began = size(service), time.process_time(), time.monotonic()

    def send(number: int) -> None:
        # Words of chance, since what can be compressed would look smaller than mail is.
        draft = Draft(
            new_key(), to="grace@example.com", subject=f"Mail {number}", text=secrets.token_hex(OCTETS // 2)
        )
        service.model.outbox.send(authors[number % AUTHORS], draft)

    with ThreadPoolExecutor(AUTHORS) as pool:
        list(pool.map(send, range(mails)))
    deadline = time.monotonic() + PATIENCE
    while service.store.count({"indexed": "1"}) < 2 * mails:
        if time.monotonic() > deadline:
            raise SystemExit("the mails did not come back, or cannot be found; the log says why")
        threading.Event().wait(0.1)
    took, used = time.monotonic() - began, time.process_time() - processor
    kept = size(service) - before
    look = time.perf_counter()
    for _ in range(LOOKS):
        service.model.mailboxes.page(names[0], MailboxName.INBOX)
    page = (time.perf_counter() - look) / LOOKS
    kind = "SQLite" if service.database.is_sqlite else "PostgreSQL"
    return [
        Figure(
            "footprint",
            f"{kind}: processor time a mail, accepted, sent, and filed and indexed twice",
            used / mails * 1000,
            "ms",
        ),
        Figure("footprint", f"{kind}: mails a second through one process", mails / took, "mails/s"),
        Figure("footprint", f"{kind}: disk a kept mail of {OCTETS} bytes", kept / (2 * mails), "bytes"),
        Figure(
            "footprint", f"{kind}: a look at a page of a mailbox of {mails // AUTHORS}", page * 1000, "ms"
        ),
    ]


def size(service: Service) -> int:
    """Bytes that the database has on the disk."""
    if not service.database.is_sqlite:
        with service.database.read() as connection:
            return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    with service.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(str(service.database.url.database)).stat().st_size


def main() -> None:
    """Measure on SQLite, and on PostgreSQL where there is one."""
    parser = argparse.ArgumentParser(prog="python -m bench.footprint")
    parser.add_argument("--mails", type=int, default=2_000)
    mails = parser.parse_args().mails
    from tests.store.postgres import private_postgres

    figures = []
    with tempfile.TemporaryDirectory(prefix="bitmail-") as var, private_postgres() as url:
        for database_url in ("", url):
            settings = Settings(_env_file=None, var=Path(var), database_url=database_url)  # type: ignore[call-arg]
            service = Service(settings)
            service.start()
            try:
                figures += measure(service, mails)
            finally:
                service.stop()
    report(figures)


if __name__ == "__main__":
    main()
