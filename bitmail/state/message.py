"""The mail that is open."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.catalogue import _
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchMail, Refused
from bitmail.mail import Mail
from bitmail.preferences import Images
from bitmail.quotations import segments
from bitmail.reading import File, files_of, frame_of
from bitmail.unsubscribe import leave_list
from bitmail.view import number
from bitmail.words import file_size, full_time, initials
from mta.parsed import ParsedMail


@dataclass
class TextSegment:
    """A stretch of a plain text: `text`, `link` or `quote`."""

    kind: str
    text: str
    href: str


@dataclass
class FileRow:
    """A file of the open mail."""

    name: str
    size: str
    href: str
    show_href: str
    is_image: bool


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
    text: list[TextSegment] = []  # noqa: RUF012 - Reflex copies the default for each client
    frame: str = ""
    blocked: int = 0
    files: list[FileRow] = []  # noqa: RUF012
    is_damaged: bool = False
    wants_receipt: bool = False
    list_name: str = ""
    list_page: str = ""
    list_mail: str = ""
    left_list: str = ""
    missing: str = ""
    _sender: str = ""
    _is_new: bool = False
    _clicked: int = 0

    async def _arrive(self) -> None:
        """The address names a mail to show, or none."""
        asked, was_clicked = number(self.router.url.query_parameters.get(routes.OPENED, "")), self._clicked
        self._clicked = 0
        if not asked:
            self._close()
        elif asked != was_clicked or asked != self.id:
            await self._show_mail(asked)

    async def _open(self, mail: int) -> None:
        """A mail was clicked, whose address comes in a moment."""
        await self._show_mail(mail)
        self._clicked = self.id

    async def _show_mail(self, id: int) -> None:
        self._is_new = False
        me = caller()
        try:
            found = await off_loop(_load, me.user, id)
        except NoSuchMail as missing:
            self._close()
            self.missing = str(missing)
            return
        self._show(found, ZoneInfo(me.zone))
        self._is_new = found.mail.unread

    @rx.event
    async def mark_read(self) -> None:
        """The open mail is shown, so it is read."""
        if self._is_new:
            self._is_new = False
            await off_loop(_mark_read, caller().user, self.id)

    @rx.event
    def show_images(self) -> None:
        """Load the remote images of the open mail, this once."""
        caller()
        if self.frame:
            self.frame, self.blocked = frame_of(self.id, images=True), 0

    @rx.event
    async def trust_sender(self) -> None:
        """Load them, and those of this sender from now on."""
        me = caller()
        if self.frame and self._sender:
            await off_loop(service().model.trust_images, me.user, self._sender, is_trusted=True)
            self.frame, self.blocked = frame_of(self.id, images=True), 0

    @rx.event
    async def leave_list(self) -> None:
        """Leave the list that the open mail came by."""
        me = caller()
        try:
            content = await off_loop(service().model.mailboxes.content, me.user, self.id)
            await off_loop(leave_list, content.unsubscribe.post)
        except Refused as refused:
            self.left_list = str(refused)
        else:
            self.list_name, self.left_list = (
                "",
                _("You left the list. What was sent before may still arrive."),
            )

    def _close(self) -> None:
        self.reset()

    def _show(self, found: _Found, zone: ZoneInfo) -> None:
        mail, content = found.mail, found.content
        self.missing, self.left_list = "", ""
        self.id = mail.id
        self.subject = mail.subject or _("No subject")
        self.who = _("You") if mail.is_own else mail.sender
        self.address = mail.sender_address if mail.sender_address != self.who else ""
        self._sender = mail.sender_address
        self.initials = initials(mail.sender)
        self.to, self.cc, self.bcc = mail.to, mail.cc, mail.bcc
        self.time = full_time(mail.date, zone)
        self.frame, self.blocked = found.frame, found.blocked
        self.text = [
            TextSegment(part.kind.value, part.text, part.href)
            for part in (() if found.frame else segments(content.text))
        ]
        self.files = [_file_row(mail.id, file) for file in files_of(content)]
        self.is_damaged, self.wants_receipt = content.damaged, content.wants_receipt
        leave = content.unsubscribe
        self.list_name = mail.sender if leave.post else ""
        self.list_page = leave.page if not leave.post else ""
        self.list_mail = _mail_to(leave.mail) if leave.mail and not leave.page else ""


@dataclass(frozen=True)
class _Found:
    mail: Mail
    content: ParsedMail
    frame: str
    blocked: int


def _load(user: str, id: int) -> _Found:
    model = service().model
    mail = model.mailboxes.mail(user, id)
    content = model.mailboxes.content(user, id)
    frame, blocked = "", 0
    if content.html is not None:
        always = model.preferences.of(user).images is Images.ALWAYS
        images = always or model.trusted.is_trusted(user, mail.sender_address)
        frame = frame_of(id, images=images)
        blocked = 0 if images else model.documents.of(user, id, content=content).blocked
    return _Found(mail, content, frame, blocked)


def _mark_read(user: str, id: int) -> None:
    model = service().model
    if model.mailboxes.mark_read(user, id):
        model.changed(user)


def _file_row(id: int, file: File) -> FileRow:
    href = f"/mail/{id}/file/{file.number}"
    is_image = file.can_be_shown and file.type.startswith("image/")
    show = f"{href}?show=1" if file.can_be_shown else ""
    return FileRow(file.name, file_size(file.size), href, show, is_image)


def _mail_to(uri: str) -> str:
    return f"{routes.COMPOSE}?mailto={quote(uri, safe='')}"
