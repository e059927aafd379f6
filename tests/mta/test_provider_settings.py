from __future__ import annotations

from pathlib import Path

import pytest

from mta.configuration import ConfigurationError, MtaSettings, read_settings
from mta.incoming import IncomingMail
from mta.providers.base import Provider, ProviderOptions
from mta.providers.catalogue import make_providers
from mta.providers.loopback import LoopBack
from mta.providers.mailgun import Mailgun, MailgunAccount
from mta.providers.sendgrid import SendGrid, SendGridAccount
from mta.providers.ses import SES, SesAccount
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from mta.settings import WhenDown

VARIABLES = (
    *("SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD", "SMTP_TLS", "BITMAIL_PROVIDERS"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SESV2", "SES_CONFIGURATION_SET"),
    *("MAILGUN_API_KEY", "MAILGUN_DOMAIN", "MAILGUN_SENDER_DOMAIN", "MAILGUN_REGION"),
    *("MAILGUN_API_URL", "MAILGUN_BASE_URL", "SENDGRID_API_KEY", "SENDGRID_REGION", "SENDGRID_API_URL"),
)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def deliver(_: IncomingMail) -> None:
    raise AssertionError("nothing is sent here")


def made(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[Provider]:
    for name, value in variables.items():
        monkeypatch.setenv(name if name in VARIABLES else f"BITMAIL_{name.upper()}", value)
    return make_providers(read_settings(MtaSettings), deliver)


def relay_of(provider: Provider) -> Relay:
    assert isinstance(provider, SMTP)
    return provider.relay


def test_nothing_configured_means_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    [provider] = made(monkeypatch)
    assert isinstance(provider, LoopBack)
    assert provider.name == "loopback"


def test_variables_of_a_relay_alone_switch_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    [provider] = made(monkeypatch, SMTP_HOST="relay.example.com", SMTP_USER="ann", SMTP_PASSWORD="p w")
    assert relay_of(provider) == Relay("relay.example.com", 587, "ann", "p w", Tls.STARTTLS)


def test_bare_smtp_takes_all_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    [provider] = made(
        monkeypatch, providers="smtp?concurrency=2", SMTP_HOST="10.0.0.1", SMTP_PORT="2525", SMTP_TLS="none"
    )
    assert relay_of(provider) == Relay("10.0.0.1", 2525, "", "", Tls.NONE)
    assert provider.options.concurrency == 2


def test_settings_come_from_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SMTP_HOST=relay.example.com\nBITMAIL_WHEN_DOWN=wait\nOTHER=1\n")
    [provider] = made(monkeypatch)
    assert relay_of(provider).host == "relay.example.com"
    assert read_settings(MtaSettings).container_settings().when_down is WhenDown.WAIT


def test_list_is_made_in_its_order_with_all_options(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "smtp://user:p%40s%2Fs%3A%20%C3%BC@relay.example.com:587?concurrency=9&rate=20.5&weight=2&timeout=7,\n"
        " smtps://u:p@[::1]?name=second\tloopback?name=back"
    )
    first, second, third = made(monkeypatch, providers=text)
    assert relay_of(first) == Relay("relay.example.com", 587, "user", "p@s/s: ü", Tls.STARTTLS)
    assert first.options == ProviderOptions(concurrency=9, rate=20.5, weight=2, timeout=7.0)
    assert relay_of(second) == Relay("::1", 465, "u", "p", Tls.IMPLICIT)
    assert [provider.name for provider in (first, second, third)] == ["smtp", "second", "back"]
    assert third.options == ProviderOptions()


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://relay.example.com", 25, Tls.OPPORTUNISTIC),
        ("smtp://u:p@relay.example.com", 587, Tls.STARTTLS),
        ("smtp://u:p@relay.example.com:25", 25, Tls.STARTTLS),
        ("smtp://u:p@relay.example.com:465", 465, Tls.IMPLICIT),
        ("smtps://relay.example.com", 465, Tls.IMPLICIT),
        ("smtps://relay.example.com:4650?tls=implicit", 4650, Tls.IMPLICIT),
        ("smtp://relay.example.com?tls=implicit", 465, Tls.IMPLICIT),
        ("smtp://relay.example.com?tls=starttls", 25, Tls.STARTTLS),
        ("smtp://u:p@relay.example.com?tls=none", 587, Tls.NONE),
        ("smtp://localhost", 25, Tls.NONE),
        ("smtp://u:p@127.0.0.1:2525", 2525, Tls.NONE),
        ("smtp://[::1]:2525", 2525, Tls.NONE),
        ("smtp://localhost?tls=starttls", 25, Tls.STARTTLS),
        ("SMTP://Relay_1.example.com/", 25, Tls.OPPORTUNISTIC),
    ],
)
def test_what_is_left_out_is_filled_in_safely(
    monkeypatch: pytest.MonkeyPatch, url: str, port: int, tls: Tls
) -> None:
    [provider] = made(monkeypatch, providers=url)
    assert (relay_of(provider).port, relay_of(provider).tls) == (port, tls)


