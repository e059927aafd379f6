"""The hooks, called over real sockets with calls that are signed as the services sign them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bitmail import hookroutes
from bitmail.hooks import LATER, REPEATED, TAKEN, Hooks
from bitmail.service import Service
from mta.hooks.call import NotNow, Refusal
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG
from mta.submission import NewSubmission, Submission
from tests.bitmail.conftest import PASSWORD, listening, make_service
from tests.mta.scripted import wait_until
from tests.mta.signing import MAILGUN_KEY, TOPIC, Amazon, Twilio, mailgun_call

Fetch = Callable[[str], bytes]


@dataclass
class Post:
    """A running service, and the three services that call it."""

    service: Service
    amazon: Amazon
    twilio: Twilio
    address: str

    def call(self, hook: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return httpx.post(f"{self.address}/hooks/{hook}", content=body, headers=headers, timeout=20)

    def sendgrid(self, *events: dict[str, Any]) -> httpx.Response:
        body = json.dumps(events).encode() + b"\r\n"
        return self.call("sendgrid", body, self.twilio.headers(body, time.time()))

    def send(self, *recipients: str) -> Submission:
        author = self.service.model.accounts.log_in("ada", PASSWORD)
        raw = b"From: ada@localhost\r\nTo: x@example.com\r\nSubject: Plans\r\n\r\nHi\r\n"
        new = NewSubmission(f"k{time.time()}", author.name, author.address, recipients, "Plans", raw)
        submission = self.service.container.submit(new)
        self.wait_for(submission, Status.SENT)
        return submission

    def wait_for(self, submission: Submission, *statuses: Status) -> None:
        def reached() -> bool:
            now = self.service.container.submission(submission.id)
            return now is not None and [one.status for one in now.deliveries] == [*statuses] * (
                len(now.deliveries) if len(statuses) == 1 else 1
            )

        wait_until(reached, lambda: self.service.container.submission(submission.id))


def hooks_of(service: Service, fetch: Fetch) -> Hooks:
    """The hooks of a service that gets what Amazon serves from elsewhere."""
    return Hooks(service.settings, service.container, service.incoming, service._wake, fetch=fetch)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    amazon, twilio = Amazon(time.time()), Twilio()
    service = make_service(
        tmp_path,
        ses_topics=TOPIC,
        sendgrid_webhook_key=twilio.public_key,
        mailgun_webhook_signing_key=MAILGUN_KEY,
    )
    service.hooks = Hooks(
        service.settings, service.container, service.incoming, service.post_room.wake, fetch=amazon.fetch
    )
    service.start()
    with listening(service) as address:
        yield Post(service, amazon, twilio, address)
    service.stop()


def ses(delivery_id: str, kind: str, **about: Any) -> dict[str, Any]:
    mail = {"messageId": "1", "destination": ["x@example.com"], "tags": {DELIVERY_TAG: [delivery_id]}}
    return {"eventType": kind, "mail": mail, kind.lower(): about}


def test_reports_of_all_three_when_called_then_the_status_and_the_author_know(post: Post) -> None:
    submission = post.send("a@example.com", "b@example.com", "c@example.com")
    a, b, c = (one.id for one in submission.deliveries)
    answer = post.call("ses", post.amazon.call(ses(a, "Delivery", recipients=["a@example.com"])))
    assert (answer.status_code, answer.content) == (200, b"")
    event = {"event": "failed", "severity": "permanent", "reason": "bounce", "id": "1", "timestamp": 1.5}
    event |= {"recipient": "b@example.com", "user-variables": {DELIVERY_TAG: b}}
    event |= {"delivery-status": {"code": 550, "message": "no such user"}}
    assert post.call("mailgun", mailgun_call(event, time.time())).status_code == 200
    assert (
        post.sendgrid(
            {
                "event": "spamreport",
                "sg_event_id": "x",
                "timestamp": 2,
                "email": "c@example.com",
                DELIVERY_TAG: c,
            }
        ).status_code
        == 200
    )
    post.wait_for(submission, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)

    def told(words: str) -> bool:
        return any(words in notice.text for notice in post.service.model.notices("ada"))

    wait_until(lambda: told("Your mail “Plans” to b@example.com came back. 550 no such user."))
    wait_until(lambda: told("spam"))
    assert set(post.service.hooks.counts.all().values()) == {1}


def test_a_call_when_it_comes_again_then_counted_as_repeated_or_refused(post: Post) -> None:
    submission = post.send("a@example.com")
    call = post.amazon.call(ses(submission.deliveries[0].id, "Delivery", recipients=["a@example.com"]))
    assert [post.call("ses", call).status_code for _ in range(3)] == [200] * 3
    bounced = mailgun_call({"event": "delivered", "id": "1", "timestamp": 1}, time.time())
    assert [post.call("mailgun", bounced).status_code for _ in range(2)] == [200, 403]
    counts = post.service.hooks.counts.all()
    assert counts["ses", TAKEN] == 1
    assert counts["ses", REPEATED] == 2
    assert counts["mailgun", Refusal.REPLAYED] == 1


def test_a_bad_call_when_refused_then_a_number_and_no_word_and_counted(post: Post) -> None:
    large = b"[" + b" " * hookroutes.REPORT_LIMIT + b"]"
    old = time.time() - 30 * 86400
    signed = post.twilio.headers(b"[]", old)
    calls: list[tuple[str, bytes, Mapping[str, str], int]] = [
        ("ses", Amazon(time.time()).call(ses("x", "Delivery", recipients=[])), {}, 401),
        ("ses", post.amazon.call("x", TopicArn=TOPIC + "2"), {}, 403),
        ("ses", b"{}", {}, 403),
        ("sendgrid", b"[]", {}, 401),
        ("sendgrid", b"[]", signed, 401),
        ("mailgun", mailgun_call({}, old), {}, 401),
        ("mailgun", b"{}", {}, 401),
        ("mailgun", large, {}, 413),
        ("sendgrid", large, post.twilio.headers(large, time.time()), 413),
    ]
    for hook, body, headers, status in calls:
        answer = post.call(hook, body, headers)
        assert (answer.status_code, answer.content) == (status, b""), (hook, body[:100])
    chunked = httpx.post(f"{post.address}/hooks/ses", content=iter([large, large]), timeout=20)
    assert chunked.status_code == 413
    counts = post.service.hooks.counts.all()
    assert sum(counts.values()) == len(calls) + 1
    assert counts["ses", Refusal.OVERSIZED] == 1
    assert httpx.get(f"{post.address}/hooks/ses").status_code == 405


def test_a_call_of_another_origin_when_signed_then_taken(post: Post) -> None:
    body = post.amazon.call("Successfully validated SNS topic")
    assert post.call("ses", body, {"Origin": "https://elsewhere.example"}).status_code == 200


def test_a_subscription_when_of_our_topic_then_confirmed_before_the_answer(post: Post) -> None:
    call = post.amazon.call("You have chosen to subscribe", "SubscriptionConfirmation")
    assert post.call("ses", call).status_code == 200
    assert "ConfirmSubscription" in post.amazon.fetched[-1]


def test_a_call_when_the_certificate_cannot_be_had_then_it_has_to_come_again(post: Post) -> None:
    def away(_address: str) -> bytes:
        raise NotNow("away")

    service = post.service
    service.hooks = Hooks(
        service.settings, service.container, service.incoming, service.post_room.wake, fetch=away
    )
    answer = post.call("ses", post.amazon.call("x"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert service.hooks.counts.all() == {("ses", LATER): 1}


def test_a_hook_when_its_key_is_not_set_then_every_call_is_refused(service: Service) -> None:
    with listening(service) as address:
        for hook in ("ses", "sendgrid", "mailgun"):
            assert httpx.post(f"{address}/hooks/{hook}", content=b"{}").status_code == 403


def test_reports_when_the_process_ended_before_settling_then_settled_at_the_next_start(
    tmp_path: Path,
) -> None:
    first = make_service(tmp_path, mailgun_webhook_signing_key=MAILGUN_KEY)
    new = NewSubmission("k", "ada", "ada@localhost", ("x@example.com",), "Plans", b"Subject: x\r\n\r\nx\r\n")
    delivery = first.container.submit(new).deliveries[0]
    event = {"event": "delivered", "id": "1", "timestamp": 1, "user-variables": {DELIVERY_TAG: delivery.id}}
    first.hooks.mailgun(mailgun_call(event, time.time()), {})
    first.stop()  # it never started, so nothing was settled
    second = make_service(tmp_path)
    second.post_room.start()
    wait_until(
        lambda: (
            second.container.submissions([delivery.id.partition("-")[0]]).popitem()[1].deliveries[0].status
            is Status.DELIVERED
        )
    )
    second.stop()


@pytest.mark.parametrize(
    ("setting", "value"), [("ses_topics", "arn:aws:sqs:x"), ("sendgrid_webhook_key", "no key")]
)
def test_a_setting_of_a_hook_when_it_cannot_work_then_refused_at_start(
    tmp_path: Path, setting: str, value: str
) -> None:
    with pytest.raises(ValueError, match=setting.split("_")[0]):
        make_service(tmp_path, **{setting: value})
