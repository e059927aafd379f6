"""Operations that send mail, and tell what became of it."""

from __future__ import annotations

import base64
import binascii
import secrets
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from bitmail.api.asking import (
    FormModel,
    HeaderArguments,
    NoArguments,
    form_body,
    json_body,
    raw_body,
)
from bitmail.api.operations import AnyOperation, Call, Operation, PathParameter
from bitmail.api.refusals import Conflict
from bitmail.current import off_loop, service
from bitmail.drafts import Draft, is_key
from bitmail.errors import AlreadySent, FieldError, Unsendable
from bitmail.tokens import Scope
from mta.email import Attachment
from mta.errors import KeyConflict
from mta.outcomes import Outcome, Status
from mta.submission import Delivery as Delivered
from mta.submission import Submission as Taken

KEY = "Idempotency-Key"


def _key(text: str) -> str:
    if not is_key(text):
        raise ValueError("Use 1 to 64 of A-Z, a-z, 0-9, - and _")
    return text


class SendHeaders(HeaderArguments):
    """What a mail is sent by."""

    key: Annotated[
        str, AfterValidator(_key), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    ] = Field(
        default_factory=lambda: secrets.token_urlsafe(16),
        alias="Idempotency-Key",
        description="Chosen by the caller. The same mail again under the same key is sent once, and answered alike.",
        examples=["report-1"],
    )
    anyway: Literal["yes", "no"] = Field(
        default="no",
        alias="BitMail-Anyway",
        description="`yes` sends also to addresses on the suppression list.",
    )


class File(BaseModel):
    """An attachment."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="attachment", max_length=1000)
    type: str = Field(default="application/octet-stream", max_length=200)
    content: str = Field(description="In base64.")


class Written(BaseModel):
    """A mail as it is written."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(default="", description="Addresses as in a mail, parted by `,` or `;`.")
    cc: str = ""
    bcc: str = Field(default="", description="Nobody else sees these.")
    subject: str = ""
    text: str = ""
    html: str = Field(default="", description="The same text in HTML.")
    anyway: bool = Field(default=False, description="Also to addresses on the suppression list.")


class SendMail(Written):
    """A mail to send."""

    attachments: list[File] = Field(default=[], max_length=500)

    @property
    def files(self) -> tuple[Attachment, ...]:
        """The files, decoded.

        Raises:
            Unsendable: one of them is not base64.
        """
        return tuple(_decoded(number, file) for number, file in enumerate(self.attachments))


class SendForm(Written, FormModel):
    """A mail to send, from a form."""


class Sent(BaseModel):
    """A mail that was taken for sending: it is on disk."""

    model_config = ConfigDict(extra="forbid")

    submission: str


class Attempt(BaseModel):
    """One call of one provider."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    outcome: Outcome | None = Field(description="Null while it runs.")
    at: float = Field(description="Seconds since 1970.")
    ms: int = Field(description="Milliseconds.")
    detail: str = Field(description="A sentence, with the provider's own words.")


class Delivery(BaseModel):
    """One recipient of a mail."""

    model_config = ConfigDict(extra="forbid")

    recipient: str
    status: Status
    provider: str = Field(description="The one that had it last; empty before.")
    detail: str = Field(description="A sentence that says why it is so.")
    attempts: list[Attempt]


class Submission(BaseModel):
    """A mail that was taken for sending, as it is now."""

    model_config = ConfigDict(extra="forbid")

    submission: str
    subject: str
    deliveries: list[Delivery]


async def send_mail(call: Call[SendHeaders, SendMail | SendForm | bytes]) -> Sent:
    """Take a mail for sending."""
    key = call.arguments.key
    try:
        taken = await off_loop(_send, call.user, key, call.body, call.arguments.anyway == "yes")
    except (AlreadySent, KeyConflict) as conflict:
        raise Conflict(KEY, key, str(conflict)) from None
    return Sent(submission=taken.id)


async def submission(call: Call[NoArguments, None]) -> Submission:
    """What became of a mail, recipient by recipient."""
    found = await off_loop(service().model.submission, call.user, call.path("id"))
    return Submission(
        submission=found.id, subject=found.subject, deliveries=[_delivery(one) for one in found.deliveries]
    )


GROUP = "Send, and see what became of it"
_EXAMPLE = {"to": "grace@example.com; bob@example.net", "subject": "Report", "text": "It is done."}
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="sendmail",
        group=GROUP,
        method="POST",
        path="/api/sendmail",
        summary="Send a mail",
        description="As JSON, as a form with files, or as a finished mail, which leaves byte by byte as it is, but for "
        "its Bcc. When this answers 202, the mail is on disk, and no crash loses it.",
        needs=Scope.SEND,
        call=send_mail,
        arguments=SendHeaders,
        bodies=(
            json_body(SendMail, _EXAMPLE),
            form_body(SendForm, _EXAMPLE | {"attachments": "@report.pdf"}),
            raw_body("message/rfc822", "@mail.eml"),
        ),
        answer=Sent,
        status=HTTPStatus.ACCEPTED,
        refusals=frozenset({HTTPStatus.CONFLICT}),
    ),
    Operation(
        name="submission",
        group=GROUP,
        method="GET",
        path="/api/submissions/{id}",
        summary="See what became of a mail, recipient by recipient",
        needs=Scope.READ,
        call=submission,
        answer=Submission,
        path_parameters={
            "id": PathParameter(description="As `sendmail` answered it.", variable="SUBMISSION")
        },
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
)


def _send(user: str, key: str, mail: SendMail | SendForm | bytes, anyway: bool) -> Taken:
    model = service().model
    author = model.accounts.account(user)
    if isinstance(mail, bytes):
        return model.outbox.send_raw(author, key, mail, anyway=anyway).submission
    return model.outbox.send(
        author,
        Draft(key, mail.to, mail.cc, mail.bcc, mail.subject, mail.text),
        html=mail.html,
        attachments=mail.files,
        anyway=anyway or mail.anyway,
        name=model.preferences.of(author.name).display_name,
    ).submission


def _decoded(number: int, file: File) -> Attachment:
    try:
        content = base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        reason = "The content is not base64."
        raise Unsendable((FieldError(f"attachments.{number}", file.name, reason),)) from None
    return Attachment(file.name, file.type, content)


def _delivery(one: Delivered) -> Delivery:
    return Delivery(
        recipient=one.recipient,
        status=one.status,
        provider=one.provider,
        detail=one.detail,
        attempts=[
            Attempt(provider=made.provider, outcome=made.outcome, at=made.at, ms=made.ms, detail=made.detail)
            for made in one.attempts
        ],
    )
