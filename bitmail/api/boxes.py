"""Operations on mailboxes: list them and what lies in them, move, mark and delete."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bitmail.api.asking import Arguments, NoArguments, json_body
from bitmail.api.mails import Mail, mail_of, number_of
from bitmail.api.operations import AnyOperation, Call, Operation, PathParameter
from bitmail.api.refusals import Conflict
from bitmail.current import off_loop, service
from bitmail.errors import NoSuchFolder
from bitmail.mail import Only, fits
from bitmail.mailboxes import COUNTED, MailboxName
from bitmail.tokens import Scope

Count = Annotated[int, Field(ge=0, le=COUNTED, description=f"{COUNTED} means that many or more.")]


class Mailbox(BaseModel):
    """A mailbox, or a folder of one's own."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="What it is called by programs; it stays when a folder is renamed.")
    name: str
    mails: Count
    unread: Count


class Mailboxes(BaseModel):
    """The mailboxes that everyone has, then the folders of one's own by name."""

    model_config = ConfigDict(extra="forbid")

    mailboxes: list[Mailbox]


class MailPage(BaseModel):
    """A page of a mailbox."""

    model_config = ConfigDict(extra="forbid")

    mails: list[Mail]
    older: int | None = Field(description="What to give as `before` for the next page; null on the last one.")


class Paging(Arguments):
    """Which part of a mailbox."""

    before: int | None = Field(
        default=None, ge=1, lt=10**18, description="`older` of the page above; leave it out for the newest."
    )
    only: Only | None = Field(default=None, description="Only such mails.")


def _without_defaults(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for described in schema["properties"].values():
        del described["default"]  # what is left out is not set to it, but stays as it is


class Change(BaseModel):
    """What is to be different about a mail; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    mailbox: str = Field(default="", min_length=1, max_length=40, description="Where it is to lie.")
    starred: bool = False
    unread: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Change:
        if not self.model_fields_set:
            raise ValueError("Say what is to change: mailbox, starred or unread")
        return self


async def mailboxes(call: Call[NoArguments, None]) -> Mailboxes:
    """Every mailbox and folder, with how much is in it."""
    return Mailboxes(mailboxes=await off_loop(_counted, call.user))


async def mails(call: Call[Paging, None]) -> MailPage:
    """One page of a mailbox, newest first."""
    place, asked, model = call.path("mailbox"), call.arguments, service().model
    if not await off_loop(model.folders.is_place, call.user, place):
        raise NoSuchFolder("There is no such mailbox. /api/mailboxes lists yours.")
    page = await off_loop(model.mailboxes.page, call.user, place, asked.before, only=asked.only)
    return MailPage(mails=[mail_of(one) for one in page.mails], older=page.older)


async def change(call: Call[NoArguments, Change]) -> Mail:
    """Move a mail, mark it, or both."""
    changed = await off_loop(_change, call.user, number_of(call), call.body)
    service().model.changed(call.user)
    return changed


async def erase(call: Call[NoArguments, None]) -> None:
    """Delete a mail for good."""
    boxes, id = service().model.mailboxes, number_of(call)
    if not await off_loop(boxes.erase, call.user, [id]):
        place = (await off_loop(boxes.mail, call.user, id)).mailbox
        raise Conflict(
            "mailbox", place, "Only what lies in Trash can be deleted for good. Move it there first."
        )
    service().model.changed(call.user)


GROUP = "Work on mailboxes"
_MAIL = {"id": PathParameter(description="The mail's `id`.", variable="ID")}
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="mailboxes",
        group=GROUP,
        method="GET",
        path="/api/mailboxes",
        summary="List mailboxes and folders",
        needs=Scope.READ_MAIL,
        call=mailboxes,
        answer=Mailboxes,
    ),
    Operation(
        name="mails",
        group=GROUP,
        method="GET",
        path="/api/mailboxes/{mailbox}",
        summary="List the mails in one of them",
        description="Newest first, 50 a page.",
        needs=Scope.READ_MAIL,
        call=mails,
        arguments=Paging,
        answer=MailPage,
        path_parameters={
            "mailbox": PathParameter(description="Its `id`, such as `INBOX`.", variable="MAILBOX")
        },
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
    Operation(
        name="change",
        group=GROUP,
        method="PATCH",
        path="/api/mails/{id}",
        summary="Move or mark a mail",
        description="Drafts may lie in Drafts and Trash alone, and what waits in Outbox does not move.",
        needs=Scope.CHANGE_MAIL,
        call=change,
        bodies=(json_body(Change, {"mailbox": "Archive", "starred": True, "unread": False}),),
        answer=Mail,
        path_parameters=_MAIL,
        refusals=frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}),
    ),
    Operation(
        name="erase",
        group=GROUP,
        method="DELETE",
        path="/api/mails/{id}",
        summary="Delete a mail for good",
        description="Only what lies in Trash; so repeating a call by mistake deletes nothing that was not meant.",
        needs=Scope.CHANGE_MAIL,
        call=erase,
        answer=type(None),
        status=HTTPStatus.NO_CONTENT,
        path_parameters=_MAIL,
        refusals=frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}),
    ),
)


def _counted(user: str) -> list[Mailbox]:
    model = service().model
    places = [(mailbox.value, mailbox.value.capitalize()) for mailbox in MailboxName]
    places += [(folder.place, folder.name) for folder in model.folders.all(user)]
    return [
        Mailbox(
            id=place,
            name=name,
            mails=model.mailboxes.count(user, place),
            unread=model.mailboxes.unread(user, place),
        )
        for place, name in places
    ]


def _change(user: str, id: int, wanted: Change) -> Mail:
    boxes, said = service().model.mailboxes, wanted.model_fields_set
    mail = boxes.mail(user, id)
    if "mailbox" in said and wanted.mailbox != mail.mailbox:
        if not service().model.folders.is_place(user, wanted.mailbox):
            raise NoSuchFolder("There is no such mailbox. /api/mailboxes lists yours.")
        if not fits(mail, wanted.mailbox) or not boxes.move(user, [id], wanted.mailbox):
            raise Conflict(
                "mailbox", wanted.mailbox, f"This mail lies in {mail.mailbox} and cannot be moved there."
            )
    if "starred" in said:
        boxes.set_starred(user, [id], wanted.starred)
    if "unread" in said:
        boxes.set_unread(user, [id], wanted.unread)
    return mail_of(boxes.mail(user, id))
