"""Drafts: what a person has begun to write, kept as it was typed."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bitmail.attachments import Attachments
from bitmail.catalogue import _, decimal
from bitmail.errors import FieldError, Overtaken, Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.quota import NO_LIMITS, Quota
from store import Entry, JsonStore

TEXT_LIMIT = 500_000
"""Characters of text in one draft; well below what one message of the websocket carries."""
LINE_LIMIT = 200_000
"""Characters in the fields for recipients: some thousand addresses."""
SUBJECT_LIMIT = 2_000
HTML_LIMIT = 1_900_000
"""Characters of rich text, with its markup and its pictures."""
SNIPPET = 140
DISCARDED_KEPT = 86400.0
"""Seconds for which a discarded draft can be brought back."""
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail as it is being written: every field exactly as typed.

    Attributes:
        key: the draft's id, which becomes the submission's idempotency key.
        to, cc, bcc, reply_to: people, parsed only when the mail is sent.
        subject, text: the rest.
        html: the rich text, or "" while the text is plain.
        in_reply_to, references: the Message-IDs that it answers, the latter parted by blanks.
    """

    key: str
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    reply_to: str = ""
    html: str = ""
    in_reply_to: str = ""
    references: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed."""
        return not any(getattr(self, name).strip() for name in TYPED)

    def as_json(self) -> str:
        """All but the key, to be kept in one value of an entry."""
        return json.dumps({name: getattr(self, name) for name in KEPT})

    @classmethod
    def from_json(cls, key: str, kept: str) -> Draft:
        """The draft of `as_json`, under this key."""
        return cls(key, **json.loads(kept))


TYPED = ("to", "cc", "bcc", "subject", "text", "reply_to", "html")
"""The fields that a person types."""
KEPT = (*TYPED, "in_reply_to", "references")
_LIMITS = {
    "to": LINE_LIMIT,
    "cc": LINE_LIMIT,
    "bcc": LINE_LIMIT,
    "reply_to": LINE_LIMIT,
    "subject": SUBJECT_LIMIT,
    "text": TEXT_LIMIT,
    "html": HTML_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Hold:
    """What an open window knows of the draft in it.

    Attributes:
        writer: the window's own name.
        revision: of the draft when the window last loaded or saved it; 0 for a new one.
    """

    writer: str
    revision: int = 0


def new_key() -> str:
    """A key for a new draft: 128 random bits."""
    return secrets.token_urlsafe(16)


def is_key(text: object) -> bool:
    """Whether this could be a draft's key; clients send anything."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


