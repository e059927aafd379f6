"""The crowd of pages that nobody has open any more: their states are kept for whoever reloads, but only so many.

Whoever comes back later loses nothing: what a page shows is in the store and in its address.
"""

from __future__ import annotations

import asyncio

import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory

KEPT = 200
"""States of closed pages; one takes some 0.2 MB."""
EVERY = 1.0
"""Seconds between two looks."""


class Crowd:
    """The states of an app's pages in this process. Where they live in Redis, Redis forgets them by itself."""

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

    async def watch(self) -> None:
        """Trim, for ever."""
        while True:
            await asyncio.sleep(EVERY)
            self.trim()
