"""SendGrid's event webhook, signed by a key of these tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook

from mta.hooks.call import HookRefused, Refusal
from mta.hooks.sendgrid import AGE, SIGNATURE, TIMESTAMP, SendGridHook
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG
from tests.mta.scripted import Clock
from tests.mta.signing import Twilio


@pytest.fixture
def twilio() -> Twilio:
    return Twilio()


@pytest.fixture
def hook(twilio: Twilio, clock: Clock) -> SendGridHook:
    return SendGridHook(twilio.public_key, clock)


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "email": "bob@example.net",
        "timestamp": 1_800_000_000,
        "event": kind,
        "sg_event_id": f"id-{kind}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
        DELIVERY_TAG: "abc-0",
    } | more


def body(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode() + b"\r\n"


def test_a_call_when_signed_by_sendgrid_then_its_reports(
    hook: SendGridHook, twilio: Twilio, clock: Clock
) -> None:
    said = body(
        event("processed"),
        event("deferred", response="400 try again later"),
        event("delivered", response="250 OK"),
        event("bounce", type="bounce", reason="550 5.1.1 unknown user"),
        event("bounce", type="blocked", reason="554 policy"),
        event("dropped", reason="Bounced Address"),
        event("spamreport"),
        event("open"),
    )
    reports = hook.read(said, twilio.headers(said, clock.now)).reports
    assert [(report.status, report.permanent) for report in reports] == [
        (Status.SENT, False),
        (Status.DEFERRED, False),
        (Status.DELIVERED, False),
        (Status.BOUNCED, True),
        (Status.BOUNCED, False),
        (Status.FAILED, False),
        (Status.COMPLAINED, False),
    ]
    assert {report.delivery_id for report in reports} == {"abc-0"}
    assert reports[3].reason == "550 5.1.1 unknown user."


def test_a_signature_when_made_by_these_tests_then_sendgrids_own_helper_takes_it(
    twilio: Twilio, clock: Clock
) -> None:
    said = body(event("delivered"))
    headers = twilio.headers(said, clock.now)
    helper = EventWebhook(twilio.public_key)
    assert helper.verify_signature(said.decode(), headers[SIGNATURE], headers[TIMESTAMP])


def test_a_call_when_changed_or_signed_by_another_then_forged(
    hook: SendGridHook, twilio: Twilio, clock: Clock
) -> None:
    said = body(event("delivered"))
    headers = twilio.headers(said, clock.now)
    forged = [
        (said.strip(), headers),  # as a proxy might write it anew
        (said.replace(b"bob", b"eve"), headers),
        (said, headers | {TIMESTAMP: str(int(clock.now) + 1)}),
        (said, headers | {SIGNATURE: "%%%"}),
        (said, {}),
        (said, Twilio().headers(said, clock.now)),
    ]
    for changed, signed in forged:
        with pytest.raises(HookRefused) as refused:
            hook.read(changed, signed)
        assert refused.value.refusal is Refusal.FORGED


@pytest.mark.parametrize("age", [AGE + 1, -3600])
def test_a_call_when_signed_at_another_time_then_stale(
    hook: SendGridHook, twilio: Twilio, clock: Clock, age: float
) -> None:
    said = body(event("delivered"))
    with pytest.raises(HookRefused) as refused:
        hook.read(said, twilio.headers(said, clock.now - age))
    assert refused.value.refusal is Refusal.STALE


@pytest.mark.parametrize("said", [b"[]", b"[1, null, {}]", b'[{"event": "delivered"}]'])
def test_what_is_no_report_when_signed_then_none(
    hook: SendGridHook, twilio: Twilio, clock: Clock, said: bytes
) -> None:
    assert hook.read(said, twilio.headers(said, clock.now)).reports == ()


@pytest.mark.parametrize("said", [b"{}", b"no json", b"\xff"])
def test_what_is_no_list_of_events_when_signed_then_malformed(
    hook: SendGridHook, twilio: Twilio, clock: Clock, said: bytes
) -> None:
    with pytest.raises(HookRefused) as refused:
        hook.read(said, twilio.headers(said, clock.now))
    assert refused.value.refusal is Refusal.MALFORMED


@pytest.mark.parametrize("key", ["", "abc", "MFkw", "!!"])
def test_a_key_when_it_is_none_then_said_at_start(key: str) -> None:
    with pytest.raises(ValueError, match="verification key"):
        SendGridHook(key)
