"""Each reply of a relay at each stage, over a real socket."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mta.addresses import parse_recipients
from mta.email import Attachment, Email
from mta.mime import compose
from mta.outcomes import Answer, Outcome
from mta.providers import smtp
from mta.providers.base import Outgoing, ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_answers import pause_until
from mta.providers.smtp_connection import Relay, Tls
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.smtp import CLOSE, HANG, RESET, Act, FakeRelay, cut, drip, say, say_and_close

NOW = 1_770_000_000.0
HUNG = 25.0
"""Seconds after which an answer is as good as none."""
USUAL = ("8BITMIME", "SIZE 10000000", "SMTPUTF8")
EITHER_WAY = pytest.mark.parametrize(
    "extensions", [USUAL, (*USUAL, "PIPELINING")], ids=["waiting", "at once"]
)
RAW = b"Subject: Hi\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"))


def provider(relay: FakeRelay | int, timeout: float = 10.0, **parts: Any) -> SMTP:
    port = relay if isinstance(relay, int) else relay.port
    parts = {"tls": Tls.NONE, **parts}
    return SMTP(
        "relay", Relay("127.0.0.1", port, **parts), ProviderOptions(timeout=timeout), clock=lambda: NOW
    )


def outgoing(
    raw: bytes = RAW, recipient: str = "bob@example.com", sender: str = "ann@example.com"
) -> Outgoing:
    return Outgoing("d1", sender, recipient, raw)


def send_once(
    script: dict[str, list[Act]], timeout: float = 10.0, **relay_parts: Any
) -> tuple[Answer, FakeRelay]:
    with FakeRelay(script, **relay_parts) as relay:
        sender = provider(relay, timeout)
        answer = sender.send(outgoing())
        sender.close()
    return answer, relay


def test_accepted_mail_arrives_to_the_byte_and_the_relays_id_is_kept() -> None:
    answer, relay = send_once({})
    assert answer.outcome is Outcome.ACCEPTED
    assert answer.provider_id == "ABC123"
    [mail] = relay.accepted
    assert mail.content == RAW
    assert mail.mail_from == f"<ann@example.com> SIZE={len(RAW)}"
    assert mail.rcpt_to == "<bob@example.com>"
    assert relay.commands[-1] == "QUIT"


def test_delivery_id_where_the_relay_offers_dsn_goes_along_so_that_a_bounce_gives_it_back() -> None:
    with FakeRelay(extensions=("DSN",)) as relay:
        sender = provider(relay)
        sender.send(Outgoing("0af3-1", "ann@example.com", "bob@example.com", RAW))
        sender.send(Outgoing("a=b +é", "ann@example.com", "bob@example.com", RAW))
        sender.close()
    said = [command.rpartition("ENVID=")[2] for command in relay.commands if command.startswith("MAIL")]
    assert said == ["0af3-1", "a+3Db+20+2B+C3+A9"]


O = Outcome  # noqa: E741 - a table reads better
TABLE: list[tuple[str, str, Outcome, dict[str, Any]]] = [
    ("greeting", "421 4.3.2 busy", O.UNAVAILABLE, {}),
    ("greeting", "450 later", O.UNAVAILABLE, {}),
    ("greeting", "554 5.7.1 your address is blocked", O.UNAVAILABLE, {}),
    ("greeting", "421 4.4.2 submission rate limit exceeded", O.THROTTLED, {"retry_at": NOW + 60}),
    ("greeting", "HTTP/1.1 400 Bad Request", O.MISCONFIGURED, {}),
    ("ehlo", "421 busy", O.UNAVAILABLE, {}),
    ("ehlo", "502 5.5.1 unknown", O.MISCONFIGURED, {}),
    ("mail", "421 4.3.2 busy", O.UNAVAILABLE, {}),
    ("mail", "452 4.3.1 no space", O.UNAVAILABLE, {}),
    ("mail", "451 4.3.0 error", O.UNAVAILABLE, {}),
    ("mail", "530 5.7.0 authentication required", O.MISCONFIGURED, {"sender_only": False}),
    ("mail", "535 5.7.8 bad credentials", O.MISCONFIGURED, {"sender_only": False}),
    ("mail", "503 5.5.1 bad sequence", O.MISCONFIGURED, {"sender_only": False}),
    ("mail", "550 5.7.1 not your domain", O.MISCONFIGURED, {"sender_only": True}),
    ("mail", "553 5.1.8 sender domain", O.MISCONFIGURED, {"sender_only": True}),
    ("mail", "501 5.1.7 bad sender syntax", O.MISCONFIGURED, {"sender_only": True}),
    ("mail", "552 5.3.4 too big", O.REJECTED_MESSAGE, {"try_other": True}),
    ("mail", "454 Throttling failure: Maximum sending rate exceeded", O.THROTTLED, {"retry_at": NOW + 60}),
    ("mail", "454 Throttling failure: Daily message quota exceeded", O.OVER_QUOTA, {"retry_at": NOW + 3600}),
    ("mail", "451 Authentication failed: Maximum credits exceeded", O.OVER_QUOTA, {}),
    ("mail", "550 5.4.5 Daily user sending limit exceeded", O.OVER_QUOTA, {}),
    ("rcpt", "550 5.1.1 no such user", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "550 5.1.2 bad domain", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "501 5.1.3 bad syntax", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "550 5.1.6 moved", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "556 5.1.10 null MX", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "550 no such user", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "551 user not local", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "553 mailbox name", O.REJECTED_RECIPIENT, {"try_other": False}),
    ("rcpt", "501 syntax", O.REJECTED_RECIPIENT, {"try_other": True}),
    ("rcpt", "554 5.7.1 relay access denied", O.REJECTED_RECIPIENT, {"try_other": True}),
    ("rcpt", "550 relaying denied", O.REJECTED_RECIPIENT, {"try_other": True}),
    ("rcpt", "550 5.7.26 policy", O.REJECTED_RECIPIENT, {"try_other": True}),
    ("rcpt", "550 address not verified", O.REJECTED_RECIPIENT, {}),
    ("rcpt", "553 5.7.1 <a@x>: Sender address rejected: not owned", O.MISCONFIGURED, {"sender_only": True}),
    ("rcpt", "550 5.1.8 sender domain not found", O.MISCONFIGURED, {"sender_only": True}),
    ("rcpt", "450 4.1.8 sender domain not found", O.UNAVAILABLE, {}),
    ("rcpt", "530 5.7.0 authentication required", O.MISCONFIGURED, {"sender_only": False}),
    ("rcpt", "503 5.5.1 sender first", O.MISCONFIGURED, {"sender_only": False}),
    ("rcpt", "552 mailbox full", O.DEFERRED, {"retry_at": NOW + 1800}),
    ("rcpt", "550 5.2.2 over quota", O.DEFERRED, {}),
    ("rcpt", "452 4.2.2 mailbox full", O.DEFERRED, {"retry_at": NOW + 1800}),
    ("rcpt", "450 4.2.0 Greylisted, try again in 300 seconds", O.DEFERRED, {"retry_at": NOW + 300}),
    ("rcpt", "451 4.7.1 Greylisting in action, try again in 00:10:00", O.DEFERRED, {"retry_at": NOW + 600}),
    ("rcpt", "450 4.2.1 receiving mail at a rate that prevents more", O.DEFERRED, {}),
    ("rcpt", "454 4.7.1 relay access denied", O.DEFERRED, {}),
    ("rcpt", "421 4.3.2 shutting down", O.UNAVAILABLE, {}),
    ("rcpt", "421 4.7.0 too many connections", O.THROTTLED, {}),
    ("rcpt", "451 4.7.28 rate, try again after 2 minutes", O.THROTTLED, {"retry_at": NOW + 120}),
    ("data", "451 4.3.0 error", O.UNAVAILABLE, {}),
    ("data", "503 5.5.1 no recipients", O.MISCONFIGURED, {}),
    ("data", "554 5.5.1 no valid recipients", O.REJECTED_MESSAGE, {}),
    ("final", "451 4.3.0 error", O.UNAVAILABLE, {}),
    ("final", "452 4.3.1 no space", O.UNAVAILABLE, {}),
    ("final", "421 4.3.2 shutting down", O.UNAVAILABLE, {}),
    ("final", "450 4.7.1 greylisted", O.DEFERRED, {}),
    ("final", "552 5.3.4 too big", O.REJECTED_MESSAGE, {"try_other": True}),
    ("final", "552 too big", O.REJECTED_MESSAGE, {"try_other": True}),
    ("final", "554 5.6.0 malformed", O.REJECTED_MESSAGE, {"try_other": False}),
    ("final", "554 Transaction failed: Duplicate header 'Date'.", O.REJECTED_MESSAGE, {"try_other": False}),
    ("final", "550 5.7.1 spam", O.REJECTED_MESSAGE, {"try_other": True}),
    ("final", "554 5.7.1 policy", O.REJECTED_MESSAGE, {"try_other": True}),
    ("final", "500 line too long", O.REJECTED_MESSAGE, {"try_other": True}),
    ("final", "554 Message rejected: Email address is not verified.", O.MISCONFIGURED, {"sender_only": True}),
    ("final", "354 again", O.UNCERTAIN, {}),
]  # fmt: skip


@EITHER_WAY
@pytest.mark.parametrize(
    ("stage", "reply", "outcome", "details"), TABLE, ids=[f"{s} {r}" for s, r, _, _ in TABLE]
)
def test_refusal_at_each_stage_has_its_outcome(
    stage: str, reply: str, outcome: Outcome, details: dict[str, Any], extensions: tuple[str, ...]
) -> None:
    answer, relay = send_once({stage: [say(reply)]}, extensions=extensions)
    assert answer.outcome is outcome
    assert {name: getattr(answer, name) for name in details} == details
    assert relay.accepted == []
    if not reply.startswith("HTTP"):
        assert reply[4:] in answer.detail


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["waiting", "at once"])
@pytest.mark.parametrize("act", [CLOSE, RESET, cut(b"25"), HANG, drip("250 very slow" + "." * 200)])
@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data", "body"])
def test_loss_or_silence_before_the_end_of_the_mail_is_unavailable(
    stage: str, act: Act, extensions: tuple[str, ...]
) -> None:
    start = time.monotonic()
    with FakeRelay({stage: [act]}, extensions=extensions) as relay:
        big = RAW + b"x" * 30_000_000 if stage == "body" else RAW
        sender = provider(relay, timeout=0.6)
        answer = sender.send(outgoing(big))
        assert answer.outcome is Outcome.UNAVAILABLE
        assert relay.accepted == []
        assert time.monotonic() - start < HUNG


@pytest.mark.parametrize(
    "act", [CLOSE, RESET, cut(b"25"), cut(b"250 ok"), cut(b"what?\r\n"), HANG, drip("250 ok" * 100)]
)
def test_loss_or_silence_after_the_end_of_the_mail_is_uncertain(act: Act) -> None:
    start = time.monotonic()
    answer, _ = send_once({"final": [act]}, timeout=0.6)
    assert answer.outcome is Outcome.UNCERTAIN
    assert time.monotonic() - start < HUNG


def test_connection_lost_after_250_is_accepted() -> None:
    answer, relay = send_once({"final": [say_and_close("250 2.0.0 Ok: queued as X")]})
    assert answer.outcome is Outcome.ACCEPTED
    assert len(relay.accepted) == 1


@pytest.mark.parametrize("act", [CLOSE, RESET, say("500 what?")])
def test_quit_that_fails_changes_nothing(act: Act) -> None:
    answer, _ = send_once({"quit": [act]})
    assert answer.outcome is Outcome.ACCEPTED


def test_refused_connection_is_unavailable_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    start = time.monotonic()
    answer = provider(port).send(outgoing())
    assert answer.outcome is Outcome.UNAVAILABLE
    assert "refused" in answer.detail
    assert time.monotonic() - start < HUNG


def test_name_that_is_not_found_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    answer = provider(25).send(outgoing())
    assert answer.outcome is Outcome.UNAVAILABLE
    assert "not known" in answer.detail


def test_endless_reply_is_no_smtp_and_ends() -> None:
    answer, _ = send_once({"greeting": [cut(b"220-more\r\n" * 100_000)]})
    assert answer.outcome is Outcome.MISCONFIGURED
    answer, _ = send_once({"greeting": [cut(b"2" * 1_000_000)]})
    assert answer.outcome is Outcome.MISCONFIGURED


def test_reply_of_several_lines_is_told_as_one_sentence() -> None:
    answer, _ = send_once({"rcpt": [say("550-5.1.1 No such\n550-5.1.1 user\n550 5.1.1 here\x1b[31m")]})
    assert answer.detail == "The relay refused the recipient: 550 5.1.1 No such user here [31m"


@pytest.mark.parametrize(
    ("script", "login", "outcome", "words"),
    [
        ({}, ("ann", "secret"), O.ACCEPTED, "accepts the log-in"),
        ({}, ("ann", "other"), O.MISCONFIGURED, "wants another log-in: 535"),
        ({"greeting": [say("421 4.3.2 busy")]}, ("ann", "secret"), O.UNAVAILABLE, "421"),
        ({"ehlo": [CLOSE]}, ("ann", "secret"), O.UNAVAILABLE, "closed"),
        ({"quit": [RESET]}, ("ann", "secret"), O.ACCEPTED, "accepts"),
    ],
)
def test_check_when_asked_then_says_what_is_wrong_and_sends_nothing(
    script: dict[str, list[Act]], login: tuple[str, str], outcome: Outcome, words: str
) -> None:
    with FakeRelay(script, extensions=("AUTH PLAIN",), login=login) as relay:
        answer = provider(relay, user="ann", password="secret").check()
    assert answer.outcome is outcome
    assert words in answer.detail
    assert not any(command.startswith("MAIL") for command in relay.commands)


# Connections that are kept


def test_second_mail_uses_the_same_connection() -> None:
    with FakeRelay() as relay:
        sender = provider(relay)
        assert [sender.send(outgoing()).outcome for _ in range(3)] == [Outcome.ACCEPTED] * 3
        assert len(relay.sessions) == 1
        sender.close()


def test_connection_is_used_again_after_a_refusal_with_a_reset() -> None:
    with FakeRelay({"rcpt": [say("550 5.1.1 no")]}) as relay:
        sender = provider(relay)
        assert sender.send(outgoing()).outcome is Outcome.REJECTED_RECIPIENT
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        assert len(relay.sessions) == 1
        assert "RSET" in relay.commands
        sender.close()


def test_commands_where_the_relay_takes_them_at_once_then_come_in_one_segment() -> None:
    segments: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = provider(listener.getsockname()[1])
        sending = ThreadPoolExecutor(1).submit(sender.send, outgoing())
        with listener.accept()[0] as sock:
            for reply in ("220 hi", "250-relay\r\n250 PIPELINING", "250 a\r\n250 b\r\n354 c"):
                sock.sendall(f"{reply}\r\n".encode())
                segments.append(sock.recv(65536))
            sock.sendall(b"250 d\r\n")
    assert sending.result().outcome is Outcome.ACCEPTED
    assert segments[1] == b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
    assert segments[2].endswith(b"\r\nend\r\n.\r\n")


@pytest.mark.parametrize(
    ("data", "connections"),
    [(say("503 5.5.1 no valid recipients"), 1), (say("354 go"), 2), (CLOSE, 2), (HANG, 2)],
)
def test_refusal_when_more_was_said_already_then_the_rest_is_heard_or_the_connection_given_up(
    data: Act, connections: int
) -> None:
    script = {"rcpt": [say("550 5.1.1 no")], "data": [data]}
    with FakeRelay(script, extensions=("PIPELINING",)) as relay:
        sender = provider(relay)
        assert sender.send(outgoing()).outcome is Outcome.REJECTED_RECIPIENT
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        assert (len(relay.sessions), len(relay.accepted)) == (connections, 1)
        sender.close()


def test_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    with FakeRelay() as relay:
        sender = provider(relay)
        sender.send(outgoing())
        relay.drop_connections()
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        assert (len(relay.sessions), len(relay.accepted)) == (2, 2)
        sender.close()


@EITHER_WAY
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("act", [say("421 4.4.2 idle for too long"), CLOSE, RESET, cut(b"4")])
def test_kept_connection_that_fails_before_the_mail_is_replaced(
    stage: str, act: Act, extensions: tuple[str, ...]
) -> None:
    usual = say({"mail": "250 ok", "rcpt": "250 ok", "data": "354 go"}[stage])
    with FakeRelay({stage: [usual, act]}, extensions=extensions) as relay:
        sender = provider(relay)
        assert [sender.send(outgoing()).outcome for _ in range(2)] == [Outcome.ACCEPTED] * 2
        assert (len(relay.sessions), len(relay.accepted)) == (2, 2)
        sender.close()


def test_kept_connection_that_keeps_silent_is_replaced_in_time() -> None:
    with FakeRelay({"mail": [say("250 ok"), HANG]}) as relay:
        sender = provider(relay, timeout=2)
        start = time.monotonic()
        assert [sender.send(outgoing()).outcome for _ in range(2)] == [Outcome.ACCEPTED] * 2
        assert time.monotonic() - start < HUNG
        sender.close()


def test_kept_connection_whose_reset_fails_is_replaced() -> None:
    with FakeRelay({"rcpt": [say("550 5.1.1 no")], "rset": [say("500 what")]}) as relay:
        sender = provider(relay)
        sender.send(outgoing())
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        assert len(relay.sessions) == 2
        sender.close()


def test_kept_connection_lost_while_the_mail_is_sent_is_not_tried_again_by_itself() -> None:
    with FakeRelay({"final": [say("250 ok"), CLOSE]}) as relay:
        sender = provider(relay)
        sender.send(outgoing())
        assert sender.send(outgoing()).outcome is Outcome.UNCERTAIN
        assert (len(relay.sessions), len(relay.accepted)) == (1, 1)
        sender.close()


def test_connection_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeRelay() as relay:
        sender = provider(relay)
        sender.send(outgoing())
        monkeypatch.setattr(smtp, "IDLE_SECONDS", 0.0)
        sender.send(outgoing())
        assert len(relay.sessions) == 2
        sender.close()


def test_connection_is_not_used_for_more_mails_than_relays_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "USES", 2)
    with FakeRelay() as relay:
        sender = provider(relay)
        for _ in range(4):
            sender.send(outgoing())
        assert len(relay.sessions) == 2
        sender.close()


def test_many_threads_send_each_mail_once() -> None:
    with FakeRelay() as relay:
        sender = provider(relay)
        outcomes: list[Outcome] = []

        def work(number: int) -> None:
            for turn in range(10):
                outcomes.append(sender.send(outgoing(recipient=f"{number}.{turn}@example.com")).outcome)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sender.close()
        assert outcomes == [Outcome.ACCEPTED] * 80
        assert len({mail.rcpt_to for mail in relay.accepted}) == len(relay.accepted) == 80
        assert len(relay.sessions) <= 8


# What the relay offers


def test_mail_over_the_size_offered_is_refused_before_it_is_sent() -> None:
    answer, relay = send_once({}, extensions=("SIZE 20",))
    assert (answer.outcome, answer.try_other) == (Outcome.REJECTED_MESSAGE, True)
    assert "20" in answer.detail
    assert not any(command.startswith("MAIL") for command in relay.commands)


@pytest.mark.parametrize("extensions", [(), ("SIZE",), ("SIZE 0",)])
def test_relay_without_a_size_limit_gets_any_mail(extensions: tuple[str, ...]) -> None:
    answer, _ = send_once({}, extensions=extensions)
    assert answer.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("raw", "recipient", "extensions", "outcome", "command"),
    [
        (RAW, "bob@example.com", ("SMTPUTF8", "8BITMIME"), Outcome.ACCEPTED, "MAIL FROM:<ann@example.com>"),
        (RAW, "üser@example.com", ("SMTPUTF8",), Outcome.ACCEPTED, "MAIL FROM:<ann@example.com> SMTPUTF8"),
        (RAW, "üser@example.com", ("8BITMIME",), Outcome.REJECTED_RECIPIENT, None),
        ("X: ü\r\n\r\n".encode(), "bob@example.com", ("SMTPUTF8", "8BITMIME"), Outcome.ACCEPTED,
         "MAIL FROM:<ann@example.com> BODY=8BITMIME SMTPUTF8"),
        ("X: ü\r\n\r\n".encode(), "bob@example.com", ("8BITMIME",), Outcome.ACCEPTED,
         "MAIL FROM:<ann@example.com> BODY=8BITMIME"),
        ("\r\nü\r\n".encode(), "bob@example.com", ("8BITMIME",), Outcome.ACCEPTED,
         "MAIL FROM:<ann@example.com> BODY=8BITMIME"),
        ("\r\nü\r\n".encode(), "bob@example.com", (), Outcome.REJECTED_MESSAGE, None),
    ],
)  # fmt: skip
def test_letters_beyond_ascii_use_what_the_relay_offers(
    raw: bytes, recipient: str, extensions: tuple[str, ...], outcome: Outcome, command: str | None
) -> None:
    with FakeRelay(extensions=extensions) as relay:
        sender = provider(relay)
        answer = sender.send(outgoing(raw, recipient))
        sender.close()
    assert answer.outcome is outcome
    mails = [said for said in relay.commands if said.startswith("MAIL")]
    assert mails == ([command] if command else [])
    assert answer.try_other or command


def test_bare_line_ends_cannot_hide_the_end_of_a_mail() -> None:
    with FakeRelay() as relay:
        sender = provider(relay)
        sender.send(outgoing(b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@example.com>\r.\rb\n.\r\nc"))
        sender.close()
    [mail] = relay.accepted
    assert mail.content == b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\nb\r\n.\r\nc\r\n"


@pytest.mark.parametrize("address", ["a@x\r\nRSET", "a@x>", "a\0@x", "<a@x"])
def test_address_that_would_break_a_command_is_rejected(address: str) -> None:
    with FakeRelay() as relay:
        assert provider(relay).send(outgoing(recipient=address)).outcome is Outcome.REJECTED_RECIPIENT
        assert relay.sessions == []


def test_null_sender_is_sent_as_such() -> None:
    with FakeRelay(extensions=()) as relay:
        sender = provider(relay)
        assert sender.send(outgoing(sender="")).outcome is Outcome.ACCEPTED
        sender.close()
    assert relay.accepted[0].mail_from == "<>"


# Encryption and log-in

LOGIN = ("ann", "pässword 🔑")


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("mechanisms", ["AUTH PLAIN LOGIN", "AUTH LOGIN", "AUTH=PLAIN"])
def test_relay_with_trusted_certificate_and_log_in_takes_the_mail(
    certificate: Certificate, implicit: bool, mechanisms: str
) -> None:
    with FakeRelay(tls=certificate.server, implicit=implicit, login=LOGIN, extensions=(mechanisms,)) as relay:
        tls = Tls.IMPLICIT if implicit else Tls.STARTTLS
        sender = provider(relay, user=LOGIN[0], password=LOGIN[1], tls=tls, ca=str(certificate.ca))
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        sender.close()
    assert [mail.content for mail in relay.accepted] == [RAW, RAW]
    assert len(relay.sessions) == 1


@pytest.mark.parametrize("implicit", [False, True])
def test_certificate_that_is_not_trusted_is_misconfigured_and_gets_no_password(
    certificate: Certificate, implicit: bool
) -> None:
    with FakeRelay(
        tls=certificate.server, implicit=implicit, login=LOGIN, extensions=("AUTH PLAIN",)
    ) as relay:
        tls = Tls.IMPLICIT if implicit else Tls.STARTTLS
        answer = provider(relay, user=LOGIN[0], password=LOGIN[1], tls=tls).send(outgoing())
    assert answer.outcome is Outcome.MISCONFIGURED
    assert "certificate" in answer.detail
    assert not any(command.startswith("AUTH") for command in relay.commands)


def test_certificate_for_another_name_is_misconfigured(certificate: Certificate) -> None:
    with FakeRelay(tls=certificate.server) as relay:
        there = Relay("localhost", relay.port, tls=Tls.STARTTLS, ca=str(certificate.ca))
        answer = SMTP("relay", there, ProviderOptions(timeout=5)).send(outgoing())
    assert answer.outcome is Outcome.MISCONFIGURED


def test_relay_without_the_starttls_it_should_have_gets_no_password() -> None:
    with FakeRelay(login=LOGIN, extensions=("AUTH PLAIN",)) as relay:
        sender = provider(relay, user=LOGIN[0], password=LOGIN[1], tls=Tls.STARTTLS)
        answer = sender.send(outgoing())
    assert answer.outcome is Outcome.MISCONFIGURED
    assert not any(command.startswith("AUTH") for command in relay.commands)


def test_opportunistic_encryption_takes_any_certificate_and_does_without(certificate: Certificate) -> None:
    with FakeRelay(tls=certificate.server) as relay:
        sender = provider(relay, tls=Tls.OPPORTUNISTIC)
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        sender.close()
    assert "STARTTLS" in relay.commands
    with FakeRelay() as relay:
        sender = provider(relay, tls=Tls.OPPORTUNISTIC)
        assert sender.send(outgoing()).outcome is Outcome.ACCEPTED
        sender.close()


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (say("454 4.7.0 TLS not available"), Outcome.UNAVAILABLE),
        (CLOSE, Outcome.UNAVAILABLE),
        (say("220 go\n250 injected"), Outcome.MISCONFIGURED),
        (say("501 5.5.4 what"), Outcome.MISCONFIGURED),
        (say_and_close("220 go"), Outcome.UNAVAILABLE),
    ],
)
def test_starttls_that_fails_has_its_outcome(certificate: Certificate, act: Act, outcome: Outcome) -> None:
    with FakeRelay({"starttls": [act]}, tls=certificate.server) as relay:
        sender = provider(relay, tls=Tls.STARTTLS, ca=str(certificate.ca))
        assert sender.send(outgoing()).outcome is outcome


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("535 5.7.8 no", Outcome.MISCONFIGURED),
        ("534 5.7.9 application password required", Outcome.MISCONFIGURED),
        ("538 5.7.11 encryption required", Outcome.MISCONFIGURED),
        ("550 5.7.1 account disabled", Outcome.MISCONFIGURED),
        ("454 4.7.0 temporary authentication failure", Outcome.UNAVAILABLE),
        ("421 4.7.0 try later", Outcome.UNAVAILABLE),
        ("451 Authentication failed: Maximum credits exceeded", Outcome.OVER_QUOTA),
    ],
)
def test_log_in_that_fails_has_its_outcome(reply: str, outcome: Outcome) -> None:
    with FakeRelay({"auth": [say(reply)]}, login=LOGIN, extensions=("AUTH PLAIN",)) as relay:
        answer = provider(relay, user=LOGIN[0], password=LOGIN[1]).send(outgoing())
    assert (answer.outcome, answer.sender_only) == (outcome, False)


@pytest.mark.parametrize("extensions", [(), ("AUTH XOAUTH2",)])
def test_relay_that_offers_no_log_in_is_misconfigured(extensions: tuple[str, ...]) -> None:
    with FakeRelay(login=LOGIN, extensions=extensions) as relay:
        answer = provider(relay, user=LOGIN[0], password=LOGIN[1]).send(outgoing())
    assert answer.outcome is Outcome.MISCONFIGURED


def test_password_repeated_by_the_relay_is_not_told_on() -> None:
    plain = "AGFubgBzM2NyM3Qh"  # "\0ann\0s3cr3t!" in base64
    script = {"auth": [say(f"535 s3cr3t! {plain} wrong for ann")]}
    with FakeRelay(script, login=LOGIN, extensions=("AUTH PLAIN",)) as relay:
        sender = provider(relay, user="ann", password="s3cr3t!")
        answer = sender.send(outgoing())
    assert relay.commands[1] == f"AUTH PLAIN {plain}"
    assert "s3cr3t!" not in answer.detail + repr(sender) + repr(sender.relay)
    assert plain not in answer.detail
    assert "wrong for ann" in answer.detail


def test_file_of_certificates_that_is_missing_raises_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        provider(25, ca=str(tmp_path / "none.pem"), tls=Tls.STARTTLS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 30 seconds", 30),
        ("wait for 2 minutes", 120),
        ("retry after 1 hour", 3600),
        ("in 00:05:00", 300),
        ("try again after Mon, 02 Feb 2026 03:02:00 UTC", 1320),
        ("try again after Mon, 20 Dec 2021 20:33:21 UTC", 0),
        ("after 999999 hours", 86_400),
        ("later", None),
        ("after Mon, 99 Dec 2021 20:33:21 UTC", None),
    ],
)
def test_pause_is_read_in_each_form(text: str, seconds: float | None) -> None:
    expected = None if seconds is None else NOW + seconds
    assert pause_until(text, NOW) == expected


# A real SMTP server


@pytest.fixture
def real_server(certificate: Certificate) -> Any:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword

    class Handler:
        def __init__(self) -> None:
            self.received: list[Any] = []

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            self.received.append(envelope)
            return "250 Message accepted for delivery"

    def authenticate(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ann", b"secret")
        return AuthResult(success=right, handled=right)

    controller = Controller(
        Handler(), hostname="127.0.0.1", port=0, tls_context=certificate.server, require_starttls=True,
        authenticator=authenticate, auth_required=True, enable_SMTPUTF8=True,
    )  # fmt: skip
    start_on_a_free_port(controller)
    yield controller
    controller.stop()


def start_on_a_free_port(controller: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        controller.port = listener.getsockname()[1]
    controller.start()


def test_real_server_gets_every_mail_to_the_byte(real_server: Any, certificate: Certificate) -> None:
    email = Email(
        parse_recipients("Ännchen <ann@example.com>").addresses[0],
        to=parse_recipients('"Bob; B" <bob@example.com>, üser@bücher.example').addresses,
        bcc=parse_recipients("eve@example.com").addresses,
        subject="Grüße 🚀",
        text=".\n..\nHällo" + "x" * 3000,
        html="<p>Hällo</p>",
        attachments=(Attachment("Prüf.pdf", "application/pdf", bytes(range(256)) * 100),),
    )
    raw = compose(email)
    sender = provider(
        real_server.port, user="ann", password="secret", tls=Tls.STARTTLS, ca=str(certificate.ca)
    )
    for recipient in email.recipients:
        assert sender.send(outgoing(raw, recipient.email)).outcome is Outcome.ACCEPTED
    sender.close()
    received = real_server.handler.received
    assert [envelope.rcpt_tos for envelope in received] == [
        [recipient.email] for recipient in email.recipients
    ]
    assert {envelope.original_content for envelope in received} == {raw}
    assert not any(b"eve" in envelope.original_content for envelope in received)


def test_real_server_with_a_wrong_password_is_misconfigured(
    real_server: Any, certificate: Certificate
) -> None:
    sender = provider(
        real_server.port, user="ann", password="wrong", tls=Tls.STARTTLS, ca=str(certificate.ca)
    )
    assert sender.send(outgoing()).outcome is Outcome.MISCONFIGURED
    sender.close()


def test_encryption_of_a_relay_verifies_unless_told_otherwise() -> None:
    assert provider(25, tls=Tls.STARTTLS)._context.verify_mode is ssl.CERT_REQUIRED
    assert provider(25, tls=Tls.IMPLICIT)._context.check_hostname
