"""The three services as the tests see them: each with its fake, and how an answer of its own kind is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mta.providers.base import Outgoing, Provider, ProviderOptions
from mta.providers.mailgun import Mailgun, MailgunAccount
from mta.providers.sendgrid import SendGrid, SendGridAccount
from mta.providers.ses import SES, SesAccount
from tests.fakes.http import FakeService
from tests.fakes.mailgun import FakeMailgun
from tests.fakes.sendgrid import FakeSendGrid
from tests.fakes.ses import FakeSes

NOW = 1_770_000_000.0
RAW = b"From: ann@example.com\r\nTo: bob@example.com\r\nSubject: Hi\r\n\r\nHello\r\n"


def ses(url: str, options: ProviderOptions, access: str = "AKIA1", key: str = "secret-1") -> Provider:
    account = SesAccount("eu-west-1", access, key, endpoint=url, configuration_set="bitmail")
    return SES("ses", account, options, clock=lambda: NOW)


def mailgun(
    url: str, options: ProviderOptions, key: str = "key-1", domain: str = "mg.example.com"
) -> Provider:
    return Mailgun("mailgun", MailgunAccount(domain, key, url), options, clock=lambda: NOW)


def sendgrid(url: str, options: ProviderOptions, key: str = "SG.key-1") -> Provider:
    return SendGrid("sendgrid", SendGridAccount(key, url), options, clock=lambda: NOW)


@dataclass(frozen=True, slots=True)
class Kind:
    """A service: how its provider and its fake are made."""

    name: str
    provider: Callable[..., Provider]
    fake: type[FakeService]


SES_, MAILGUN, SENDGRID = (
    Kind("ses", ses, FakeSes),
    Kind("mailgun", mailgun, FakeMailgun),
    Kind("sendgrid", sendgrid, FakeSendGrid),
)
KINDS = (SES_, MAILGUN, SENDGRID)


@contextmanager
def talking(kind: Kind, *script: Any, timeout: float = 10.0, **more: Any) -> Iterator[tuple[Provider, Any]]:
    """A provider and the fake it talks to."""
    with kind.fake(*script, **more) as fake:
        provider = kind.provider(fake.url, ProviderOptions(timeout=timeout))
        yield provider, fake
        provider.close()


def outgoing(
    raw: bytes = RAW, recipient: str = "bob@example.com", sender: str = "ann@example.com"
) -> Outgoing:
    return Outgoing("0194ab-0", sender, recipient, raw)
