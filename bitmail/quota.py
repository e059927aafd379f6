"""How much one account may send: mails in an hour, bytes in a day, counted in the store for every web process alike.

What was sent before under the same key counts once, and what is refused otherwise costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bitmail.catalogue import _, decimal, ngettext
from bitmail.errors import FieldError, Unsendable
from bitmail.places import MailboxName
from store import JsonStore

HOUR = 3600
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do.

    Attributes:
        mails_an_hour: mails, whatever their number of recipients; 0 for as many as one likes.
        bytes_a_day: as they go out, encoded, each counted once; 0 for as many as one likes.
        drafts: that are open; 0 for as many as one likes.
    """

    mails_an_hour: int = 0
    bytes_a_day: int = 0
    drafts: int = 0


NO_LIMITS = Limits()


class Quota:
    """Counts what accounts send."""

    def __init__(self, store: JsonStore, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock

    def take(self, user: str, size: int) -> None:
        """Count one mail.

        Args:
            user: whose.
            size: of it, in bytes.

        Raises:
            Unsendable: it is too much, with a sentence that says how much there may be, and when again.
        """
        mails, a_day = self._limits.mails_an_hour, self._limits.bytes_a_day
        reason = _(
            "You have sent {mails} mails within an hour, and more may not be sent.", mails=decimal(mails)
        )
        self._add(user, "mails", HOUR, 1, mails, reason)
        reason = _(
            "With this mail you would have sent more than {size} within a day.", size=_megabytes(a_day)
        )
        try:
            self._add(user, "bytes", DAY, size, a_day, reason)
        except Unsendable:
            self._add(user, "mails", HOUR, -1, mails, "")
            raise

    def check_drafts(self, user: str) -> None:
        """Refuse one draft more.

        Raises:
            Unsendable: there are as many as there may be.
        """
        most = self._limits.drafts
        if most and self._store.count({"user": user, "mailbox": MailboxName.DRAFTS.value}) >= most:
            reason = _(
                "You have {most} drafts, and more are not kept. Send or discard some.", most=decimal(most)
            )
            raise Unsendable((FieldError("limit", "", reason),))

    def _add(self, user: str, what: str, span: int, amount: int, most: int, reason: str) -> None:
        if not most:
            return
        place = {"kind": "quota", "user": user, "of": what}
        while True:
            now = self._clock()
            window = str(int(now // span))
            id, _created = self._store.put_if_absent(place, place | {"window": window, "count": "0"})
            entry = self._store.get_by_id(id)
            if entry is None:
                continue
            before = int(entry.data["count"]) if entry.data["window"] == window else 0
            if amount > 0 and before + amount > most:
                wait = max(1, round((span - now % span) / 60))
                raise Unsendable(
                    (
                        FieldError(
                            "limit",
                            "",
                            _("{reason} Try again in {wait}.", reason=reason, wait=_minutes(wait)),
                        ),
                    )
                )
            expecting = {"window": entry.data["window"], "count": entry.data["count"]}
            changes = {"window": window, "count": str(max(0, before + amount))}
            if self._store.update_by_id(id, changes, expecting=expecting):
                return


def _megabytes(size: int) -> str:
    if size >= 1_000_000:
        return f"{decimal(size / 1_000_000)} MB"
    return ngettext("{count} byte", "{count} bytes", size)


def _minutes(minutes: int) -> str:
    if minutes < 120:
        return _("a minute") if minutes == 1 else ngettext("{count} minute", "{count} minutes", minutes)
    return ngettext("{count} hour", "{count} hours", round(minutes / 60))
