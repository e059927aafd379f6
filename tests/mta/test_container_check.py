"""Credentials are checked at start, off its critical path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from mta.events import EventKind
from mta.outcomes import Answer, Outcome, Status
from mta.service import ServiceState
from tests.mta.scripted import PATIENCE, Scripted, Station, wait_until

Start = Callable[..., Station]


class Checked(Scripted):
    """Answers its checks as it is told, or raises."""

    def __init__(self, name: str, finding: Answer | Exception) -> None:
        super().__init__(name)
        self.finding = finding
        self.may_answer = threading.Event()
        self.may_answer.set()

    def check(self) -> Answer:
        self.may_answer.wait(PATIENCE)
        if isinstance(self.finding, Exception):
            raise self.finding
        return self.finding


def state(sending: Station, name: str) -> ServiceState:
    return next(one.state for one in sending.container.health() if one.name == name)


BAD = Answer(Outcome.MISCONFIGURED, "It does not accept the key.")
GOOD = Answer(Outcome.ACCEPTED, "It accepts the key.")


def test_check_when_credentials_are_bad_then_out_before_any_mail_and_operators_told(
    station: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bad, good = Checked("bad", BAD), Checked("good", GOOD)
    sending = station(bad, good)
    event = sending.wait_for_event(EventKind.CRITICAL, "bad is misconfigured")
    assert "does not accept the key" in event.text
    for number in range(4):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    assert bad.called == []
    assert (state(sending, "bad"), state(sending, "good")) == (ServiceState.OUT, ServiceState.IN_SERVICE)
    wait_until(lambda: "check of good: It accepts the key." in caplog.text)
    assert "check of bad: It does not accept the key." in caplog.text


def test_check_when_it_takes_long_then_mail_goes_out_meanwhile(station: Start) -> None:
    slow = Checked("slow", BAD)
    slow.may_answer.clear()
    sending = station(slow, Checked("other", GOOD))
    for number in range(4):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    assert slow.called
    slow.may_answer.set()
    sending.wait_for_event(EventKind.CRITICAL, "slow is misconfigured")


@pytest.mark.parametrize(
    "finding",
    [
        Answer(Outcome.UNAVAILABLE, "It is down."),
        Answer(Outcome.UNCERTAIN, "It keeps silent."),
        Answer(Outcome.THROTTLED, "Too fast."),
        Answer(Outcome.MISCONFIGURED, "This sender is not verified.", sender_only=True),
        RuntimeError("a fault"),
    ],
)
def test_check_when_it_finds_no_bad_credentials_then_the_provider_stays(
    station: Start, finding: Answer | Exception
) -> None:
    sending = station(Checked("one", finding))
    answer = sending.container.check("one")
    assert answer.outcome is not Outcome.ACCEPTED
    assert state(sending, "one") is ServiceState.IN_SERVICE
    sending.wait_for(sending.submit(), Status.SENT)


def test_check_when_the_last_one_is_bad_then_nobody_is_left(station: Start) -> None:
    sending = station(Checked("only", BAD))
    sending.wait_for_event(EventKind.GOOD_BYE)


def test_check_when_mended_then_back_by_an_operators_word(station: Start) -> None:
    provider = Checked("one", BAD)
    sending = station(provider, Scripted("other"))
    sending.wait_for_event(EventKind.CRITICAL, "one is misconfigured")
    provider.finding = GOOD
    assert sending.container.check("one") == GOOD
    assert state(sending, "one") is ServiceState.OUT
    sending.container.restore("one")
    assert state(sending, "one") is ServiceState.IN_SERVICE


def test_check_when_there_is_no_such_provider_then_an_error(station: Start) -> None:
    with pytest.raises(KeyError):
        station(Scripted("one")).container.check("two")
