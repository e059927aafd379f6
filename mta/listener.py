"""The listener: takes mail for our own mailboxes by SMTP, and for nobody else."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from aiosmtpd.smtp import SMTP, Envelope, Session

from mta.incoming import IncomingMail
from mta.smtpserver import AT_ONCE, LATER, Conversation, ServerCertificate, SmtpServer, content_of

log = logging.getLogger(__name__)

LARGEST = 35 * 1024 * 1024
"""Bytes in one mail."""
RECIPIENTS = 100
"""Recipients in one transaction (RFC 5321, 4.5.3.1.8); a client sends the rest in the next."""
IDLE_SECONDS = 60.0
NOT_HERE = "550 5.1.1 There is no such mailbox here"


class Looping(Exception):
    """A mail goes round in circles."""


class Listener(SmtpServer):
    """Takes mail from anybody."""

    def __init__(
        self,
        host: str,
        port: int,
        domain: str,
        knows: Callable[[str], bool],
        deliver: Callable[[IncomingMail], None],
        *,
        certificate: ServerCertificate | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            host: address to listen on.
            port: port to listen on; 0 for any that is free.
            domain: what it calls itself.
            knows: whether an address has a mailbox here.
            deliver: files a mail; durable when it returns; raises `Looping`.
            certificate: by which STARTTLS is offered; None for no TLS.
            clock: the time in seconds since the epoch.
        """
        super().__init__(
            host,
            port,
            Conversation,
            name="smtp listener",
            certificate=certificate,
            handler=_Handler(knows, deliver, clock),
            data_size_limit=LARGEST,
            hostname=domain,
            timeout=IDLE_SECONDS,
            command_call_limit={"*": 1000},
            auth_exclude_mechanism=("PLAIN", "LOGIN"),
        )


class _Handler:
    def __init__(
        self,
        knows: Callable[[str], bool],
        deliver: Callable[[IncomingMail], None],
        clock: Callable[[], float],
    ) -> None:
        self._knows = knows
        self._deliver = deliver
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        # Nobody logs in here, but aiosmtpd says after STARTTLS that one may.
        session.host_name = hostname
        return [line for line in lines if not line.startswith("250-AUTH")]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients, send the others in a transaction of their own"
        try:
            known = await asyncio.to_thread(self._knows, address)
        except Exception:
            log.exception("could not look for a mailbox")
            return LATER
        if not known:
            return NOT_HERE
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = content_of(envelope)
        # Its own each time: a client that sends the same words twice means two mails.
        id, at = f"smtp-{secrets.token_hex(16)}", self._clock()
        sender = envelope.mail_from or ""
        async with self._room:
            try:
                for recipient in dict.fromkeys(envelope.rcpt_tos):
                    mail = IncomingMail(f"{id}-{recipient}", sender, recipient, raw, at)
                    await asyncio.to_thread(self._deliver, mail)
            except Looping:
                return "554 5.4.6 This mail goes round in circles"
            except Exception:
                log.exception("could not file a mail that came by SMTP")
                return LATER
        return "250 2.6.0 Filed"
