"""The routes of the hooks: how much and how long a call may be, and what its caller is told: no more than a number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bitmail.current import off_loop, service
from bitmail.hooks import LATER, Headers
from bitmail.routes import HOOKS
from mta.hooks.call import HookRefused, NotNow, Refusal
from store import StoreUnavailable

log = logging.getLogger(__name__)

REPORT_LIMIT = 1024 * 1024
"""Bytes in one call; SendGrid gathers events up to 768 KB, Amazon takes 256 KB."""
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


def routes() -> list[Route]:
    """The routes of all hooks; one without its key refuses every call."""
    return [
        _route("ses", REPORT_LIMIT, lambda: service().hooks.ses),
        _route("sendgrid", REPORT_LIMIT, lambda: service().hooks.sendgrid),
        _route("mailgun", REPORT_LIMIT, lambda: service().hooks.mailgun),
    ]


def _route(name: str, limit: int, take: Callable[[], Callable[[bytes, Headers], str]]) -> Route:
    return Route(f"{HOOKS}/{name}", partial(_answer, name, limit, take), methods=["POST"])


async def _answer(
    name: str, limit: int, take: Callable[[], Callable[[bytes, Headers], str]], request: Request
) -> Response:
    counts = service().hooks.counts
    try:
        body = await _body(request, limit)
        counts.add(name, await off_loop(take(), body, request.headers))
    except HookRefused as refused:
        counts.add(name, refused.refusal)
        return Response(status_code=_STATUSES[refused.refusal])
    except (NotNow, StoreUnavailable) as error:
        log.warning("a call of %s has to come again: %s", name, error)
        counts.add(name, LATER)
        return Response(status_code=503, headers={"Retry-After": "30"})
    return Response(status_code=200)


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
