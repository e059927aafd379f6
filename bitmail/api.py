"""The HTTP API: what scripts do."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bitmail import forms, hookroutes, reading
from bitmail.current import SESSION_COOKIE, off_loop, service
from bitmail.drafts import Draft, is_key
from bitmail.errors import (
    AlreadySent,
    CodeNeeded,
    FieldError,
    LogInRefused,
    NoSuchMail,
    Suppressed,
    TooMany,
    Unsendable,
)
from bitmail.sessions import Session
from bitmail.tokens import PREFIX, Scope
from bitmail.version import version
from bitmail.webhooks import EVERY
from mta.email import Attachment
from mta.errors import KeyConflict
from mta.outcomes import Status
from mta.submission import Submission

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
Body = TypeVar("Body", bound=BaseModel)


class File(BaseModel):
    """An attachment as a script sends it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="attachment", max_length=1000)
    type: str = Field(default="application/octet-stream", max_length=200)
    content: str


class SendMail(BaseModel):
    """The body of `POST /api/sendmail`."""

    model_config = ConfigDict(extra="forbid")

    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: list[File] = Field(default=[], max_length=500)
    anyway: bool = False


async def alive(request: Request) -> Response:
    """The version; with a session also the notices that it has not been given yet."""
    answer: dict[str, Any] = {"version": version()}
    session = await _session(request)
    if session is not None:
        model = service().model
        answer["notices"] = [
            {"at": notice.at, "text": notice.text, "submission": notice.submission}
            for notice in model.pending_notices(session.id, session.user)
        ]
    return JSONResponse(answer)


class MakeWebhook(BaseModel):
    """The body of `POST /api/webhooks`."""

    model_config = ConfigDict(extra="forbid")

    url: str
    statuses: list[Status] = Field(default=list(EVERY), max_length=20)


async def version_(request: Request) -> Response:
    """The version."""
    return JSONResponse({"version": version()})


