"""Operations: what an operator may see and do. Each call asks who calls, and writes down what was done."""

from __future__ import annotations

from collections.abc import Callable, Collection

from bitmail.audit import Action, Audit
from bitmail.controlroom import ControlRoom, Happened, Overview
from bitmail.errors import Refused
from bitmail.invitations import Invitations
from bitmail.model import MailModel
from bitmail.presence import Presence, WebServer
from mta.desk import Desk
from mta.errors import CannotSteer
from mta.events import EventKind
from mta.inquiry import By
from mta.outcomes import Answer
from mta.spool import RETRIABLE
from mta.submission import Submission

LONGEST_WORDS = 1000


class NotForYou(Refused):
    """Only operators may do this."""

    def __init__(self) -> None:
        super().__init__("This page is for the operators of this server.")


class Operations:
    """Over one service; every call may block.

    Attributes:
        room: hears what happens.
    """

    def __init__(
        self,
        operators: Collection[str],
        model: MailModel,
        desk: Desk,
        presence: Presence,
        invitations: Invitations,
        audit: Audit,
        *,
        check: Callable[[str], Answer] | None = None,
    ) -> None:
        """
        Args:
            operators: names of accounts.
            model: the mail model.
            desk: of the spool.
            presence: knows the web servers.
            invitations: every invitation.
            audit: where it is written down who did what.
            check: asks a provider of this process whether its credentials are good; None where there is none here.
        """
        self._ask = check
        self.operators = tuple(dict.fromkeys(operators))
        self.room = ControlRoom(desk)
        self._model = model
        self._desk = desk
        self._presence = presence
        self._invitations = invitations
        self._audit = audit

    def is_operator(self, user: str) -> bool:
        """Whether this account is an operator's."""
        return user in self.operators

    def overview(self, by: str) -> Overview:
        """How everything is.

        Raises:
            NotForYou: `by` is no operator; so does every other call.
        """
        self._check(by)
        return self.room.overview()

    def servers(self, by: str) -> list[WebServer]:
        """The web servers that are there."""
        self._check(by)
        return self._presence.all()

    def events(
        self, by: str, kinds: Collection[EventKind] = (), provider: str = "", words: str = ""
    ) -> list[Happened]:
        """What happened lately, newest first; as `ControlRoom.events`."""
        self._check(by)
        return self.room.events(kinds, provider, words[:LONGEST_WORDS])

    def find(self, by: str, words: str, kind: By) -> list[Submission]:
        """Mails of anybody, by what is known of them; that somebody looked is written down."""
        self._check(by)
        found = self._desk.inquiry.find(words[:LONGEST_WORDS], kind)
        self._note(by, f"looked for mail by {kind}")
        return found

    def submission(self, by: str, id: str) -> Submission | None:
        """The whole life of a mail of anybody."""
        self._check(by)
        return self._desk.submission(id)

    def answers(self, by: str, id: str) -> dict[tuple[str, int], str]:
        """What providers answered to the attempts of a mail, as `Inquiry.answers`."""
        self._check(by)
        return self._desk.inquiry.answers(id)

    def order(self, by: str, provider: str, *, is_out: bool) -> str:
        """Take a provider out of service in every container, or put it back."""
        self._check(by)
        if provider not in {one.name for one in self._desk.health()}:
            raise Refused(f"There is no provider {provider[:100]}.")
        self._desk.order(provider, is_out=is_out)
        return self._note(
            by, f"took {provider} out of service" if is_out else f"put {provider} back into service"
        )

    def schedule(self, by: str, scheduler: str) -> str:
        """Have every container pick providers by another scheduler, or by the configured one."""
        self._check(by)
        return self._steer(
            by, lambda: self._desk.choose_scheduler(scheduler, by), f"set the scheduler to {scheduler}"
        )

    def weigh(self, by: str, provider: str, weight: str) -> str:
        """Give a provider another weight in every container, or the configured one."""
        self._check(by)
        did = f"set the weight of {provider} to {weight}"
        return self._steer(by, lambda: self._desk.weigh(provider, weight, by), did)

    def check(self, by: str, provider: str) -> str:
        """Ask a provider whether its credentials are good; with bad ones it leaves service at once."""
        self._check(by)
        if self._ask is None:
            raise Refused("The providers are in python -m mta, which checks them when it starts.")
        try:
            answer = self._ask(provider)
        except KeyError:
            raise Refused(f"There is no provider {provider[:100]}.") from None
        return self._note(by, f"checked {provider}: {answer.detail}")

    def retry(self, by: str, id: str) -> str:
        """Try again what waits, failed, bounced or is uncertain of a mail."""
        self._check(by)
        submission = self._known(id)
        those = [one for one in submission.deliveries if one.status in RETRIABLE]
        for one in those:
            self._desk.retry(submission.id, one.id)
        return self._note(by, f"tried {_count(len(those))} of {submission.id} again")

    def cancel(self, by: str, id: str) -> str:
        """Cancel what surely no provider has of a mail."""
        self._check(by)
        submission = self._known(id)
        before = {one.id: one.status for one in submission.deliveries}
        after = self._desk.cancel(submission.id)
        changed = sum(before[one.id] is not one.status for one in after.deliveries) if after else 0
        return self._note(by, f"cancelled {_count(changed)} of {submission.id}")

    def lift(self, by: str, name: str, address: str) -> str:
        """Take an address off an account's list of those that had better not be written to."""
        self._check(by)
        account = self._account(name)
        if not self._model.suppressions.lift(account, address.strip()):
            raise Refused(f"{address.strip()[:100]} is not on the list of {account}.")
        return self._note(by, f"lifted a suppression of {account}")

    def lock(self, by: str, name: str, *, is_locked: bool) -> str:
        """Close an account to everyone, or open it again."""
        self._check(by)
        account = self._account(name)
        if is_locked and account == by:
            raise Refused("You cannot lock yourself out.")
        self._model.lock(account, by=by, is_locked=is_locked)
        return self._note(by, f"locked {account}" if is_locked else f"unlocked {account}")

    def end_sessions(self, by: str, name: str) -> str:
        """Log an account out everywhere."""
        self._check(by)
        account = self._account(name)
        ended = self._model.sessions.end_all(account)
        self._audit.record(account, Action.SESSION_ENDED, detail=f"by {by}")
        self._desk.announce(account)
        return self._note(by, f"ended {ended} sessions of {account}")

    def invite(self, by: str) -> str:
        """Make an invitation, and return its code."""
        self._check(by)
        code = self._invitations.make()
        self._audit.record(by, Action.INVITED)
        return code

    def _check(self, by: str) -> None:
        if not self.is_operator(by):
            raise NotForYou

    def _steer(self, by: str, act: Callable[[], None], what: str) -> str:
        try:
            act()
        except CannotSteer as refusal:
            raise Refused(str(refusal)) from None
        return self._note(by, what)

    def _known(self, id: str) -> Submission:
        submission = self._desk.submission(id[:100])
        if submission is None:
            raise Refused("There is no such mail in the spool.")
        return submission

    def _account(self, name: str) -> str:
        account = self._model.accounts.canonical(name[:320])
        if not self._model.accounts.exists(account):
            raise Refused(f"There is no account “{account}” here.")
        return account

    def _note(self, by: str, what: str) -> str:
        self._audit.record(by, Action.OPERATED, detail=what)
        return f"{by} {what}."


def _count(deliveries: int) -> str:
    return "1 delivery" if deliveries == 1 else f"{deliveries} deliveries"
