"""The hooks: where providers tell us what became of a mail, and hand in mail that came.

Each call is verified over its raw bytes and written down; what it means is settled after that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from bitmail.incoming import Filed, Incoming
from bitmail.settings import Settings
from mta.desk import Desk
from mta.hooks.call import HookCall, HookRefused, Refusal
from mta.hooks.mailgun import MailgunHook
from mta.hooks.mailgun_routes import MailgunRoutes
from mta.hooks.sendgrid import SendGridHook
from mta.hooks.sendgrid_parse import SendGridParse
from mta.hooks.ses import SesHook
from mta.hooks.sns import Fetch, fetch

log = logging.getLogger(__name__)

TAKEN, REPEATED, UNKNOWN, LATER = "taken", "repeated", "unknown recipient", "later"

Headers = Mapping[str, str]


class HookCounts:
    """What came of the calls since the start, for metrics."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, hook: str, result: str) -> None:
        """Count a call."""
        with self._lock:
            self._counts[hook, result] += 1

    def all(self) -> dict[tuple[str, str], int]:
        """By hook and result: `taken`, `repeated`, `unknown recipient`, `later`, or a `Refusal`."""
        with self._lock:
            return dict(self._counts)


class Hooks:
    """The hooks whose keys are set. Calls block.

    Attributes:
        counts: what came of the calls.
    """

    def __init__(
        self,
        settings: Settings,
        container: Desk,
        incoming: Incoming,
        news: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
        fetch: Fetch = fetch,
    ) -> None:
        """
        Args:
            settings: has the keys.
            container: takes the reports.
            incoming: takes the mail.
            news: called after something was written down, to have it settled.
            clock: the time in seconds since the epoch.
            fetch: gets what Amazon serves.
        """
        self.counts = HookCounts()
        self._container = container
        self._incoming = incoming
        self._news = news
        topics = settings.topics()
        mailgun_key = settings.mailgun_webhook_signing_key.get_secret_value()
        self._ses = SesHook(topics, fetch, clock) if topics else None
        self._mailgun = MailgunHook(mailgun_key, clock) if mailgun_key else None
        sendgrid_key = settings.sendgrid_webhook_key
        self._sendgrid = SendGridHook(sendgrid_key, clock) if sendgrid_key else None
        self._mailgun_routes = MailgunRoutes(self._mailgun, clock) if self._mailgun else None
        secret = settings.incoming_secret.get_secret_value()
        self._sendgrid_parse = SendGridParse(secret, clock) if secret else None

    def ses(self, body: bytes, _headers: Headers) -> str:
        """Take a call of Amazon's; what came of it, for the count.

        Raises:
            HookRefused: it is not to be believed, or this hook has no key; as of the others.
            NotNow: it is to come again.
        """
        if self._ses is None:
            raise HookRefused(Refusal.UNWANTED)
        call = self._ses.read(body)
        if call.confirm:
            self._ses.confirm(call.confirm)
            log.info("a subscription to a topic was confirmed")
        return self._take(call)

    def sendgrid(self, body: bytes, headers: Headers) -> str:
        """Take a call of SendGrid's event webhook."""
        if self._sendgrid is None:
            raise HookRefused(Refusal.UNWANTED)
        return self._take(self._sendgrid.read(body, headers))

    def mailgun(self, body: bytes, _headers: Headers) -> str:
        """Take a call of a webhook of Mailgun's."""
        if self._mailgun is None:
            raise HookRefused(Refusal.UNWANTED)
        return self._take(self._mailgun.read(body))

    def mailgun_incoming(self, body: bytes, headers: Headers) -> str:
        """Take a mail by a route of Mailgun's."""
        if self._mailgun_routes is None:
            raise HookRefused(Refusal.UNWANTED)
        return self._take(self._mailgun_routes.read(body, headers))

    def sendgrid_incoming(self, body: bytes, headers: Headers) -> str:
        """Take a mail by SendGrid's Inbound Parse."""
        if self._sendgrid_parse is None:
            raise HookRefused(Refusal.UNWANTED)
        return self._take(self._sendgrid_parse.read(body, headers))

    def check_sendgrid(self, headers: Headers) -> None:
        """Look at the password of SendGrid's Inbound Parse before its body is read.

        Raises:
            HookRefused: it is not the one.
        """
        if self._sendgrid_parse is None:
            raise HookRefused(Refusal.UNWANTED)
        self._sendgrid_parse.check(headers)

    def _take(self, call: HookCall) -> str:
        # The token first: what is not signed is not to be believed with a token that was used for something else.
        new = self._container.take_reports(call.reports, call.token, call.used_for)
        filed = [self._incoming.take(mail) for mail in call.mails]
        for stored in call.stored:
            self._incoming.keep(stored)
        if new or call.stored:
            self._news()
        if filed and Filed.IN_INBOX not in filed:
            return UNKNOWN
        return REPEATED if call.reports and not new else TAKEN
