"""Operations that tell who is there, and by which a script enters and leaves."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from bitmail import forms
from bitmail.api.asking import HeaderArguments, NoArguments
from bitmail.api.callers import Needs, secret_of
from bitmail.api.operations import AnyOperation, Call, Operation
from bitmail.api.refusals import Unknown
from bitmail.current import SESSION_COOKIE, off_loop, service
from bitmail.version import version


class Notice(BaseModel):
    """Something that the person should know."""

    model_config = ConfigDict(extra="forbid")

    at: float = Field(description="Seconds since 1970.")
    text: str
    submission: str


class Alive(BaseModel):
    """The service answers."""

    model_config = ConfigDict(extra="forbid")

    version: str
    notices: list[Notice] = Field(default=[], description="With a session: those it has not been given yet.")


class Version(BaseModel):
    """The running version."""

    model_config = ConfigDict(extra="forbid")

    version: str


class Entered(BaseModel):
    """A session."""

    model_config = ConfigDict(extra="forbid")

    session: str = Field(description="Send it as `Authorization: Bearer …`.")


class Code(HeaderArguments):
    """The second factor."""

    code: str = Field(
        default="",
        alias="BitMail-Code",
        max_length=100,
        description="The code of the authenticator app, where the account asks for one.",
    )


async def alive(call: Call[NoArguments, None]) -> Alive:
    """The version; with a session also the notices that it has not been given yet."""
    if not call.user:
        return Alive(version=version())
    pending = service().model.pending_notices(call.caller.id, call.user)
    notices = [Notice(at=one.at, text=one.text, submission=one.submission) for one in pending]
    return Alive(version=version(), notices=notices)


async def tell_version(_: Call[NoArguments, None]) -> Version:
    """The version."""
    return Version(version=version())


async def log_in(call: Call[Code, None]) -> Entered:
    """Begin a session with HTTP Basic (RFC 7617)."""
    name, password = _name_and_password(call.request)
    client, code = forms.client_of(call.request), call.arguments.code
    entered = await off_loop(service().model.door.enter, name, password, client, code)
    call.finish = partial(forms.let_in, entered=entered, request=call.request)
    return Entered(session=entered.secret)


async def log_out(call: Call[NoArguments, None]) -> None:
    """End the session."""
    await off_loop(service().model.log_out, secret_of(call.request))
    call.finish = lambda answer: answer.delete_cookie(SESSION_COOKIE)


GROUP = "Enter and leave"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="alive",
        group=GROUP,
        method="GET",
        path="/api/alive",
        summary="Ask whether the service answers, and what is new",
        description="With a session, also the notices that it has not been given yet; they count as given then.",
        needs=Needs.PERHAPS_A_SESSION,
        call=alive,
        answer=Alive,
    ),
    Operation(
        name="version",
        group=GROUP,
        method="GET",
        path="/api/version",
        summary="Ask which version runs",
        needs=Needs.NOTHING,
        call=tell_version,
        answer=Version,
    ),
    Operation(
        name="login",
        group=GROUP,
        method="POST",
        path="/api/login",
        summary="Begin a session",
        description="By HTTP Basic with the account's name and password. For scripts that run for long, a token made "
        "in the settings is better: it can do only what it was made for, and can be ended on its own.",
        needs=Needs.PASSWORD,
        call=log_in,
        arguments=Code,
        answer=Entered,
        refusals=frozenset({HTTPStatus.TOO_MANY_REQUESTS}),
    ),
    Operation(
        name="logout",
        group=GROUP,
        method="POST",
        path="/api/logout",
        summary="End the session",
        needs=Needs.A_SESSION,
        call=log_out,
        answer=type(None),
        status=HTTPStatus.NO_CONTENT,
    ),
)


def _name_and_password(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, password = "", "", ""
    if scheme.lower() != "basic" or not colon:
        raise Unknown("Log in with HTTP Basic: a name and a password.")
    return name, password
