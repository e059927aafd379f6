"""The providers that a configuration asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mta.configuration import ConfigurationError, MtaSettings
from mta.incoming import IncomingMail
from mta.providers.accounts import SERVICES
from mta.providers.base import Provider
from mta.providers.hosts import is_host, is_loopback
from mta.providers.loopback import LoopBack
from mta.providers.options import LIST, OPTIONS, Options, shown
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls

RELAY_OPTIONS = (*OPTIONS, "tls", "ca")
SUBMISSION_PORT, RELAY_PORT, IMPLICIT_TLS_PORT = 587, 25, 465

Deliver = Callable[[IncomingMail], None]


def make_providers(settings: MtaSettings, deliver: Deliver) -> list[Provider]:
    """Every provider that is configured, in the order of the list; LoopBack where none is.

    Args:
        settings: the configuration; nothing else is read.
        deliver: files the mail that LoopBack hands back.

    Raises:
        ConfigurationError: naming the variable and the culprit, and never a password.
    """
    items = [item for item in re.split(r"[\s,]+", settings.providers) if item]
    providers = [_make_provider(item, settings, deliver) for item in items or _those_with_variables(settings)]
    names = [provider.name for provider in providers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"{LIST}: two providers are called {name}; give one another name, as in {name}://…?name=second"
            )
    return providers


def _those_with_variables(settings: MtaSettings) -> list[str]:
    items = [kind for kind, service in SERVICES.items() if service.is_on(settings)]
    return items + ["smtp"] * _relay_is_on(settings) or ["loopback"]


def _make_provider(item: str, settings: MtaSettings, deliver: Deliver) -> Provider:
    address, _, query = item.partition("?") if "@" not in item.partition("?")[2] else (item, "", "")
    kind = address.partition(":")[0].lower()
    if kind in SERVICES:
        if address.lower() != kind:
            raise ConfigurationError(
                f"{LIST}: {shown(item)}: {kind} has no address; {SERVICES[kind].credentials}"
            )
        return SERVICES[kind].make(settings, Options(item, query, SERVICES[kind].options))
    if kind == "loopback":
        if address.lower() not in ("loopback", "loopback://"):
            raise ConfigurationError(f"{LIST}: {shown(item)}: loopback has no address")
        options = Options(item, query, OPTIONS)
        return LoopBack(options.name("loopback"), options.common(), deliver=deliver)
    if kind not in ("smtp", "smtps"):
        raise ConfigurationError(
            f"{LIST}: {shown(item)} is no provider; there are {', '.join(SERVICES)}, smtp and loopback"
        )
    options = Options(item, query, RELAY_OPTIONS)
    relay = (
        _relay_of_variables(settings, options)
        if address.lower() == "smtp"
        else _relay(address, item, options)
    )
    return SMTP(options.name("smtp"), relay, options.common())


def _relay_is_on(settings: MtaSettings) -> bool:
    given = (settings.smtp_host, settings.smtp_port, settings.smtp_user, settings.smtp_tls)
    return any(given) or bool(settings.smtp_password.get_secret_value())


def _relay_of_variables(settings: MtaSettings, options: Options) -> Relay:
    """The relay of `SMTP_HOST` and its companions."""
    user, password = settings.smtp_user, settings.smtp_password.get_secret_value()
    if not settings.smtp_host:
        raise ConfigurationError("SMTP_HOST: is missing; it names the relay that smtp sends through")
    if user and not password:
        raise ConfigurationError("SMTP_PASSWORD: is missing, while SMTP_USER is set")
    if password and not user:
        raise ConfigurationError("SMTP_USER: is missing, while SMTP_PASSWORD is set")
    if not is_host(settings.smtp_host):
        raise ConfigurationError("SMTP_HOST: is not the name or IP address of a host")
    port = _port(settings.smtp_port, "SMTP_PORT")
    tls = _tls(options.get("tls") or settings.smtp_tls, "SMTP_TLS")
    return _completed(settings.smtp_host, port, user, password, tls, options, "SMTP_TLS")


def _relay(address: str, item: str, options: Options) -> Relay:
    """The relay of `smtp://user:password@host:port` or `smtps://…`."""
    where = f"{LIST}: {shown(item)}"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        raise ConfigurationError(f"{where}: is not an address such as smtp://host:587") from None
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc.rpartition("@")[0]:
        raise ConfigurationError(
            f"{where}: is not an address such as smtp://user:password@host:587;"
            " in user and password, write @ / ? # % and : as %40 %2F %3F %23 %25 and %3A"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not is_host(host):
        raise ConfigurationError(f"{where}: has no valid name of a host")
    if bool(user) != bool(password):
        missing = "password" if user else "user"
        raise ConfigurationError(f"{where}: half a log-in: the {missing} is missing")
    port = _port(parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2], where)
    tls = _tls(options.get("tls"), f"{where}: option tls")
    if parts.scheme.lower() == "smtps":
        if tls not in (None, Tls.IMPLICIT):
            raise ConfigurationError(f"{where}: option tls contradicts smtps")
        tls = Tls.IMPLICIT
    return _completed(host, port, user, password, tls, options, f"{where}: option tls")


def _completed(
    host: str, port: int | None, user: str, password: str, tls: Tls | None, options: Options, where: str
) -> Relay:
    """The relay with what was left out: a log-in goes encrypted to a verified relay, save on this host."""
    if tls is None:
        if port == IMPLICIT_TLS_PORT:
            tls = Tls.IMPLICIT
        elif is_loopback(host):
            tls = Tls.NONE
        else:
            tls = Tls.STARTTLS if user else Tls.OPPORTUNISTIC
    elif tls is Tls.OPPORTUNISTIC and user:
        raise ConfigurationError(f"{where}: opportunistic does not protect a password; starttls does")
    if port is None:
        port = IMPLICIT_TLS_PORT if tls is Tls.IMPLICIT else SUBMISSION_PORT if user else RELAY_PORT
    ca = options.get("ca")
    if ca and not Path(ca).is_file():
        raise options.fault("ca", f"names no file: {ca}")
    return Relay(host, port, user, password, tls, ca)


def _port(text: str, where: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise ConfigurationError(f"{where}: the port has to be a number from 1 to 65535")
    return int(text)


def _tls(text: str, where: str) -> Tls | None:
    if not text:
        return None
    try:
        return Tls(text.lower())
    except ValueError:
        raise ConfigurationError(f"{where} has to be one of {', '.join(Tls)}") from None
