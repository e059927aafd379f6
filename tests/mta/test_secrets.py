"""A planted key is seen nowhere: not in logs at their loudest, answers, errors, tracebacks, or what shows an object."""

from __future__ import annotations

import base64
import logging
import pprint
import traceback
from typing import Any
from urllib.parse import quote

import pytest

from mta.outcomes import Answer
from mta.providers.base import Provider, ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from tests.fakes.http import FakeService, Reply, Request, reply
from tests.fakes.smtp import FakeRelay, say
from tests.mta.services import KINDS, Kind, outgoing, ses

KEY = "pl4nted/k3y+w1th=signs"
FORMS = (
    KEY,
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"api:{KEY}".encode()).decode(),
    KEY.replace("/", "\\/"),
)


class Echo(FakeService):
    """Says back whatever it got, as debugging servers do, and the key in each form."""

    status = 400

    def answer(self, request: Request) -> Reply:
        text = f"{request.headers} {' '.join(FORMS[:3])} Bearer {KEY}"
        shown = {"message": text, "errors": [{"message": text, "field": KEY}]}
        return reply(self.status, shown, x_amzn_ErrorType="BadRequestException")


class Page(Echo):
    """The same as a page."""

    def answer(self, request: Request) -> Reply:
        return Reply(
            self.status,
            f"<p>{request.headers} {' '.join([*FORMS[:3], FORMS[-1]])}</p>".encode(),
            {"Content-Type": "text/html"},
        )


def assert_clean(*texts: object) -> None:
    for text in map(str, texts):
        for form in FORMS:
            assert form not in text, text


def shown(provider: Provider, answers: list[Answer]) -> list[object]:
    return [provider, repr(provider), pprint.pformat(vars(provider)), *answers]


def made(kind: Kind, url: str) -> Provider:
    if kind.name == "ses":
        return ses(url, ProviderOptions(timeout=3), access=KEY, key=KEY)
    return kind.provider(url, ProviderOptions(timeout=3), key=KEY)


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("fake", [Echo, Page])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_key_when_the_service_repeats_it_then_it_is_covered(
    kind: Kind, fake: type[Echo], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with fake() as service:
        service.status = status
        provider = made(kind, service.url)
        answers = [provider.send(outgoing()), provider.check()]
        provider.close()
    assert service.requests
    assert_clean(caplog.text, *shown(provider, answers))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_key_when_nothing_answers_or_the_code_fails_then_it_is_seen_nowhere(
    kind: Kind, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = made(kind, "http://127.0.0.1:9")
    answers = [provider.send(outgoing()), provider.check()]

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault in the code")

    monkeypatch.setattr("mta.providers.answers.Judge.judge", broken)
    try:
        provider.send(outgoing())
    except RuntimeError as error:
        seen = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert_clean("".join(seen.format()))
    else:
        raise AssertionError("it was to fail")
    assert_clean(caplog.text, *shown(provider, answers))


def test_password_when_a_relay_repeats_it_then_it_is_covered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    plain = base64.b64encode(f"\0ann\0{KEY}".encode()).decode()
    with FakeRelay(
        {"auth": [say(f"535 5.7.8 {KEY} {plain} {FORMS[2]}")] * 2}, extensions=("AUTH PLAIN",)
    ) as relay:
        provider = SMTP(
            "relay", Relay("127.0.0.1", relay.port, "ann", KEY, Tls.NONE), ProviderOptions(timeout=3)
        )
        answers = [provider.send(outgoing()), provider.check()]
        provider.close()
    assert "535" in answers[1].detail
    assert_clean(caplog.text, plain in str(answers), *shown(provider, answers))
    assert plain not in str(answers)
