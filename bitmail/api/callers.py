"""Who calls the HTTP API: by a session or by a token that may do this, and not faster than is good for the others."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from starlette.requests import Request

from bitmail.api.refusals import Forbidden, Unknown
from bitmail.current import off_loop, service
from bitmail.errors import TooMany
from bitmail.rates import STUBBORN
from bitmail.sessions import Session
from bitmail.tokens import PREFIX, Scope

NOBODY = Session(0, "")


class Needs(Enum):
    """Who may ask for what no scope of tokens stands for."""

    NOTHING = auto()
    """Anyone."""
    PERHAPS_A_SESSION = auto()
    """Anyone; whose session it is is told more."""
    PASSWORD = auto()
    """Whoever proves by HTTP Basic who they are; the operation itself sees to that."""
    A_SESSION = auto()
    """A session alone, no token."""


def secret_of(request: Request) -> str:
    """What a script proves itself by, in the Authorization header. Cookies are for the page, and not taken here."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def caller_of(request: Request, needs: Needs | Scope) -> Session:
    """Who calls.

    Whoever calls faster than a page would waits a little here; sending has its quota instead.

    Raises:
        Unknown: nobody who may.
        Forbidden: a token that was made for other things.
        TooMany: far too fast.
    """
    match needs:
        case Needs.NOTHING | Needs.PASSWORD:
            return NOBODY
        case Needs.PERHAPS_A_SESSION:
            return await _session(request) or NOBODY
        case Needs.A_SESSION:
            session = await _session(request)
            if session is None:
                raise Unknown("There is no such session.")
            return session
    known = await _known(request, needs)
    if needs is not Scope.SEND:
        wait = service().paces.wait_for(known.user, at_most=STUBBORN)
        if wait > STUBBORN:
            raise TooMany(wait)
        if wait:
            await asyncio.sleep(wait)
    return known


async def _session(request: Request) -> Session | None:
    secret = secret_of(request)
    return await off_loop(service().model.sessions.find, secret) if secret else None


async def _known(request: Request, scope: Scope) -> Session:
    secret = secret_of(request)
    if not secret.startswith(PREFIX):
        session = await _session(request)
        if session is None:
            raise Unknown("Log in first, then send Authorization: Bearer and the session.")
        return session
    token = await off_loop(service().model.tokens.find, secret)
    if token is None or not await off_loop(service().model.accounts.is_open, token.user):
        raise Unknown("There is no such token, or it has expired. Make a new one.")
    if scope not in token.scopes:
        raise Forbidden(f"This token may not do that: it was made without “{scope}”. Make one with it.")
    return Session(token.id, token.user)
