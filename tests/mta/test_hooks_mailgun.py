"""Mailgun's webhooks, signed by a key of these tests."""

from __future__ import annotations

from typing import Any

import pytest

from mta.hooks.call import HookRefused, Refusal
from mta.hooks.mailgun import AGE, MailgunHook
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG
from tests.mta.scripted import Clock
from tests.mta.signing import MAILGUN_KEY, mailgun_call, mailgun_signature


@pytest.fixture
def hook(clock: Clock) -> MailgunHook:
    return MailgunHook(MAILGUN_KEY, clock)


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "event": kind,
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "timestamp": 1_800_000_000.5,
        "recipient": "bob@example.net",
        "user-variables": {DELIVERY_TAG: "abc-0"},
        "delivery-status": {"code": 550, "message": "5.1.1 no such user"},
    } | more


@pytest.mark.parametrize(
    ("said", "status", "permanent"),
    [
        (event("accepted"), Status.SENT, False),
        (event("delivered"), Status.DELIVERED, False),
        (event("failed", severity="temporary", reason="generic"), Status.DEFERRED, False),
        (event("failed", severity="permanent", reason="bounce"), Status.BOUNCED, True),
        (event("failed", severity="permanent", reason="generic"), Status.BOUNCED, False),
        (event("failed", severity="permanent", reason="suppress-bounce"), Status.FAILED, False),
        (event("rejected"), Status.FAILED, False),
        (event("complained"), Status.COMPLAINED, False),
    ],
)
def test_each_kind_of_event_when_signed_then_its_status(
    hook: MailgunHook, clock: Clock, said: dict[str, Any], status: Status, permanent: bool
) -> None:
    call = hook.read(mailgun_call(said, clock.now))
    (report,) = call.reports
    assert (report.status, report.permanent, report.delivery_id) == (status, permanent, "abc-0")
    assert call.token
    if status in (Status.DEFERRED, Status.BOUNCED):
        assert report.reason == "550 5.1.1 no such user."


def test_the_published_example_when_read_then_its_signature_is_right(clock: Clock) -> None:
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    clock.now = 1_529_006_900.0
    hook = MailgunHook("test-signing-key", clock)
    signature = "a4aa5558dda1bdd45f39600cf45ad25006c9fa7980b210160d6df1e9c70160f5"
    assert hook.verify("1529006854", token, signature).endswith(token)
    with pytest.raises(HookRefused):
        hook.verify("1529006854", token, signature.upper() + "0")


@pytest.mark.parametrize("kind", ["opened", "clicked", "unsubscribed", "stored", ""])
def test_what_is_no_report_when_signed_then_none(hook: MailgunHook, clock: Clock, kind: str) -> None:
    assert hook.read(mailgun_call(event(kind), clock.now)).reports == ()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"token": "other"}, Refusal.FORGED),
        ({"timestamp": "1800000001"}, Refusal.FORGED),
        ({"signature": ""}, Refusal.FORGED),
        ({"signature": "é"}, Refusal.FORGED),
        (mailgun_signature(1_800_000_000.0, "t", key="another key"), Refusal.FORGED),
        (mailgun_signature(1_800_000_000.0, ""), Refusal.FORGED),
        (mailgun_signature(1_800_000_000.0 - AGE - 1, "t"), Refusal.STALE),
        (mailgun_signature(1_800_000_000.0 + 3600, "t"), Refusal.STALE),
    ],
)
def test_a_signature_when_not_right_or_old_then_refused(
    hook: MailgunHook, changed: dict[str, str], refusal: Refusal
) -> None:
    with pytest.raises(HookRefused) as refused:
        hook.verify(**(mailgun_signature(1_800_000_000.0, "t") | changed))
    assert refused.value.refusal is refusal


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"signature": 1}', b"\xff\xfe", b'{"signature": {"token": []}}']
)
def test_a_body_when_it_is_none_of_mailguns_then_refused(hook: MailgunHook, body: bytes) -> None:
    with pytest.raises(HookRefused):
        hook.read(body)
