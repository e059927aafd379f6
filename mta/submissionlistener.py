"""The submission listener: takes mail by SMTP from our own people, to be sent (RFC 6409, RFC 4954)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mta.smtpserver import AT_ONCE, LATER, Conversation, ServerCertificate, SmtpServer, content_of

log = logging.getLogger(__name__)

T = TypeVar("T")

RECIPIENTS = 1000
"""Recipients of one mail."""
IDLE_SECONDS = 300.0
"""RFC 5321, 4.5.3.2.7."""
TRIES = 5
"""To log in on one connection."""
COMMANDS = {"*": 1000, "RCPT": 20 * RECIPIENTS, "AUTH": TRIES}
"""How often each may be given on one connection."""


class Refused(Exception):
    """Something is refused.

    Attributes:
        reply: one line of SMTP that says so.
    """

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class Office(Protocol):
    """Who knows our people, and takes their mail. Every method may block, and raises `Refused`."""

    def log_in(self, name: str, secret: str, address: str) -> str:
        """The account of a name and what proves it, for a client at this network address."""

    def check_sender(self, account: str, sender: str) -> None:
        """Whether an account may send as this address, now."""

    def check_recipient(self, account: str, recipient: str) -> None:
        """Whether an account may send to this address."""

    def hand_in(self, account: str, recipients: tuple[str, ...], raw: bytes) -> str:
        """Take a mail for sending, durably, and say under which id."""


class SubmissionListener(SmtpServer):
    """Takes mail from who has logged in, by TLS and by nothing else."""

    def __init__(
        self,
        host: str,
        port: int,
        domain: str,
        office: Office,
        certificate: ServerCertificate,
        *,
        largest: int,
    ) -> None:
        """
        Args:
            host: address to listen on.
            port: port to listen on; 0 for any that is free.
            domain: what it calls itself.
            office: knows people, and takes their mail.
            certificate: proves its name.
            largest: bytes in one mail.
        """
        super().__init__(
            host,
            port,
            _Submitting,
            name="submission listener",
            certificate=certificate,
            handler=_Handler(office),
            data_size_limit=largest,
            hostname=domain,
            timeout=IDLE_SECONDS,
            command_call_limit=COMMANDS,
            require_starttls=True,
            auth_required=True,
            authenticator=_claimed,
        )


def _claimed(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, claim: Any
) -> AuthResult:
    """What a client claims, to be proven by `_Submitting` off the loop."""
    return AuthResult(success=True, auth_data=claim)


class _LoggedIn(Session):
    """A session; aiosmtpd warns in the log whenever it sets this itself."""

    login_data: Any = None


class _Submitting(Conversation):
    def _create_session(self) -> Session:
        return _LoggedIn(self.loop)

    async def auth_PLAIN(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        return await self._proven(await super().auth_PLAIN(server, args))

    async def auth_LOGIN(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802
        return await self._proven(await super().auth_LOGIN(server, args))

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        # The names of mechanisms have no case (RFC 4422, 3.1), which aiosmtpd does not know.
        mechanism, blank, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(f"{mechanism.upper()}{blank}{rest}")

    async def _proven(self, result: AuthResult) -> AuthResult:
        if not result.success or self.session is None or result.auth_data is None:
            return AuthResult(success=False, handled=result.handled)
        handler: _Handler = self.event_handler
        return await handler.prove(self.session, result.auth_data)


class _Handler:
    def __init__(self, office: Office) -> None:
        self._office = office
        self._room = asyncio.Semaphore(AT_ONCE)

    async def prove(self, session: Session, claim: LoginPassword) -> AuthResult:
        """Whether a client is who it claims to be; the session knows its account then."""
        name, secret = (part.decode("utf-8", "replace") for part in (claim.login, claim.password))
        peer = session.peer[0] if isinstance(session.peer, tuple) else ""
        try:
            account = await asyncio.to_thread(self._office.log_in, name, secret, str(peer))
        except Refused as refused:
            return AuthResult(success=False, handled=False, message=refused.reply)
        except Exception:
            log.exception("could not look whether a password is right")
            return AuthResult(success=False, handled=False, message="454 4.7.0 Not now, try again later")
        return AuthResult(success=True, auth_data=account)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._asked(self._office.check_sender, session.auth_data, address)
        if answer is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return f"452 4.5.3 One mail goes to at most {RECIPIENTS} recipients, send it to the others as another"
        answer = await self._asked(self._office.check_recipient, session.auth_data, address)
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        taken: list[str] = []
        recipients = tuple(envelope.rcpt_tos)
        async with self._room:
            answer = await self._asked(
                lambda account: taken.append(self._office.hand_in(account, recipients, content_of(envelope))),
                session.auth_data,
            )
        return answer or f"250 2.0.0 Taken for sending as {taken[0]}"

    async def _asked(self, ask: Callable[..., None], *about: Any) -> str | None:
        """What to answer when the office refuses; None when it does not."""
        try:
            await asyncio.to_thread(ask, *about)
        except Refused as refused:
            return refused.reply
        except Exception:
            log.exception("could not take a mail by SMTP")
            return LATER
        return None
