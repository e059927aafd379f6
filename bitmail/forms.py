"""The forms by which a browser enters, changes what opens its account, and leaves. They are sent as such, since only
HTTP sets a cookie that scripts cannot read.
"""

from __future__ import annotations

import asyncio

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
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
    INVITATION,
    LEAVE,
    LOG_IN,
    MBOX,
    NEW_PASSWORD,
    SETTINGS,
    STAYS,
    ZONE,
    own_page,
    way_in,
)
from bitmail.sessions import LONGEST
from bitmail.words import is_zone

DEVICE_COOKIE = "bitmail_device"
"""The mark of a browser that was let in before."""
TICKET_COOKIE = "bitmail_ticket"
"""Proves, between the password and the code, that the password was given."""
FOR_A_FRAME = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
"""The headers of an answer that a frame of our own page takes."""
_YEAR = 366 * 86_400
AGAIN = 0.5
"""Seconds after which a page that was let in and is still nobody's is made to connect anew again."""


async def enter(request: Request) -> Response:
    """The log-in form: name and password."""
    _speak(request)
    form = await request.form(max_files=0, max_fields=6)
    name, password = str(form.get("name", ""))[:320], str(form.get("password", ""))[:1000]
    client, page = client_of(request, form), str(form.get("next", ""))
    try:
        entered = await off_loop(service().model.door.enter, name, password, client)
    except LogInRefused as refusal:
        return _refused(name, refusal, _onward(way_in(page, client.invitation), form))
    except CodeNeeded as needed:
        answer = _onward(way_in(page), form)
        answer.set_cookie(TICKET_COOKIE, needed.ticket, max_age=int(TICKET), httponly=True, samesite="strict")
        answer.delete_cookie(REFUSAL_COOKIE)
        return answer
    return await _let_in(entered, request, form)


async def enter_code(request: Request) -> Response:
    """The log-in form's second step: the code."""
    _speak(request)
    form = await request.form(max_files=0, max_fields=5)
    page = str(form.get("next", ""))
    if "again" in form:
        answer = _onward(way_in(page), form)
        answer.delete_cookie(TICKET_COOKIE)
        return answer
    ticket = cookie(request.headers.get("cookie", ""), TICKET_COOKIE)
    try:
        entered = await off_loop(
            service().model.door.enter_code, ticket, str(form.get("code", ""))[:100], client_of(request, form)
        )
    except LogInRefused as refusal:
        return _refused("", refusal, _onward(way_in(page), form))
    return await _let_in(entered, request, form)


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
        return _refused("password", refusal, RedirectResponse(SETTINGS, 303))
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
        return _refused("delete", refusal, RedirectResponse(SETTINGS, 303))
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


def client_of(request: Request, form: FormData | None = None) -> Client:
    """Who sent a request, and perhaps a form with it."""
    said = form or FormData()
    zone = str(said.get(ZONE, ""))
    return Client(
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
        device=cookie(request.headers.get("cookie", ""), DEVICE_COOKIE),
        invitation=str(said.get(INVITATION, ""))[:100],
        zone=zone if is_zone(zone) else "",
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


async def _let_in(entered: Entered, request: Request, form: FormData) -> Response:
    await _close_session(request)
    page = str(form.get(STAYS, ""))[:100]
    is_here = service().pages.is_open(page)
    answer = _onward(own_page(str(form.get("next", ""))) or INBOX, form, is_led=is_here)
    let_in(answer, entered, request)
    answer.delete_cookie(REFUSAL_COOKIE)
    answer.delete_cookie(TICKET_COOKIE)
    if is_here:
        answer.background = BackgroundTask(_lead_on, page)
    return answer


async def _lead_on(page: str) -> None:
    """Have a page connect anew, and once more should it do so before its browser has the cookies of the answer."""
    service().pages.reconnect(page)
    await asyncio.sleep(AGAIN)
    service().pages.reconnect(page)


async def _close_session(request: Request) -> None:
    secret = cookie(request.headers.get("cookie", ""), SESSION_COOKIE)
    if secret:
        await off_loop(service().model.log_out, secret)


def _onward(page: str, form: FormData, *, is_led: bool = False) -> Response:
    """The answer that leads to a page. A log-in page that stays finds its way there by the answer's cookies.

    Args:
        page: where to.
        form: as it was sent.
        is_led: whether the page is made to connect anew, and need not ask for it.
    """
    if form.get(STAYS):
        return HTMLResponse(f'<!doctype html><body data-answer="{"" if is_led else 1}">', headers=FOR_A_FRAME)
    return RedirectResponse(page, 303)


def _refused(name: str, refusal: LogInRefused, answer: Response) -> Response:
    answer.set_cookie(
        REFUSAL_COOKIE, Refusal(name, str(refusal)).encoded(), max_age=60, httponly=True, samesite="strict"
    )
    return answer
