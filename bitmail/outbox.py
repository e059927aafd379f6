"""Sending: from what was typed to a submission and a copy in Sent, in steps that survive a crash between them."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bitmail.accounts import Account
from bitmail.attachments import Attachments, check_total
from bitmail.catalogue import _, decimal
from bitmail.contacts import Contacts
from bitmail.drafts import SNIPPET, Draft, Drafts, storable
from bitmail.erasure import erase
from bitmail.errors import AlreadySent, FieldError, NoSuchMail, Suppressed, TooLate, Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.pictures import as_parts
from bitmail.quota import NO_LIMITS, Quota
from bitmail.rawmail import prepare
from bitmail.retelling import retold
from bitmail.suppressions import Suppressions
from mta.addresses import Address, parse_address, parse_recipients
from mta.desk import Desk
from mta.email import Attachment, Email
from mta.mime import compose
from mta.outcomes import Status
from mta.submission import NewSubmission, Submission
from store import ANY, BlobStore, Entry, JsonStore, Match, tracing

log = logging.getLogger(__name__)

MOST_RECIPIENTS = 10_000
"""People that one mail may go to."""
LONGEST_UNDO = 30.0
"""Seconds in which a mail that a person sent can be called back, at most."""
LATEST = 366 * 86400.0
"""Seconds for which a mail may wait to be sent."""


def email_of(
    draft: Draft,
    author: Account,
    *,
    date: datetime,
    html: str = "",
    attachments: tuple[Attachment, ...] = (),
    name: str = "",
) -> Email:
    """The mail that a draft means.

    Raises:
        Unsendable: with one reason for each part that cannot be sent.
    """
    errors: list[FieldError] = []
    recipients: dict[str, tuple[Address, ...]] = {}
    for field in ("to", "cc", "bcc", "reply_to"):
        parsed = parse_recipients(storable(getattr(draft, field)))
        recipients[field] = parsed.addresses
        errors += [
            FieldError(field, error.value, f"{error.value}: {retold(error.reason)}")
            for error in parsed.errors
        ]
    answers = recipients.pop("reply_to")
    people = sum(len(addresses) for addresses in recipients.values())
    if not people and not errors:
        errors.append(FieldError("to", "", _("Nobody to send to yet. Type at least one address.")))
    if people > MOST_RECIPIENTS:
        errors.append(
            FieldError(
                "to",
                "",
                _(
                    "{count} recipients are more than one mail may have: {most}.",
                    count=decimal(people),
                    most=decimal(MOST_RECIPIENTS),
                ),
            )
        )
    try:
        check_total((file.name, len(file.content)) for file in attachments)
    except Unsendable as refusal:
        errors += refusal.errors
    if errors:
        raise Unsendable(tuple(errors))
    return Email(
        sender=replace(parse_address(author.address), name=name),
        to=recipients["to"],
        cc=recipients["cc"],
        bcc=recipients["bcc"],
        subject=" ".join(storable(draft.subject).split()),
        text=storable(draft.text),
        html=storable(html) or None,
        reply_to=answers,
        attachments=attachments,
        in_reply_to=draft.in_reply_to,
        references=tuple(draft.references.split()),
        date=date,
    )


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
    """Takes mail for sending, durably and once.

    The mail is frozen in Outbox first, then submitted to the container under the same key, then moved to Sent, and its
    draft removed. Each step may be repeated: whatever a crash interrupts, `recover` completes.

    A mail that is not to leave at once stays in Outbox, with the draft that it was, until its first attempt; `undo`
    makes it a draft again.
    """

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        drafts: Drafts,
        attachments: Attachments,
        contacts: Contacts,
        container: Desk,
        suppressions: Suppressions,
        *,
        quota: Quota | None = None,
        submitting: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._quota = quota or Quota(store, NO_LIMITS, clock=clock)
        self._blobs = blobs
        self._drafts = drafts
        self._attachments = attachments
        self._contacts = contacts
        self._container = container
        self._suppressions = suppressions
        self._submitting = submitting
        self._clock = clock
        self._waiting: set[str] = set()

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
        meaning = _digest(words, files)
        snippet = " ".join(email.text[: 2 * SNIPPET].split())[:SNIPPET]
        to, cc, bcc = ([address.header for address in people] for people in (email.to, email.cc, email.bcc))
        data = _shown(to, cc, bcc, email.subject, snippet)
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
        data = _shown(to, cc, mail.hidden if envelope else bcc, parsed.subject, parsed.snippet)
        if envelope and mail.differs:
            data["envelope"] = "1"
        if not anyway:
            self._warn(author, key, mail.recipients, {})
        return self._accept(author, key, _digest((), (), raw), mail.raw, mail.recipients, now, data)

    def recover(self) -> int:
        """Finish what a crash left between the steps; how many mails that were. Call it before serving."""
        finished = 0
        for entry in self._store.get({"mailbox": MailboxName.OUTBOX.value}):
            if "submission" not in entry.data:
                log.warning("finishing the sending of mail %d, which was interrupted", entry.id)
                self._finish(entry)
            elif entry.data.get("undoing") == "1":
                log.warning("finishing to call mail %d back, which was interrupted", entry.id)
                self._call_back(entry)
            else:
                self._settle(entry)
                continue
            finished += 1
        return finished

    def undo(self, user: str, id: int) -> str:
        """Call a mail in Outbox back and make it a draft again; repeating changes nothing.

        Returns:
            The key of the draft.

        Raises:
            NoSuchMail: there is none in this person's Outbox.
            TooLate: it is on its way, to all recipients or to some.
        """
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("user") != user:
            raise NoSuchMail(_("There is no such mail. Go back to the list."))
        if not self._store.update_by_id(id, {"undoing": "1"}, expecting=_WAITING):
            raise TooLate(_("It is too late to undo: the mail is on its way."))
        return self._call_back(entry)

    def heard(self, submission: str, status: Status) -> None:
        """A delivery has another status: a mail that waited moves from Outbox to Sent with its first attempt."""
        if submission in self._waiting and status not in (Status.QUEUED, Status.CANCELLED):
            for entry in self._store.get({"submission": submission, "mailbox": MailboxName.OUTBOX.value}):
                self._release(entry)

    def settle(self, submission: str = "") -> None:
        """Move mails that waited to Sent, as far as they wait no more, whichever process sent or cancelled them.

        Args:
            submission: of one mail, or "" for all.
        """
        matching = {"mailbox": MailboxName.OUTBOX.value} | ({"submission": submission} if submission else {})
        for entry in self._store.get(matching):
            if "submission" in entry.data and entry.data.get("undoing") != "1":
                self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Move a mail that waited to Sent if any delivery has begun, else go on waiting for that."""
        submission = self._container.submission(entry.data["submission"])
        if submission is None or all(one.status is Status.QUEUED for one in submission.deliveries):
            self._waiting.add(entry.data["submission"])
        else:
            self._release(entry)

    def _release(self, entry: Entry) -> None:
        moved = {"mailbox": MailboxName.SENT.value, "draft": "", "undoing": ""}
        self._store.update_by_id(entry.id, moved, expecting={"mailbox": MailboxName.OUTBOX.value})
        self._waiting.discard(entry.data.get("submission", ""))
        self._drafts.forget(entry.data["user"], entry.data["send"])
        self._attachments.forget(entry.data["user"], entry.data["send"])

    def _call_back(self, entry: Entry) -> str:
        data = entry.data
        submission = self._container.cancel(data["submission"])
        deliveries = submission.deliveries if submission else ()
        gone = sum(one.status is not Status.CANCELLED for one in deliveries)
        if gone:
            self._release(entry)
            raise TooLate(
                _("It is too late to undo: the mail is on its way.")
                if gone == len(deliveries)
                else _(
                    "It was too late for {late} of {all} recipients. The others do not get it.",
                    late=gone,
                    all=len(deliveries),
                )
            )
        draft = Draft.from_json(_key_after_undo(data["send"]), data["draft"])
        self._drafts.save(data["user"], draft)
        self._drafts.touch(data["user"], draft.key)
        self._attachments.move(data["user"], data["send"], draft.key)
        spent = {"user": data["user"], "send": data["send"], "undone": draft.key}
        self._store.put_if_absent(spent, spent)
        self._waiting.discard(data["submission"])
        erase(self._store, self._blobs, entry)
        return draft.key

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
        if entry is not None and "undone" in entry.data:
            raise AlreadySent(_("This mail was called back. It is in Drafts again; send it from there."))
        if entry is None or (not created and entry.data["meaning"] != meaning):
            raise AlreadySent(
                _("This mail was sent before, with other words in it. Write the change as a new mail.")
            )
        return SentMail(entry.id, self._finish(entry, meanwhile), float(entry.data.get("not_before", "0")))

    def _finish(self, entry: Entry, meanwhile: Callable[[], None] = lambda: None) -> Submission:
        """Submit what lies in Outbox. What need not wait is done beside it, for the author waits for all."""
        with ThreadPoolExecutor(2) as aside:
            doing = [aside.submit(meanwhile)]
            submission, changes = self._submit(entry)
            doing.append(aside.submit(self._drafts.forget, entry.data["user"], entry.data["send"]))
            self._store.update_by_id(entry.id, changes, expecting={"mailbox": MailboxName.OUTBOX.value})
            for one in doing:
                one.result()
        if "not_before" not in entry.data:
            self._release(entry)
        else:
            self._waiting.add(submission.id)
            self._settle(Entry(entry.id, {**entry.data, **changes}))
        self._container.announce(entry.data["user"])
        return submission

    def _submit(self, entry: Entry) -> tuple[Submission, dict[str, str]]:
        data = entry.data
        raw = self._blobs.get(data["blob"])
        if raw is None:
            raise LookupError(f"the content of mail {entry.id} is not in the store")
        recipients = tuple(data["recipients"].split("\n"))
        self._submitting(data["user"])
        submission = self._container.submit(
            NewSubmission(
                key=data["send"],
                owner=data["user"],
                sender=data["sender_address"],
                recipients=recipients,
                subject=data["subject"],
                raw=raw,
                needs_envelope=len(recipients) > 1 or "envelope" in data,
                not_before=float(data.get("not_before", "0")),
                fingerprint=data["meaning"],
            )
        )
        return submission, {"submission": submission.id}


_WAITING: Match = {"mailbox": MailboxName.OUTBOX.value, "submission": ANY, "draft": ANY}


def _key_after_undo(key: str) -> str:
    """The key of the draft that a mail becomes again: its own is spent, and repeating has to give the same."""
    digest = hashlib.sha256(f"undone\0{key}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


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