SECRET = "s3cr3t-w0rd"
SES_KEYS = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-1"}
MAILGUN_KEYS = {"MAILGUN_API_KEY": SECRET, "MAILGUN_DOMAIN": "mg.example.com"}


def test_variables_of_services_alone_switch_them_on(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {**SES_KEYS, **MAILGUN_KEYS, "SENDGRID_API_KEY": SECRET, "SMTP_HOST": "relay.example.com"}
    ses, mailgun, sendgrid, smtp = made(monkeypatch, **variables)
    assert isinstance(ses, SES)
    assert ses.account == SesAccount("eu-west-1", "AKIA1", SECRET)
    assert isinstance(mailgun, Mailgun)
    assert mailgun.account == MailgunAccount("mg.example.com", SECRET, "https://api.mailgun.net")
    assert isinstance(sendgrid, SendGrid)
    assert sendgrid.account == SendGridAccount(SECRET, "https://api.sendgrid.com")
    assert [one.name for one in (ses, mailgun, sendgrid, smtp)] == ["ses", "mailgun", "sendgrid", "smtp"]


def test_region_of_aws_alone_switches_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    [provider] = made(monkeypatch, AWS_REGION="eu-west-1", AWS_PROFILE="work")
    assert isinstance(provider, LoopBack)


def test_list_takes_the_options_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "ses?configuration_set=mail&rate=14 ses?name=paris&region=eu-west-3&profile=work ses?name=role&region=eu-west-2"
        " mailgun?region=eu&weight=2 mailgun?name=second&domain=b.example.com&endpoint=http://127.0.0.1:8080/"
        " sendgrid?region=eu&concurrency=3"
    )
    first, paris, role, mailgun, second, sendgrid = made(
        monkeypatch,
        providers=text,
        **SES_KEYS,
        **MAILGUN_KEYS,
        SENDGRID_API_KEY=SECRET,
        AWS_SESSION_TOKEN="t",
    )
    assert isinstance(first, SES)
    assert first.account == SesAccount("eu-west-1", "AKIA1", SECRET, "t", configuration_set="mail")
    assert first.options.rate == 14
    assert isinstance(paris, SES)
    assert paris.account == SesAccount("eu-west-3", profile="work")
    assert isinstance(role, SES)
    assert role.account.region == "eu-west-2"
    assert isinstance(mailgun, Mailgun)
    assert mailgun.account.endpoint == "https://api.eu.mailgun.net"
    assert isinstance(second, Mailgun)
    assert (second.account.domain, second.account.endpoint) == ("b.example.com", "http://127.0.0.1:8080")
    assert isinstance(sendgrid, SendGrid)
    assert sendgrid.account.endpoint == "https://api.eu.sendgrid.com"
    assert sendgrid.options.concurrency == 3


def test_ses_in_the_list_needs_no_keys_where_the_machine_has_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    [provider] = made(monkeypatch, providers="ses", AWS_DEFAULT_REGION="eu-west-1")
    assert isinstance(provider, SES)
    assert provider.account == SesAccount("eu-west-1")


