"""What SES tells through SNS: what became of mail that it sent, and mail that it received.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from mta.hooks.call import (
    DeliveryReport,
    HookCall,
    HookRefused,
    Refusal,
    StoredMail,
    member,
    read_json,
    reason,
    words,
)
from mta.hooks.sns import CONFIRMATION, GOOD_BYE, Fetch, Sns, SnsMessage, fetch, time_of
from mta.incoming import IncomingMail
from mta.outcomes import Status
from mta.providers.base import DELIVERY_TAG

log = logging.getLogger(__name__)

MOST_RECIPIENTS = 1000


class SesHook:
    """Reads calls from some topics."""

    def __init__(
        self, topics: Iterable[str], fetch: Fetch = fetch, clock: Callable[[], float] = time.time
    ) -> None:
        """
        Args:
            topics: the ARNs of the topics that may call.
            fetch: gets certificates, and confirms subscriptions.
            clock: the time in seconds since the epoch.
        """
        self._sns = Sns(topics, fetch, clock)

    def read(self, body: bytes) -> HookCall:
        """What a call says.

        Args:
            body: its raw bytes.

        Raises:
            HookRefused: it is not to be believed, or its topic is not on the list.
            NotNow: it cannot be verified at the moment.
        """
        told = self._sns.read(body)
        if told.kind == CONFIRMATION:
            return HookCall(confirm=told.subscribe)
        if told.kind == GOOD_BYE:
            log.warning("a topic will call no more: its subscription was ended at Amazon")
            return HookCall()
        if not told.message.startswith("{"):
            return HookCall()  # "Successfully validated SNS topic …"
        event = read_json(told.message)
        if words(event, "notificationType") == "Received":
            return _received(event, told)
        return HookCall(reports=tuple(_reports(event, told)))

    def confirm(self, address: str) -> None:
        """Confirm the subscription that a verified call asked to confirm.

        Raises:
            NotNow: Amazon does not answer.
        """
        self._sns.confirm(address)


def _reports(event: Any, told: SnsMessage) -> Iterable[DeliveryReport]:
    kind = words(event, "eventType") or words(event, "notificationType")
    if kind not in _READERS:
        return
    name, status, addresses, otherwise = _READERS[kind]
    about = member(event, name)
    tags = member(event, "mail", "tags", DELIVERY_TAG)
    delivery_id = words(tags[0]) if isinstance(tags, list) and tags else ""
    people = member(about, addresses) if addresses else member(event, "mail", "destination")
    for number, person in enumerate(people[:MOST_RECIPIENTS] if isinstance(people, list) else ()):
        yield DeliveryReport(
            report_id=f"ses-{told.id}-{number}",
            provider="ses",
            delivery_id=delivery_id,
            recipient=words(person) or words(person, "emailAddress"),
            status=status,
            reason=reason(_said(about, person), otherwise) if otherwise else "",
            at=time_of(about, "timestamp", otherwise=told.at),
            permanent=words(about, "bounceType") == "Permanent",
        )


_READERS: dict[str, tuple[str, Status, str, str]] = {
    "Send": ("send", Status.SENT, "", ""),
    "Delivery": ("delivery", Status.DELIVERED, "recipients", ""),
    "DeliveryDelay": (
        "deliveryDelay",
        Status.DEFERRED,
        "delayedRecipients",
        "The recipient's server does not take it yet.",
    ),
    "Bounce": ("bounce", Status.BOUNCED, "bouncedRecipients", "The recipient's server refused it."),
    "Complaint": (
        "complaint",
        Status.COMPLAINED,
        "complainedRecipients",
        "The recipient reported it as spam.",
    ),
    "Reject": ("reject", Status.FAILED, "", "SES did not send it."),
    "Rendering Failure": ("failure", Status.FAILED, "", "SES did not send it."),
}
"""Where each kind of event tells what: member, status, list of recipients, words where it has none."""


def _said(about: Any, person: Any) -> str:
    for value, name in (
        (person, "diagnosticCode"),
        (about, "reason"),
        (about, "errorMessage"),
        (person, "status"),
    ):
        if said := words(value, name):
            return said.removeprefix("smtp; ")
    return ""


def _received(event: Any, told: SnsMessage) -> HookCall:
    """Mail that came in: with the notification itself, or in a bucket."""
    recipients = member(event, "receipt", "recipients")
    people = tuple(
        filter(None, map(words, recipients[:MOST_RECIPIENTS] if isinstance(recipients, list) else ()))
    )
    sender = words(event, "mail", "source")
    at = time_of(event, "receipt", "timestamp", otherwise=told.at)
    id = f"ses-{words(event, 'mail', 'messageId') or told.id}"
    action = member(event, "receipt", "action")
    if words(action, "type") == "S3":
        where = told.region, words(action, "bucketName"), words(action, "objectKey")
        return HookCall(stored=(StoredMail(id, sender, people, *where, at),))
    content = member(event, "content")
    if not isinstance(content, str):
        return HookCall()
    raw = _raw(content, words(action, "encoding"))
    return HookCall(mails=tuple(IncomingMail(f"{id}-{person}", sender, person, raw, at) for person in people))


def _raw(content: str, encoding: str) -> bytes:
    if encoding.upper() != "BASE64":
        return content.encode("utf-8", "replace")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise HookRefused(Refusal.MALFORMED) from None
