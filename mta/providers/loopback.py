"""LoopBack: every mail comes back to its author, From and To reversed. Made for trying the service out."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mta.addresses import Address, BadAddress, parse_address
from mta.email import REFERENCES_KEPT
from mta.fields import Head, read_head
from mta.headers import address_field, date_field, fold
from mta.incoming import IncomingMail, NoMailbox
from mta.outcomes import Answer, Outcome
from mta.parsed import message_ids, read_mailboxes
from mta.providers.base import Outgoing, Provider, ProviderOptions

log = logging.getLogger(__name__)

REPLACED = frozenset(
    [
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "date",
        "message-id",
        "in-reply-to",
        "references",
        "return-path",
        "received",
        "delivered-to",
    ]
)


class LoopBack(Provider):
    """Answers for the recipient: the mail comes back from them alone, to its author alone.

    With three recipients three mails come back, each from its own recipient; none names the others, since
    none of them gets what comes back. Subject, text and attachments stay as they are, to the byte.
    """

    can_smtputf8 = True
    idempotent = True

    def __init__(
        self,
        name: str = "loopback",
        options: ProviderOptions | None = None,
        *,
        deliver: Callable[[IncomingMail], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            name: what the provider is called on the screen and in the log.
            options: what the operator set.
            deliver: files the mail, or raises `NoMailbox`; it has to be durable by the time it returns, and the same
                id filed once.
            clock: tells the time in seconds since the epoch.
        """
        super().__init__(name, options)
        self._deliver = deliver
        self._clock = clock

    def send(self, message: Outgoing) -> Answer:
        """Hand the mail back; accepted once it is filed."""
        if not message.sender:
            return Answer(Outcome.ACCEPTED, "It has no sender to come back to.")
        now = self._clock()
        mail_id = f"loopback-{message.delivery_id}"
        try:
            raw = reversed_mail(message, now)
        except BadAddress as error:
            return Answer(Outcome.REJECTED_RECIPIENT, f"The mail cannot come back: {error}.")
        try:
            self._deliver(IncomingMail(mail_id, message.recipient, message.sender, raw, now))
        except NoMailbox:  # a program's address, or one whose account was deleted since
            return Answer(Outcome.ACCEPTED, "Its sender has no mailbox here that it could come back to.")
        except Exception:  # whatever else filing raises, the mail was not filed, and another time it may be
            log.exception("%s could not file a mail that came back", self.name)
            return Answer(Outcome.UNAVAILABLE, "The mail could not be filed in the inbox it comes back to.")
        return Answer(Outcome.ACCEPTED, "The mail came back.", provider_id=mail_id)


def reversed_mail(message: Outgoing, now: float) -> bytes:
    """The mail as its recipient would send it back.

    Args:
        message: the delivery.
        now: its new Date, in seconds since the epoch.

    Raises:
        BadAddress: when sender or recipient is none.
    """
    head = read_head(message.raw)
    author = _visible(head, ("from",), message.sender)
    recipient = _visible(head, ("to", "cc"), message.recipient)
    ids = (message_ids(head, "references") + message_ids(head, "message-id")[:1])[-REFERENCES_KEPT:]
    fields = [
        address_field("From", [recipient]),
        address_field("To", [author]),
        date_field(datetime.fromtimestamp(now, UTC)),
        f"Message-ID: {_message_id(message.delivery_id, recipient)}",
    ]
    if ids:
        fields += [f"In-Reply-To: {ids[-1]}", fold("References", ids)]
    kept = [field.raw for field in head.fields if field.name not in REPLACED]
    return (
        b"\r\n".join([*(field.encode() for field in fields), *kept])
        + b"\r\n\r\n"
        + message.raw[head.body_start :]
    )


def _visible(head: Head, names: tuple[str, ...], email: str) -> Address:
    """The address with the display name that the head gives it."""
    address = parse_address(email)
    for name in names:
        for mailbox in read_mailboxes(head.get(name))[0]:
            if (visible := mailbox.address) is not None and visible.key == address.key:
                return Address(visible.name, address.local, address.domain)
    return address


def _message_id(delivery_id: str, recipient: Address) -> str:
    """The same for the same delivery, so that a repeated attempt hands in the same mail."""
    return f"<loopback.{hashlib.sha256(delivery_id.encode()).hexdigest()[:32]}@{recipient.domain}>"
