"""What the page's handlers stand on: the running service, and who is calling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from typing import ParamSpec, TypeVar

from bitmail.catalogue import chosen, speak
from bitmail.service import Service
from bitmail.sessions import Session

P = ParamSpec("P")
R = TypeVar("R")

SESSION_COOKIE = "bitmail_session"
"""Carries a session's secret; scripts cannot read it."""

_services: list[Service] = []
_caller: ContextVar[Session] = ContextVar("caller")


@contextmanager
def serving(service: Service) -> Iterator[None]:
    """Make this the service that handlers and routes work on."""
    _services.append(service)
    try:
        yield
    finally:
        _services.remove(service)


def service() -> Service:
    """The running service.

    Raises:
        RuntimeError: none is running.
    """
    if not _services:
        raise RuntimeError("no service is running; start the server with python -m bitmail")
    return _services[-1]


def caller() -> Session:
    """Whose event is being handled, as the gate found out.

    Raises:
        LookupError: the gate let this event through without a session.
    """
    return _caller.get()


def call_as(session: Session, accepted: str = "") -> None:
    """Have `caller` answer this session for the rest of the event, in the person's language.

    Args:
        session: whose event it is.
        accepted: the header by which the browser says which languages it likes.
    """
    _caller.set(session)
    speak(chosen(session.language, accepted))


async def off_loop(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what may block in a thread."""
    return await asyncio.to_thread(work, *args, **kwargs)


async def session_of(cookies: str) -> Session | None:
    """The session that a Cookie header proves, or None."""
    secret = cookie(cookies, SESSION_COOKIE)
    return await off_loop(service().model.sessions.find, secret) if secret else None


def cookie(cookies: str, name: str) -> str:
    """One cookie's value out of a Cookie header, or ""."""
    try:
        morsel = SimpleCookie(cookies).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
