"""The scripted provider itself, seen by a client that is none of ours."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator

import pytest

from mta.outcomes import Outcome
from mta.providers.base import Outgoing, ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from tests.fakes.esp import ACTS, Conduct, Esp, Taken

C = Conduct
UNCLEAR = {C.UNCERTAIN, C.ACCEPTED_THEN_CLOSED, C.ACCEPTED_THEN_RESET, C.CUT_SHORT, C.HANG_AT_THE_END}
TAKING = {C.ACCEPTED, C.SLOW} | UNCLEAR - {C.UNCERTAIN}


@pytest.fixture(scope="module")
def running() -> Iterator[Esp]:
    with Esp() as esp:
        yield esp


@pytest.fixture
def esp(running: Esp) -> Esp:
    """Up, quick, and taking everything."""
    running.come_up()
    running.behave(latency=0.0)
    return running


def send(esp: Esp, recipient: str, timeout: float = 5.0, **options: str) -> None:
    envelope = [f"ENVID={value}" for value in options.values()]
    with smtplib.SMTP("127.0.0.1", esp.port, timeout=timeout) as client:
        client.sendmail("ann@example.com", recipient, "Subject: Hi\r\n\r\nHi\r\n", mail_options=envelope)


def taken(esp: Esp, recipient: str) -> list[Taken]:
    return [line for line in esp.ledger() if line.recipient == recipient]


def test_ledger_when_a_mail_is_taken_then_its_delivery_and_when(esp: Esp) -> None:
    before = time.time()
    send(esp, "bob@example.com", envid="d-1")
    (line,) = taken(esp, "bob@example.com")
    assert line.delivery == "d-1"
    assert before <= line.at <= time.time()


@pytest.mark.parametrize(
    ("conduct", "code"),
    [
        (C.REJECTED_RECIPIENT, 550),
        (C.REJECTED_MESSAGE, 554),
        (C.DEFERRED, 450),
        (C.THROTTLED, 451),
        (C.OVER_QUOTA, 451),
        (C.UNAVAILABLE, 451),
        (C.MISCONFIGURED, 530),
    ],
)
def test_conduct_when_it_refuses_then_the_client_hears_why_and_nothing_is_taken(
    esp: Esp, conduct: Conduct, code: int
) -> None:
    esp.next(conduct)
    recipient = f"{code}-{conduct.name}@example.com"
    with pytest.raises(smtplib.SMTPException) as refused:
        send(esp, recipient)
    error = refused.value
    refusals = error.recipients.values() if isinstance(error, smtplib.SMTPRecipientsRefused) else [error.args]
    assert [answer[0] for answer in refusals] == [code]
    assert taken(esp, recipient) == []


def patience(conduct: Conduct) -> float:
    """Seconds that a client waits: few where it is in vain, else enough for a busy machine."""
    return 1.0 if conduct in (C.HANG, C.HANG_AT_THE_END) else 10.0


@pytest.mark.parametrize("conduct", sorted({*UNCLEAR, C.HANG, C.RESET}))
def test_conduct_when_it_gives_no_answer_then_the_client_knows_nothing_and_the_ledger_does(
    esp: Esp, conduct: Conduct
) -> None:
    esp.next(conduct)
    recipient = f"{conduct.name}@example.com"
    with pytest.raises((OSError, smtplib.SMTPException)):
        send(esp, recipient, timeout=patience(conduct))
    assert len(taken(esp, recipient)) == (conduct in TAKING)


def test_conduct_when_slow_then_taken_after_a_while(esp: Esp) -> None:
    esp.next(C.SLOW)
    began = time.monotonic()
    send(esp, "slow@example.com")
    assert time.monotonic() - began > 1
    assert len(taken(esp, "slow@example.com")) == 1


def test_latency_when_set_then_kept(esp: Esp) -> None:
    esp.behave(latency=0.05)
    began = time.monotonic()
    send(esp, "typical@example.com")
    assert 0.05 <= time.monotonic() - began < 1


def test_mix_when_of_two_then_both_come_and_the_seed_decides(esp: Esp) -> None:
    def run(name: str) -> list[bool]:
        esp.behave({C.ACCEPTED: 1, C.REJECTED_RECIPIENT: 1}, latency=0.0, seed=5)
        with smtplib.SMTP("127.0.0.1", esp.port) as client:
            for number in range(20):
                try:
                    client.sendmail("ann@example.com", f"{name}{number}@example.com", "Subject: Hi\r\n\r\n")
                except smtplib.SMTPRecipientsRefused:
                    continue
        return [bool(taken(esp, f"{name}{number}@example.com")) for number in range(20)]

    first = run("first")
    assert set(first) == {True, False}
    assert run("second") == first


def test_down_when_told_then_refused_and_open_connections_break_until_it_is_up(esp: Esp) -> None:
    kept = smtplib.SMTP("127.0.0.1", esp.port, timeout=5)
    esp.go_down()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", esp.port, timeout=5)
    with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
        kept.sendmail("ann@example.com", "kept@example.com", "Subject: Hi\r\n\r\n")
    kept.close()
    esp.come_up()
    send(esp, "after@example.com")
    assert len(taken(esp, "after@example.com")) == 1
    assert taken(esp, "kept@example.com") == []


@pytest.mark.parametrize("conduct", ACTS)
def test_conduct_when_our_own_provider_meets_it_then_the_outcome_of_that_name(
    esp: Esp, conduct: Conduct
) -> None:
    options = ProviderOptions(timeout=patience(conduct))
    provider = SMTP("esp", Relay("127.0.0.1", esp.port, tls=Tls.NONE), options)
    esp.next(conduct)
    recipient = f"{conduct.name}-ours@example.com"
    answer = provider.send(
        Outgoing(f"id-{conduct.name}", "ann@example.com", recipient, b"Subject: Hi\r\n\r\n")
    )
    provider.close()
    expected = (
        Outcome.UNCERTAIN
        if conduct in UNCLEAR
        else {C.SLOW: Outcome.ACCEPTED, C.HANG: Outcome.UNAVAILABLE, C.RESET: Outcome.UNAVAILABLE}.get(
            conduct
        )
    )
    assert answer.outcome is (expected or Outcome(conduct.value)), answer
    assert [line.delivery for line in taken(esp, recipient)] == [f"id-{conduct.name}"] * (conduct in TAKING)
