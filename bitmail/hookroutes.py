"""The routes of the hooks: how much and how long a call may be, and what its caller is told: no more than a number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bitmail.current import off_loop, service
from bitmail.hooks import LATER, UNKNOWN, Headers, Hooks
from bitmail.routes import HOOKS
from mta.hooks.call import HookRefused, NotNow, Refusal
from store import StoreUnavailable

log = logging.getLogger(__name__)

REPORT_LIMIT = 1024 * 1024
"""Bytes in one call; SendGrid gathers events up to 768 KB, Amazon takes 256 KB."""
MAIL_LIMIT = 35 * 1024 * 1024
"""Bytes in one call with a mail; SendGrid takes mails up to 30 MB, Mailgun up to 25."""
MAILS_AT_ONCE = 4
BODY_SECONDS = 30.0
"""How long a call may take to come to its end."""

_STATUSES = {
    Refusal.FORGED: 401,
    Refusal.STALE: 401,
    Refusal.REPLAYED: 403,
    Refusal.UNWANTED: 403,
    Refusal.MALFORMED: 403,
    Refusal.OVERSIZED: 413,
}


@dataclass(frozen=True, slots=True)
class _Hook:
    """One hook.

    Attributes:
        name: its place below `HOOKS`, and its name in the count.
        take: takes a call.
        limit: bytes in one call.
        unknown: the status that keeps its service from trying again for a recipient we do not have.
        check: looks at the headers before the body is read.
        is_heavy: its calls hold a whole mail, so only a few are read at once.
    """

    name: str
    take: Callable[[Hooks, bytes, Headers], str]
    limit: int = REPORT_LIMIT
    unknown: int = 200
    check: Callable[[Hooks, Headers], None] = lambda _hooks, _headers: None
    is_heavy: bool = False


def routes() -> list[Route]:
    """The routes of all hooks; one without its key refuses every call."""
    mailgun = partial(_Hook, take=Hooks.mailgun_incoming, limit=MAIL_LIMIT, unknown=406, is_heavy=True)
    hooks = (
        _Hook("ses", Hooks.ses),
        _Hook("sendgrid", Hooks.sendgrid),
        _Hook("mailgun", Hooks.mailgun),
        mailgun("mailgun/incoming"),
        mailgun("mailgun/incoming/mime"),
        _Hook(
            "sendgrid/incoming",
            Hooks.sendgrid_incoming,
            MAIL_LIMIT,
            check=Hooks.check_sendgrid,
            is_heavy=True,
        ),
    )
    room = asyncio.Semaphore(MAILS_AT_ONCE)
    return [Route(f"{HOOKS}/{hook.name}", partial(_answer, hook, room), methods=["POST"]) for hook in hooks]


async def _answer(hook: _Hook, room: asyncio.Semaphore, request: Request) -> Response:
    hooks = service().hooks
    try:
        hook.check(hooks, request.headers)
        async with _entered(room) if hook.is_heavy else nullcontext():
            body = await _body(request, hook.limit)
            result = await off_loop(hook.take, hooks, body, request.headers)
    except HookRefused as refused:
        hooks.counts.add(hook.name, refused.refusal)
        return Response(status_code=_STATUSES[refused.refusal])
    except (NotNow, StoreUnavailable) as error:
        log.warning("a call of %s has to come again: %s", hook.name, error)
        hooks.counts.add(hook.name, LATER)
        return Response(status_code=503, headers={"Retry-After": "30"})
    hooks.counts.add(hook.name, result)
    return Response(status_code=hook.unknown if result == UNKNOWN else 200)


@asynccontextmanager
async def _entered(room: asyncio.Semaphore) -> AsyncIterator[None]:
    if room.locked():
        raise NotNow("there is no room for another mail")
    async with room:
        yield


async def _body(request: Request, limit: int) -> bytes:
    """The raw bytes of a call.

    Raises:
        HookRefused: there are too many, or they do not come.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise HookRefused(Refusal.OVERSIZED)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise HookRefused(Refusal.OVERSIZED)
                pieces.append(piece)
    except (TimeoutError, ClientDisconnect):
        raise HookRefused(Refusal.OVERSIZED) from None
    return b"".join(pieces)
