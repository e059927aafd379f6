"""The crowd of pages: nothing is forgotten of those that are open; of the others only so many are kept, for whoever
reloads.

Whoever comes back later loses nothing: what a page shows is in the store and in its address.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import reflex as rx
from redis.exceptions import RedisError
from reflex.istate.manager.memory import StateManagerMemory
from reflex.istate.manager.redis import StateManagerRedis
from reflex.istate.manager.token import BaseStateToken
from reflex.state import BaseState

log = logging.getLogger(__name__)

KEPT = 200
"""States of closed pages; one takes some 0.2 MB."""
EVERY = 1.0
"""Seconds between two looks."""


class Crowd:
    """The states of an app's pages in this process, or in Redis, which forgets by itself those of closed pages."""

    def __init__(self, app: rx.App, kept: int = KEPT) -> None:
        self._app = app
        self._kept = kept

    def trim(self) -> int:
        """Forget the states of the pages that were closed first, beyond those to be kept; how many that were."""
        manager, namespace = self._app.state_manager, self._app.event_namespace
        if not isinstance(manager, StateManagerMemory) or namespace is None:
            return 0
        idle = [
            token
            for _, token in manager._token_expires_at.values()
            if token.ident not in namespace.token_to_sid
            and not ((lock := manager._states_locks.get(token.lock_key)) and lock.locked())
        ]
        # Whoever was used last stands last.
        idle.sort(key=lambda token: manager._token_expires_at[token.cache_key][0])
        surplus = idle[: max(0, len(idle) - self._kept)]
        for token in surplus:
            manager._purge_token(token)
        return len(surplus)

    async def hold(self) -> None:
        """Put off for the pages that are open here when they are forgotten, though nobody touches them.

        Raises:
            RedisError: Redis does not answer.
        """
        manager, namespace = self._app.state_manager, self._app.event_namespace
        if namespace is None:
            return
        if isinstance(manager, StateManagerMemory):
            for _, token in list(manager._token_expires_at.values()):
                if token.ident in namespace.token_to_sid:
                    manager._track_token(token)
        elif isinstance(manager, StateManagerRedis):
            for ident in list(namespace.token_to_sid):
                page = BaseStateToken(ident=ident, cls=rx.State)
                pipeline = manager.redis.pipeline(transaction=False)
                for state in _all(rx.State):
                    pipeline.expire(page._state_key(state), manager.token_expiration)
                await pipeline.execute()

    async def watch(self) -> None:
        """Trim and hold, for ever."""
        held = time.monotonic()
        while True:
            await asyncio.sleep(EVERY)
            self.trim()
            if time.monotonic() - held < getattr(self._app.state_manager, "token_expiration", 0) / 3:
                continue
            held = time.monotonic()
            try:
                await self.hold()
            except RedisError as error:
                log.debug("the states of open pages are held when Redis answers again: %s", error)


def _all(state: type[BaseState]) -> Iterator[type[BaseState]]:
    yield state
    for part in state.get_substates():
        yield from _all(part)
