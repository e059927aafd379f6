"""The HTTP API: what scripts do, and the two forms by which a browser enters and leaves."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bitmail.current import SESSION_COOKIE, cookie, off_loop, service
from bitmail.drafts import Draft, is_key
from bitmail.errors import AlreadySent, FieldError, LogInRefused, NoSuchMail, Unsendable
from bitmail.routes import ENTER, INBOX, LEAVE, LOG_IN
from bitmail.sessions import LONGEST, Session
from bitmail.state.login import REFUSAL_COOKIE, Refusal
from bitmail.version import version
from mta.email import Attachment
from mta.errors import KeyConflict
from mta.submission import Submission

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
    try:
        _, secret = await off_loop(service().model.log_in, name, password)
    except LogInRefused as refusal:
        return _unauthorized(str(refusal))
    answer = JSONResponse({"session": secret})
    _set_session(answer, secret, request)
    return answer


async def log_out(request: Request) -> Response:
    """End the session."""
    if await _session(request) is None:
        return _unauthorized("There is no such session.")
    await off_loop(service().model.sessions.close, _secret(request))
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


async def send_mail(request: Request) -> Response:
    """Take a mail for sending: JSON, or a finished mail as `message/rfc822`."""
    session = await _session(request)
    if session is None:
        return _unauthorized("Log in first, then send Authorization: Bearer and the session.")
    key = request.headers.get("idempotency-key") or secrets.token_urlsafe(16)
    if not is_key(key):
        return _unprocessable(FieldError("Idempotency-Key", key[:100], "Use 1 to 64 of A-Z, a-z, 0-9, - and _."))
    body = await request.body()
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "message/rfc822":
            submission = await off_loop(_send_raw, session, key, body)
        else:
            submission = await off_loop(_send_json, session, key, body)
    except Unsendable as refusal:
        return _unprocessable(*refusal.errors)
    except (AlreadySent, KeyConflict) as conflict:
        return JSONResponse(
            {"errors": [{"field": "Idempotency-Key", "value": key, "reason": str(conflict)}]}, status_code=409
        )
    return JSONResponse({"submission": submission.id}, status_code=202)


async def submission(request: Request) -> Response:
    """What became of a mail, recipient by recipient."""
    session = await _session(request)
    if session is None:
        return _unauthorized("Log in first, then send Authorization: Bearer and the session.")
    try:
        found = await off_loop(service().model.submission, session.user, request.path_params["id"])
    except NoSuchMail as missing:
        return JSONResponse({"error": str(missing)}, status_code=404)
    return JSONResponse(_shown(found))


async def enter(request: Request) -> Response:
    """The log-in form of the page."""
    form = await request.form(max_files=0, max_fields=4)
    name, password = str(form.get("name", ""))[:320], str(form.get("password", ""))
    try:
        _, secret = await off_loop(service().model.log_in, name, password)
    except LogInRefused as refusal:
        answer = RedirectResponse(LOG_IN, 303)
        answer.set_cookie(
            REFUSAL_COOKIE, Refusal(name, str(refusal)).encoded(), max_age=60, httponly=True, samesite="strict"
        )
        return answer
    await _close_browsers_session(request)
    answer = RedirectResponse(INBOX, 303)
    _set_session(answer, secret, request)
    answer.delete_cookie(REFUSAL_COOKIE)
    return answer


async def leave(request: Request) -> Response:
    """The log-out button of the page."""
    await _close_browsers_session(request)
    answer = RedirectResponse(LOG_IN, 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


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
            Route(ENTER, enter, methods=["POST"]),
            Route(LEAVE, leave, methods=["POST"]),
        ]
    )


def _send_json(session: Session, key: str, body: bytes) -> Submission:
    try:
        mail = SendMail.model_validate_json(body)
    except ValidationError as error:
        raise Unsendable(
            tuple(
                FieldError(".".join(str(part) for part in problem["loc"]) or "body", "", f"{problem['msg']}.")
                for problem in error.errors(include_input=False, include_url=False, include_context=False)
            )
        ) from None
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
    return model.outbox.send(author, draft, html=mail.html, attachments=tuple(files)).submission


def _send_raw(session: Session, key: str, body: bytes) -> Submission:
    model = service().model
    author = model.accounts.account(session.user)
    return model.outbox.send_raw(author, key, body).submission


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
    """The session's secret: from the Authorization header of a script. Cookies are for the page, and not taken here."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def _session(request: Request) -> Session | None:
    secret = _secret(request)
    return await off_loop(service().model.sessions.find, secret) if secret else None


async def _close_browsers_session(request: Request) -> None:
    secret = cookie(request.headers.get("cookie", ""), SESSION_COOKIE)
    if secret:
        await off_loop(service().model.sessions.close, secret)


def _set_session(answer: Response, secret: str, request: Request) -> None:
    host = request.headers.get("host", "").lower()
    secure = request.url.scheme == "https" or f"https://{host}" in service().settings.allowed_origins()
    answer.set_cookie(
        SESSION_COOKIE, secret, max_age=int(LONGEST), httponly=True, samesite="strict", secure=secure
    )


def _unauthorized(reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=401, headers={"WWW-Authenticate": 'Basic realm="BitMail"'})


def _unprocessable(*errors: FieldError) -> Response:
    return JSONResponse(
        {"errors": [{"field": error.field, "value": error.value, "reason": error.reason} for error in errors]},
        status_code=422,
    )
