"""Local: mail between two accounts of this service, with nobody else involved."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from mta.incoming import IncomingMail, NoMailbox
from mta.outcomes import Answer, Outcome
from mta.providers.base import Outgoing, Provider, ProviderOptions

log = logging.getLogger(__name__)


class Local(Provider):
    """Takes the mail to one domain, all of it and no other."""

    can_smtputf8 = True
    idempotent = True
    is_local = True

    def __init__(
        self,
        domain: str,
        deliver: Callable[[IncomingMail], None],
        name: str = "local",
        options: ProviderOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            domain: the part after the @ of every account.
            deliver: files the mail, or raises `NoMailbox`; it has to be durable by the time it returns, and the same
                id filed once.
            name: what the provider is called on the screen and in the log.
            options: what the operator set.
            clock: the time in seconds since the epoch.
        """
        super().__init__(name, options)
        self._domain = domain.casefold()
        self._deliver = deliver
        self._clock = clock

    def takes(self, recipient: str) -> bool:
        """Whether the recipient is of this domain."""
        return recipient.rpartition("@")[2].casefold() == self._domain

    def send(self, message: Outgoing) -> Answer:
        """File the mail; accepted once that is done."""
        id = f"local-{message.delivery_id}"
        mail = IncomingMail(id, message.sender, message.recipient, message.raw, self._clock())
        try:
            self._deliver(mail)
        except NoMailbox:
            return Answer(Outcome.REJECTED_RECIPIENT, f"There is no mailbox {message.recipient} here.")
        except Exception:  # whatever filing raises, the mail was not filed, and another time it may be
            log.exception("%s could not file a mail", self.name)
            return Answer(Outcome.UNAVAILABLE, "The mail could not be filed in the mailbox.")
        return Answer(Outcome.ACCEPTED, "It lies in the mailbox.", provider_id=id)
