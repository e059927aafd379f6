"""The accounts at services that a configuration names: SES, Mailgun and SendGrid.

A service's own package is imported where it is configured, since that takes a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mta.configuration import ConfigurationError, MtaSettings
from mta.providers.base import Provider
from mta.providers.hosts import is_host, is_loopback
from mta.providers.options import OPTIONS, Options

REGION = re.compile(r"[a-z]{2,6}(-[a-z]{2,12}){1,3}-\d{1,2}")
PROFILE = re.compile(r"[\w@.+-]{1,100}")
CONFIGURATION_SET = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Service:
    """How a provider is made of settings.

    Attributes:
        options: what may stand behind its question mark.
        credentials: a sentence that says where its credentials stand.
        is_on: whether its variables are there, some of them at least.
        make: makes it, or raises ConfigurationError naming what is missing.
    """

    options: tuple[str, ...]
    credentials: str
    is_on: Callable[[MtaSettings], bool]
    make: Callable[[MtaSettings, Options], Provider]


def _ses_is_on(settings: MtaSettings) -> bool:
    return bool(
        settings.aws_access_key_id.get_secret_value() or settings.aws_secret_access_key.get_secret_value()
    )


def _ses(settings: MtaSettings, options: Options) -> Provider:
    """With an option `profile`, its credentials; else those of the variables; else whatever the machine has."""
    from mta.providers.ses import SES, SesAccount

    profile = options.get("profile")
    key, secret, token = (
        "" if profile else value.get_secret_value()
        for value in (settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_session_token)
    )
    _both("AWS_ACCESS_KEY_ID", key, "AWS_SECRET_ACCESS_KEY", secret)
    if not key:
        profile = profile or settings.aws_profile
    region = options.get("region") or settings.aws_region
    if not region and not profile:
        raise ConfigurationError(
            "AWS_REGION: is missing; it says where the account's SES is, such as eu-west-1"
        )
    if region and not REGION.fullmatch(region):
        raise ConfigurationError("AWS_REGION, or the option region: is no region such as eu-west-1")
    if profile and not PROFILE.fullmatch(profile):
        raise ConfigurationError("AWS_PROFILE, or the option profile: is no name of a profile")
    group = options.get("configuration_set") or settings.ses_configuration_set
    if group and not CONFIGURATION_SET.fullmatch(group):
        raise ConfigurationError(
            "SES_CONFIGURATION_SET, or the option configuration_set: has to be letters, digits, _ and -"
        )
    endpoint = _endpoint(options.get("endpoint") or settings.aws_endpoint, "AWS_ENDPOINT_URL_SESV2")
    account = SesAccount(region, key, secret, token if key else "", profile, endpoint, group)
    return SES(options.name("ses"), account, options.common())


def _mailgun_is_on(settings: MtaSettings) -> bool:
    return bool(settings.mailgun_api_key.get_secret_value() or settings.mailgun_domain)


def _mailgun(settings: MtaSettings, options: Options) -> Provider:
    from mta.providers.mailgun import ENDPOINTS, Mailgun, MailgunAccount

    key, domain = (
        settings.mailgun_api_key.get_secret_value(),
        options.get("domain") or settings.mailgun_domain,
    )
    _both("MAILGUN_API_KEY", key, "MAILGUN_DOMAIN", domain)
    if not key:
        raise ConfigurationError("MAILGUN_API_KEY: is missing")
    if not is_host(domain):
        raise ConfigurationError("MAILGUN_DOMAIN, or the option domain: is no domain")
    usual = _of_region(options.get("region") or settings.mailgun_region or "us", ENDPOINTS, "MAILGUN_REGION")
    endpoint = _endpoint(options.get("endpoint") or settings.mailgun_url, "MAILGUN_API_URL") or usual
    return Mailgun(options.name("mailgun"), MailgunAccount(domain, key, endpoint), options.common())


def _sendgrid_is_on(settings: MtaSettings) -> bool:
    return bool(settings.sendgrid_api_key.get_secret_value())


def _sendgrid(settings: MtaSettings, options: Options) -> Provider:
    from mta.providers.sendgrid import ENDPOINTS, SendGrid, SendGridAccount

    key = settings.sendgrid_api_key.get_secret_value()
    if not key:
        raise ConfigurationError("SENDGRID_API_KEY: is missing")
    usual = _of_region(
        options.get("region") or settings.sendgrid_region or "global", ENDPOINTS, "SENDGRID_REGION"
    )
    endpoint = _endpoint(options.get("endpoint") or settings.sendgrid_url, "SENDGRID_API_URL") or usual
    return SendGrid(options.name("sendgrid"), SendGridAccount(key, endpoint), options.common())


SERVICES = {
    "ses": Service(
        (*OPTIONS, "region", "profile", "endpoint", "configuration_set"),
        "its credentials stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in a profile",
        _ses_is_on,
        _ses,
    ),
    "mailgun": Service(
        (*OPTIONS, "domain", "region", "endpoint"),
        "its key stands in MAILGUN_API_KEY",
        _mailgun_is_on,
        _mailgun,
    ),
    "sendgrid": Service(
        (*OPTIONS, "region", "endpoint"), "its key stands in SENDGRID_API_KEY", _sendgrid_is_on, _sendgrid
    ),
}
"""In the order in which they are taken when their variables alone switch them on."""


def _both(first: str, its_value: str, second: str, other_value: str) -> None:
    if bool(its_value) != bool(other_value):
        missing, there = (second, first) if its_value else (first, second)
        raise ConfigurationError(f"{missing}: is missing, while {there} is set")


def _of_region(region: str, endpoints: Mapping[str, str], variable: str) -> str:
    if region.lower() not in endpoints:
        raise ConfigurationError(f"{variable}, or the option region: has to be one of {', '.join(endpoints)}")
    return endpoints[region.lower()]


def _endpoint(url: str, variable: str) -> str:
    """The address of an API without a slash at its end: encrypted, since a key goes there."""
    if not url:
        return ""
    where = f"{variable}, or the option endpoint"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(f"{where}: is no address such as https://host") from None
    if (
        parts.scheme not in ("http", "https")
        or not is_host(host)
        or "@" in parts.netloc
        or parts.query
        or port == 0
    ):
        raise ConfigurationError(f"{where}: is no address such as https://host")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"{where}: has to begin with https://, since a key goes there")
    return url.rstrip("/")
