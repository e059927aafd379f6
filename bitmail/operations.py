"""Operations: what an operator may see and do. Each call asks who calls, and writes down what was done."""

from __future__ import annotations

from collections.abc import Callable, Collection

from bitmail.audit import Action, Audit
from bitmail.catalogue import N_, Language, _, ngettext, speaking
from bitmail.controlroom import ControlRoom, Happened, Overview
from bitmail.errors import Refused
from bitmail.invitations import Invitations
from bitmail.model import MailModel
from bitmail.presence import Presence, WebServer
from bitmail.retelling import retold
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
        super().__init__(_("This page is for the operators of this server."))


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
        self._audit.record(by, Action.OPERATED, detail=f"{by} looked for mail by {kind}.")
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
            raise _no_such(provider)
        self._desk.order(provider, is_out=is_out)
        out, back = N_("{by} took {provider} out of service."), N_("{by} put {provider} back into service.")
        return self._note(by, lambda: _(out if is_out else back, by=by, provider=provider))

    def schedule(self, by: str, scheduler: str) -> str:
        """Have every container pick providers by another scheduler, or by the configured one."""
        self._check(by)
        self._steer(lambda: self._desk.choose_scheduler(scheduler, by))
        return self._note(by, lambda: _("{by} set the scheduler to {scheduler}.", by=by, scheduler=scheduler))

    def weigh(self, by: str, provider: str, weight: str) -> str:
        """Give a provider another weight in every container, or the configured one."""
        self._check(by)
        self._steer(lambda: self._desk.weigh(provider, weight, by))
        words = {"by": by, "provider": provider, "weight": weight}
        return self._note(by, lambda: _("{by} set the weight of {provider} to {weight}.", **words))

    def check(self, by: str, provider: str) -> str:
        """Ask a provider whether its credentials are good; with bad ones it leaves service at once."""
        self._check(by)
        if self._ask is None:
            raise Refused(_("The providers are in python -m mta, which checks them when it starts."))
        try:
            answer = self._ask(provider)
        except KeyError:
            raise _no_such(provider) from None
        words = {"by": by, "provider": provider, "answer": answer.detail}
        return self._note(by, lambda: _("{by} checked {provider}: {answer}", **words))

    def retry(self, by: str, id: str) -> str:
        """Try again what waits, failed, bounced or is uncertain of a mail."""
        self._check(by)
        submission = self._known(id)
        those = [one for one in submission.deliveries if one.status in RETRIABLE]
        for one in those:
            self._desk.retry(submission.id, one.id)
        return self._note(
            by,
            lambda: ngettext(
                "{by} tried {count} delivery of {mail} again.",
                "{by} tried {count} deliveries of {mail} again.",
                len(those),
                by=by,
                mail=submission.id,
            ),
        )

    def cancel(self, by: str, id: str) -> str:
        """Cancel what surely no provider has of a mail."""
        self._check(by)
        submission = self._known(id)
        before = {one.id: one.status for one in submission.deliveries}
        after = self._desk.cancel(submission.id)
        changed = sum(before[one.id] is not one.status for one in after.deliveries) if after else 0
        return self._note(
            by,
            lambda: ngettext(
                "{by} cancelled {count} delivery of {mail}.",
                "{by} cancelled {count} deliveries of {mail}.",
                changed,
                by=by,
                mail=submission.id,
            ),
        )

    def lift(self, by: str, name: str, address: str) -> str:
        """Take an address off an account's list of those that had better not be written to."""
        self._check(by)
        account = self._account(name)
        if not self._model.suppressions.lift(account, address.strip()):
            raise Refused(
                _(
                    "{address} is not on the list of {account}.",
                    address=address.strip()[:100],
                    account=account,
                )
            )
        return self._note(by, lambda: _("{by} lifted a suppression of {account}.", by=by, account=account))

    def lock(self, by: str, name: str, *, is_locked: bool) -> str:
        """Close an account to everyone, or open it again."""
        self._check(by)
        account = self._account(name)
        if is_locked and account == by:
            raise Refused(_("You cannot lock yourself out."))
        self._model.lock(account, by=by, is_locked=is_locked)
        locked, unlocked = N_("{by} locked {account}."), N_("{by} unlocked {account}.")
        return self._note(by, lambda: _(locked if is_locked else unlocked, by=by, account=account))

    def end_sessions(self, by: str, name: str) -> str:
        """Log an account out everywhere."""
        self._check(by)
        account = self._account(name)
        ended = self._model.sessions.end_all(account)
        self._audit.record(account, Action.SESSION_ENDED, detail=f"by {by}")
        self._desk.announce(account)
        return self._note(
            by,
            lambda: ngettext(
                "{by} ended {count} session of {account}.",
                "{by} ended {count} sessions of {account}.",
                ended,
                by=by,
                account=account,
            ),
        )

    def invite(self, by: str) -> str:
        """Make an invitation, and return its code."""
        self._check(by)
        code = self._invitations.make()
        self._audit.record(by, Action.INVITED)
        return code

    def _check(self, by: str) -> None:
        if not self.is_operator(by):
            raise NotForYou

    def _steer(self, act: Callable[[], None]) -> None:
        try:
            act()
        except CannotSteer as refusal:
            raise Refused(retold(str(refusal))) from None

    def _known(self, id: str) -> Submission:
        submission = self._desk.submission(id[:100])
        if submission is None:
            raise Refused(_("There is no such mail in the spool."))
        return submission

    def _account(self, name: str) -> str:
        account = self._model.accounts.canonical(name[:320])
        if not self._model.accounts.exists(account):
            raise Refused(_("There is no account “{name}” here.", name=account))
        return account

    def _note(self, by: str, say: Callable[[], str]) -> str:
        """Write down in English what was done, and say it in the language that counts."""
        with speaking(Language.ENGLISH):
            self._audit.record(by, Action.OPERATED, detail=say())
        return say()


def _no_such(provider: str) -> Refused:
    return Refused(_("There is no provider {provider}.", provider=provider[:100]))