@pytest.mark.parametrize(
    ("variables", "culprits"),
    [
        ({"providers": "pigeon"}, ["BITMAIL_PROVIDERS", "pigeon", "ses, mailgun, sendgrid, smtp and loopback"]),
        ({"providers": "ses"}, ["AWS_REGION", "missing"]),
        ({"providers": "ses", **SES_KEYS, "AWS_SECRET_ACCESS_KEY": ""}, ["AWS_SECRET_ACCESS_KEY: is missing"]),
        ({"AWS_SECRET_ACCESS_KEY": SECRET}, ["AWS_ACCESS_KEY_ID: is missing"]),
        ({"AWS_ACCESS_KEY_ID": SECRET}, ["AWS_SECRET_ACCESS_KEY: is missing"]),
        ({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET}, ["AWS_REGION: is missing"]),
        ({**SES_KEYS, "AWS_REGION": "eu-west-1/../x"}, ["AWS_REGION"]),
        ({"providers": "ses?region=mars", **SES_KEYS}, ["region", "eu-west-1"]),
        ({"providers": f"ses://u:{SECRET}@eu-west-1", **SES_KEYS}, ["BITMAIL_PROVIDERS", "AWS_ACCESS_KEY_ID"]),
        ({"providers": "ses?profile=a%20b"}, ["profile"]),
        ({"providers": "ses?configuration_set=a/b", **SES_KEYS}, ["configuration_set"]),
        ({"providers": "ses?endpoint=http://ses.example.com", **SES_KEYS}, ["endpoint", "https://"]),
        ({"providers": "ses?endpoint=https://h:x", **SES_KEYS}, ["endpoint", "https://"]),
        ({"providers": "ses?colour=red", **SES_KEYS}, ["BITMAIL_PROVIDERS", "ses", "colour", "region"]),
        ({"providers": "ses ses?region=eu-west-2", **SES_KEYS}, ["BITMAIL_PROVIDERS", "ses", "name="]),
        ({"providers": "loopback mailgun"}, ["MAILGUN_API_KEY: is missing"]),
        ({"MAILGUN_API_KEY": SECRET}, ["MAILGUN_DOMAIN: is missing"]),
        ({"MAILGUN_DOMAIN": "mg.example.com"}, ["MAILGUN_API_KEY: is missing"]),
        ({"MAILGUN_DOMAIN": "mg/../x", "MAILGUN_API_KEY": SECRET}, ["MAILGUN_DOMAIN"]),
        ({**MAILGUN_KEYS, "MAILGUN_REGION": "mars"}, ["MAILGUN_REGION", "us, eu"]),
        ({**MAILGUN_KEYS, "MAILGUN_BASE_URL": f"https://api:{SECRET}@h"}, ["MAILGUN_API_URL"]),
        ({"providers": "sendgrid?rate=1"}, ["SENDGRID_API_KEY: is missing"]),
        ({"providers": "sendgrid?region=mars", "SENDGRID_API_KEY": SECRET}, ["SENDGRID_REGION", "global, eu"]),
        ({"providers": f"http://u:{SECRET}@relay.example.com"}, ["BITMAIL_PROVIDERS", "http://***@relay.example.com"]),
        ({"providers": f"smtp:u:{SECRET}@relay.example.com"}, ["BITMAIL_PROVIDERS"]),
        ({"providers": f"{SECRET}@relay.example.com"}, ["BITMAIL_PROVIDERS"]),
        ({"providers": "smtp://h?colour=red"}, ["BITMAIL_PROVIDERS", "smtp://h", "colour", "concurrency"]),
        ({"providers": f"smtp://h?{SECRET}=1"}, ["BITMAIL_PROVIDERS", "smtp://h"]),
        ({"providers": "loopback?tls=none"}, ["BITMAIL_PROVIDERS", "loopback", "tls"]),
        ({"providers": "loopback://host"}, ["BITMAIL_PROVIDERS", "loopback"]),
        ({"providers": "smtp://h?rate=1&rate=2"}, ["BITMAIL_PROVIDERS", "rate"]),
        ({"providers": "smtp://h?concurrency=0"}, ["BITMAIL_PROVIDERS", "smtp://h", "concurrency", "from 1"]),
        ({"providers": "smtp://h?concurrency=2.5"}, ["concurrency", "whole"]),
        ({"providers": "smtp://h?concurrency="}, ["concurrency"]),
        ({"providers": "smtp://h?rate=fast"}, ["rate"]),
        ({"providers": "smtp://h?timeout=0"}, ["timeout"]),
        ({"providers": "smtp://h?timeout=nan"}, ["timeout"]),
        ({"providers": "smtp://h?weight=-1"}, ["weight"]),
        ({"providers": "smtp://h?name=a%20b"}, ["name"]),
        ({"providers": "smtp://h?tls=maybe"}, ["BITMAIL_PROVIDERS", "smtp://h", "tls", "starttls"]),
        ({"providers": "smtps://h?tls=none"}, ["BITMAIL_PROVIDERS", "tls", "smtps"]),
        ({"providers": f"smtp://u:{SECRET}@h?tls=opportunistic"}, ["tls", "starttls", "smtp://***@h"]),
        ({"providers": "smtp://h?ca=/does/not/exist.pem"}, ["ca", "/does/not/exist.pem"]),
        ({"providers": "smtp://"}, ["BITMAIL_PROVIDERS", "host"]),
        ({"providers": "smtp://ho%20st"}, ["BITMAIL_PROVIDERS", "host"]),
        ({"providers": "smtp://[::1"}, ["BITMAIL_PROVIDERS", "smtp://"]),
        ({"providers": "smtp://h:0"}, ["BITMAIL_PROVIDERS", "smtp://h", "65535"]),
        ({"providers": "smtp://h:65536"}, ["BITMAIL_PROVIDERS", "smtp://h", "65535"]),
        ({"providers": f"smtp://user:{SECRET}"}, ["BITMAIL_PROVIDERS", "smtp://user", "65535"]),
        ({"providers": "smtp://user@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h", "password is missing"]),
        ({"providers": f"smtp://:{SECRET}@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h", "user is missing"]),
        ({"providers": f"smtp://u:{SECRET}/x@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h"]),
        ({"providers": f"smtp://u:{SECRET}@x@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h", "%40"]),
        ({"providers": f"smtp://u:{SECRET}?x@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h", "%3F"]),
        ({"providers": f"smtp://u:#{SECRET}@h"}, ["BITMAIL_PROVIDERS", "smtp://***@h", "%23"]),
        ({"providers": f"smtp://u:12 {SECRET}@h"}, ["BITMAIL_PROVIDERS"]),
        ({"providers": "smtp://a smtp://b"}, ["BITMAIL_PROVIDERS", "smtp", "name="]),
        ({"providers": "loopback loopback"}, ["BITMAIL_PROVIDERS", "loopback", "name="]),
        ({"providers": "smtp"}, ["SMTP_HOST"]),
        ({"SMTP_USER": "u"}, ["SMTP_HOST"]),
        ({"SMTP_PASSWORD": SECRET}, ["SMTP_HOST"]),
        ({"SMTP_HOST": "h", "SMTP_USER": "u"}, ["SMTP_PASSWORD"]),
        ({"SMTP_HOST": "h", "SMTP_PASSWORD": SECRET}, ["SMTP_USER"]),
        ({"SMTP_HOST": "h h"}, ["SMTP_HOST"]),
        ({"SMTP_HOST": "h", "SMTP_PORT": "smtp"}, ["SMTP_PORT"]),
        ({"SMTP_HOST": "h", "SMTP_TLS": "yes"}, ["SMTP_TLS", "starttls"]),
        ({"when_down": "panic"}, ["BITMAIL_WHEN_DOWN", "terminate"]),
        ({"container": "outside"}, ["BITMAIL_CONTAINER", "inside"]),
        ({"failure_threshold": "0"}, ["BITMAIL_FAILURE_THRESHOLD"]),
        ({"lifetime": SECRET}, ["BITMAIL_LIFETIME"]),
    ],
)  # fmt: skip
def test_configuration_that_cannot_work_names_the_culprit_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], culprits: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made(monkeypatch, **variables)
    message = str(caught.value)
    for culprit in culprits:
        assert culprit in message
    assert SECRET not in message
    assert "s3cr3t" not in message


def test_password_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    text = f"smtp://u:{SECRET}@h smtp?name=b ses mailgun sendgrid"
    services = {**SES_KEYS, **MAILGUN_KEYS, "SENDGRID_API_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET}
    providers = made(monkeypatch, providers=text, SMTP_HOST="h", SMTP_USER="u", **services)
    shown = (
        repr(providers) + str(providers) + repr(read_settings(MtaSettings)) + str(read_settings(MtaSettings))
    )
    assert SECRET not in shown
    assert all(relay_of(provider).password == SECRET for provider in providers[:2])
