"""The providers that a configuration asks for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from mta.configuration import ConfigurationError, MtaSettings
from mta.incoming import IncomingMail
from mta.providers.base import Provider, ProviderOptions
from mta.providers.loopback import LoopBack
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls

LIST = "BITMAIL_PROVIDERS"
CARRIED = ("smtp", "loopback")
KNOWN = ("ses", "mailgun", "sendgrid")
OPTIONS = ("concurrency", "rate", "weight", "timeout", "name")
RELAY_OPTIONS = (*OPTIONS, "tls", "ca")
SUBMISSION_PORT, RELAY_PORT, IMPLICIT_TLS_PORT = 587, 25, 465
MOST_CONCURRENCY = 1000
MOST_SECONDS = 3600.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")
SHOWN = re.compile(r"([A-Za-z]{1,20})(?:://(.*@)?([A-Za-z0-9_.\[\]-]{0,253}))?", re.DOTALL)

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
    if not items:
        items = ["smtp"] if _relay_is_on(settings) else ["loopback"]
    providers = [_make_provider(item, settings, deliver) for item in items]
    names = [provider.name for provider in providers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"{LIST}: two providers are called {name}; give one another name, as in {name}://…?name=second"
            )
    return providers


def _make_provider(item: str, settings: MtaSettings, deliver: Deliver) -> Provider:
    address, _, query = item.partition("?") if "@" not in item.partition("?")[2] else (item, "", "")
    kind = address.partition(":")[0].lower()
    if kind in KNOWN:
        raise ConfigurationError(f"{LIST}: {kind} is not in this version; it has {' and '.join(CARRIED)}")
    if kind == "loopback":
        if address.lower() not in ("loopback", "loopback://"):
            raise ConfigurationError(f"{LIST}: {_shown(item)}: loopback has no address")
        options = _Options(item, query, OPTIONS)
        return LoopBack(options.name("loopback"), options.common(), deliver=deliver)
    if kind not in ("smtp", "smtps"):
        raise ConfigurationError(
            f"{LIST}: {_shown(item)} is no provider; this version has {' and '.join(CARRIED)}"
        )
    options = _Options(item, query, RELAY_OPTIONS)
    relay = (
        _relay_of_variables(settings, options)
        if address.lower() == "smtp"
        else _relay(address, item, options)
    )
    return SMTP(options.name("smtp"), relay, options.common())


class _Options:
    """What stands behind the question mark."""

    def __init__(self, item: str, query: str, allowed: tuple[str, ...]) -> None:
        self._where = f"{LIST}: {_shown(item)}"
        self._values: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in allowed:
                shown = f"option {name}" if re.fullmatch("[a-z_]{1,20}", name) else "an option"
                raise ConfigurationError(f"{self._where}: {shown} is unknown; there are {', '.join(allowed)}")
            if name in self._values:
                raise ConfigurationError(f"{self._where}: option {name} stands twice")
            self._values[name] = value

    def get(self, name: str) -> str:
        return self._values.get(name, "")

    def name(self, default: str) -> str:
        name = self._values.get("name", default)
        if not NAME.fullmatch(name):
            raise self.fault("name", "has to be letters, digits, dots and hyphens, at most 40")
        return name

    def common(self) -> ProviderOptions:
        usual = ProviderOptions()
        return ProviderOptions(
            concurrency=int(self._number("concurrency", usual.concurrency, 1, MOST_CONCURRENCY, whole=True)),
            rate=self._number("rate", usual.rate, 0, float("inf")),
            weight=int(self._number("weight", usual.weight, 1, MOST_CONCURRENCY, whole=True)),
            timeout=self._number("timeout", usual.timeout, 0.1, MOST_SECONDS),
        )

    def fault(self, name: str, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: option {name} {reason}")

    def _number(self, name: str, usual: float, least: float, most: float, *, whole: bool = False) -> float:
        if name not in self._values:
            return usual
        text = self._values[name]
        kind = "a whole number" if whole else "a number"
        pattern = r"\d{1,9}" if whole else r"\d{1,9}(\.\d{1,9})?"
        if not re.fullmatch(pattern, text, re.ASCII) or not least <= float(text) <= most:
            limits = f"from {least:g}" + (f" to {most:g}" if most < float("inf") else "")
            raise self.fault(name, f"has to be {kind} {limits}")
        return float(text)


def _relay_is_on(settings: MtaSettings) -> bool:
    given = (settings.smtp_host, settings.smtp_port, settings.smtp_user, settings.smtp_tls)
    return any(given) or bool(settings.smtp_password.get_secret_value())


def _relay_of_variables(settings: MtaSettings, options: _Options) -> Relay:
    """The relay of `SMTP_HOST` and its companions."""
    user, password = settings.smtp_user, settings.smtp_password.get_secret_value()
    if not settings.smtp_host:
        raise ConfigurationError("SMTP_HOST: is missing; it names the relay that smtp sends through")
    if user and not password:
        raise ConfigurationError("SMTP_PASSWORD: is missing, while SMTP_USER is set")
    if password and not user:
        raise ConfigurationError("SMTP_USER: is missing, while SMTP_PASSWORD is set")
    if not _is_host(settings.smtp_host):
        raise ConfigurationError("SMTP_HOST: is not the name or IP address of a host")
    port = _port(settings.smtp_port, "SMTP_PORT")
    tls = _tls(options.get("tls") or settings.smtp_tls, "SMTP_TLS")
    return _completed(settings.smtp_host, port, user, password, tls, options, "SMTP_TLS")


def _relay(address: str, item: str, options: _Options) -> Relay:
    """The relay of `smtp://user:password@host:port` or `smtps://…`."""
    where = f"{LIST}: {_shown(item)}"
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
    if not _is_host(host):
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
    host: str, port: int | None, user: str, password: str, tls: Tls | None, options: _Options, where: str
) -> Relay:
    """The relay with what was left out: a log-in goes encrypted to a verified relay, save on this host."""
    if tls is None:
        if port == IMPLICIT_TLS_PORT:
            tls = Tls.IMPLICIT
        elif _is_loopback(host):
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


def _is_host(host: str) -> bool:
    return _is_ip(host) or (HOST.fullmatch(host) is not None and ".." not in host)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _shown(item: str) -> str:
    """The culprit without its log-in: all up to the last @ and behind a host may be a password."""
    match = SHOWN.match(item)
    if match is None or (match[3] is None and "@" in item):
        return "an item"
    if match[3] is None:
        return match[1]
    return f"{match[1]}://{'***@' if match[2] else ''}{match[3]}"
