"""Invitations: codes that let somebody make an account where not everybody may."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from bitmail.digests import digest_of
from store import JsonStore

DAYS = 14.0
"""Days that an invitation is good for."""


class Invitations:
    """Every invitation; each makes one account. Of its code only the hash is kept."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def make(self, days: float = DAYS) -> str:
        """Make an invitation that is good for `days`, and return its code."""
        code = secrets.token_urlsafe(16)
        expires = repr(self._clock() + days * 86_400)
        self._store.put({"kind": "invitation", "hash": digest_of(code), "expires": expires, "used_by": ""})
        return code

    def use(self, code: str, name: str) -> bool:
        """Use the code up for the account of this name; whether it was open."""
        found = self._store.get({"kind": "invitation", "hash": digest_of(code), "used_by": ""}, limit=1)
        if not found or self._clock() >= float(found[0].data["expires"]):
            return False
        return self._store.update_by_id(found[0].id, {"used_by": name}, expecting={"used_by": ""})

    def give_back(self, code: str, name: str) -> None:
        """Open the code again: no account came of it."""
        self._store.update({"kind": "invitation", "hash": digest_of(code), "used_by": name}, {"used_by": ""})