async def log_in(request: Request) -> Response:
    """Begin a session with HTTP Basic (RFC 7617)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, password = "", "", ""
    if scheme.lower() != "basic" or not colon:
        return _unauthorized("Log in with HTTP Basic: a name and a password.")
    code = request.headers.get("bitmail-code", "")
    try:
        entered = await off_loop(service().model.door.enter, name, password, forms.client_of(request), code)
    except TooMany as refusal:
        wait = {"Retry-After": str(refusal.seconds)}
        return JSONResponse({"error": str(refusal)}, status_code=429, headers=wait)
    except LogInRefused as refusal:
        return _unauthorized(str(refusal))
    except CodeNeeded as needed:
        return _unauthorized(f"{needed} Send it as the header BitMail-Code.")
    answer = JSONResponse({"session": entered.secret})
    forms.let_in(answer, entered, request)
    return answer


async def log_out(request: Request) -> Response:
    """End the session."""
    if await _session(request) is None:
        return _unauthorized("There is no such session.")
    await off_loop(service().model.log_out, _secret(request))
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


async def send_mail(request: Request) -> Response:
    """Take a mail for sending: JSON, or a finished mail as `message/rfc822`."""
    try:
        session = await _caller(request, Scope.SEND)
    except _Refused as refused:
        return refused.answer
    key = request.headers.get("idempotency-key") or secrets.token_urlsafe(16)
    if not is_key(key):
        return _unprocessable(
            FieldError("Idempotency-Key", key[:100], "Use 1 to 64 of A-Z, a-z, 0-9, - and _.")
        )
    body = await request.body()
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "message/rfc822":
            anyway = request.headers.get("bitmail-anyway", "").lower() == "yes"
            submission = await off_loop(_send_raw, session, key, body, anyway)
        else:
            submission = await off_loop(_send_json, session, key, body)
    except Suppressed as warning:
        return _unprocessable(*warning.errors, override=True)
    except Unsendable as refusal:
        return _unprocessable(*refusal.errors)
    except (AlreadySent, KeyConflict) as conflict:
        return JSONResponse(
            {"errors": [{"field": "Idempotency-Key", "value": key, "reason": str(conflict)}]}, status_code=409
        )
    return JSONResponse({"submission": submission.id}, status_code=202)


async def submission(request: Request) -> Response:
    """What became of a mail, recipient by recipient."""
    try:
        session = await _caller(request, Scope.READ)
    except _Refused as refused:
        return refused.answer
    try:
        found = await off_loop(service().model.submission, session.user, request.path_params["id"])
    except NoSuchMail as missing:
        return JSONResponse({"error": str(missing)}, status_code=404)
    return JSONResponse(_shown(found))


async def suppressions(request: Request) -> Response:
    """The addresses that one had better not write to, newest first."""
    try:
        session = await _caller(request, Scope.READ)
    except _Refused as refused:
        return refused.answer
    before = request.query_params.get("before", "")
    found = await off_loop(
        service().model.suppressions.page, session.user, int(before) if _NUMBER.fullmatch(before) else None
    )
    return JSONResponse(
        {
            "suppressions": [
                {
                    "id": one.id,
                    "address": one.address,
                    "status": one.status,
                    "reason": one.reason,
                    "at": one.at,
                }
                for one in found
            ]
        }
    )


async def lift(request: Request) -> Response:
    """Take an address off that list."""
    try:
        session = await _caller(request, Scope.SEND)
    except _Refused as refused:
        return refused.answer
    address = request.path_params["address"]
    if not await off_loop(service().model.suppressions.lift, session.user, address):
        return JSONResponse({"error": "This address is not on your list."}, status_code=404)
    return Response(status_code=204)


async def webhooks(request: Request) -> Response:
    """The addresses that are told what becomes of this person's mail."""
    try:
        session = await _caller(request, Scope.WEBHOOKS)
    except _Refused as refused:
        return refused.answer
    found = await off_loop(service().model.webhooks.of, session.user)
    return JSONResponse(
        {
            "webhooks": [
                {
                    "id": one.id,
                    "url": one.url,
                    "statuses": sorted(one.statuses),
                    "created": one.created,
                    "failing_since": one.failing_since or None,
                    "error": one.error,
                    "is_off": one.is_off,
                }
                for one in found
            ]
        }
    )


async def make_webhook(request: Request) -> Response:
    """Have an address told; its secret is in this answer and in no other."""
    try:
        session = await _caller(request, Scope.WEBHOOKS)
    except _Refused as refused:
        return refused.answer
    try:
        wanted = _parsed(MakeWebhook, await request.body())
        made, secret = await off_loop(service().model.make_webhook, session.user, wanted.url, wanted.statuses)
    except Unsendable as refusal:
        return _unprocessable(*refusal.errors)
    return JSONResponse({"webhook": made.id, "secret": secret}, status_code=201)


async def end_webhook(request: Request) -> Response:
    """Tell an address nothing any more."""
    try:
        session = await _caller(request, Scope.WEBHOOKS)
    except _Refused as refused:
        return refused.answer
    id = request.path_params["id"]
    if not _NUMBER.fullmatch(id) or not await off_loop(service().model.end_webhook, session.user, int(id)):
        return JSONResponse({"error": "There is no such webhook."}, status_code=404)
    return Response(status_code=204)


def api() -> Starlette:
    """The routes, to be mounted before the page."""
    return Starlette(
        routes=[
            Route("/api/alive", alive, methods=["GET"]),
            Route("/api/version", version_, methods=["GET"]),
            Route("/api/login", log_in, methods=["POST"]),
            Route("/api/logout", log_out, methods=["POST"]),
            Route("/api/sendmail", send_mail, methods=["POST"]),
            Route("/api/submissions/{id}", submission, methods=["GET"]),
            Route("/api/suppressions", suppressions, methods=["GET"]),
            Route("/api/suppressions/{address:path}", lift, methods=["DELETE"]),
            Route("/api/webhooks", webhooks, methods=["GET"]),
            Route("/api/webhooks", make_webhook, methods=["POST"]),
            Route("/api/webhooks/{id}", end_webhook, methods=["DELETE"]),
            *forms.routes(),
            *reading.routes(),
            *hookroutes.routes(),
        ]
    )


