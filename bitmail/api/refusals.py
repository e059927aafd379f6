"""What the HTTP API answers when it does not do what it was asked for: always a sentence, and the status that fits."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from bitmail.errors import (
    CodeNeeded,
    FieldError,
    LogInRefused,
    NoSuchFolder,
    NoSuchMail,
    Refused,
    Suppressed,
    TooMany,
    Unsendable,
)
from bitmail.shield import AWAY, BODY_LIMIT, LATER


class Unknown(Refused):
    """It is not known who calls."""


class Forbidden(Refused):
    """Who calls may do other things, not this one."""


class NotThere(Refused):
    """There is no such thing for this person."""


class Conflict(Refused):
    """It cannot be done as things are.

    Attributes:
        error: what stands in the way.
    """

    def __init__(self, field: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.error = FieldError(field, value, reason)


class Sentence(BaseModel):
    """Why it was not done."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(description="A sentence for people.")


class Problem(BaseModel):
    """One thing that is wrong with what was sent."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(description="Where, such as `to` or `attachments.0`.")
    value: str = Field(description="Which part of it, such as one address; empty where that says nothing.")
    reason: str = Field(description="A sentence for people.")


class Problems(BaseModel):
    """What is wrong with what was sent."""

    model_config = ConfigDict(extra="forbid")

    errors: list[Problem]
    override: str | None = Field(default=None, description="How to have it done all the same, where one may.")


MODELS: dict[HTTPStatus, type[BaseModel] | None] = {
    HTTPStatus.UNAUTHORIZED: Sentence,
    HTTPStatus.FORBIDDEN: Sentence,
    HTTPStatus.NOT_FOUND: Sentence,
    HTTPStatus.CONFLICT: Problems,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: None,
    HTTPStatus.UNPROCESSABLE_ENTITY: Problems,
    HTTPStatus.TOO_MANY_REQUESTS: Sentence,
    HTTPStatus.SERVICE_UNAVAILABLE: Sentence,
}
"""What each refusal carries; None for plain text."""
SAID: dict[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "It is not known who asks: there is no such session or token, or the password is wrong.",
    HTTPStatus.FORBIDDEN: "This token was not made for that.",
    HTTPStatus.NOT_FOUND: "There is none, or it is somebody else's; nobody is told which.",
    HTTPStatus.CONFLICT: "It cannot be done as things are.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"A request may carry {BODY_LIMIT // 1024**2} MB.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something is wrong with what was sent; each part that is, with the reason.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often. `Retry-After` says in how many seconds to try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The database does not answer. `Retry-After` says in how many seconds to try again. A change may have been "
        "made all the same, so send mail with an `Idempotency-Key`, by which it goes out once."
    ),
}


def refusal_of(refused: Refused) -> Response:
    """The answer to what was refused."""
    match refused:
        case TooMany():
            wait = {"Retry-After": str(refused.seconds)}
            return _sentence(HTTPStatus.TOO_MANY_REQUESTS, str(refused), wait)
        case CodeNeeded():
            return _unknown(f"{refused} Send it as the header BitMail-Code.")
        case Unknown() | LogInRefused():
            return _unknown(str(refused))
        case Forbidden():
            return _sentence(HTTPStatus.FORBIDDEN, str(refused))
        case NoSuchMail() | NoSuchFolder() | NotThere():
            return _sentence(HTTPStatus.NOT_FOUND, str(refused))
        case Suppressed():
            how = 'Send it with "anyway": true, or with the header BitMail-Anyway: yes.'
            return _problems(HTTPStatus.UNPROCESSABLE_ENTITY, refused.errors, how)
        case Unsendable():
            return _problems(HTTPStatus.UNPROCESSABLE_ENTITY, refused.errors)
        case Conflict():
            return _problems(HTTPStatus.CONFLICT, (refused.error,))
    return _problems(HTTPStatus.UNPROCESSABLE_ENTITY, (FieldError("body", "", str(refused)),))


def away() -> Response:
    """The answer while the database gives none."""
    return _sentence(HTTPStatus.SERVICE_UNAVAILABLE, AWAY, LATER)


def _unknown(reason: str) -> Response:
    return _sentence(HTTPStatus.UNAUTHORIZED, reason, {"WWW-Authenticate": 'Basic realm="BitMail"'})


def _sentence(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(Sentence(error=reason).model_dump(), status_code=status, headers=headers)


def _problems(status: HTTPStatus, errors: tuple[FieldError, ...], override: str | None = None) -> Response:
    found = Problems(
        errors=[Problem(field=one.field, value=one.value, reason=one.reason) for one in errors],
        override=override,
    )
    return JSONResponse(found.model_dump(exclude_none=True), status_code=status)
