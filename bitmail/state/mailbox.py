"""The list: one page of the mailbox that the address names."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.current import caller, off_loop, service
from bitmail.mailboxes import Mail, MailboxName, Page
from bitmail.words import full_time, initials, short_time, summary
from mta.submission import Submission

MAILBOXES = {routes.INBOX: MailboxName.INBOX, routes.DRAFTS: MailboxName.DRAFTS, routes.SENT: MailboxName.SENT}


@dataclass
class Row:
    """One line of the list."""

    id: int
    href: str
    who: str
    initials: str
    subject: str
    snippet: str
    time: str
    full_time: str
    unread: bool
    status: str
    status_text: str


class MailboxState(rx.State):
    """The rows of one page of a mailbox, and where the older ones are."""

    rows: list[Row] = []  # noqa: RUF012 - Reflex copies the default for each client
    older_href: str = ""
    newer_href: str = ""
    is_loaded: bool = False
    _route: str = ""
    _before: int | None = None

    @rx.event
    async def open(self) -> None:
        """A mailbox's page is opened, or turned."""
        query = self.router.url.query_parameters
        before = query.get(routes.OLDER, "")
        path = "/" + self.router.url.path.strip("/")
        place = path if path in MAILBOXES else routes.INBOX
        self._before = int(before) if before.isdecimal() and len(before) < 19 else None
        if place != self._route:
            self._route, self.rows, self.is_loaded = place, [], False
        await self._look()

    @rx.event
    async def refresh(self) -> None:
        """The mailbox may have changed."""
        if self._route:
            await self._look()

    async def _look(self) -> None:
        mailbox, me = MAILBOXES[self._route], caller()
        page, submissions = await off_loop(_load, me.user, mailbox, self._before)
        zone, now = ZoneInfo(me.zone), time.time()
        rows = [_row(mail, self._route, submissions, now, zone) for mail in page.mails]
        if rows != self.rows:
            self.rows = rows
        self.older_href = f"{self._route}?{routes.OLDER}={page.older}" if page.older else ""
        self.newer_href = self._route if self._before else ""
        self.is_loaded = True


def _load(user: str, mailbox: MailboxName, before: int | None) -> tuple[Page, Mapping[str, Submission]]:
    model = service().model
    page = model.mailboxes.page(user, mailbox, before)
    ids = [mail.submission for mail in page.mails if mail.submission]
    return page, model.submissions(user, ids) if ids else {}


def _row(mail: Mail, route: str, submissions: Mapping[str, Submission], now: float, zone: ZoneInfo) -> Row:
    is_own = mail.mailbox is not MailboxName.INBOX
    people = ", ".join(part for part in (mail.to, mail.cc, mail.bcc) if part)
    submission = submissions.get(mail.submission)
    status, text = summary(submission.deliveries) if submission else ("", "")
    return Row(
        id=mail.id,
        href=routes.compose(mail.key) if mail.mailbox is MailboxName.DRAFTS else routes.mail(route, mail.id),
        who=f"To {people or 'nobody yet'}" if is_own else mail.sender,
        initials=initials(people if is_own else mail.sender),
        subject=mail.subject or "No subject",
        snippet=mail.snippet,
        time=short_time(mail.date, now, zone),
        full_time=full_time(mail.date, zone),
        unread=mail.unread,
        status=str(status),
        status_text=text,
    )
