"""Operators are told by mail and by a webhook over a real socket, once, and without anybody's address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bitmail import alerts
from bitmail.alerts import KNOCKS, Alerts
from bitmail.door import Client, Knock
from bitmail.service import Service
from mta.addresses import parse_address
from mta.configuration import ConfigurationError, read_settings
from mta.events import Event, EventKind
from tests.bitmail.conftest import PASSWORD, make_service
from tests.fakes.http import FakeService, Reply, Request, reply
from tests.mta.scripted import Clock, mail, wait_until

FATAL = Event(EventKind.FATAL, 1_800_000_000.0, "smtp is out. 550 <bob@example.com> no", provider="smtp")


class Webhook(FakeService):
    """Takes whatever comes."""

    def answer(self, request: Request) -> Reply:
        self.accepted.append(json.loads(request.body))
        return reply(200)


@pytest.fixture
def hook() -> Iterator[Any]:
    with Webhook() as hook:
        yield hook


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """A service that is not started: what is submitted stays where it is."""
    service = make_service(tmp_path)
    yield service
    service.stop()


def made(service: Service, **options: Any) -> Alerts:
    given = {"sender": "postmaster@example.com", **options}
    return Alerts(service.store, service.container, **given)


def test_a_provider_that_leaves_is_told_by_mail_and_webhook_once_whoever_hears_it(
    alone: Service, hook: Any
) -> None:
    people = [parse_address("ops@example.com"), parse_address("night@example.com")]
    several = [made(alone, people=people, url=hook.url) for _ in range(2)]
    for one in several:
        one.start()
        for _ in range(3):
            one.heard(FATAL)
        one.heard(Event(EventKind.WARNING, 1.0, "nothing urgent"))
    for one in several:
        one.stop(10)
    assert [(one["kind"], one["text"]) for one in hook.accepted] == [
        ("FATAL", "smtp is out. 550 <<address>> no")
    ]
    (submission,) = {one.submission: one for one in alone.container.inquiry.waiting()}
    raw = alone.container.raw(submission)
    assert b"smtp is out." in raw
    assert b"bob@" not in raw
    found = alone.container.submission(submission)
    assert found is not None
    assert [one.recipient for one in found.deliveries] == ["ops@example.com", "night@example.com"]


def test_the_same_matter_is_told_again_an_hour_later(alone: Service, hook: Any) -> None:
    one = made(alone, url=hook.url)
    one.start()
    for hours in (0, 0.1, 1.1):
        one.heard(Event(EventKind.GOOD_BYE, 1_800_000_000.0 + hours * 3600, "down"))
        wait_until(lambda: not one._waiting)
    one.stop(10)
    assert len(hook.accepted) == 2


def test_a_webhook_that_fails_at_first_is_called_again(
    alone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "PAUSES", (0.01, 0.01))
    with Webhook(reply(500), reply(429)) as hook:
        one = made(alone, url=hook.url)
        one.start()
        one.heard(FATAL)
        wait_until(lambda: bool(hook.accepted))
        one.stop(10)
        assert len(hook.requests) == 3


def test_a_webhook_that_is_away_is_logged_without_its_secret(
    alone: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "PAUSES", (0.01, 0.01))
    one = made(alone, url="http://127.0.0.1:1/hooks/SECRET")
    one.start()
    one.heard(FATAL)
    one.stop(10)
    assert "could not be called" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_queue_older_than_the_limit_is_told(alone: Service, hook: Any) -> None:
    clock = Clock()
    one = made(alone, url=hook.url, queue_age=600.0, clock=clock)
    alone.container.submit(mail())
    clock.now = alone.container._clock() + 500
    one.look()
    assert not one._waiting
    clock.forward(200)
    one.look()
    one.start()
    one.stop(10)
    assert "1 deliveries that wait was accepted 12 minutes ago" in hook.accepted[0]["text"]


def test_guessing_from_one_network_is_told_and_coming_in_is_not(alone: Service) -> None:
    clock = Clock()
    one = made(alone, url="http://127.0.0.1:1", clock=clock)
    for _ in range(KNOCKS - 1):
        one.knocked(Knock.REFUSED, Client("192.0.2.7"))
        one.knocked(Knock.LET_IN, Client("192.0.2.7"))
    assert not one._waiting
    clock.forward(601)
    one.knocked(Knock.THROTTLED, Client("192.0.2.7"))
    assert not one._waiting, "what was long ago does not count"
    for _ in range(KNOCKS):
        one.knocked(Knock.THROTTLED, Client("192.0.2.7"))
    assert [alert.about for alert in one._waiting] == ["ATTACK 192.0.2.7"]


def test_guessing_from_everywhere_is_told(alone: Service) -> None:
    one = made(alone, url="http://127.0.0.1:1", clock=Clock())
    for number in range(KNOCKS * alerts.ALL_KNOCKS):
        one.knocked(Knock.REFUSED, Client(f"192.0.{number % 250}.{number % 7}"))
    assert [alert.about for alert in one._waiting] == ["ATTACK"]


def test_the_service_tells_what_its_own_door_refuses_and_its_containers_say(
    tmp_path: Path, hook: Any
) -> None:
    service = make_service(tmp_path, alert_url=hook.url, alert_mail="ops@example.com")
    service.start()
    service.model.log_in("ada", PASSWORD)
    for _ in range(KNOCKS):
        service.model.door._tell(Knock.REFUSED, Client("192.0.2.9"))
    service.container._bulletin.tell(FATAL)
    service.stop()
    assert sorted(one["kind"] for one in hook.accepted) == ["ATTACK", "FATAL"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("BITMAIL_ALERT_MAIL", "nobody"), ("BITMAIL_ALERT_URL", "ftp://x"), ("BITMAIL_ALERT_QUEUE_AGE", "0")],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    from bitmail.settings import Settings

    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        read_settings(Settings)