class Drafts:
    """The drafts of everyone, with their files."""

    def __init__(
        self,
        store: JsonStore,
        attachments: Attachments,
        *,
        quota: Quota | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._quota = quota or Quota(store, NO_LIMITS, clock=clock)
        self._attachments = attachments
        self._clock = clock

    def load(self, user: str, key: str) -> Draft:
        """The draft as it was last saved; an empty one when it never was."""
        return self.open(user, key)[0]

    def open(self, user: str, key: str) -> tuple[Draft, int]:
        """The draft as it was last saved, and its revision: 0 when nobody typed in it yet, -1 when there is none."""
        entry = self._find(user, key)
        if entry is None:
            return Draft(key), -1
        return _draft(key, entry.data), _revision(entry)

    def to_send(self, user: str, draft: Draft, hold: Hold) -> Draft:
        """The draft as it was typed, with the Message-IDs that it answers, as they were kept. Nothing is written.

        Raises:
            Unsendable: a field is longer than can be kept.
            Overtaken: another window saved it meanwhile.
        """
        check_size(draft)
        entry = self._find(user, draft.key)
        if entry is None:
            return draft
        _check_hold(entry, hold)
        return _threaded(draft, _draft(draft.key, entry.data))

    def begin(self, user: str, draft: Draft) -> None:
        """Keep a draft that the service wrote, such as a reply with its quotation, at revision 0."""
        self._put(user, draft, revision=0, writer="")

    def save(self, user: str, draft: Draft, hold: Hold | None = None) -> int:
        """Keep what was typed.

        An empty draft is not kept and never replaces a full one, and what comes late for a mail that was sent or
        discarded meanwhile is ignored.

        Args:
            user: whose draft.
            draft: as typed; the Message-IDs that it answers stay as they were kept.
            hold: what the window that saves knows of the draft; None to save whatever others did.

        Returns:
            The draft's revision, or 0 when nothing was kept.

        Raises:
            Unsendable: a field is longer than can be kept, or there are too many drafts.
            Overtaken: another window saved it meanwhile.
        """
        check_size(draft)
        draft = replace(draft, **{name: storable(getattr(draft, name)) for name in TYPED})
        if draft.is_empty or self.is_over(user, draft.key):
            return 0
        writer = hold.writer if hold else ""
        while True:
            entry = self._find(user, draft.key)
            if entry is None:
                if hold is not None:  # nothing that is called back or answered is lost for want of room
                    self._quota.check_drafts(user)
                if self._put(user, draft, revision=1, writer=writer):
                    return 1
                continue
            revision = _revision(entry)
            if all(entry.data.get(name, "") == getattr(draft, name) for name in TYPED):
                return max(revision, 1) if hold is None else revision
            if hold is not None:
                _check_hold(entry, hold)
            changes = self._data(draft, TYPED) | {"revision": str(revision + 1), "writer": writer}
            expected = _place(user, draft.key)
            if "revision" in entry.data:
                expected |= {"revision": str(revision)}
            if self._store.update_by_id(entry.id, changes, expecting=expected):
                return revision + 1

    def touch(self, user: str, key: str, writer: str = "") -> None:
        """See to it that there is a draft, and that it counts as written on: its files were changed.

        Args:
            user: whose draft.
            key: its key.
            writer: the window in which it happened, which goes on saving to it.
        """
        if self.is_over(user, key):
            return
        entry = self._find(user, key)
        if entry is None:
            self._put(user, Draft(key), revision=1, writer=writer)
        elif _revision(entry) == 0:
            touched = {"revision": "1", "writer": writer}
            self._store.update_by_id(entry.id, touched, expecting=_place(user, key) | {"revision": "0"})

    def fork(self, user: str, draft: Draft) -> Draft:
        """Keep what was typed as a draft of its own, with the same files; return it under its new key."""
        own = replace(_threaded(draft, self.load(user, draft.key)), key=new_key())
        self._put(user, own, revision=1, writer="")
        self._attachments.copy(user, draft.key, own.key)
        return own

    def forget(self, user: str, key: str) -> None:
        """Remove a draft for good, not its files; nothing happens when there is none."""
        entry = self._find(user, key)
        if entry is not None:
            self._store.remove(entry.id)

    def discard(self, user: str, key: str) -> bool:
        """Remove a draft so that `restore` can bring it back for a day; whether there was one.

        A save of it that comes late is ignored.
        """
        self._forget_old(user)
        entry = self._find(user, key)
        if entry is None:
            return False
        kept = _draft(key, entry.data).as_json()
        tombstone = {"user": user, "discarded": key}
        self._store.put_if_absent(
            tombstone, tombstone | {"trashed": user, "draft": kept, "at": repr(self._clock())}
        )
        self._store.remove(entry.id)
        return True

    def restore(self, user: str, key: str) -> bool:
        """Bring a discarded draft back; whether it could be."""
        found = self._store.get({"user": user, "discarded": key}, limit=1)
        if not found:
            return False
        self._put(user, Draft.from_json(key, found[0].data["draft"]), revision=1, writer="")
        self._store.remove(found[0].id)
        return True

    def _forget_old(self, user: str) -> None:
        for entry in self._store.get({"trashed": user}):
            if self._clock() - float(entry.data["at"]) > DISCARDED_KEPT:
                self._attachments.forget(user, entry.data["discarded"])
                self._store.remove(entry.id)

    def is_over(self, user: str, key: str) -> bool:
        """Whether the draft of this key was sent or discarded."""
        ways = ({"user": user, "send": key}, {"user": user, "discarded": key})
        return any(self._store.get(way, limit=1) for way in ways)

    def _put(self, user: str, draft: Draft, *, revision: int, writer: str) -> bool:
        place = _place(user, draft.key)
        data = place | self._data(draft, KEPT) | {"revision": str(revision), "writer": writer}
        return self._store.put_if_absent(place, data)[1]

    def _data(self, draft: Draft, names: tuple[str, ...]) -> dict[str, str]:
        return {name: storable(getattr(draft, name)) for name in names} | {
            "date": repr(self._clock()),
            "snippet": " ".join(storable(draft.text[: 2 * SNIPPET]).split())[:SNIPPET],
        }

    def _find(self, user: str, key: str) -> Entry | None:
        found = self._store.get(_place(user, key), limit=1)
        return found[0] if found else None


def _place(user: str, key: str) -> dict[str, str]:
    return {"user": user, "mailbox": MailboxName.DRAFTS.value, "key": key}


def _draft(key: str, data: Mapping[str, str]) -> Draft:
    return Draft(key, **{name: data.get(name, "") for name in KEPT})


def _threaded(typed: Draft, kept: Draft) -> Draft:
    return replace(typed, in_reply_to=kept.in_reply_to, references=kept.references)


def _revision(entry: Entry) -> int:
    return int(entry.data.get("revision", "1"))


def _check_hold(entry: Entry, hold: Hold) -> None:
    if hold.writer != entry.data.get("writer") and hold.revision != _revision(entry):
        raise Overtaken(
            _("This draft was changed in another window. What you write here is kept as a draft of its own.")
        )


def check_size(draft: Draft) -> None:
    """Raise `Unsendable` naming each field that is longer than can be kept."""
    errors = tuple(
        FieldError(
            name,
            "",
            _(
                "This is too long: {length} characters, and {limit} fit.",
                length=decimal(len(getattr(draft, name))),
                limit=decimal(limit),
            ),
        )
        for name, limit in _LIMITS.items()
        if len(getattr(draft, name)) > limit
    )
    if errors:
        raise Unsendable(errors)


def storable(text: str) -> str:
    """The text without what no store keeps and no mail carries: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
