"""The doctor: examines an installation from the inside, changes nothing in it, and says how to mend what is ill."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dns.resolver
import requests
from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from bitmail import clockcheck
from bitmail.accounts import Accounts, SignUp
from bitmail.dnsrecords import INCLUDES, Records
from bitmail.findings import Finding, Verdict
from bitmail.settings import Settings
from mta.configuration import ConfigurationError
from mta.errors import UnknownScheduler
from mta.outcomes import Outcome
from mta.providers.base import Provider
from mta.providers.catalogue import make_providers
from mta.scheduler import make_scheduler
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, SqlStore, StoreError, StoreSettings
from store.migration import STORE_MIGRATIONS, STORE_VERSION_TABLE

SCARCE, LITTLE = 100 * 2**20, 2**30
"""Bytes of a disk with which no mail is safe, and with which some day it will not be."""
MIGRATE = "Run python -m bitmail migrate; the server does it as well when it starts."
DRIFT = 5.0
"""Seconds that the clock may be wrong before logs, leases of several hosts and codes of second factors suffer."""


class Doctor:
    """Examines what the settings describe."""

    def __init__(
        self,
        settings: Settings,
        resolver: dns.resolver.Resolver | None = None,
        time_server: str = "pool.ntp.org:123",
    ) -> None:
        """
        Args:
            settings: of the installation.
            resolver: whom to ask for DNS records; the host's own by default.
            time_server: whom to ask for the time, `host:port`.
        """
        self._settings = settings
        self._resolver = resolver
        self._time_server = time_server

    def examine(self, selectors: tuple[str, ...] = ()) -> Iterator[Finding]:
        """Look at everything; each finding comes when it is made. `selectors` are the names of DKIM keys."""
        providers: list[Provider] = []
        try:
            providers = make_providers(self._settings, lambda mail: None)
        except ConfigurationError as error:
            yield Finding("configuration", Verdict.BAD, str(error), "Put that setting right.")
        else:
            yield from self._configuration(providers)
        yield from self._database()
        yield self._disk()
        yield self._port()
        yield self._clock()
        yield from self._dns(providers, selectors)
        for provider in providers:
            yield self._credentials(provider)
            provider.close()

    def _configuration(self, providers: list[Provider]) -> Iterator[Finding]:
        settings = self._settings
        names = ", ".join(provider.name for provider in providers)
        try:
            make_scheduler(settings.scheduler)
        except UnknownScheduler as error:
            yield Finding(
                "configuration", Verdict.BAD, str(error), "Set BITMAIL_SCHEDULER to one that is there."
            )
            return
        is_public = settings.host not in ("127.0.0.1", "::1", "localhost")
        if all(provider.name == "loopback" for provider in providers):
            yield Finding(
                "configuration",
                Verdict.WARNING,
                "No provider is configured: mail comes back to its author.",
                "Set BITMAIL_PROVIDERS, or the variables of a service (docs/providers.md).",
            )
        elif settings.domain == "localhost":
            yield Finding(
                "configuration",
                Verdict.BAD,
                "Mail goes out from localhost, where nobody can answer to, and most will refuse it.",
                "Set BITMAIL_DOMAIN to your mail domain.",
            )
        elif is_public and not settings.allowed_origins():
            yield Finding(
                "configuration",
                Verdict.WARNING,
                "The server answers to any name.",
                "Set BITMAIL_ORIGINS to the address of the page, such as https://mail.example.com.",
            )
        elif is_public and settings.signup is SignUp.FIRST_LOG_IN:
            yield Finding(
                "configuration",
                Verdict.WARNING,
                "Everybody who finds the page can make an account, and send.",
                "Set BITMAIL_SIGNUP to invite or closed.",
            )
        else:
            yield Finding("configuration", Verdict.OK, f"It can be read; mail goes out by {names}.")

    def _database(self) -> Iterator[Finding]:
        settings = self._settings
        tiers = [("spool", MTA_MIGRATIONS, MTA_VERSION_TABLE)]
        if settings.store_url:
            yield self._store_server()
        else:
            tiers.append(("store", STORE_MIGRATIONS, STORE_VERSION_TABLE))
        url = make_url(settings.resolved_database_url())
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            # To look would make it.
            yield Finding("spool", Verdict.WARNING, "There is no database yet.", MIGRATE)
            return
        with closing(Database(settings.resolved_database_url())) as database:
            for name, folder, table in tiers:
                yield _version(database, name, folder, table)
            if len(tiers) == 2:
                yield from self._operators(database)

    def _operators(self, database: Database) -> Iterator[Finding]:
        """An operator whose account is not made yet needs an invitation."""
        if not self._settings.operator_names():
            return
        accounts = Accounts(SqlStore(database, groups=()), self._settings.domain)
        try:
            missing = [name for name in self._settings.operator_names() if not accounts.exists(name)]
        except (StoreError, SQLAlchemyError) as error:
            yield Finding("operators", Verdict.UNKNOWN, f"The accounts cannot be read: {error}", MIGRATE)
            return
        if missing:
            yield Finding(
                "operators",
                Verdict.BAD,
                f"{', '.join(missing)} has no account yet.",
                "Run python -m bitmail invite, and make the account at the address that it prints.",
            )

    def _store_server(self) -> Finding:
        settings: StoreSettings = self._settings
        from store.proxy import StoreServer  # here, since most do not need its imports

        with closing(StoreServer(settings.store_url, settings.store_secret, ca=settings.store_ca)) as server:
            try:
                server.ask("POST", "/entries/count", body=lambda: b'{"matching": {"kind": "doctor"}}')
            except StoreError as error:
                return Finding(
                    "store", Verdict.BAD, str(error), "Start python -m store there, with the same secret."
                )
        return Finding("store", Verdict.OK, f"The store server at {settings.store_url} answers.")

    def _disk(self) -> Finding:
        folder = self._settings.var
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        found = f"{free / 2**30:.1f} GB are free where {self._settings.var} is."
        if free < SCARCE:
            return Finding("disk", Verdict.BAD, found, "Make room: no mail can be taken when it is full.")
        if free < LITTLE:
            return Finding("disk", Verdict.WARNING, found, "Make room, or set BITMAIL_VAR to another disk.")
        return Finding("disk", Verdict.OK, found)

    def _port(self) -> Finding:
        host, port = self._settings.host, self._settings.port
        where = f"port {port} of {host}"
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        place = f"[{reachable}]" if ":" in reachable else reachable
        try:
            with socket.create_connection((reachable, port), 3):
                pass
        except OSError:
            return Finding(
                "port", Verdict.OK, f"Nothing listens on {where}: BitMail is not running, and may."
            )
        try:
            answer = requests.get(f"http://{place}:{port}/health/live", timeout=3, allow_redirects=False)
            lives = answer.status_code == 200 and answer.json() == {"status": "ok"}
        except (requests.RequestException, ValueError):
            lives = False
        if not lives:
            return Finding(
                "port", Verdict.BAD, f"Something else listens on {where}.", "Stop that, or set BITMAIL_PORT."
            )
        try:
            is_ready = requests.get(f"http://{place}:{port}/health/ready", timeout=10).status_code == 200
        except requests.RequestException:
            is_ready = False
        if not is_ready:
            return Finding(
                "port", Verdict.BAD, f"BitMail runs on {where} and is not ready.", "See what its log says."
            )
        return Finding("port", Verdict.OK, f"BitMail runs on {where}, and is ready.")

    def _clock(self) -> Finding:
        host, _, port = self._time_server.rpartition(":")
        try:
            ahead = clockcheck.offset(host, int(port))
        except OSError:
            return Finding(
                "clock",
                Verdict.UNKNOWN,
                f"The time server {host} cannot be asked from here.",
                "See that a time service runs: timedatectl, chronyc tracking.",
            )
        found = f"The clock is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}."
        if abs(ahead) > DRIFT:
            return Finding("clock", Verdict.BAD, found, "Start a time service: timedatectl set-ntp true.")
        return Finding("clock", Verdict.OK, found)

    def _dns(self, providers: list[Provider], selectors: tuple[str, ...]) -> Iterator[Finding]:
        domain = self._settings.domain
        if domain == "localhost" or "." not in domain:
            yield Finding(
                "DNS", Verdict.UNKNOWN, f"{domain} is no domain of the world.", "Set BITMAIL_DOMAIN."
            )
            return
        try:
            resolver = self._resolver or dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            yield Finding("DNS", Verdict.UNKNOWN, "This host knows no name server.", "Mend /etc/resolv.conf.")
            return
        kinds = [type(provider).__name__.lower() for provider in providers]
        services = tuple(dict.fromkeys(kind for kind in kinds if kind in INCLUDES))
        yield from Records(domain, resolver).examine(services, selectors)

    def _credentials(self, provider: Provider) -> Finding:
        about = f"provider {provider.name}"
        answer = provider.check()
        match answer.outcome:
            case Outcome.ACCEPTED:
                return Finding(about, Verdict.OK, answer.detail)
            case Outcome.MISCONFIGURED:
                return Finding(
                    about, Verdict.BAD, answer.detail, "Put its settings right (docs/providers.md)."
                )
            case Outcome.THROTTLED | Outcome.OVER_QUOTA:
                return Finding(
                    about, Verdict.WARNING, answer.detail, "Send less, or ask it for a greater share."
                )
        mend = "See that this host may reach it, and what its status page says."
        return Finding(about, Verdict.UNKNOWN, answer.detail, mend)


def _version(database: Database, name: str, folder: Path, table: str) -> Finding:
    newest = max(path.name[:4] for path in folder.glob("[0-9]*.py"))
    try:
        with database.read() as connection:
            if not inspect(connection).has_table(table):
                return Finding(name, Verdict.WARNING, "The database is there, and empty.", MIGRATE)
            version = str(connection.scalar(text(f"SELECT version_num FROM {table}")))  # noqa: S608 - our own name
        with database.transaction() as connection:
            connection.execute(text(f"UPDATE {table} SET version_num = version_num"))  # noqa: S608
    except (StoreError, SQLAlchemyError, OSError) as error:
        return Finding(
            name,
            Verdict.BAD,
            f"The database cannot be used: {error}",
            "See that it runs, that BITMAIL_DATABASE_URL or BITMAIL_VAR is right, and that we may write there.",
        )
    if version < newest:
        return Finding(
            name, Verdict.WARNING, f"The database is at {version}, this release at {newest}.", MIGRATE
        )
    if version > newest:
        mend = "Start the newer release, or restore the database from before its upgrade."
        return Finding(name, Verdict.BAD, f"The database is at {version}, this release at {newest}.", mend)
    return Finding(name, Verdict.OK, f"The database can be read and written, at version {version}.")
