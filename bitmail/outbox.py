"""Sending: from what was typed to a submission and a copy in Sent, in steps that survive a crash between them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bitmail.accounts import Account
from bitmail.drafts import SNIPPET, Draft, Drafts, storable
from bitmail.errors import AlreadySent, FieldError, Suppressed, Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.rawmail import prepare
from bitmail.suppressions import Suppressions
from mta.addresses import Address, parse_address, parse_recipients
from mta.desk import Desk
from mta.email import Attachment, Email
from mta.mime import compose
from mta.submission import NewSubmission, Submission
from store import BlobStore, Entry, JsonStore

log = logging.getLogger(__name__)

MOST_RECIPIENTS = 10_000
"""People that one mail may go to."""


def email_of(
    draft: Draft, author: Account, *, date: datetime, html: str = "", attachments: tuple[Attachment, ...] = ()
) -> Email:
    """The mail that a draft means.

    Raises:
        Unsendable: with one reason for each part that cannot be sent.
    """
    errors: list[FieldError] = []
    recipients: dict[str, tuple[Address, ...]] = {}
    for field in ("to", "cc", "bcc"):
        parsed = parse_recipients(storable(getattr(draft, field)))
        recipients[field] = parsed.addresses
        errors += [FieldError(field, error.value, str(error)) for error in parsed.errors]
    people = sum(len(addresses) for addresses in recipients.values())
    if not people and not errors:
        errors.append(FieldError("to", "", "Nobody to send to yet. Type at least one address."))
    if people > MOST_RECIPIENTS:
        errors.append(
            FieldError(
                "to", "", f"{people:,} recipients are more than one mail may have: {MOST_RECIPIENTS:,}."
            )
        )
    if errors:
        raise Unsendable(tuple(errors))
    return Email(
        sender=parse_address(author.address),
        to=recipients["to"],
        cc=recipients["cc"],
        bcc=recipients["bcc"],
        subject=" ".join(storable(draft.subject).split()),
        text=storable(draft.text),
        html=storable(html) or None,
        attachments=attachments,
        date=date,
    )


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that was taken for sending.

    Attributes:
        id: of the copy in Sent.
        submission: what the container took.
    """

    id: int
    submission: Submission


class Outbox:
    """Takes mail for sending, durably and once.

    The mail is frozen in Outbox first, then submitted to the container under the same key, then moved to Sent, and its
    draft removed. Each step may be repeated: whatever a crash interrupts, `recover` completes.
    """

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        drafts: Drafts,
        container: Desk,
        suppressions: Suppressions,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._drafts = drafts
        self._container = container
        self._suppressions = suppressions
        self._clock = clock

    def send(
        self,
        author: Account,
        draft: Draft,
        *,
        html: str = "",
        attachments: tuple[Attachment, ...] = (),
        anyway: bool = False,
    ) -> SentMail:
        """Take a mail for sending; when this returns it is on disk.

        Args:
            author: who sends.
            draft: what was typed; its key makes repeating harmless.
            html: the same text in HTML, or "".
            attachments: files to go along.
            anyway: also to addresses on the author's suppression list.

        Returns:
            The copy in Sent and the submission; the same ones when this very mail was sent before with this key.

        Raises:
            Unsendable: it cannot be sent as it is.
            Suppressed: addresses are on the author's suppression list, and `anyway` was not said.
            AlreadySent: another mail was sent with this key.
        """
        now = self._clock()
        email = email_of(
            draft, author, date=datetime.fromtimestamp(now, UTC), html=html, attachments=attachments
        )
        meaning = _digest((draft.to, draft.cc, draft.bcc, draft.subject, draft.text, html), attachments)
        snippet = " ".join(email.text[: 2 * SNIPPET].split())[:SNIPPET]
        to, cc, bcc = ([address.header for address in people] for people in (email.to, email.cc, email.bcc))
        data = _shown(to, cc, bcc, email.subject, snippet)
        recipients = tuple(address.email for address in email.recipients)
        if not anyway:
            fields = {address.email: name for name in ("bcc", "cc", "to") for address in getattr(email, name)}
            self._warn(author, draft.key, recipients, fields)
        return self._accept(author, draft.key, meaning, compose(email), recipients, now, data)

    def send_raw(self, author: Account, key: str, raw: bytes, *, anyway: bool = False) -> SentMail:
        """The same for a finished MIME mail: its recipients are those of To, Cc and Bcc, and but for the Bcc, which is
        taken out, it goes out as it is.
        """
        now = self._clock()
        mail = prepare(raw, author.address, key=key, date=datetime.fromtimestamp(now, UTC))
        parsed = mail.parsed
        to, cc, bcc = ([person.label for person in people] for people in (parsed.to, parsed.cc, parsed.bcc))
        data = _shown(to, cc, bcc, parsed.subject, parsed.snippet)
        if not anyway:
            self._warn(author, key, mail.recipients, {})
        return self._accept(author, key, _digest((), (), raw), mail.raw, mail.recipients, now, data)

    def recover(self) -> int:
        """Finish what a crash left between the steps; how many mails that were. Call it before serving."""
        left = self._store.get({"mailbox": MailboxName.OUTBOX.value})
        for entry in left:
            log.warning("finishing the sending of mail %d, which was interrupted", entry.id)
            self._finish(entry)
        return len(left)

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
    ) -> SentMail:
        id, created = self._store.put_if_absent(
            {"user": author.name, "send": key},
            data
            | {
                "user": author.name,
                "mailbox": MailboxName.OUTBOX.value,
                "send": key,
                "meaning": meaning,
                "blob": self._blobs.put(raw),
                "recipients": "\n".join(recipients),
                "sender_address": author.address,
                "date": repr(now),
                "indexed": "0",
            },
        )
        entry = self._store.get_by_id(id)
        if entry is None or (not created and entry.data["meaning"] != meaning):
            raise AlreadySent(
                "This mail was sent before, with other words in it. Write the change as a new mail."
            )
        return SentMail(entry.id, self._finish(entry))

    def _finish(self, entry: Entry) -> Submission:
        data = entry.data
        raw = self._blobs.get(data["blob"])
        if raw is None:
            raise LookupError(f"the content of mail {entry.id} is not in the store")
        recipients = tuple(data["recipients"].split("\n"))
        submission = self._container.submit(
            NewSubmission(
                key=data["send"],
                owner=data["user"],
                sender=data["sender_address"],
                recipients=recipients,
                subject=data["subject"],
                raw=raw,
                needs_envelope=len(recipients) > 1,
                fingerprint=data["meaning"],
            )
        )
        self._store.update_by_id(
            entry.id,
            {"mailbox": MailboxName.SENT.value, "submission": submission.id},
            expecting={"mailbox": MailboxName.OUTBOX.value},
        )
        self._drafts.discard(data["user"], data["send"])
        self._container.announce(data["user"])
        return submission


def _shown(
    to: Iterable[str], cc: Iterable[str], bcc: Iterable[str], subject: str, snippet: str
) -> dict[str, str]:
    """What the lists show of a mail."""
    return {
        "to": ", ".join(to),
        "cc": ", ".join(cc),
        "bcc": ", ".join(bcc),
        "subject": subject,
        "snippet": snippet,
    }


def _digest(words: Iterable[str], attachments: Iterable[Attachment], raw: bytes = b"") -> str:
    """The same for the same mail, whenever it is composed."""
    digest = hashlib.sha256()
    parts = [word.encode("utf-8", "surrogatepass") for word in words]
    for file in attachments:
        parts += [file.name.encode("utf-8", "surrogatepass"), file.type.encode(), file.content]
    for part in (*parts, raw):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
