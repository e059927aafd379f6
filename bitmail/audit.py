"""The audit trail: who did what to an account, from where, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from store import JsonStore

LIMIT = 200
"""Characters kept of what a client says about itself."""


class Action(StrEnum):
    """What is written down."""

    CREATED = "account created"
    DELETED = "account deleted"
    LOGGED_IN = "logged in"
    REFUSED = "log-in refused"
    LOGGED_OUT = "logged out"
    SESSION_ENDED = "session ended"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - words, not a password
    PASSWORD_RESET = "password reset by the operator"  # noqa: S105
    SECOND_FACTOR_ON = "second factor turned on"
    SECOND_FACTOR_OFF = "second factor turned off"
    TOKEN_MADE = "API token made"  # noqa: S105
    TOKEN_ENDED = "API token ended"  # noqa: S105
    WEBHOOK_MADE = "webhook made"
    WEBHOOK_ENDED = "webhook removed"
    WEBHOOK_ON = "webhook switched on"
    SETTING = "setting changed"
    LOCKED = "account locked"
    UNLOCKED = "account unlocked"
    INVITED = "invitation made"
    OPERATED = "done as operator"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the trail.

    Attributes:
        id: greater is newer.
        at: seconds since the epoch.
        user: whose account.
        action: what was done.
        address: the network address it came from, or "".
        detail: more, for people.
    """

    id: int
    at: float
    user: str
    action: Action
    address: str
    detail: str


class Audit:
    """Kept in the store: shown to each person for their own account, and to operators."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def record(self, user: str, action: Action, *, address: str = "", detail: str = "") -> None:
        """Write a line down; it is durable when this returns."""
        self._store.put(
            {
                "kind": "audit",
                "user": user,
                "action": action.value,
                "at": repr(self._clock()),
                "address": address[:LIMIT],
                "detail": "".join(letter for letter in detail if letter.isprintable())[:LIMIT],
            }
        )

    def page(self, user: str, before: int | None = None, limit: int = 50) -> list[Record]:
        """The newest lines about one account; `before` is the last id of the page above."""
        found = self._store.get(
            {"kind": "audit", "user": user}, newest_first=True, limit=limit, before=before
        )
        return [
            Record(
                entry.id,
                float(entry.data["at"]),
                entry.data["user"],
                Action(entry.data["action"]),
                entry.data["address"],
                entry.data["detail"],
            )
            for entry in found
        ]
