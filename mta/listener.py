"""The listener: takes mail for our own mailboxes by SMTP (RFC 5321), and for nobody else."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from mta.incoming import IncomingMail

log = logging.getLogger(__name__)

LARGEST = 35 * 1024 * 1024
"""Bytes in one mail."""
RECIPIENTS = 100
"""Recipients in one transaction (RFC 5321, 4.5.3.1.8); a client sends the rest in the next."""
CONNECTIONS = 25
"""At once; each may hold a mail in memory."""
AT_ONCE = 4
"""Mails that are taken in at once; each is in memory as a whole."""
IDLE_SECONDS = 60.0
NOT_HERE = "550 5.1.1 There is no such mailbox here"
LATER = "451 4.3.0 Not now, try again later"


class Looping(Exception):
    """A mail goes round in circles."""


class Listener:
    """A server on a port of its own, in a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        domain: str,
        knows: Callable[[str], bool],
        deliver: Callable[[IncomingMail], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            host: address to listen on.
            port: port to listen on; 0 for any that is free.
            domain: what it calls itself.
            knows: whether an address has a mailbox here.
            deliver: files a mail; durable when it returns; raises `Looping`.
            clock: the time in seconds since the epoch.
        """
        self._address = (host, port)
        self._domain = domain
        self._handler = _Handler(knows, deliver, clock)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.BaseTransport] = set()
        self._thread: threading.Thread | None = None
        self.port = port
        """The port it listens on, once it has started."""

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        reserved = socket.create_server(self._address, family=family)
        self.port = reserved.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=[reserved], name="smtp listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, when the mails in hand are filed; one that was not answered for comes again."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self, reserved: socket.socket) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(self._conversation, sock=reserved))
        loop.run_forever()
        server.close()
        for transport in list(self._open):
            transport.abort()  # type: ignore[attr-defined]
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _conversation(self) -> SMTP:
        return _Conversation(
            self._handler,
            self._open,
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname=self._domain,
            ident="BitMail",
            timeout=IDLE_SECONDS,
            command_call_limit={"*": 1000},
            loop=self._loop,
        )


class _Conversation(SMTP):
    """One connection; refused when there are too many."""

    def __init__(self, handler: Any, others: set[asyncio.BaseTransport], **options: Any) -> None:
        super().__init__(handler, **options)
        self._others = others

    def connection_made(self, transport: Any) -> None:
        if len(self._others) >= CONNECTIONS:
            transport.write(b"421 4.7.0 Too many connections, try again later\r\n")
            transport.close()
            return
        self._others.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._others.discard(self.transport)
            super().connection_lost(error)


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

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
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
        raw = envelope.content or b""
        if isinstance(raw, str):
            raw = raw.encode("utf-8", "surrogateescape")
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
