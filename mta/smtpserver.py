"""An SMTP server (RFC 5321): a port, a thread and a loop of its own, for whoever answers the commands."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

log = logging.getLogger(__name__)

CONNECTIONS = 25
"""At once; each may hold a mail in memory."""
AT_ONCE = 4
"""Mails that are taken in at once; each is in memory as a whole."""
LATER = "451 4.3.0 Not now, try again later"
LONGEST_REPLY = 400


class ServerCertificate:
    """A certificate by which a server proves its name; a renewed one counts from the next connection on."""

    def __init__(self, certificate: Path, key: Path | None = None) -> None:
        """
        Args:
            certificate: file with it and those between it and its authority, in PEM.
            key: file with its private key, where that is not in the same one.

        Raises:
            OSError, ssl.SSLError: they cannot be used.
        """
        self._certificate, self._key = certificate, key
        self._read = self._stamps()
        self._context = self._loaded()

    def context(self) -> ssl.SSLContext:
        """What to speak TLS by, as the files are now; as they were before, where they cannot be used."""
        try:
            stamps = self._stamps()
            if stamps != self._read:
                self._read, self._context = stamps, self._loaded()
        except OSError as error:  # ssl.SSLError among them
            log.warning("the certificate for SMTP cannot be read anew, and the old one goes on: %s", error)
        return self._context

    def _stamps(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in (self._certificate, self._key) if file)

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate, self._key)
        return context


class SmtpServer:
    """Listens, and gives each connection a conversation."""

    def __init__(
        self,
        host: str,
        port: int,
        make: Callable[..., Conversation],
        *,
        name: str,
        certificate: ServerCertificate | None = None,
        **options: Any,
    ) -> None:
        """
        Args:
            host: address to listen on.
            port: port to listen on; 0 for any that is free.
            make: makes a conversation, of the set of all others and the options.
            name: of the thread.
            certificate: proves its name; None for no TLS.
            options: of each conversation.
        """
        self._address = (host, port)
        self._make = make
        self._certificate = certificate
        self._options = {"enable_SMTPUTF8": True, "ident": "BitMail", **options}
        self._loop = asyncio.new_event_loop()
        self._open: set[Conversation] = set()
        self._name = name
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
        self._thread = threading.Thread(target=self._run, args=[reserved], name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, when the mails in hand are taken in; one that was not answered for comes again."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        elif not self._loop.is_closed():
            self._loop.close()

    def _run(self, reserved: socket.socket) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(self._conversation, sock=reserved))
        loop.run_forever()
        server.close()
        for conversation in list(self._open):
            conversation.abort()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _conversation(self) -> Conversation:
        tls = self._certificate.context() if self._certificate else None
        return self._make(self._open, tls_context=tls, loop=self._loop, **self._options)


class Conversation(SMTP):
    """One connection; refused when there are too many."""

    def __init__(self, others: set[Conversation], **options: Any) -> None:
        super().__init__(**options)
        self._others = others

    def abort(self) -> None:
        """End it at once."""
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                transport.abort()  # type: ignore[attr-defined]

    def connection_made(self, transport: Any) -> None:
        """It is there, or there again, by TLS."""
        if self not in self._others:
            if len(self._others) >= CONNECTIONS:
                transport.write(b"421 4.7.0 Too many connections, try again later\r\n")
                transport.close()
                return
            self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone; told twice where TLS did not come about."""
        if self in self._others:
            self._others.discard(self)
            super().connection_lost(error)

    async def handle_exception(self, error: Exception) -> str:
        """What to say when something went wrong here: nothing of what it was."""
        if isinstance(error, TLSSetupException):
            log.info("a client and we could not agree on TLS: %s", error.__cause__)
        else:
            log.error("a conversation by SMTP went wrong", exc_info=error)
        return LATER


def content_of(envelope: Any) -> bytes:
    """The mail that came, byte by byte."""
    raw = envelope.content or b""
    return raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")


def reply(code: str, words: str) -> str:
    """One line of an answer, in ASCII whatever the words are.

    >>> reply("550 5.7.1", "“x”\\nno")
    '550 5.7.1 "x" no'
    """
    plain = words.translate({0x201C: '"', 0x201D: '"', 0x2019: "'", 0x2026: "..."})
    line = " ".join(plain.encode("ascii", "replace").decode("ascii").split())
    return f"{code} {line}"[:LONGEST_REPLY]
