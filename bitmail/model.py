"""The mail model: the one place with the rules of who may do what with which mail."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from bitmail.accounts import Account, Accounts, SignUp
from bitmail.attachments import Attachments
from bitmail.audit import Action, Audit
from bitmail.bounces import Bounces
from bitmail.contacts import Contacts
from bitmail.departure import Departure
from bitmail.documents import Documents
from bitmail.door import Client, Door
from bitmail.drafts import Drafts, new_key
from bitmail.errors import NoSuchMail
from bitmail.leaving import Leaving
from bitmail.librarian import Librarian
from bitmail.mailboxes import Mailboxes
from bitmail.outbox import Outbox
from bitmail.phrases import Phrases
from bitmail.places import Folders
from bitmail.preferences import Preferences, PreferencesKept
from bitmail.quota import NO_LIMITS, Limits, Quota
from bitmail.replies import Answer, edit_as_new, forward, reply
from bitmail.secondfactor import SecondFactor
from bitmail.senders import TrustedSenders
from bitmail.sessions import Session, Sessions
from bitmail.suppressions import Suppressions
from bitmail.tokens import Scope, Tokens
from bitmail.webhooks import EVERY, Webhook, Webhooks
from mta.desk import Desk
from mta.events import Event, EventKind, StatusChange
from mta.incoming import IncomingMail, NoMailbox
from mta.outcomes import Status
from mta.submission import Submission
from store import BlobStore, JsonStore, TextIndex

log = logging.getLogger(__name__)

NOTICES = 50
"""Notices kept for a person who does not look."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An INFORM_USER event as the person sees it.

    Attributes:
        number: greater than that of every notice before it.
        at: seconds since the epoch.
        text: one sentence.
        submission: the mail it is about.
        good: whether it is good news.
    """

    number: int
    at: float
    text: str
    submission: str
    good: bool


class MailModel:
    """Accounts, sessions, mailboxes, drafts and sending, over one store and one container. Every call may block.

    Attributes:
        accounts, sessions, tokens, second_factor, audit, door, departure, preferences, mailboxes, folders, trusted,
            drafts, attachments, contacts, phrases, outbox, suppressions, webhooks, bounces: the parts, each with its
            verbs.
        librarian: what works behind them; to be started and stopped.
    """

    def __init__(
        self,
        store: JsonStore,
        blobs: BlobStore,
        index: TextIndex,
        container: Desk,
        domain: str,
        *,
        secret: bytes,
        sign_up: SignUp = SignUp.FIRST_LOG_IN,
        limits: Limits = NO_LIMITS,
        operators: Collection[str] = (),
        webhooks_to_loopback: bool = False,
    ) -> None:
        """
        Args:
            store, blobs: where everything is kept.
            index: finds it by its words.
            container: sends.
            domain: the part after the @ of every account.
            secret: signs what browsers bring back; the same in every process.
            sign_up: how an account comes to be.
            limits: how much one account may send and keep.
            operators: names of accounts that are made by an invitation in any case.
            webhooks_to_loopback: webhooks may lead to this host itself.
        """
        quota = Quota(store, limits)
        self.accounts = Accounts(store, domain)
        self.sessions = Sessions(store)
        self.tokens = Tokens(store)
        self.second_factor = SecondFactor(store)
        self.audit = Audit(store)
        self.door = Door(
            store, self.accounts, self.sessions, secret=secret, sign_up=sign_up, operators=operators
        )
        self.folders = Folders(store)
        self.mailboxes = Mailboxes(store, blobs, index, self.folders)
        self.documents = Documents(self.mailboxes)
        self.trusted = TrustedSenders(store)
        self.preferences = PreferencesKept(store)
        self.departure = Departure(store, blobs, index, self.accounts, self.audit)
        self.attachments = Attachments(store, blobs)
        self.drafts = Drafts(store, self.attachments, quota=quota)
        self.contacts = Contacts(store)
        self.phrases = Phrases(store)
        self.suppressions = Suppressions(store)
        self.webhooks = Webhooks(store, container.calls, to_loopback=webhooks_to_loopback)
        self.leaving = Leaving(
            store, blobs, self.drafts, self.attachments, container, submitting=self.webhooks.follow
        )
        self.outbox = Outbox(
            store, blobs, self.attachments, self.contacts, self.suppressions, self.leaving, quota=quota
        )
        self.librarian = Librarian(store, blobs, index, chore=self.leaving.settle)
        self._container = container
        self._notices: defaultdict[str, deque[Notice]] = defaultdict(lambda: deque(maxlen=NOTICES))
        self._given: dict[int, int] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._watchers: list[Callable[[str], None]] = []
        self.bounces = Bounces(
            container,
            self.accounts,
            self.mailboxes,
            self.suppressions,
            self.preferences,
            domain,
            container.announce,
        )
        container.watch(self._status_changed)
        container.follow(self._changed)
        container.listen(self._heard)

    def log_in(self, name: str, password: str) -> tuple[Account, str]:
        """Open or make the account and begin a session; return the account and the session's secret.

        Raises:
            LogInRefused: with a sentence for the person.
            CodeNeeded: the account asks for a second factor.
        """
        entered = self.door.enter(name, password, Client())
        return entered.account, entered.secret

    def change_password(self, session: Session, now: str, new: str, client: Client) -> str:
        """Change the password of who is logged in, and end every session of theirs, also this one.

        Args:
            session: theirs.
            now, new: the passwords, as typed.
            client: their browser.

        Returns:
            The secret of a new session for this browser.

        Raises:
            LogInRefused: with a sentence.
        """
        self.door.check_password(session.user, now, client)
        self.accounts.change_password(session.user, new)
        self.audit.record(session.user, Action.PASSWORD_CHANGED, address=client.address)
        return self.begin_anew(session, client)

    def begin_anew(self, session: Session, client: Client) -> str:
        """End every session of this person, and return the secret of a new one for this browser."""
        self.sessions.end_all(session.user)
        secret = self.sessions.open(
            session.user, address=client.address, agent=client.agent, zone=session.zone
        )
        self.changed(session.user)
        return secret

    def end_other_sessions(self, session: Session) -> None:
        """End every session of this person but the one that asks."""
        if self.sessions.end_all(session.user, but=session.id):
            self.audit.record(session.user, Action.SESSION_ENDED, detail="all others")
            self.changed(session.user)

    def turn_second_factor_on(self, session: Session, code: str) -> tuple[str, ...]:
        """Ask for a code at each log-in from now on, and end every other session; return the recovery codes.

        Raises:
            LogInRefused: the code is wrong.
        """
        codes = self.second_factor.confirm(session.user, code)
        self.audit.record(session.user, Action.SECOND_FACTOR_ON)
        self.end_other_sessions(session)
        return codes

    def turn_second_factor_off(self, session: Session, password: str) -> None:
        """Ask for no code any more.

        Raises:
            LogInRefused: this is not their password.
        """
        self.door.check_password(session.user, password, Client())
        self.second_factor.turn_off(session.user)
        self.audit.record(session.user, Action.SECOND_FACTOR_OFF)

    def make_token(self, user: str, name: str, scopes: Iterable[Scope], days: float) -> str:
        """Make an API token, and return its secret.

        Raises:
            Refused: with a sentence.
        """
        secret = self.tokens.make(user, name, scopes, days)
        self.audit.record(user, Action.TOKEN_MADE, detail=name)
        return secret

    def end_token(self, user: str, id: int) -> bool:
        """End an API token of this person; whether there was one."""
        ended = self.tokens.end(user, id)
        if ended:
            self.audit.record(user, Action.TOKEN_ENDED)
        return ended

    def make_webhook(self, user: str, url: str, statuses: Collection[Status] = EVERY) -> tuple[Webhook, str]:
        """Make a webhook, and return it with its secret.

        Raises:
            Unsendable: naming what is wrong.
        """
        made = self.webhooks.make(user, url, statuses)
        self.audit.record(user, Action.WEBHOOK_MADE, detail=str(urlsplit(made[0].url).hostname))
        return made

    def switch_on_webhook(self, user: str, id: int) -> bool:
        """Call a webhook of this person again that was switched off; whether there is one."""
        switched = self.webhooks.switch_on(user, id)
        if switched:
            self.audit.record(user, Action.WEBHOOK_ON)
        return switched

    def end_webhook(self, user: str, id: int) -> bool:
        """Remove a webhook of this person; whether there was one."""
        ended = self.webhooks.end(user, id)
        if ended:
            self.audit.record(user, Action.WEBHOOK_ENDED)
        return ended

    def delete_account(self, session: Session, password: str, client: Client) -> None:
        """Remove everything of who is logged in.

        Raises:
            LogInRefused: this is not their password.
        """
        self.door.check_password(session.user, password, client)
        self.departure.delete(session.user)
        self.changed(session.user)

    def log_out(self, secret: str) -> None:
        """End the session of a secret, in open pages at once."""
        session = self.sessions.find(secret)
        self.sessions.close(secret)
        if session is not None:
            self.audit.record(session.user, Action.LOGGED_OUT)
            self.changed(session.user)

    def set_preference(self, user: str, field: str, value: str) -> Preferences:
        """Change one preference, as `PreferencesKept.set` does; the trail tells which, and not to what."""
        wanted = self.preferences.set(user, field, value)
        self.audit.record(user, Action.SETTING, detail=field)
        return wanted

    def trust_images(self, user: str, sender: str, *, is_trusted: bool) -> None:
        """Show remote images of this sender from now on, or ask again."""
        (self.trusted.trust if is_trusted else self.trusted.forget)(user, sender)
        self.audit.record(user, Action.SETTING, detail="images of one sender")

    def lift(self, user: str, address: str) -> bool:
        """Take an address off the person's list of those that bounced or complained; whether it was there."""
        is_lifted = self.suppressions.lift(user, address)
        if is_lifted:
            self.audit.record(user, Action.SETTING, detail="an address lifted")
        return is_lifted

    def end_session(self, user: str, id: int) -> bool:
        """End one session of this person, in open pages at once; whether there was one."""
        ended = self.sessions.end(user, id)
        if ended:
            self.audit.record(user, Action.SESSION_ENDED)
            self.changed(user)
        return ended

    def lock(self, name: str, *, by: str, is_locked: bool = True) -> None:
        """Close an account to everyone and end its sessions, or open it again.

        Args:
            name: the account.
            by: who does it.
            is_locked: whether to close it.

        Raises:
            LogInRefused: there is no such account.
        """
        self.accounts.lock(name, is_locked=is_locked)
        if is_locked:
            self.sessions.end_all(name)
            self._container.announce(name)
        self.audit.record(name, Action.LOCKED if is_locked else Action.UNLOCKED, detail=by)

    def submission(self, user: str, id: str) -> Submission:
        """A submission of this person, as it is now.

        Raises:
            NoSuchMail: there is none, or it is somebody else's.
        """
        submission = self._container.submission(id)
        if submission is None or submission.owner != user:
            raise NoSuchMail("There is no such submission.")
        return submission

    def submissions(self, user: str, ids: Sequence[str]) -> dict[str, Submission]:
        """Those of the submissions named that are this person's, by id."""
        found = self._container.submissions(ids)
        return {id: submission for id, submission in found.items() if submission.owner == user}

    def retry(self, user: str, submission: str, delivery: str) -> None:
        """Try a recipient of this person's mail again now, where that may help.

        Raises:
            NoSuchMail: there is no such submission, or it is somebody else's.
        """
        self.submission(user, submission)
        self._container.retry(submission, delivery)

    def cancel(self, user: str, submission: str) -> None:
        """Cancel what of this person's mail surely no provider has.

        Raises:
            NoSuchMail: as above.
        """
        self.submission(user, submission)
        self._container.cancel(submission)
        self.leaving.settle(submission)

    def answer(self, user: str, id: int, how: Answer, zone: ZoneInfo, *, only_to: str = "") -> str:
        """Begin a draft that goes on from a mail of this person; return its key.

        Args:
            user: who.
            id: their mail.
            how: a reply, say.
            zone: in which the times of a quotation are told.
            only_to: the only recipient, in the place of those it would go to; "" for those.

        Raises:
            NoSuchMail: there is none, or it is somebody else's.
            Unsendable: its files are larger together than a mail may be; the draft has none of them.
        """
        mail, content = self.mailboxes.mail(user, id), self.mailboxes.content(user, id)
        key, own = new_key(), self.accounts.account(user).address
        match how:
            case Answer.FORWARD:
                beginning = forward(content, key, zone)
            case Answer.EDIT_AS_NEW:
                beginning = edit_as_new(content, key, mail.bcc)
            case _:
                beginning = reply(content, key, own, zone, to_all=how is Answer.REPLY_ALL)
        draft = beginning.draft
        if only_to:
            draft = replace(draft, to=only_to, cc="", bcc="")
        if how is not Answer.EDIT_AS_NEW:
            draft = replace(draft, text=self.phrases.signed(user) + draft.text)
        self.drafts.begin(user, draft)
        self.attachments.keep(user, key, beginning.files)
        return key

    def receive(self, mail: IncomingMail) -> None:
        """File an incoming mail in INBOX; it is durable when this returns, and repeating changes nothing.

        Raises:
            NoMailbox: nobody here has the address that it is for.
        """
        account = self.accounts.at(mail.recipient)
        if account is None:
            raise NoMailbox(mail.recipient)
        if self.mailboxes.file(account.name, mail.id, mail.raw, mail.received_at):
            self.changed(account.name)

    def notices(self, user: str, after: int = 0) -> list[Notice]:
        """The person's latest notices, as far as their numbers are greater than `after`; at most `NOTICES`."""
        with self._lock:
            return [notice for notice in self._notices.get(user, ()) if notice.number > after]

    def pending_notices(self, session: int, user: str) -> list[Notice]:
        """The notices that a session has not been given yet; they count as given then."""
        with self._lock:
            after = self._given.get(session, 0)
        news = self.notices(user, after)
        if news:
            with self._lock:
                self._given[session] = news[-1].number
        return news

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Have `watcher` called with a person's name whenever something of theirs changed, from any thread."""
        self._watchers.append(watcher)

    def changed(self, user: str) -> None:
        """Tell every open page of this person, in whichever process, that something of theirs changed."""
        self._container.announce(user)

    def _status_changed(self, change: StatusChange) -> None:
        self.leaving.heard(change.submission_id, change.status)
        self._changed(change.owner)

    def _heard(self, event: Event) -> None:
        if event.kind is EventKind.INFORM_USER and event.owner:
            good = event.status is not None and event.status.value in ("sent", "delivered")
            with self._lock:
                self._notices[event.owner].append(
                    Notice(next(self._numbers), event.at, event.text, event.submission_id, good)
                )
            self._changed(event.owner)

    def _changed(self, user: str) -> None:
        self.librarian.wake()
        for watcher in self._watchers:
            watcher(user)
