"""`dump.py save|load FILE`: the database of a host into a file and back, while it is in use.

It is copied to a host and run there by the system's Python, so it needs the standard library only, beside pg_dump and
pg_restore where the database is PostgreSQL. A password goes by the environment, never by a command line.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

WAIT = 60.0
"""Seconds that SQLite waits for a writer."""


def database_url(settings: Path, var: Path) -> str:
    """The database that a file of settings names, else that of the folder `var`."""
    url = ""
    if settings.exists():
        for line in settings.read_text().splitlines():
            name, _, value = line.partition("=")
            if name.removeprefix("export ").strip().upper() == "BITMAIL_DATABASE_URL":
                url = value.strip().strip("'\"")
    return url or f"sqlite:///{var / 'bitmail.db'}"


def save(url: str, file: Path) -> None:
    """Write all of a database, as it was at one moment, into a file that is whole once it has its name.

    Raises:
        CalledProcessError, sqlite3.Error: it could not be done.
    """
    part = file.with_name(f"{file.name}.part")
    if is_sqlite(url):
        with _sqlite(path_of(url), "rw") as source, closing(sqlite3.connect(part)) as target:
            # A reader's snapshot: copied at once, it is of one moment whoever writes meanwhile.
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode=DELETE")
            if (said := target.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(f"the copy is damaged: {said}")
    else:
        _postgres(url, "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={part}")
        _postgres(url, "pg_restore", "--list", str(part))
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(file)


def load(url: str, file: Path) -> None:
    """Put a saved database in place of the one there is; nothing may use it meanwhile.

    Raises:
        CalledProcessError, sqlite3.Error: it could not be done, and the database is as it was.
    """
    if is_sqlite(url):
        path_of(url).parent.mkdir(parents=True, exist_ok=True)
        with _sqlite(file, "ro") as source, closing(sqlite3.connect(path_of(url), timeout=WAIT)) as target:
            source.backup(target, pages=-1)
    else:
        words = (
            "--clean",
            "--if-exists",
            "--no-owner",
            "--no-acl",
            "--single-transaction",
            "--exit-on-error",
        )
        # A dump names schema public, which others may own; what is in it is ours.
        _postgres(url, "pg_restore", *words, "--schema=public", str(file), database="--dbname")


def count(url: str) -> dict[str, int]:
    """How many rows each table has."""
    listing = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    if is_sqlite(url):
        with _sqlite(path_of(url), "ro") as source:
            tables = [row[0] for row in source.execute(listing)]
            return {
                table: source.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608
                for table in tables
            }
    query = (
        "SELECT table_name, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I', table_name), "
        "false, true, '')))[1]::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    )
    rows = _postgres(url, "psql", "--no-psqlrc", "-At", "-F", "\t", "-c", query).splitlines()
    return {table: int(number) for table, number in (row.split("\t") for row in rows)}


def is_sqlite(url: str) -> bool:
    """Whether the URL names a file here."""
    return url.startswith("sqlite")


def path_of(url: str) -> Path:
    """The file of an URL of SQLite."""
    return Path(unquote(url.partition(":///")[2].partition("?")[0]))


def _sqlite(path: Path, mode: str) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=WAIT))


def _postgres(url: str, program: str, *words: str, database: str = "") -> str:
    """Run one of PostgreSQL's programs on the database of an URL; what it printed."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    environment = {
        **os.environ,
        "PGHOST": parts.hostname or query.get("host", ""),
        "PGPORT": str(parts.port or query.get("port", "")),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGSSLMODE": query.get("sslmode", ""),
        "PGCONNECT_TIMEOUT": "10",
    }
    settings = {name: value for name, value in environment.items() if value or not name.startswith("PG")}
    given = [database, settings["PGDATABASE"]] if database else []
    ended = subprocess.run(  # noqa: S603 - a fixed command
        [program, *given, *words],
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise subprocess.CalledProcessError(ended.returncode, program, ended.stdout, ended.stderr)
    return ended.stdout


def main(action: str, file: str) -> int:
    """Do it for the database of this host; the exit status."""
    base = Path.home() / "bitmail"
    url = database_url(base / "shared/env", base / "shared/var")
    if url.startswith("sqlite:///") and not path_of(url).is_absolute():
        url = f"sqlite:///{base / 'shared' / path_of(url)}"
    try:
        if action == "save":
            save(url, Path(file))
        else:
            load(url, Path(file))
            sys.stdout.write(json.dumps(count(url)) + "\n")
    except FileNotFoundError as error:
        sys.stderr.write(
            f"{error.filename} is missing; on Debian, postgresql-client has the programs of PostgreSQL\n"
        )
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.cmd}: {error.stderr.strip()}\n")
    except sqlite3.Error as error:
        sys.stderr.write(f"{path_of(url)}: {error}\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
