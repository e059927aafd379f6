"""Attempts in steps: one thread for all of them, and none of them holds up another."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mta.claiming import SMALL_MAIL
from mta.outcomes import Answer, Outcome, Status
from mta.providers.base import Conversing, Outgoing, ProviderOptions
from mta.providers.conversation import Call, Steps, Wait, carry_on
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from mta.settings import ContainerSettings
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.smtp import FakeRelay
from tests.mta.scripted import PATIENCE, Scripted, Station, wait_until

Start = Callable[..., Station]
TAKEN = Answer(Outcome.ACCEPTED, "Taken.")
PEOPLE = [f"r{number}@example.com" for number in range(40)]


class Talking(Scripted, Conversing):
    """Does the steps of a test for what converses, and its script for the rest."""

    def __init__(self, name: str, steps: Callable[[Outgoing], Steps[Answer]], **options: Any) -> None:
        super().__init__(name, **options)
        self._steps = steps
        self.conversed: list[Outgoing] = []

    def converse(self, message: Outgoing) -> Steps[Answer]:
        self.conversed.append(message)
        return self._steps(message)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection; the first does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def smtp(relay: FakeRelay, name: str = "relay", timeout: float = 10.0, **more: Any) -> SMTP:
    options = ProviderOptions(concurrency=len(PEOPLE), timeout=timeout)
    return SMTP(name, Relay("127.0.0.1", relay.port, **{"tls": Tls.NONE, **more}), options)


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_many_when_all_of_them_wait_then_they_need_one_thread(station: Start) -> None:
    before = threads("conversations")
    with FakeRelay() as relay:
        sending = station(smtp(relay))
        with relay.accepting:
            submission = sending.submit(*PEOPLE)
            wait_until(lambda: relay.commands.count("DATA") == len(PEOPLE))
            assert threads("conversations") == before + 1
            assert threads("attempt") == 0
        sending.wait_for(submission, Status.SENT)
        assert sorted(mail.rcpt_to for mail in relay.accepted) == sorted(f"<{one}>" for one in PEOPLE)
        assert sending.container.stop(10)
    wait_until(lambda: threads("conversations") == before)


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_encrypted_when_many_at_once_then_each_arrives(
    station: Start, certificate: Certificate, tls: Tls
) -> None:
    implicit = tls is Tls.IMPLICIT
    extensions = ("SIZE 10000000", "PIPELINING")
    with FakeRelay(tls=certificate.server, implicit=implicit, extensions=extensions) as relay:
        sending = station(smtp(relay, tls=tls, ca=str(certificate.ca)))
        raw = b"Subject: Hello\r\n\r\n" + b"0123456789abcdef\r\n" * 3000
        submission = sending.submit(*PEOPLE, raw=raw)
        sending.wait_for(submission, Status.SENT)
        assert len(relay.accepted) == len(PEOPLE)
        assert {mail.content for mail in relay.accepted} == {raw}
        sending.container.stop(10)


def test_name_server_when_it_keeps_silent_then_no_other_mail_waits_for_it(
    station: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, answers = socket.getaddrinfo, threading.Event()

    def slow(host: str, *more: Any, **others: Any) -> Any:
        if host == "slow.example":
            answers.wait(PATIENCE)
        return ask("127.0.0.1", *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with FakeRelay() as relay:
        options = ProviderOptions(concurrency=len(PEOPLE), timeout=0.5)
        lost = SMTP("lost", Relay("slow.example", relay.port, tls=Tls.NONE), options)
        sending = station(lost, smtp(relay))
        submission = sending.submit(*PEOPLE)
        wait_until(lambda: len(relay.accepted) >= len(PEOPLE) // 2)
        assert not any(one.status is Status.DEFERRED for one in sending.now(submission).deliveries)
        sending.wait_for(submission, Status.SENT)
        tried = [attempt for one in sending.now(submission).deliveries for attempt in one.attempts]
        assert {one.detail for one in tried if one.provider == "lost"} == {
            "The relay slow.example failed at connecting: no answer in time"
        }
        answers.set()
        assert sending.container.stop(10)


def test_writing_when_nobody_reads_then_it_goes_on_as_soon_as_somebody_does(
    station: Start, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    blocked = threading.Event()

    def fill(_: Outgoing) -> Steps[Answer]:
        sent = 0
        while sent < 4_000_000:
            try:
                sent += ours.send(bytes(65536))
            except BlockingIOError:
                blocked.set()
                yield Wait(ours, True, time.monotonic() + PATIENCE)
        yield Wait(ours, False, time.monotonic() + PATIENCE)
        return Answer(Outcome.ACCEPTED, ours.recv(100).decode())

    sending = station(Talking("talking", fill))
    submission = sending.submit()
    assert blocked.wait(PATIENCE)
    read = 0
    while read < 4_000_000:
        read += len(theirs.recv(1_000_000))
    theirs.send(b"Thank you.")
    assert sending.wait_for(submission, Status.SENT).detail == "Thank you."


def test_time_when_it_is_up_then_the_conversation_is_told_and_may_go_on(
    station: Start, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = pair
    waited: list[float] = []

    def patient(_: Outgoing) -> Steps[Answer]:
        for seconds in (0.2, 0.1):
            began = time.monotonic()
            try:
                yield Wait(ours, False, began + seconds)
            except TimeoutError:
                waited.append(time.monotonic() - began - seconds)
        return TAKEN

    sending = station(Talking("talking", patient))
    sending.wait_for(sending.submit(), Status.SENT)
    assert len(waited) == 2
    assert all(late >= 0 for late in waited)


def test_call_when_it_fails_then_the_conversation_hears_of_it(station: Start) -> None:
    heard: list[Exception] = []

    def fail() -> None:
        raise OSError("no such thing")

    def ask(_: Outgoing) -> Steps[Answer]:
        try:
            yield Call(fail, time.monotonic() + PATIENCE)
        except OSError as error:
            heard.append(error)
        return Answer(Outcome.ACCEPTED, (yield Call(lambda: "Found.", time.monotonic() + PATIENCE)))

    sending = station(Talking("talking", ask))
    assert sending.wait_for(sending.submit(), Status.SENT).detail == "Found."
    assert [str(error) for error in heard] == ["no such thing"]


def test_fault_when_a_conversation_raises_then_that_mail_is_uncertain_and_the_others_go_on(
    station: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def some_fail(message: Outgoing) -> Steps[Answer]:
        if message.recipient == "r1@example.com":
            raise ZeroDivisionError
        yield Call(lambda: None, time.monotonic() + PATIENCE)
        if message.recipient == "r2@example.com":
            raise ZeroDivisionError
        return TAKEN

    talking = Talking("talking", some_fail, concurrency=len(PEOPLE))
    sending = station(talking)
    submission = sending.submit(*PEOPLE)
    sending.wait_for(submission, Status.SENT, Status.UNCERTAIN)
    doubtful = [one for one in sending.now(submission).deliveries if one.status is Status.UNCERTAIN]
    assert [one.recipient for one in doubtful] == ["r1@example.com", "r2@example.com"]
    assert doubtful[0].detail == "It failed in a way it should not (ZeroDivisionError)."
    assert "talking raised instead of answering" in caplog.text


def test_large_mail_when_it_is_still_to_be_read_then_it_has_a_thread_of_its_own(station: Start) -> None:
    def take(_: Outgoing) -> Steps[Answer]:
        return TAKEN
        yield

    talking = Talking("talking", take)
    sending = station(talking)
    raw = b"Subject: Hello\r\n\r\n" + b"x" * SMALL_MAIL
    sending.wait_for(sending.submit("large@example.com", raw=raw), Status.SENT)
    sending.wait_for(sending.submit("small@example.com"), Status.SENT)
    assert [(one.recipient, one.raw) for one in talking.called] == [("large@example.com", raw)]
    assert [one.recipient for one in talking.conversed] == ["small@example.com"]


def test_stop_when_some_are_under_way_then_those_are_finished_and_the_rest_is_given_back(
    station: Start,
) -> None:
    with FakeRelay() as relay, ThreadPoolExecutor(1) as pool:
        options = ProviderOptions(concurrency=3, timeout=10)
        sending = station(
            SMTP("relay", Relay("127.0.0.1", relay.port, tls=Tls.NONE), options),
            settings=ContainerSettings(poll=0.02),
        )
        with relay.accepting:
            submission = sending.submit(*PEOPLE)
            wait_until(lambda: relay.commands.count("DATA") == 3)
            stopped = pool.submit(sending.container.stop, 10)
            wait_until(sending.container._work.is_ending)
        assert stopped.result()
        statuses = [one.status for one in sending.now(submission).deliveries]
        assert sorted(statuses) == [Status.QUEUED] * (len(PEOPLE) - 3) + [Status.SENT] * 3
        assert len(relay.accepted) == 3


def test_stop_when_none_is_under_way_then_the_thread_goes_home(station: Start) -> None:
    before = threads("conversations")
    with FakeRelay() as relay:
        sending = station(smtp(relay))
        sending.wait_for(sending.submit(), Status.SENT)
        assert threads("conversations") == before + 1
        assert sending.container.stop(10)
        wait_until(lambda: threads("conversations") == before)
    scripted = station(Scripted("scripted"))
    scripted.wait_for(scripted.submit(), Status.SENT)
    assert scripted.container.stop(10)
    assert threads("conversations") == before


def test_one_conversation_in_a_thread_of_its_own_then_it_waits_there(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair

    def steps() -> Steps[str]:
        said = yield Call(lambda: "asked", time.monotonic() + PATIENCE)
        theirs.send(b"heard")
        yield Wait(ours, False, time.monotonic() + PATIENCE)
        said += ours.recv(10).decode()
        try:
            yield Wait(ours, False, time.monotonic() + 0.05)
        except TimeoutError:
            return f"{said}, and no more"
        return said

    assert carry_on(steps()) == "askedheard, and no more"
