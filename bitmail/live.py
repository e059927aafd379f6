"""Live pages: when something of a person's changes, their open pages are told to look.

The private parts of Reflex that this needs are all here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from contextvars import Context

import reflex as rx
from reflex_base.event import Event, EventHandler
from reflex_base.utils.format import format_event_handler

log = logging.getLogger(__name__)

CALM = 0.05
"""Seconds in which changes are gathered before a page is told."""
AWAY = 2.0
"""Seconds for which no page may connect after something that all of them need was away."""


class Live:
    """Which pages are open for whom.

    A page that was told is not told again before it has looked, so a flood of changes costs each page one look at a
    time, whatever the flood.
    """

    def __init__(self, app: rx.App, refresh: EventHandler, loop: asyncio.AbstractEventLoop) -> None:
        """
        Args:
            app: the app whose pages these are.
            refresh: the handler by which a page looks again; it passes the gate like any other event.
            loop: the loop that serves the app.
        """
        self._app = app
        self._refresh = format_event_handler(refresh)
        self._loop = loop
        self._pages: defaultdict[str, set[str]] = defaultdict(set)
        self._told: set[str] = set()
        self._away_until = 0.0

    def join(self, user: str, token: str) -> None:
        """A page of this person is open, and about to look."""
        self._told.discard(token)
        self._pages[user].add(token)

    def reconnect(self, token: str) -> None:
        """Close a page's connection; the page connects anew at once, and is then who its cookies say."""
        namespace, server = self._app.event_namespace, self._app.sio
        if namespace is None or server is None or (sid := namespace.token_to_sid.get(token)) is None:
            return
        connection = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, namespace.namespace))
        if connection is not None:
            # Its end is asked for where engineio looks for it: what is queued goes out first, and the page is not
            # told to stay away.
            connection.queue.put_nowait(None)

    def cut_off(self, token: str) -> None:
        """Close a page's connection, since what all pages need is away; it connects anew once it may."""
        self._away_until = time.monotonic() + AWAY
        self.reconnect(token)

    def may_connect(self) -> bool:
        """Whether a page that connects now is of use."""
        return time.monotonic() >= self._away_until

    def ask(self, token: str, handler: EventHandler) -> None:
        """Have an event of a page handled as if the page had sent it, after what is being handled; what it changes is
        said by the page's connection, whichever process has that.
        """
        # In a context of its own: a handler's would make what follows part of its own event.
        self._loop.call_soon(self._enqueue, token, format_event_handler(handler), context=Context())

    def changed(self, user: str) -> None:
        """Something of this person's changed; may be called from any thread."""
        try:
            # In a context of its own, as above.
            self._loop.call_soon_threadsafe(self._schedule, user, context=Context())
        except RuntimeError:
            log.debug("the loop is closed; no page is left to tell")

    def _schedule(self, user: str) -> None:
        for token in self._pages.get(user, set()) - self._told:
            self._told.add(token)
            self._loop.call_later(CALM, self._tell, user, token)

    def _tell(self, user: str, token: str) -> None:
        if not self.is_open(token):
            self._told.discard(token)
            self._pages[user].discard(token)
            if not self._pages[user]:
                del self._pages[user]
            return
        self._enqueue(token, self._refresh)

    def _enqueue(self, token: str, name: str) -> None:
        task = self._loop.create_task(self._send(token, name))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _send(self, token: str, name: str) -> None:
        with self._app.set_contexts():
            await self._app.event_processor.enqueue(token, Event(name=name, payload={}))

    def is_open(self, token: str) -> bool:
        """Whether a page is connected to this process."""
        namespace = self._app.event_namespace
        return namespace is not None and token in namespace.token_to_sid
