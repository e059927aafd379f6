"""Each answer of each service, over a real socket and through its own package: the outcome that it means."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mta.outcomes import Answer, Outcome
from mta.providers.base import DELIVERY_TAG, Provider, ProviderOptions
from tests.fakes.certificates import make_certificate
from tests.fakes.http import Reply, Taken, html, reply
from tests.fakes.ses import refusal
from tests.fakes.smtp import CLOSE, HANG, RESET, Act, FakeRelay, cut
from tests.mta.corpus import CORPUS
from tests.mta.services import KINDS, MAILGUN, NOW, SENDGRID, SES_, Kind, outgoing, talking

HUNG = 25.0
"""Seconds after which an answer is as good as none."""
O = Outcome  # noqa: E741 - a table reads better
Line = tuple[str, Reply | Act | Taken, Outcome, dict[str, Any]]
Served = Callable[[Kind, Reply | Act | Taken], tuple[Provider, Any]]

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A provider of each kind that serves many tests, since that of SES takes a while to make; its fake is emptied."""
    with ExitStack() as stack:
        all_of_them = {kind.name: stack.enter_context(talking(kind)) for kind in KINDS}

        def serve(kind: Kind, line: Reply | Act | Taken) -> tuple[Provider, Any]:
            provider, fake = all_of_them[kind.name]
            fake.script.append(line)
            fake.requests.clear()
            fake.accepted.clear()
            return provider, fake

        yield serve


def bad(status: int, message: str, field: str | None = None, **headers: str) -> Reply:
    """SendGrid's way to refuse."""
    return reply(status, {"errors": [{"message": message, "field": field, "help": None}]}, **headers)


def no(status: int, message: str) -> Reply:
    """Mailgun's way to refuse."""
    return reply(status, {"message": message})


UNVERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@b.example"
SES_TABLE: list[Line] = [
    ("no id", reply(200, {}), O.UNCERTAIN, {}),
    ("page", html(200), O.MISCONFIGURED, {"sender_only": False}),
    ("empty", reply(200), O.MISCONFIGURED, {}),
    ("list", reply(200, [1]), O.MISCONFIGURED, {}),
    ("elsewhere", reply(302, b"", Location="https://other.example/"), O.MISCONFIGURED, {}),
    ("page 500", html(500), O.UNAVAILABLE, {}),
    ("page 504", html(504), O.UNCERTAIN, {}),
    ("bad", refusal(400, "BadRequestException", "Missing final '@domain'"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("v1", refusal(400, "InvalidParameterValue", "Duplicate header 'X'"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("valid", refusal(400, "ValidationError", "Header section too long"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("413", refusal(413, "RequestEntityTooLargeException", "large"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("sender", refusal(400, "MessageRejected", UNVERIFIED), O.MISCONFIGURED, {"sender_only": True}),
    ("virus", refusal(400, "MessageRejected", "It has a virus."), O.REJECTED_MESSAGE, {"try_other": False}),
    ("mail from", refusal(400, "MailFromDomainNotVerifiedException", "x"), O.MISCONFIGURED, {"sender_only": True}),
    ("suspended", refusal(400, "AccountSuspendedException", "x"), O.MISCONFIGURED, {"sender_only": False}),
    ("paused", refusal(400, "SendingPausedException", "x"), O.MISCONFIGURED, {"sender_only": False}),
    ("no set", refusal(404, "NotFoundException", "Configuration set"), O.MISCONFIGURED, {"sender_only": False}),
    *(
        (code, refusal(403, code, "no"), O.MISCONFIGURED, {"sender_only": False})
        for code in (
            *("AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId"),
            *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "OptInRequired"),
            *("NotAuthorized", "RequestExpired"),
        )
    ),
    ("rate", refusal(429, "TooManyRequestsException", "slow"), O.THROTTLED, {"retry_at": NOW + 10}),
    ("rate 400", refusal(400, "Throttling", "Maximum sending rate exceeded."), O.THROTTLED, {"retry_at": NOW + 10}),
    ("rate ex", refusal(400, "ThrottlingException", "Rate exceeded"), O.THROTTLED, {"retry_at": NOW + 10}),
    (
        "day",
        refusal(429, "TooManyRequestsException", "Daily message quota exceeded."),
        O.OVER_QUOTA,
        {"retry_at": NOW + 3600},
    ),
    ("day old", refusal(400, "Throttling", "Daily message quota exceeded."), O.OVER_QUOTA, {}),
    ("limit", refusal(400, "LimitExceededException", "x"), O.OVER_QUOTA, {"retry_at": NOW + 3600}),
    ("500", refusal(500, "InternalFailure", "x"), O.UNAVAILABLE, {}),
    ("500 ex", refusal(500, "InternalServiceErrorException", "x"), O.UNAVAILABLE, {}),
    ("503", refusal(503, "ServiceUnavailable", "x"), O.UNAVAILABLE, {}),
    ("408", refusal(408, "RequestTimeoutException", "x"), O.UNAVAILABLE, {}),
    ("504", refusal(504, "GatewayTimeout", "x"), O.UNCERTAIN, {}),
    ("page 429", html(429), O.THROTTLED, {}),
    ("page 403", html(403), O.MISCONFIGURED, {}),
    ("unknown", refusal(418, "Teapot", "x"), O.REJECTED_MESSAGE, {"try_other": True}),
]  # fmt: skip
MAILGUN_TABLE: list[Line] = [
    ("other 200", reply(200, {"hello": "world"}), O.MISCONFIGURED, {}),
    ("page", html(200), O.MISCONFIGURED, {}),
    ("empty", reply(200), O.MISCONFIGURED, {}),
    ("list", reply(200, [1]), O.MISCONFIGURED, {}),
    ("odd", reply(400, [1]), O.REJECTED_MESSAGE, {"try_other": True}),
    ("elsewhere", reply(302, b"", Location="https://other.example/"), O.MISCONFIGURED, {}),
    (
        "to",
        no(400, "to parameter is not a valid address. please check documentation"),
        O.REJECTED_RECIPIENT,
        {"try_other": True},
    ),
    ("from", no(400, "from parameter is not a valid address"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("header", no(400, "Header name must be pure ASCII"), O.REJECTED_MESSAGE, {"try_other": True}),
    (
        "options",
        no(400, "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total"),
        O.REJECTED_MESSAGE,
        {},
    ),
    ("no file", no(400, "'message' parameter is not a file"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("many", no(400, "Too many recipients, max is 1000"), O.REJECTED_MESSAGE, {"try_other": True}),
    (
        "sandbox",
        no(400, "Domain mg.example.com is not allowed to send: Sandbox subdomains are for test purposes only."),
        O.MISCONFIGURED,
        {"sender_only": False},
    ),
    (
        "free",
        no(400, "Domain mg.example.com is not allowed to send: Free accounts are for test purposes only."),
        O.MISCONFIGURED,
        {},
    ),
    ("401", Reply(401, b"Forbidden", {"Content-Type": "text/plain"}), O.MISCONFIGURED, {"sender_only": False}),
    ("404", no(404, "Domain not found: mg.example.com"), O.MISCONFIGURED, {}),
    ("403", no(403, "You are not allowed to send large batches yet"), O.MISCONFIGURED, {}),
    ("402", no(402, "Parameters were valid but request failed"), O.UNAVAILABLE, {}),
    ("413", no(413, "request size exceeds 52.4MiB limit"), O.REJECTED_MESSAGE, {"try_other": True}),
    (
        "429 date",
        no(
            429,
            "Domain mg.example.com is not allowed to send: recipient limit exceeded, "
            "try again after Mon, 02 Feb 2026 02:45:00 UTC",
        ),
        O.THROTTLED,
        {"retry_at": NOW + 300},
    ),
    (
        "429 seconds",
        no(429, "account-requests-per-sec limit exceeded, try again after 120 seconds"),
        O.THROTTLED,
        {"retry_at": NOW + 120},
    ),
    ("429", no(429, "too fast"), O.THROTTLED, {"retry_at": NOW + 60}),
    (
        "420",
        no(
            420,
            "Domain mg.example.com is not allowed to send: request limit exceeded, try again after 30 seconds"),
        O.THROTTLED,
        {"retry_at": NOW + 30},
    ),
    ("500", no(500, "Internal Server Error"), O.UNAVAILABLE, {}),
    ("502", html(502), O.UNAVAILABLE, {}),
    ("503", html(503), O.UNAVAILABLE, {}),
    ("504", html(504), O.UNCERTAIN, {}),
    ("unknown", html(418), O.REJECTED_MESSAGE, {"try_other": True}),
]  # fmt: skip
SENDGRID_TABLE: list[Line] = [
    ("200", reply(200, {"ok": True}), O.MISCONFIGURED, {}),
    ("page", html(200), O.MISCONFIGURED, {}),
    ("elsewhere", reply(302, b"", Location="https://other.example/"), O.MISCONFIGURED, {}),
    ("elsewhere too", reply(307, b"", Location="https://other.example/"), O.MISCONFIGURED, {}),
    ("no id", reply(202), O.UNCERTAIN, {}),
    ("odd", reply(400, [1]), O.REJECTED_MESSAGE, {"try_other": True}),
    ("octets", reply(500, b"\xff\xfe\0"), O.UNAVAILABLE, {}),
    (
        "recipient",
        bad(400, "Does not contain a valid address.", "personalizations.0.to.0.email"),
        O.REJECTED_RECIPIENT,
        {"try_other": True},
    ),
    ("content", bad(400, "at least one character", "content.0.value"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("subject", bad(400, "The subject is required.", "subject"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("attachment", bad(400, "required", "attachments.0.content"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("bare", bad(400, "Bad Request"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("401", bad(401, "The provided authorization grant is invalid"), O.MISCONFIGURED, {"sender_only": False}),
    ("credits", bad(401, "Maximum credits exceeded"), O.OVER_QUOTA, {"retry_at": NOW + 3600}),
    (
        "sender",
        bad(403, "The from address does not match a verified Sender Identity.", "from"),
        O.MISCONFIGURED,
        {"sender_only": True},
    ),
    ("forbidden", bad(403, "access forbidden"), O.MISCONFIGURED, {"sender_only": False}),
    ("block", bad(403, "Too many bad requests. Temporary block"), O.THROTTLED, {"retry_at": NOW + 3600}),
    ("404", bad(404, "not found"), O.MISCONFIGURED, {}),
    ("405", bad(405, "method not allowed"), O.MISCONFIGURED, {}),
    ("406", bad(406, "not acceptable"), O.MISCONFIGURED, {}),
    ("415", bad(415, "unsupported media type"), O.MISCONFIGURED, {}),
    ("413", bad(413, "payload too large"), O.REJECTED_MESSAGE, {"try_other": True}),
    ("429", bad(429, "too many requests", X_RateLimit_Reset=str(int(NOW) + 42)), O.THROTTLED, {"retry_at": NOW + 42}),
    ("429 bare", bad(429, "too many requests"), O.THROTTLED, {"retry_at": NOW + 60}),
    ("500", bad(500, "an error has occurred"), O.UNAVAILABLE, {}),
    ("502", html(502), O.UNAVAILABLE, {}),
    ("503", html(503), O.UNAVAILABLE, {}),
    ("504", html(504), O.UNCERTAIN, {}),
    ("unknown", html(418), O.REJECTED_MESSAGE, {"try_other": True}),
]  # fmt: skip
ROWS = [
    (kind, *line)
    for kind, table in ((SES_, SES_TABLE), (MAILGUN, MAILGUN_TABLE), (SENDGRID, SENDGRID_TABLE))
    for line in table
]


@pytest.mark.parametrize(
    ("kind", "name", "line", "outcome", "details"), ROWS, ids=[f"{row[0].name} {row[1]}" for row in ROWS]
)
def test_answer_when_given_then_its_outcome_with_its_words(
    served: Served, kind: Kind, name: str, line: Reply, outcome: Outcome, details: dict[str, Any]
) -> None:
    provider, fake = served(kind, line)
    answer = provider.send(outgoing())
    assert answer.outcome is outcome, answer
    assert {detail: getattr(answer, detail) for detail in details} == details
    assert len(fake.requests) == 1  # no package tries again by itself
    assert fake.accepted == []
    if line.headers.get("Content-Type") == "text/html":
        assert "<h1>Sorry</h1>" in answer.detail


BROKEN: list[tuple[str, Act]] = [
    ("closed", CLOSE),
    ("reset", RESET),
    ("cut in the head", cut(b"HTTP/1.1 20")),
    ("cut in the body", cut(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id')),
    ("no HTTP", cut(b"220 mail.example.com ESMTP\r\n")),
]


@pytest.mark.parametrize("act", [act for _, act in BROKEN], ids=[name for name, _ in BROKEN])
@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
@each_kind
def test_loss_when_the_mail_was_sent_then_uncertain(
    served: Served, kind: Kind, taken: bool, act: Act
) -> None:
    provider, fake = served(kind, Taken(act) if taken else act)
    answer = provider.send(outgoing())
    assert answer.outcome is O.UNCERTAIN, answer
    assert len(fake.accepted) == taken
    assert len(fake.requests) == 1


@each_kind
def test_silence_when_the_mail_was_sent_then_uncertain_in_time(kind: Kind) -> None:
    start = time.monotonic()
    with talking(kind, Taken(HANG), timeout=0.5) as (provider, fake):
        assert provider.send(outgoing()).outcome is O.UNCERTAIN
        assert len(fake.accepted) == 1
    assert time.monotonic() - start < HUNG


@each_kind
def test_connection_when_refused_then_unavailable_at_once(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    start = time.monotonic()
    answer = kind.provider(url, ProviderOptions()).send(outgoing())
    assert answer.outcome is O.UNAVAILABLE, answer
    assert time.monotonic() - start < HUNG


@each_kind
def test_name_when_not_found_then_unavailable(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    answer = kind.provider("http://localhost:9", ProviderOptions()).send(outgoing())
    assert answer.outcome is O.UNAVAILABLE, answer


@each_kind
def test_connection_when_it_takes_too_long_then_unavailable(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # the queue of the listener is full then
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        answer = kind.provider(f"http://127.0.0.1:{port}", ProviderOptions(timeout=0.6)).send(outgoing())
        for sock in waiting:
            sock.close()
    assert answer.outcome is O.UNAVAILABLE, answer


@each_kind
def test_encryption_when_the_certificate_is_not_trusted_then_unavailable(kind: Kind, tmp_path: Path) -> None:
    with talking(kind, tls=make_certificate(tmp_path).server) as (provider, fake):
        answer = provider.send(outgoing())
    assert answer.outcome is O.UNAVAILABLE, answer
    assert fake.requests == []


@each_kind
def test_encryption_when_there_is_none_then_unavailable(kind: Kind) -> None:
    with FakeRelay() as relay:
        answer = kind.provider(f"https://127.0.0.1:{relay.port}", ProviderOptions()).send(outgoing())
    assert answer.outcome is O.UNAVAILABLE, answer


@each_kind
def test_mail_when_taken_then_accepted_with_the_services_number_and_our_own_went_along(kind: Kind) -> None:
    with talking(kind) as (provider, fake):
        answers = [provider.send(outgoing(recipient=f"{name}@example.com")) for name in ("bob", "eve")]
    assert [answer.outcome for answer in answers] == [O.ACCEPTED] * 2
    assert len({answer.provider_id for answer in answers} - {""}) == 2
    assert [mail.to for mail in fake.accepted] == ["bob@example.com", "eve@example.com"]
    carried = {
        "ses": lambda mail: {tag["Name"]: tag["Value"] for tag in mail.asked["EmailTags"]}[DELIVERY_TAG],
        "mailgun": lambda mail: mail.form[f"v:{DELIVERY_TAG}"],
        "sendgrid": lambda mail: mail.asked["personalizations"][0]["custom_args"][DELIVERY_TAG],
    }
    assert [carried[kind.name](mail) for mail in fake.accepted] == ["0194ab-0"] * 2


@pytest.mark.parametrize("kind", [SES_, MAILGUN], ids=lambda kind: kind.name)
def test_connection_when_a_second_mail_follows_then_the_same(kind: Kind) -> None:
    with talking(kind) as (provider, fake):
        assert [provider.send(outgoing()).outcome for _ in range(3)] == [O.ACCEPTED] * 3
    assert fake.connections == 1


@each_kind
def test_mails_when_sent_by_many_threads_then_each_once(kind: Kind) -> None:
    people = [f"p{number}@example.com" for number in range(40)]
    with talking(kind) as (provider, fake), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda person: provider.send(outgoing(recipient=person)), people))
    assert {answer.outcome for answer in answers} == {O.ACCEPTED}
    assert sorted(mail.to for mail in fake.accepted) == sorted(people)


def test_ses_when_a_signature_covers_8_bits_then_refused_for_another_provider() -> None:
    raw = CORPUS["signature"].replace(b"\r\nHi\r\n", "\r\nGrüße\r\n".encode())
    with talking(SES_) as (provider, fake):
        answer = provider.send(outgoing(raw))
    assert (answer.outcome, answer.try_other, fake.requests) == (O.REJECTED_MESSAGE, True, [])


@each_kind
def test_size_when_beyond_the_limit_then_rejected_before_anything_is_sent(kind: Kind) -> None:
    with talking(kind) as (provider, fake):
        assert provider.max_bytes is not None
        line = b"x" * 76 + b"\r\n"
        raw = b"Content-Type: application/octet-stream\r\n\r\n" + line * (provider.max_bytes // 78 + 1)
        answer = provider.send(outgoing(raw))
    assert (answer.outcome, answer.try_other) == (O.REJECTED_MESSAGE, True)
    assert f"{provider.max_bytes:,}" in answer.detail
    assert fake.requests == []


def checked(kind: Kind, *script: Any, **wrong: Any) -> tuple[Answer, Any]:
    with kind.fake(*script) as fake:
        provider = kind.provider(fake.url, ProviderOptions(timeout=2), **wrong)
        answer = provider.check()
        provider.close()
    assert fake.accepted == []
    return answer, fake


@each_kind
def test_check_when_the_credentials_are_good_then_accepted_and_nothing_was_sent(kind: Kind) -> None:
    answer, fake = checked(kind)
    assert answer.outcome is O.ACCEPTED, answer
    assert len(fake.requests) == 1


@each_kind
def test_check_when_the_key_is_wrong_then_misconfigured_in_words(kind: Kind) -> None:
    answer, _ = checked(kind, key="wrong")
    assert answer.outcome is O.MISCONFIGURED
    assert "does not accept" in answer.detail


@each_kind
def test_check_when_the_service_is_down_then_that_and_not_misconfigured(kind: Kind) -> None:
    assert checked(kind, html(503))[0].outcome is O.UNAVAILABLE
    assert checked(kind, HANG)[0].outcome is O.UNCERTAIN


def test_check_when_something_else_is_wrong_then_misconfigured_in_words() -> None:
    assert "domain" in checked(MAILGUN, domain="other.example.com")[0].detail
    assert "switched off" in checked(SES_, reply(200, {"SendingEnabled": False}))[0].detail
    answer, _ = checked(SENDGRID, reply(200, {"scopes": ["stats.read"]}))
    assert answer.outcome is O.MISCONFIGURED
    assert "mail.send" in answer.detail
    refused = no(400, "Domain mg.example.com is not allowed to send: Please activate your Mailgun account.")
    assert checked(MAILGUN, refused)[0].outcome is O.MISCONFIGURED


def test_check_when_ses_credentials_may_only_send_then_accepted() -> None:
    answer, _ = checked(
        SES_, refusal(403, "AccessDeniedException", "not authorized to perform: ses:GetAccount")
    )
    assert answer.outcome is O.ACCEPTED


def test_check_when_ses_is_in_its_sandbox_then_accepted_and_said() -> None:
    answer, _ = checked(SES_, reply(200, {"SendingEnabled": True, "ProductionAccessEnabled": False}))
    assert answer.outcome is O.ACCEPTED
    assert "sandbox" in answer.detail


def test_ses_when_its_session_expired_then_asked_once_more_with_new_credentials() -> None:
    with talking(SES_, refusal(403, "ExpiredToken", "expired")) as (provider, fake):
        assert provider.send(outgoing()).outcome is O.ACCEPTED
    assert len(fake.requests) == 2
    with talking(SES_, *[refusal(403, "ExpiredTokenException", "expired")] * 2) as (provider, fake):
        assert provider.send(outgoing()).outcome is O.MISCONFIGURED
    assert len(fake.requests) == 2


def test_ses_when_there_are_no_credentials_then_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    from mta.providers.ses import SES, SesAccount

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for account in (SesAccount("eu-west-1"), SesAccount("eu-west-1", profile="nobody"), SesAccount()):
        answer = SES("ses", account).send(outgoing())
        assert answer.outcome is O.MISCONFIGURED, answer
