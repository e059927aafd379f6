"""Mailgun's webhooks: JSON whose signature proves its sender, but not what it says.

So each signature is taken once only, and the hook has to be reached by https.
Source: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

from mta.hooks.call import (
    DeliveryReport,
    HookCall,
    HookRefused,
    Refusal,
    member,
    read_json,
    reason,
    seconds,
    words,
)
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG

AGE = 9 * 3600.0
"""Seconds. Mailgun repeats a call for eight hours while we do not answer."""
AHEAD = 300.0
"""Seconds by which its clock may be ahead of ours."""

_STATUSES = {
    "accepted": Status.SENT,
    "delivered": Status.DELIVERED,
    "complained": Status.COMPLAINED,
    "rejected": Status.FAILED,
    "failed": Status.BOUNCED,
}
_OTHERWISE = {
    Status.DEFERRED: "The recipient's server does not take it yet.",
    Status.BOUNCED: "The recipient's server refused it.",
    Status.FAILED: "Mailgun did not send it.",
    Status.COMPLAINED: "The recipient reported it as spam.",
}


class MailgunHook:
    """Reads calls that were signed with one key."""

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            key: the HTTP webhook signing key; it is not the API key.
            clock: the time in seconds since the epoch.
        """
        self._key = key.encode()
        self._clock = clock

    def read(self, body: bytes) -> HookCall:
        """What a call says; its token is to be taken once only.

        Args:
            body: its raw bytes.

        Raises:
            HookRefused: it is not to be believed.
        """
        call = read_json(body)
        signature = member(call, "signature")
        token = self.verify(
            *(words(signature, name) for name in ("timestamp", "token", "signature")),
        )
        report = _report(member(call, "event-data"))
        return HookCall(reports=() if report is None else (report,), token=token)

    def verify(self, timestamp: str, token: str, signature: str) -> str:
        """Check a signature, and return the token that is to be taken once only.

        Raises:
            HookRefused: it is not right, or too old.
        """
        expected = hmac.new(self._key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
        if not token or not hmac.compare_digest(expected.encode(), signature.encode()):
            raise HookRefused(Refusal.FORGED)
        if not timestamp.isdecimal() or not -AHEAD <= self._clock() - int(timestamp) <= AGE:
            raise HookRefused(Refusal.STALE)
        return f"mailgun-{token}"


def _report(event: Any) -> DeliveryReport | None:
    status = _STATUSES.get(words(event, "event"))
    id, at = words(event, "id"), seconds(event, "timestamp")
    if status is None or not id or at is None:
        return None
    why = words(event, "reason")
    if status is Status.BOUNCED:
        if words(event, "severity") == "temporary":
            status = Status.DEFERRED
        elif why.startswith("suppress"):
            status = Status.FAILED  # it never left Mailgun, which remembers an earlier bounce or complaint
    answer = member(event, "delivery-status")
    said = " ".join(
        part
        for part in (words(answer, "code"), words(answer, "message") or words(answer, "description") or why)
        if part not in ("", "0")
    )
    return DeliveryReport(
        report_id=f"mailgun-{id}",
        provider="mailgun",
        delivery_id=words(event, "user-variables", DELIVERY_TAG),
        recipient=words(event, "recipient"),
        status=status,
        reason=reason(said if status in _OTHERWISE else "", _OTHERWISE.get(status, "")),
        at=at,
        permanent=status is Status.BOUNCED and why in ("", "bounce"),
    )
