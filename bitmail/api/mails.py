"""Operations that read one mail: what it says, its files, and the mail as it came."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from bitmail import reading
from bitmail.api.asking import NoArguments
from bitmail.api.operations import AnyOperation, Call, Operation, PathParameter
from bitmail.current import off_loop, service
from bitmail.errors import NoSuchMail
from bitmail.mail import Mail as Line
from bitmail.sanitiser import sanitise
from bitmail.tokens import Scope
from mta.fields import decode_words, read_head

_NUMBER = re.compile(r"[0-9]{1,18}")


class Mail(BaseModel):
    """A mail as lists show it."""

    model_config = ConfigDict(extra="forbid")

    id: int = Field(description="Greater is newer.")
    mailbox: str = Field(description="Where it lies.")
    sender: str = Field(description="The name, or else the address.")
    sender_address: str
    to: str
    cc: str
    bcc: str = Field(description="Of one's own mail alone.")
    subject: str
    snippet: str = Field(description="Its first words.")
    date: float = Field(description="Seconds since 1970.")
    unread: bool
    starred: bool
    has_attachments: bool
    thread: str = Field(
        description="The same for all mails of a conversation; empty while that is not known."
    )
    submission: str = Field(description="Of one's own mail: what became of it stands there.")


class HeaderField(BaseModel):
    """A field of the mail's head."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="In lower case.")
    value: str = Field(description="Unfolded and decoded.")


class AttachmentInfo(BaseModel):
    """A file that came with the mail."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(description="Its place in the mail, from 0.")
    name: str
    type: str = Field(description="As its sender says; it may be anything.")
    size: int = Field(description="Bytes.")
    is_inline: bool = Field(description="The HTML shows it.")


class OpenMail(Mail):
    """A mail with all that it says."""

    headers: list[HeaderField] = Field(description="In order; none of a draft.")
    text: str = Field(description="Made from the HTML where there is no other.")
    html: str | None = Field(
        description="Fit to be shown: without scripts, and with no image from elsewhere."
    )
    css: str = Field(description="The style sheet for that HTML, cleaned as well.")
    blocked_images: int = Field(description="Images from elsewhere that were left out.")
    attachments: list[AttachmentInfo]


async def read(call: Call[NoArguments, None]) -> OpenMail:
    """One mail."""
    return await off_loop(_opened, call.user, number_of(call))


async def raw(call: Call[NoArguments, None]) -> Response:
    """The mail as it came."""
    id = number_of(call)
    return reading.download(
        await off_loop(service().model.mailboxes.raw, call.user, id), f"mail-{id}.eml", "message/rfc822"
    )


async def attachment(call: Call[NoArguments, None]) -> Response:
    """One file of a mail."""
    content = await off_loop(service().model.mailboxes.content, call.user, number_of(call))
    number = call.path("number")
    if not _NUMBER.fullmatch(number) or int(number) >= len(content.attachments):
        raise NoSuchMail("There is no such file in this mail.")
    found = content.attachments[int(number)]
    return reading.download(found.content, found.name, "application/octet-stream")


GROUP = "Read mail"
_PATH = {"id": PathParameter(description="The mail's `id`.", variable="ID")}
_MISSING = frozenset({HTTPStatus.NOT_FOUND})
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="read",
        group=GROUP,
        method="GET",
        path="/api/mails/{id}",
        summary="Read a mail",
        description="Reading does not mark it as read. Addresses in its HTML that begin with `/` lead to this server: "
        "images that came along, and new mails to addresses in the text.",
        needs=Scope.READ_MAIL,
        call=read,
        answer=OpenMail,
        path_parameters=_PATH,
        refusals=_MISSING,
    ),
    Operation(
        name="raw",
        group=GROUP,
        method="GET",
        path="/api/mails/{id}/raw",
        summary="Take a mail as it came",
        needs=Scope.READ_MAIL,
        call=raw,
        answer=Response,
        media_type="message/rfc822",
        path_parameters=_PATH,
        refusals=_MISSING,
    ),
    Operation(
        name="attachment",
        group=GROUP,
        method="GET",
        path="/api/mails/{id}/attachments/{number}",
        summary="Take one file of a mail",
        needs=Scope.READ_MAIL,
        call=attachment,
        answer=Response,
        media_type="application/octet-stream",
        path_parameters=_PATH | {"number": PathParameter(description="Its `number`.", variable="NUMBER")},
        refusals=_MISSING,
    ),
)


def number_of(call: Call[Any, Any]) -> int:
    """The mail that a path names.

    Raises:
        NoSuchMail: no mail can have this id.
    """
    id = call.path("id")
    if not _NUMBER.fullmatch(id):
        raise NoSuchMail("There is no such mail. Go back to the list.")
    return int(id)


def mail_of(line: Line) -> Mail:
    """A mail as lists show it."""
    return Mail.model_validate(_shown(line))


def _shown(line: Line) -> dict[str, object]:
    found = {name: getattr(line, name) for name in Mail.model_fields if name != "has_attachments"}
    return found | {"has_attachments": line.has_files}


def _opened(user: str, id: int) -> OpenMail:
    boxes = service().model.mailboxes
    line, content = boxes.mail(user, id), boxes.content(user, id)
    inline = {file.content_id: number for number, file in enumerate(content.attachments) if file.content_id}

    def shown_from(content_id: str) -> str | None:
        number = inline.get(content_id)
        return None if number is None else f"/api/mails/{id}/attachments/{number}"

    clean = None if content.html is None else sanitise(content.html, inline=shown_from)
    listed = {file.number for file in reading.files_of(content)}
    return OpenMail.model_validate(
        _shown(line)
        | {
            "headers": [] if line.is_draft else _headers(boxes.raw(user, id)),
            "text": content.text,
            "html": clean.html if clean else None,
            "css": clean.css if clean else "",
            "blocked_images": clean.blocked if clean else 0,
            "attachments": [
                AttachmentInfo(
                    number=number,
                    name=file.name,
                    type=file.type,
                    size=len(file.content),
                    is_inline=number not in listed,
                )
                for number, file in enumerate(content.attachments)
            ],
        }
    )


def _headers(raw: bytes) -> list[HeaderField]:
    return [HeaderField(name=field.name, value=decode_words(field.value)) for field in read_head(raw).fields]
