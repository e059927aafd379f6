"""Sending: from what was typed to a mail in Outbox, which then leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bitmail.accounts import Account
from bitmail.attachments import Attachments
from bitmail.catalogue import _
from bitmail.contacts import Contacts
from bitmail.drafts import SNIPPET, Draft
from bitmail.errors import AlreadySent, FieldError, Suppressed, Unsendable
from bitmail.leaving import Leaving
from bitmail.mailboxes import MailboxName
from bitmail.meaning import email_of, mark_of, shown
from bitmail.pictures import as_parts
from bitmail.quota import NO_LIMITS, Quota
from bitmail.rawmail import prepare
from bitmail.suppressions import Suppressions
from bitmail.threads import Threads
from mta.addresses import Address
from mta.email import Attachment
from mta.mime import compose
from mta.submission import Submission
from store import BlobStore, Entry, JsonStore, tracing

LATEST = 366 * 86400.0
"""Seconds for which a mail may wait to be sent."""


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that was taken for sending.

    Attributes:
        id: of the copy in Sent, or in Outbox while it waits.
        submission: what the container took.
        not_before: when it may leave, in seconds since the epoch; 0 when it may at once.
    """

    id: int
    submission: Submission
    not_before: float = 0.0


class Outbox:
    """Takes mail for sending, durably and once: it is frozen in Outbox first, and then leaves under the same key.

    Both may be repeated, and change nothing then.
    """

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        attachments: Attachments,
        contacts: Contacts,
        suppressions: Suppressions,
        leaving: Leaving,
        *,
        quota: Quota | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._quota = quota or Quota(store, NO_LIMITS, clock=clock)
        self._blobs = blobs
        self._attachments = attachments
        self._contacts = contacts
        self._leaving = leaving
        self._suppressions = suppressions
        self._clock = clock
        self._threads = Threads(store)

    @tracing.span("send")
    def send(
        self,
        author: Account,
        draft: Draft,
        *,
        html: str = "",
        attachments: tuple[Attachment, ...] = (),
        not_before: float = 0.0,
        name: str = "",
        anyway: bool = False,
    ) -> SentMail:
        """Take a mail for sending; when this returns it is on disk.

        Args:
            author: who sends.
            draft: what was typed; its key makes repeating harmless.
            html: the same text in HTML, or "".
            attachments: files to go along, after those kept with the draft.
            not_before: when it may leave, in seconds since the epoch; until then it can be undone.
            name: the author's name, as others see it beside the address.
            anyway: also to addresses on the author's suppression list.

        Returns:
            The copy in Sent and the submission; the same ones when this very mail was sent before with this key.

        Raises:
            Unsendable: it cannot be sent as it is.
            Suppressed: addresses are on the author's suppression list, and `anyway` was not said.
            AlreadySent: another mail was sent with this key.
        """
        now = self._clock()
        if not_before > now + LATEST:
            raise Unsendable(
                (FieldError("at", "", _("That is too far away: a mail waits for a year at most.")),)
            )
        html, pictures = as_parts(html or draft.html)
        files = (*pictures, *self._attachments.load(author.name, draft.key), *attachments)
        leaves = datetime.fromtimestamp(max(now, not_before), UTC)
        email = email_of(draft, author, date=leaves, html=html, attachments=files, name=name)
        words = (draft.to, draft.cc, draft.bcc, draft.subject, draft.text, email.html or "", draft.reply_to)
        meaning = mark_of(words, files)
        snippet = " ".join(email.text[: 2 * SNIPPET].split())[:SNIPPET]
        to, cc, bcc = ([address.header for address in people] for people in (email.to, email.cc, email.bcc))
        data = shown(to, cc, bcc, email.subject, snippet) | self._threads.facts(author.name, email)
        if not_before > now:
            data |= {"not_before": repr(not_before), "draft": draft.as_json()}
        recipients = tuple(address.email for address in email.recipients)
        if not anyway:
            fields = {address.email: name for name in ("bcc", "cc", "to") for address in getattr(email, name)}
            self._warn(author, draft.key, recipients, fields)
        return self._accept(
            author,
            draft.key,
            meaning,
            compose(email),
            recipients,
            now,
            data,
            lambda: self._contacts.collect(author.name, email.recipients),
        )

    @tracing.span("send")
    def send_raw(
        self,
        author: Account,
        key: str,
        raw: bytes,
        *,
        anyway: bool = False,
        envelope: tuple[Address, ...] = (),
    ) -> SentMail:
        """The same for a finished MIME mail: its recipients are those of the envelope, or else of To, Cc and Bcc, and
        but for the Bcc, which is taken out, it goes out as it is.
        """
        now = self._clock()
        date = datetime.fromtimestamp(now, UTC)
        mail = prepare(raw, author.address, key=key, date=date, envelope=envelope)
        parsed = mail.parsed
        to, cc, bcc = ([person.label for person in people] for people in (parsed.to, parsed.cc, parsed.bcc))
        data = shown(to, cc, mail.hidden if envelope else bcc, parsed.subject, parsed.snippet)
        if parsed.message_id:  # else the librarian looks: the one that was made stands in what goes out
            data |= self._threads.facts(author.name, parsed)
        if envelope and mail.differs:
            data["envelope"] = "1"
        if not anyway:
            self._warn(author, key, mail.recipients, {})
        return self._accept(author, key, mark_of((), (), raw), mail.raw, mail.recipients, now, data)

    def _warn(
        self, author: Account, key: str, recipients: tuple[str, ...], fields: Mapping[str, str]
    ) -> None:
        found = self._suppressions.among(author.name, recipients)
        if not found or self._store.get({"user": author.name, "send": key}, limit=1):
            return  # the latter was sent already, and repeating that is harmless
        by_address = {address.casefold(): name for address, name in fields.items()}
        raise Suppressed(
            tuple(
                FieldError(by_address.get(one.address.casefold(), "to"), one.address, one.warning)
                for one in found
            )
        )

    def _accept(
        self,
        author: Account,
        key: str,
        meaning: str,
        raw: bytes,
        recipients: tuple[str, ...],
        now: float,
        data: dict[str, str],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> SentMail:
        if not self._store.get({"user": author.name, "send": key}, limit=1):
            self._quota.take(author.name, len(raw))
        data = data | {
            "user": author.name,
            "mailbox": MailboxName.OUTBOX.value,
            "send": key,
            "meaning": meaning,
            "blob": self._blobs.put(raw),
            "recipients": "\n".join(recipients),
            "sender_address": author.address,
            "date": repr(now),
            "indexed": "0",
        }
        id, created = self._store.put_if_absent({"user": author.name, "send": key}, data)
        entry = Entry(id, data) if created else self._store.get_by_id(id)
        if entry is not None and "undone" in entry.data:
            raise AlreadySent(_("This mail was called back. It is in Drafts again; send it from there."))
        if entry is None or (not created and entry.data["meaning"] != meaning):
            raise AlreadySent(
                _("This mail was sent before, with other words in it. Write the change as a new mail.")
            )
        submission = self._leaving.finish(entry, raw if created else None, meanwhile)
        return SentMail(entry.id, submission, float(entry.data.get("not_before", "0")))
