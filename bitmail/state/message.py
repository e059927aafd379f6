"""The mail that is open."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchMail
from bitmail.mail import Mail
from bitmail.words import full_time, initials
from mta.parsed import ParsedMail


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

    @rx.event
    async def open(self) -> None:
        """The address names a mail to show, or none."""
        asked = self.router.url.query_parameters.get(routes.OPENED, "")
        if not asked.isdecimal() or len(asked) > 18:
            self._close()
            return
        me = caller()
        try:
            mail, content = await off_loop(_load, me.user, int(asked))
        except NoSuchMail as missing:
            self._close()
            self.missing = str(missing)
            return
        self._show(mail, content, ZoneInfo(me.zone))

    def _close(self) -> None:
        self.reset()

    def _show(self, mail: Mail, content: ParsedMail, zone: ZoneInfo) -> None:
        self.id, self.missing = mail.id, ""
        self.subject = mail.subject or "No subject"
        self.who = "You" if mail.is_own else mail.sender
        self.address = mail.sender_address
        self.initials = initials(mail.sender)
        self.to, self.cc, self.bcc = mail.to, mail.cc, mail.bcc
        self.time = full_time(mail.date, zone)
        self.text = content.text


def _load(user: str, id: int) -> tuple[Mail, ParsedMail]:
    model = service().model
    mail, content = model.mailboxes.mail(user, id), model.mailboxes.content(user, id)
    if mail.unread and model.mailboxes.mark_read(user, id):
        model.changed(user)
    return mail, content
