"""How the owner of a webhook is told that it is called no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from bitmail.accounts import Accounts
from bitmail.mailboxes import Mailboxes
from bitmail.webhooks import Webhook
from mta.addresses import Address, parse_address
from mta.desk import Desk
from mta.email import Email
from mta.mime import compose


class WebhookNotice:
    """A message in INBOX, and a notice on the page."""

    def __init__(
        self,
        accounts: Accounts,
        mailboxes: Mailboxes,
        container: Desk,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._mailboxes = mailboxes
        self._container = container
        self._clock = clock

    def tell(self, webhook: Webhook, reason: str) -> None:
        """Tell why it is called no more; the message is filed once, however often this is repeated."""
        account = self._accounts.at(self._accounts.account(webhook.user).address)
        if account is None:
            return
        person = parse_address(account.address)
        text = f"Your webhook at {urlsplit(webhook.url).hostname} is switched off. {reason}"
        email = Email(
            sender=Address("BitMail", "postmaster", person.domain),
            to=(person,),
            subject=text.partition(". ")[0],
            text=(
                f"{text}\n\nIt was called at\n\n    {webhook.url}\n\nand is told nothing any more. To be told again, "
                "mend it, send it a test in Settings, and switch it on.\n"
            ),
        )
        self._mailboxes.file(
            account.name, f"webhook-{webhook.id}-{webhook.on_since}", compose(email), self._clock()
        )
        self._container.inform(account.name, text)
