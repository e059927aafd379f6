"""Drafts: what a person has begun to write, kept as it was typed."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from bitmail.errors import FieldError, Unsendable
from bitmail.mailboxes import MailboxName
from store import Entry, JsonStore

TEXT_LIMIT = 500_000
"""Characters of text in one draft; well below what one message of the websocket carries."""
LINE_LIMIT = 200_000
"""Characters in the fields for recipients: some thousand addresses."""
SUBJECT_LIMIT = 2_000
SNIPPET = 140
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail as it is being written: every field exactly as typed.

    Attributes:
        key: the draft's id, which becomes the submission's idempotency key.
        to, cc, bcc: recipients, parsed only when the mail is sent.
        subject, text: the rest.
    """

    key: str
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed."""
        return not any(getattr(self, name).strip() for name in TYPED)


TYPED = tuple(field.name for field in fields(Draft) if field.name != "key")
_LIMITS = {"to": LINE_LIMIT, "cc": LINE_LIMIT, "bcc": LINE_LIMIT, "subject": SUBJECT_LIMIT, "text": TEXT_LIMIT}


def new_key() -> str:
    """A key for a new draft: 128 random bits."""
    return secrets.token_urlsafe(16)


def is_key(text: object) -> bool:
    """Whether this could be a draft's key; clients send anything."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


class Drafts:
    """The drafts of everyone."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def load(self, user: str, key: str) -> Draft:
        """The draft as it was last saved; an empty one when it never was."""
        entry = self._find(user, key)
        if entry is None:
            return Draft(key)
        return Draft(key, **{name: entry.data.get(name, "") for name in TYPED})

    def save(self, user: str, draft: Draft) -> bool:
        """Keep what was typed; whether it was kept.

        An empty draft is not kept and never replaces a full one, and what comes late for a mail that was sent meanwhile
        is ignored.

        Raises:
            Unsendable: a field is longer than can be kept.
        """
        check_size(draft)
        draft = replace(draft, **{name: storable(getattr(draft, name)) for name in TYPED})
        if draft.is_empty or self._store.get({"user": user, "send": draft.key}, limit=1):
            return False
        data = {name: getattr(draft, name) for name in TYPED}
        data |= {"date": repr(self._clock()), "snippet": " ".join(draft.text[: 2 * SNIPPET].split())[:SNIPPET]}
        place = {"user": user, "mailbox": MailboxName.DRAFTS.value, "key": draft.key}
        id, created = self._store.put_if_absent(place, place | data)
        if not created:
            self._store.update_by_id(id, data, expecting=place)
        return True

    def discard(self, user: str, key: str) -> None:
        """Forget a draft; nothing happens when there is none."""
        entry = self._find(user, key)
        if entry is not None:
            self._store.remove(entry.id)

    def _find(self, user: str, key: str) -> Entry | None:
        found = self._store.get({"user": user, "mailbox": MailboxName.DRAFTS.value, "key": key}, limit=1)
        return found[0] if found else None


def check_size(draft: Draft) -> None:
    """Raise `Unsendable` naming each field that is longer than can be kept."""
    errors = tuple(
        FieldError(name, "", f"This is too long: {len(getattr(draft, name)):,} characters, and {limit:,} fit.")
        for name, limit in _LIMITS.items()
        if len(getattr(draft, name)) > limit
    )
    if errors:
        raise Unsendable(errors)


def storable(text: str) -> str:
    """The text without what no store keeps and no mail carries: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
