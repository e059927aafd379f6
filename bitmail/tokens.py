"""API tokens: what scripts prove themselves by, each for some things only, and for some time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bitmail.catalogue import N_, _
from bitmail.digests import digest_of
from bitmail.errors import Refused
from store import JsonStore

PREFIX = "bm_"
"""What every token begins with, so that people and scanners of leaked secrets know one."""
MOST = 50
"""Tokens of one account."""
LONGEST = 366.0
"""Days that a token lives at most."""


class Scope(StrEnum):
    """What a token may do."""

    SEND = "send"
    """Send mail, and take addresses off the suppression list."""
    READ = "read"
    """See what became of mail that was sent."""
    READ_MAIL = "read-mail"
    """See the mailboxes, and every mail in them."""
    CHANGE_MAIL = "change-mail"
    """Move, mark and delete mail."""
    WEBHOOKS = "webhooks"
    """List, make and remove webhooks."""


MAY = {
    Scope.SEND: N_("send"),
    Scope.READ: N_("read status"),
    Scope.READ_MAIL: N_("read mail"),
    Scope.CHANGE_MAIL: N_("move, mark and delete mail"),
    Scope.WEBHOOKS: N_("make and remove webhooks"),
}
"""What a token may do, in words."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    Attributes:
        id: the store's id.
        user: whose.
        name: what its owner calls it.
        scopes: what it may do.
        created, expires: seconds since the epoch.
    """

    id: int
    user: str
    name: str
    scopes: frozenset[Scope]
    created: float
    expires: float


class Tokens:
    """Every token; of its secret only the hash is kept."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def make(self, user: str, name: str, scopes: Iterable[Scope], days: float) -> str:
        """Make a token, and return its secret: shown now and never again.

        Args:
            user: whose.
            name: 1 to 60 characters, for its owner.
            scopes: at least one.
            days: until it expires.

        Raises:
            Refused: with a sentence.
        """
        chosen = sorted({scope.value for scope in scopes})
        name = " ".join(name.split())
        if not 1 <= len(name) <= 60:
            raise Refused(_("Give the token a name of 1 to 60 characters, so that you know it again."))
        if not chosen:
            raise Refused(_("Choose at least one thing that the token may do."))
        if not 0 < days <= LONGEST:
            raise Refused(_("A token lives for 1 to {longest} days. Type how many.", longest=round(LONGEST)))
        if len(self.of(user)) >= MOST:
            raise Refused(
                _("{most} tokens are the most there may be. End one that is not used any more.", most=MOST)
            )
        secret, now = PREFIX + secrets.token_urlsafe(32), self._clock()
        self._store.put(
            {
                "kind": "token",
                "hash": digest_of(secret),
                "user": user,
                "name": name,
                "scopes": " ".join(chosen),
                "created": repr(now),
                "expires": repr(now + days * 86_400),
            }
        )
        return secret

    def find(self, secret: str) -> Token | None:
        """The token of a secret, unless there is none or it has expired."""
        if not secret.startswith(PREFIX) or len(secret) > 128:
            return None
        found = self._store.get({"kind": "token", "hash": digest_of(secret)}, limit=1)
        token = _token(found[0].id, found[0].data) if found else None
        return token if token is not None and self._clock() < token.expires else None

    def of(self, user: str) -> list[Token]:
        """The tokens of a person, oldest first, expired ones among them."""
        return [
            _token(entry.id, entry.data)
            for entry in self._store.get({"kind": "token", "user": user}, limit=MOST)
        ]

    def end(self, user: str, id: int) -> bool:
        """End a token of this person; whether there was one."""
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("kind") != "token" or entry.data.get("user") != user:
            return False
        return self._store.remove(id)


def _token(id: int, data: Mapping[str, str]) -> Token:
    return Token(
        id,
        data["user"],
        data["name"],
        frozenset(Scope(scope) for scope in data["scopes"].split()),
        float(data["created"]),
        float(data["expires"]),
    )
