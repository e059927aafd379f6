"""The mail that is open, and what became of it recipient by recipient."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchMail
from bitmail.mailboxes import Mail, MailboxName
from bitmail.state.mailbox import MailboxState
from bitmail.words import full_time, initials, story
from mta.parsed import ParsedMail
from mta.submission import Submission


@dataclass
class DeliveryRow:
    """One recipient of a mail that was sent."""

    id: str
    recipient: str
    status: str
    story: str


class MessageState(rx.State):
    """The open mail; `id` is 0 while none is."""

    id: int = 0
    subject: str = ""
    who: str = ""
    address: str = ""
    initials: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    time: str = ""
    text: str = ""
    missing: str = ""
    deliveries: list[DeliveryRow] = []  # noqa: RUF012 - Reflex copies the default for each client
    _submission: str = ""

    @rx.event
    async def open(self) -> list[rx.event.EventCallback] | None:
        """The address names a mail to show, or none."""
        asked = self.router.url.query_parameters.get(routes.OPENED, "")
        if not asked.isdecimal() or len(asked) > 18:
            self._close()
            return None
        me = caller()
        try:
            mail, content, submission, news = await off_loop(_load, me.user, int(asked))
        except NoSuchMail as missing:
            self._close()
            self.missing = str(missing)
            return None
        self._show(mail, content, ZoneInfo(me.zone))
        self._show_deliveries(submission, ZoneInfo(me.zone))
        return [MailboxState.refresh] if news else None

    @rx.event
    async def refresh(self) -> None:
        """A delivery of the open mail may have gone on."""
        if self._submission:
            me = caller()
            found = await off_loop(service().model.submission, me.user, self._submission)
            self._show_deliveries(found, ZoneInfo(me.zone))

    def _close(self) -> None:
        self.reset()

    def _show(self, mail: Mail, content: ParsedMail, zone: ZoneInfo) -> None:
        is_own = mail.mailbox is MailboxName.SENT
        self.id, self.missing = mail.id, ""
        self.subject = mail.subject or "No subject"
        self.who = "You" if is_own else mail.sender
        self.address = mail.sender_address
        self.initials = initials(mail.sender)
        self.to, self.cc, self.bcc = mail.to, mail.cc, mail.bcc
        self.time = full_time(mail.date, zone)
        self.text = content.text
        self._submission = mail.submission

    def _show_deliveries(self, submission: Submission | None, zone: ZoneInfo) -> None:
        rows = [
            DeliveryRow(delivery.id, delivery.recipient, delivery.status.value, story(delivery, zone))
            for delivery in (submission.deliveries if submission else ())
        ]
        if rows != self.deliveries:
            self.deliveries = rows


def _load(user: str, id: int) -> tuple[Mail, ParsedMail, Submission | None, bool]:
    model = service().model
    mail = model.mailboxes.mail(user, id)
    content = model.mailboxes.content(user, id)
    submission = model.submission(user, mail.submission) if mail.submission else None
    return mail, content, submission, mail.unread and model.mailboxes.mark_read(user, id)