def _parsed(kind: type[Body], body: bytes) -> Body:
    """
    Raises:
        Unsendable: naming each field that is wrong.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Unsendable(
            tuple(
                FieldError(".".join(str(part) for part in problem["loc"]) or "body", "", f"{problem['msg']}.")
                for problem in error.errors(include_input=False, include_url=False, include_context=False)
            )
        ) from None


def _send_json(session: Session, key: str, body: bytes) -> Submission:
    mail = _parsed(SendMail, body)
    files: list[Attachment] = []
    for number, file in enumerate(mail.attachments):
        try:
            content = base64.b64decode(file.content, validate=True)
        except (binascii.Error, ValueError):
            reason = "The content is not base64."
            raise Unsendable((FieldError(f"attachments.{number}", file.name, reason),)) from None
        files.append(Attachment(file.name, file.type, content))
    model = service().model
    draft = Draft(key, mail.to, mail.cc, mail.bcc, mail.subject, mail.text)
    author = model.accounts.account(session.user)
    name = model.preferences.of(author.name).display_name
    return model.outbox.send(
        author, draft, html=mail.html, attachments=tuple(files), anyway=mail.anyway, name=name
    ).submission


def _send_raw(session: Session, key: str, body: bytes, anyway: bool) -> Submission:
    model = service().model
    author = model.accounts.account(session.user)
    return model.outbox.send_raw(author, key, body, anyway=anyway).submission


def _shown(submission: Submission) -> dict[str, Any]:
    return {
        "submission": submission.id,
        "subject": submission.subject,
        "deliveries": [
            {
                "recipient": delivery.recipient,
                "status": delivery.status,
                "provider": delivery.provider,
                "detail": delivery.detail,
                "attempts": [
                    {
                        "provider": attempt.provider,
                        "outcome": attempt.outcome,
                        "at": attempt.at,
                        "ms": attempt.ms,
                        "detail": attempt.detail,
                    }
                    for attempt in delivery.attempts
                ],
            }
            for delivery in submission.deliveries
        ],
    }


def _secret(request: Request) -> str:
    """What a script proves itself by, in the Authorization header. Cookies are for the page, and not taken here."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def _session(request: Request) -> Session | None:
    secret = _secret(request)
    return await off_loop(service().model.sessions.find, secret) if secret else None


async def _caller(request: Request, scope: Scope) -> Session:
    """Who calls, by a session or by a token that may do this.

    Raises:
        _Refused: with the answer to give.
    """
    secret = _secret(request)
    if not secret.startswith(PREFIX):
        session = await _session(request)
        if session is None:
            raise _Refused(_unauthorized("Log in first, then send Authorization: Bearer and the session."))
        return session
    token = await off_loop(service().model.tokens.find, secret)
    if token is None or not await off_loop(service().model.accounts.is_open, token.user):
        raise _Refused(_unauthorized("There is no such token, or it has expired. Make a new one."))
    if scope not in token.scopes:
        reason = f"This token may not do that: it was made without “{scope}”. Make one with it."
        raise _Refused(JSONResponse({"error": reason}, status_code=403))
    return Session(token.id, token.user)


class _Refused(Exception):
    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def _unauthorized(reason: str) -> Response:
    return JSONResponse(
        {"error": reason}, status_code=401, headers={"WWW-Authenticate": 'Basic realm="BitMail"'}
    )


def _unprocessable(*errors: FieldError, override: bool = False) -> Response:
    shown = [{"field": error.field, "value": error.value, "reason": error.reason} for error in errors]
    how = {"override": 'Send it with "anyway": true, or with the header BitMail-Anyway: yes.'}
    return JSONResponse({"errors": shown} | (how if override else {}), status_code=422)
