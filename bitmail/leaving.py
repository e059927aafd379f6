"""Leaving: from a mail in Outbox to a submission and a copy in Sent, in steps that survive a crash between them."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from bitmail.attachments import Attachments
from bitmail.catalogue import _
from bitmail.drafts import Draft, Drafts
from bitmail.erasure import erase
from bitmail.errors import NoSuchMail, TooLate
from bitmail.mailboxes import MailboxName
from mta.desk import Desk
from mta.outcomes import Status
from mta.submission import NewSubmission, Submission
from store import ANY, BlobStore, Entry, JsonStore, Match

log = logging.getLogger(__name__)

LONGEST_UNDO = 30.0
"""Seconds in which a mail that a person sent can be called back, at most."""
HELPERS = 8
"""Threads that do beside the author's own what he need not wait for in turn."""


class Leaving:
    """Takes mail from Outbox to the container, and from there to Sent or back to Drafts.

    What is frozen in Outbox is submitted under its key, then moved to Sent, and its draft removed. Each step may be
    repeated: whatever a crash interrupts, `recover` completes.

    A mail that is not to leave at once stays in Outbox, with the draft that it was, until its first attempt; `undo`
    makes it a draft again.
    """

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        drafts: Drafts,
        attachments: Attachments,
        container: Desk,
        *,
        submitting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._drafts = drafts
        self._attachments = attachments
        self._container = container
        self._submitting = submitting
        self._waiting: set[str] = set()
        self._helpers = ThreadPoolExecutor(HELPERS, "leaving")

    def finish(
        self, entry: Entry, raw: bytes | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> Submission:
        """Submit what lies in Outbox, and take it from there.

        Args:
            entry: the mail.
            raw: its content; None to read it.
            meanwhile: what need not be done before; it is done beside it, for the author waits for all.
        """
        user, key, waits = entry.data["user"], entry.data["send"], "not_before" in entry.data
        aside = self._helpers.submit
        doing = [aside(meanwhile)]
        submission = self._submit(entry, raw)
        changes = {"submission": submission.id}
        doing.append(aside(self._drafts.forget, user, key))
        if not waits:
            doing.append(aside(self._attachments.forget, user, key))
            wait(doing)  # a crash leaves in Outbox what is still to be done
            changes |= _MOVED
        self._store.update_by_id(entry.id, changes, expecting={"mailbox": MailboxName.OUTBOX.value})
        for one in doing:
            one.result()
        if waits:
            self._waiting.add(submission.id)
            self._settle(Entry(entry.id, {**entry.data, **changes}))
        self._container.announce(user)
        return submission

    def recover(self) -> int:
        """Finish what a crash left between the steps; how many mails that were. Call it before serving."""
        finished = 0
        for entry in self._store.get({"mailbox": MailboxName.OUTBOX.value}):
            if "submission" not in entry.data:
                log.warning("finishing the sending of mail %d, which was interrupted", entry.id)
                self.finish(entry)
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
        self._store.update_by_id(entry.id, _MOVED, expecting={"mailbox": MailboxName.OUTBOX.value})
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

    def _submit(self, entry: Entry, raw: bytes | None) -> Submission:
        data = entry.data
        raw = self._blobs.get(data["blob"]) if raw is None else raw
        if raw is None:
            raise LookupError(f"the content of mail {entry.id} is not in the store")
        recipients = tuple(data["recipients"].split("\n"))
        self._submitting(data["user"])
        return self._container.submit(
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


_MOVED = {"mailbox": MailboxName.SENT.value, "draft": "", "undoing": ""}
"""What becomes of a mail in Outbox that has left."""
_WAITING: Match = {"mailbox": MailboxName.OUTBOX.value, "submission": ANY, "draft": ANY}


def _key_after_undo(key: str) -> str:
    """The key of the draft that a mail becomes again: its own is spent, and repeating has to give the same."""
    digest = hashlib.sha256(f"undone\0{key}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
