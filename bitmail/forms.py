"""The forms by which a browser enters, changes what opens its account, and leaves. They are sent as such, since only
HTTP sets a cookie that scripts cannot read.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from bitmail.catalogue import chosen, speak
from bitmail.current import SESSION_COOKIE, cookie, off_loop, service, session_of
from bitmail.door import TICKET, Client, Entered
from bitmail.errors import CodeNeeded, LogInRefused
from bitmail.refusal import REFUSAL_COOKIE, Refusal
from bitmail.routes import (
    DELETION,
    ENTER,
    ENTER_CODE,
    INBOX,
    LEAVE,
    LOG_IN,
    MBOX,
    NEW_PASSWORD,
    SETTINGS,
    own_page,
    way_in,
)
from bitmail.sessions import LONGEST

DEVICE_COOKIE = "bitmail_device"
"""The mark of a browser that was let in before."""
TICKET_COOKIE = "bitmail_ticket"
"""Proves, between the password and the code, that the password was given."""
_YEAR = 366 * 86_400


async def enter(request: Request) -> Response:
    """The log-in form: name and password."""
    _speak(request)
    form = await request.form(max_files=0, max_fields=5)
    name, password = str(form.get("name", ""))[:320], str(form.get("password", ""))[:1000]
    invitation, page = str(form.get("invitation", ""))[:100], str(form.get("next", ""))
    try:
        entered = await off_loop(service().model.door.enter, name, password, client_of(request, invitation))
    except LogInRefused as refusal:
        return _refused(name, refusal, to=way_in(page, invitation))
    except CodeNeeded as needed:
        answer = RedirectResponse(way_in(page), 303)
        answer.set_cookie(TICKET_COOKIE, needed.ticket, max_age=int(TICKET), httponly=True, samesite="strict")
        answer.delete_cookie(REFUSAL_COOKIE)
        return answer
    return await _let_in(entered, request, page)


async def enter_code(request: Request) -> Response:
    """The log-in form's second step: the code."""
    _speak(request)
    form = await request.form(max_files=0, max_fields=5)
    page = str(form.get("next", ""))
    if "again" in form:
        answer = RedirectResponse(way_in(page), 303)
        answer.delete_cookie(TICKET_COOKIE)
        return answer
    ticket = cookie(request.headers.get("cookie", ""), TICKET_COOKIE)
    try:
        entered = await off_loop(
            service().model.door.enter_code, ticket, str(form.get("code", ""))[:100], client_of(request)
        )
    except LogInRefused as refusal:
        return _refused("", refusal, to=way_in(page))
    return await _let_in(entered, request, page)


async def leave(request: Request) -> Response:
    """The log-out button."""
    await _close_session(request)
    answer = RedirectResponse(LOG_IN, 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


async def change_password(request: Request) -> Response:
    """The form for another password; every other session ends, and this one gets another secret."""
    session = await session_of(request.headers.get("cookie", ""))
    if session is None:
        return RedirectResponse(LOG_IN, 303)
    _speak(request, session.language)
    form = await request.form(max_files=0, max_fields=5)
    now, new = str(form.get("now", ""))[:1000], str(form.get("new", ""))[:1000]
    try:
        secret = await off_loop(service().model.change_password, session, now, new, client_of(request))
    except LogInRefused as refusal:
        return _refused("password", refusal, to=SETTINGS)
    answer = RedirectResponse(f"{SETTINGS}?done=password", 303)
    _set_cookie(answer, SESSION_COOKIE, secret, int(LONGEST), request)
    answer.delete_cookie(REFUSAL_COOKIE)
    return answer


async def delete_account(request: Request) -> Response:
    """The form that deletes the account."""
    session = await session_of(request.headers.get("cookie", ""))
    if session is None:
        return RedirectResponse(LOG_IN, 303)
    _speak(request, session.language)
    form = await request.form(max_files=0, max_fields=5)
    password = str(form.get("password", ""))[:1000]
    try:
        await off_loop(service().model.delete_account, session, password, client_of(request))
    except LogInRefused as refusal:
        return _refused("delete", refusal, to=SETTINGS)
    answer = RedirectResponse(LOG_IN, 303)
    for name in (SESSION_COOKIE, DEVICE_COOKIE, REFUSAL_COOKIE):
        answer.delete_cookie(name)
    return answer


async def mbox(request: Request) -> Response:
    """All mail of who is logged in, a mail at a time."""
    session = await session_of(request.headers.get("cookie", ""))
    if session is None:
        return RedirectResponse(LOG_IN, 303)
    return StreamingResponse(
        service().model.departure.mbox(session.user),
        media_type="application/mbox",
        headers={
            "Content-Disposition": f'attachment; filename="{session.user}.mbox"',
            "Cache-Control": "no-store",
        },
    )


def routes() -> list[Route]:
    """Where the forms are sent to."""
    return [
        Route(ENTER, enter, methods=["POST"]),
        Route(ENTER_CODE, enter_code, methods=["POST"]),
        Route(LEAVE, leave, methods=["POST"]),
        Route(NEW_PASSWORD, change_password, methods=["POST"]),
        Route(DELETION, delete_account, methods=["POST"]),
        Route(MBOX, mbox, methods=["GET"]),
    ]


def client_of(request: Request, invitation: str = "") -> Client:
    """Who sent a request."""
    return Client(
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
        device=cookie(request.headers.get("cookie", ""), DEVICE_COOKIE),
        invitation=invitation,
    )


def let_in(answer: Response, entered: Entered, request: Request) -> None:
    """Give the browser its session, and the mark by which it is known next time."""
    _set_cookie(answer, SESSION_COOKIE, entered.secret, int(LONGEST), request)
    _set_cookie(answer, DEVICE_COOKIE, entered.device, _YEAR, request)


def _speak(request: Request, wanted: str = "") -> None:
    speak(chosen(wanted, request.headers.get("accept-language", "")))


def _set_cookie(answer: Response, name: str, value: str, age: int, request: Request) -> None:
    host = request.headers.get("host", "").lower()
    secure = request.url.scheme == "https" or f"https://{host}" in service().settings.allowed_origins()
    answer.set_cookie(name, value, max_age=age, httponly=True, samesite="strict", secure=secure)


async def _let_in(entered: Entered, request: Request, page: str) -> Response:
    await _close_session(request)
    answer = RedirectResponse(own_page(page) or INBOX, 303)
    let_in(answer, entered, request)
    answer.delete_cookie(REFUSAL_COOKIE)
    answer.delete_cookie(TICKET_COOKIE)
    return answer


async def _close_session(request: Request) -> None:
    secret = cookie(request.headers.get("cookie", ""), SESSION_COOKIE)
    if secret:
        await off_loop(service().model.log_out, secret)


def _refused(name: str, refusal: LogInRefused, *, to: str) -> Response:
    answer = RedirectResponse(to, 303)
    answer.set_cookie(
        REFUSAL_COOKIE, Refusal(name, str(refusal)).encoded(), max_age=60, httponly=True, samesite="strict"
    )
    return answer
