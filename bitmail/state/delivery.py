"""What became of the open mail, recipient by recipient, and what can be done about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchMail, Unsendable
from bitmail.replies import Answer
from bitmail.timeline import timeline
from bitmail.view import number
from bitmail.words import clock_time, full_time, story, urgency
from mta.outcomes import Status
from mta.spool import CANCELLABLE, RETRIABLE
from mta.submission import Delivery, Submission

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
SHOWN = 100
"""Recipients shown at first, and more at each wish: a mail may have thousands."""
WRITE_ANEW = (Status.BOUNCED, Status.FAILED, Status.CANCELLED)
"""Where the address or the words may be what has to change."""


@dataclass
class StepRow:
    """One line of a recipient's timeline."""

    time: str
    full_time: str
    text: str
    plain: str
    words: str
    tone: str


@dataclass
class DeliveryRow:
    """One recipient of a mail that was sent."""

    id: str
    recipient: str
    status: str
    story: str
    steps: list[StepRow]
    can_retry: bool
    can_write_anew: bool


class DeliveryState(rx.State):
    """The deliveries of the open mail; empty when it was not sent from here."""

    deliveries: list[DeliveryRow] = []  # noqa: RUF012 - Reflex copies the default for each client
    can_cancel: bool = False
    more: int = 0
    _shown: int = SHOWN
    _mail: int = 0
    _submission: str = ""

    async def _arrive(self) -> None:
        """The address names a mail, or none."""
        await self._open(number(self.router.url.query_parameters.get(routes.OPENED, "")))

    async def _open(self, mail: int) -> None:
        if mail != self._mail:
            self._mail, self._submission, self._shown = mail, "", SHOWN
            self._show(None, ZoneInfo("UTC"))
        await self._look()

    @rx.event
    async def show_more(self) -> None:
        """Show more of many recipients."""
        self._shown += SHOWN
        await self._look()

    @rx.event
    async def retry(self, delivery: str) -> None:
        """Try one recipient again now."""
        if self._submission and _is_id(delivery):
            await off_loop(service().model.retry, caller().user, self._submission, delivery)
            await self._look()

    @rx.event
    async def cancel(self) -> None:
        """Cancel what no provider has yet."""
        if self._submission:
            await off_loop(service().model.cancel, caller().user, self._submission)
            await self._look()

    @rx.event
    async def write_anew(self, delivery: str = "") -> Any:
        """Edit the mail and send it again: to one recipient, or to all when none is named."""
        recipient = next((row.recipient for row in self.deliveries if row.id == delivery), "")
        if not self._mail or (delivery and not recipient):
            return None
        try:
            me, model = caller(), service().model
            key = await off_loop(
                model.answer, me.user, self._mail, Answer.EDIT_AS_NEW, ZoneInfo(me.zone), only_to=recipient
            )
        except (NoSuchMail, Unsendable):
            return None  # the message beside says so already
        return rx.redirect(routes.compose(key))

    async def _look(self) -> None:
        me = caller()
        if not self._mail:
            return
        try:
            submission = await off_loop(_load, me.user, self._mail)
        except NoSuchMail:
            submission = None
        self._submission = submission.id if submission else ""
        self._show(submission, ZoneInfo(me.zone))

    def _show(self, submission: Submission | None, zone: ZoneInfo) -> None:
        deliveries = submission.deliveries if submission else ()
        created = submission.created if submission else 0.0
        first = deliveries if len(deliveries) <= SHOWN else sorted(deliveries, key=urgency)
        rows = [_row(delivery, created, zone) for delivery in first[: self._shown]]
        self.more = len(deliveries) - len(rows)
        if rows != self.deliveries:
            self.deliveries = rows
        self.can_cancel = any(delivery.status in CANCELLABLE for delivery in deliveries)


def _load(user: str, id: int) -> Submission | None:
    model = service().model
    mail = model.mailboxes.mail(user, id)
    return model.submission(user, mail.submission) if mail.submission else None


def _row(delivery: Delivery, created: float, zone: ZoneInfo) -> DeliveryRow:
    steps = [
        StepRow(
            time=clock_time(step.at, zone),
            full_time=full_time(step.at, zone),
            text=step.text,
            plain=step.plain,
            words=step.words,
            tone={True: "good", False: "poor", None: "even"}[step.good],
        )
        for step in timeline(delivery, created)
    ]
    return DeliveryRow(
        id=delivery.id,
        recipient=delivery.recipient,
        status=delivery.status.value,
        story=story(delivery, zone),
        steps=steps,
        can_retry=delivery.status in RETRIABLE,
        can_write_anew=delivery.status in WRITE_ANEW,
    )


def _is_id(text: object) -> bool:
    return isinstance(text, str) and _ID.fullmatch(text) is not None
