"""SendGrid's event webhook: a JSON array, signed as a whole with ECDSA.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mta.hooks.call import DeliveryReport, HookCall, HookRefused, Refusal, read_json, reason, seconds, words
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
AGE = 25 * 3600.0
"""Seconds. SendGrid repeats a call for a day while we do not answer. What it says is signed and counts once, so
that an old call can do no harm; but the ids of old calls are forgotten some time."""
AHEAD = 300.0
"""Seconds by which its clock may be ahead of ours."""
MOST_EVENTS = 20_000

_STATUSES = {
    "processed": Status.SENT,
    "delivered": Status.DELIVERED,
    "deferred": Status.DEFERRED,
    "bounce": Status.BOUNCED,
    "blocked": Status.BOUNCED,
    "dropped": Status.FAILED,
    "spamreport": Status.COMPLAINED,
}


class SendGridHook:
    """Reads calls that were signed with one key."""

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            key: the verification key that SendGrid shows, base64 of DER, with or without PEM lines.
            clock: the time in seconds since the epoch.

        Raises:
            ValueError: the key is none.
        """
        self._key = _public_key(key)
        self._clock = clock

    def read(self, body: bytes, headers: Mapping[str, str]) -> HookCall:
        """What a call says.

        Args:
            body: its raw bytes; the signature is over them, down to the last line end.
            headers: with their names in lower case.

        Raises:
            HookRefused: it is not to be believed.
        """
        self._verify(body, headers)
        events = read_json(body)
        if not isinstance(events, list) or len(events) > MOST_EVENTS:
            raise HookRefused(Refusal.MALFORMED)
        found = (_report(event) for event in events)
        return HookCall(reports=tuple(report for report in found if report is not None))

    def _verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        sent = headers.get(TIMESTAMP, "")
        try:
            signature = base64.b64decode(headers.get(SIGNATURE, ""), validate=True)
            self._key.verify(signature, sent.encode() + body, ECDSA(SHA256()))
        except (binascii.Error, ValueError, InvalidSignature):
            raise HookRefused(Refusal.FORGED) from None
        if not sent.isdecimal() or not -AHEAD <= self._clock() - int(sent) <= AGE:
            raise HookRefused(Refusal.STALE)


def _report(event: Any) -> DeliveryReport | None:
    kind = words(event, "event")
    status = _STATUSES.get(kind)
    id, at = words(event, "sg_event_id"), seconds(event, "timestamp")
    if status is None or not id or at is None:
        return None
    said = words(event, "reason") or words(event, "response")
    blocked = "blocked" in (kind, words(event, "type"))
    return DeliveryReport(
        report_id=f"sendgrid-{id}",
        provider="sendgrid",
        delivery_id=words(event, DELIVERY_TAG),
        recipient=words(event, "email"),
        status=status,
        reason=reason(said, _OTHERWISE.get(status, "")),
        at=at,
        permanent=status is Status.BOUNCED and not blocked,
    )


_OTHERWISE = {
    Status.DEFERRED: "The recipient's server does not take it yet.",
    Status.BOUNCED: "The recipient's server refused it.",
    Status.FAILED: "SendGrid dropped it.",
    Status.COMPLAINED: "The recipient reported it as spam.",
}


def _public_key(text: str) -> EllipticCurvePublicKey:
    lines = [line.strip() for line in text.strip().splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(base64.b64decode("".join(lines), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise ValueError("is no verification key; copy the one that SendGrid shows") from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("is no ECDSA key; copy the verification key that SendGrid shows")  # noqa: TRY004
    return key
