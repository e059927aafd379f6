"""What SES tells through SNS, signed by a key of these tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mta.hooks.call import HookRefused, NotNow, Refusal
from mta.hooks.ses import SesHook
from mta.hooks.sns import AGE, KEPT_SECONDS, is_amazons
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG
from tests.mta.scripted import Clock
from tests.mta.signing import CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, Amazon

MAIL = {
    "timestamp": "2027-01-15T08:00:00.000Z",
    "messageId": "0102",
    "source": "ann@example.com",
    "destination": ["bob@example.net"],
    "tags": {DELIVERY_TAG: ["abc-0"], "ses:configuration-set": ["c"]},
}


@pytest.fixture
def amazon(clock: Clock) -> Amazon:
    return Amazon(clock.now)


@pytest.fixture
def hook(amazon: Amazon, clock: Clock) -> SesHook:
    return SesHook([TOPIC], amazon.fetch, clock)


def bounce(kind: str = "Permanent") -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "mail": MAIL,
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "timestamp": "2027-01-15T08:00:05.000Z",
            "bouncedRecipients": [
                {"emailAddress": "bob@example.net", "diagnosticCode": "smtp; 550 5.1.1 no such user"}
            ],
        },
    }


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_when_signed_by_amazon_then_a_report(hook: SesHook, amazon: Amazon, version: str) -> None:
    (report,) = hook.read(amazon.call(bounce(), version=version)).reports
    assert (report.delivery_id, report.recipient) == ("abc-0", "bob@example.net")
    assert (report.status, report.permanent) == (Status.BOUNCED, True)
    assert report.reason == "550 5.1.1 no such user."
    assert report.at == 1_800_000_005.0
    (soft,) = hook.read(amazon.call(bounce("Transient"))).reports
    assert not soft.permanent
    assert amazon.fetched == [CERTIFICATE_URL], "the certificate is not kept"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"eventType": "Send", "send": {}}, Status.SENT),
        (
            {"notificationType": "Delivery", "delivery": {"recipients": ["bob@example.net"]}},
            Status.DELIVERED,
        ),
        (
            {
                "eventType": "DeliveryDelay",
                "deliveryDelay": {"delayedRecipients": [{"emailAddress": "bob@example.net"}]},
            },
            Status.DEFERRED,
        ),
        (
            {
                "eventType": "Complaint",
                "complaint": {"complainedRecipients": [{"emailAddress": "bob@example.net"}]},
            },
            Status.COMPLAINED,
        ),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, Status.FAILED),
        ({"eventType": "Rendering Failure", "failure": {"errorMessage": "x"}}, Status.FAILED),
    ],
)
def test_each_kind_of_event_when_told_then_its_status(
    hook: SesHook, amazon: Amazon, event: dict[str, Any], status: Status
) -> None:
    (report,) = hook.read(amazon.call(event | {"mail": MAIL})).reports
    assert (report.status, report.recipient, report.delivery_id) == (status, "bob@example.net", "abc-0")
    assert bool(report.reason) == (status not in (Status.SENT, Status.DELIVERED))


@pytest.mark.parametrize(
    "event", [{"eventType": "Open", "open": {}, "mail": MAIL}, "Successfully validated SNS topic"]
)
def test_what_is_no_report_when_told_then_none(hook: SesHook, amazon: Amazon, event: Any) -> None:
    assert hook.read(amazon.call(event)).reports == ()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"TopicArn": TOPIC + "2"}, Refusal.UNWANTED),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"}, Refusal.FORGED),
        ({"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/x.pem"}, Refusal.FORGED),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.txt"}, Refusal.FORGED),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem"}, Refusal.FORGED),
        ({"SigningCertURL": "https://s3.amazonaws.com/bucket/x.pem"}, Refusal.FORGED),
        ({"SignatureVersion": "3"}, Refusal.FORGED),
        ({"Timestamp": "2025-01-15T08:00:00.000Z"}, Refusal.STALE),
        ({"Timestamp": "2027-01-15T09:00:00.000Z"}, Refusal.STALE),
        ({"Timestamp": "yesterday"}, Refusal.MALFORMED),
        ({"Type": "Else"}, Refusal.MALFORMED),
    ],
)
def test_a_call_when_not_as_amazon_makes_it_then_refused(
    hook: SesHook, amazon: Amazon, changed: dict[str, str], refusal: Refusal
) -> None:
    with pytest.raises(HookRefused) as refused:
        hook.read(amazon.call(bounce(), **changed))
    assert refused.value.refusal is refusal
    assert "delivery" not in str(refused.value)
    assert set(amazon.fetched) <= {CERTIFICATE_URL}, "something else than Amazon was asked"


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Subject", "Signature"])
def test_a_call_when_changed_after_it_was_signed_then_forged(
    hook: SesHook, amazon: Amazon, name: str
) -> None:
    call = json.loads(amazon.call(bounce()))
    call[name] = "AAAA" if name == "Signature" else call[name].replace("0", "1") + " "
    with pytest.raises(HookRefused) as refused:
        hook.read(json.dumps(call).encode())
    assert refused.value.refusal is Refusal.FORGED


def test_a_call_when_signed_by_another_key_then_forged(hook: SesHook, amazon: Amazon, clock: Clock) -> None:
    with pytest.raises(HookRefused) as refused:
        SesHook([TOPIC], amazon.fetch, clock).read(Amazon(clock.now).call(bounce()))
    assert refused.value.refusal is Refusal.FORGED
    with pytest.raises(HookRefused):
        hook.read(b"\xff")
    with pytest.raises(HookRefused):
        hook.read(b"[" * 100_000)


def test_the_certificate_when_kept_long_enough_then_fetched_again_and_its_dates_count(
    hook: SesHook, amazon: Amazon, clock: Clock
) -> None:
    hook.read(amazon.call(bounce()))
    clock.forward(KEPT_SECONDS + 1)
    with pytest.raises(HookRefused) as refused:  # its own days are over
        hook.read(amazon.call(bounce()))
    assert refused.value.refusal is Refusal.FORGED
    assert len(amazon.fetched) == 2
    assert KEPT_SECONDS + 1 < AGE


def test_the_certificate_when_it_cannot_be_fetched_then_not_now(amazon: Amazon, clock: Clock) -> None:
    def away(_address: str) -> bytes:
        raise NotNow("away")

    with pytest.raises(NotNow):
        SesHook([TOPIC], away, clock).read(amazon.call(bounce()))
    with pytest.raises(NotNow):
        SesHook([TOPIC], lambda _: b"<html>", clock).read(amazon.call(bounce()))
    small = amazon.make_certificate(rsa.generate_private_key(65537, 2048), days=-1)
    with pytest.raises(HookRefused):
        SesHook([TOPIC], lambda _: small, clock).read(amazon.call(bounce()))


def test_a_subscription_when_its_topic_is_ours_then_confirmed_at_amazon_only(
    hook: SesHook, amazon: Amazon
) -> None:
    kind = "SubscriptionConfirmation"
    call = hook.read(amazon.call("You have chosen to subscribe", kind))
    assert call.confirm == SUBSCRIBE_URL
    hook.confirm(call.confirm)
    assert amazon.fetched[-1] == SUBSCRIBE_URL
    for changed in ({"TopicArn": TOPIC + "x"}, {"SubscribeURL": "https://evil.example/?Token=t"}):
        with pytest.raises(HookRefused):
            hook.read(amazon.call("You have chosen to subscribe", kind, **changed))
    assert hook.read(amazon.call("Good bye", "UnsubscribeConfirmation")).confirm == ""


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("https://sns.us-east-1.amazonaws.com/a.pem", True),
        ("https://sns.us-gov-west-1.amazonaws.com/a.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", True),
        ("https://sns.us-east-1.amazonaws.com:8443/a.pem", False),
        ("https://evil.example/sns.us-east-1.amazonaws.com", False),
        ("https://sns.us-east-1.amazonaws.com.cn.evil.example/", False),
        ("https://user@sns.us-east-1.amazonaws.com/", False),
        ("https://[", False),
    ],
)
def test_an_address_when_it_is_not_of_sns_itself_then_not_amazons(address: str, answer: bool) -> None:
    assert is_amazons(address) is answer


def test_an_incoming_mail_when_with_its_notification_then_one_for_each_recipient(
    hook: SesHook, amazon: Amazon
) -> None:
    event = {
        "notificationType": "Received",
        "mail": MAIL | {"source": "eve@example.org"},
        "receipt": {
            "timestamp": "2027-01-15T08:00:05.000Z",
            "recipients": ["ann@example.com", "bob@example.com"],
            "action": {"type": "SNS", "encoding": "BASE64"},
        },
        "content": "U3ViamVjdDogSGkNCg0K/w==",
    }
    mails = hook.read(amazon.call(event)).mails
    assert [mail.recipient for mail in mails] == ["ann@example.com", "bob@example.com"]
    assert {(mail.sender, mail.raw) for mail in mails} == {("eve@example.org", b"Subject: Hi\r\n\r\n\xff")}
    event["receipt"]["action"] = {"type": "S3", "bucketName": "in", "objectKey": "a/b"}  # type: ignore[index]
    (stored,) = hook.read(amazon.call(event)).stored
    assert (stored.bucket, stored.key, stored.recipients) == (
        "in",
        "a/b",
        ("ann@example.com", "bob@example.com"),
    )
