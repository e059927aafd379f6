"""One connection to an SMTP relay: commands, replies, TLS and log-in, all within one deadline.

The standard library's client turns a time-out, a reset and a closed connection into one error, gives each
read a time-out of its own, and cannot log in with a password that is not ASCII; so this speaks the protocol
itself, in steps that say what they wait for.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mta.providers.conversation import Call, Steps, Wait

REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
REPLY_OCTETS = 64_000
SEND_OCTETS = 65_536


class Tls(StrEnum):
    """How a connection to a relay is protected."""

    NONE = "none"
    """Not at all."""
    OPPORTUNISTIC = "opportunistic"
    """By STARTTLS when it is offered, whoever answers: against listeners, not impostors (RFC 7435)."""
    STARTTLS = "starttls"
    """By STARTTLS, with a certificate that is verified."""
    IMPLICIT = "implicit"
    """From the first octet, with a certificate that is verified."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mails are handed in, and as whom.

    Attributes:
        host: its name or IP address.
        port: its TCP port.
        user: the name to log in with, or "" for no log-in.
        password: shown in no repr.
        tls: how the connection is protected.
        ca: path of a file of certificates to trust instead of the system's, or "".
    """

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = Tls.STARTTLS
    ca: str = ""


class Stage(StrEnum):
    """How far an attempt has come; what a failure means depends on it."""

    CONNECT = "connecting"
    GREETING = "the greeting"
    TLS = "the encryption"
    LOGIN = "the log-in"
    MAIL = "the sender"
    RCPT = "the recipient"
    DATA = "the beginning of the mail"
    BODY = "sending the mail"
    FINAL = "the end of the mail"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said: the code, and the words of all lines on one."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code of RFC 3463 at its beginning, or ""."""
        match = ENHANCED.match(self.text)
        return match[0] if match else ""

    @property
    def is_positive(self) -> bool:
        """The command was done."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class ConnectionLost(OSError):
    """The relay closed the connection instead of answering."""


class NotSmtp(Exception):
    """What answers is no SMTP server."""


class Unexpected(Exception):
    """A reply that ends the attempt."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(str(reply))


class NoSuchExtension(Exception):
    """The relay does not offer what is needed."""


class Deadline:
    """The moment by which all has to be done; `at` is on the clock of `time.monotonic`."""

    __slots__ = ("at",)

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0.

        Raises:
            TimeoutError: when there are none.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left


class SmtpConnection:
    """An open connection. Every method raises OSError when it breaks, TimeoutError at the deadline, NotSmtp.

    Attributes:
        deadline: by when what is asked next has to be answered; a new one for each mail.
        stage: how far the attempt has come.
        extensions: what the relay offers, by keyword in capitals, with its parameters.
        uses: mails handed over so far.
        idle_since: when it was last used, on the clock of `time.monotonic`.
        needs_reset: a mail was begun and not ended.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._buffer = b""
        self._unsaid: deque[tuple[bytes, int]] = deque()
        self._awaited = 0
        self.deadline = deadline
        self.stage = Stage.GREETING
        self.extensions: dict[str, str] = {}
        self.uses = 0
        self.idle_since = 0.0
        self.needs_reset = False

    def greet(self) -> Steps[None]:
        """Wait for the greeting and say who we are.

        Raises:
            Unexpected: when the relay does not want to talk.
        """
        self._expect((yield from self.reply()))
        yield from self._hello()

    def start_tls(self, context: ssl.SSLContext, host: str) -> Steps[None]:
        """Encrypt the connection.

        Args:
            context: what the certificate is checked against.
            host: the name it has to be for.

        Raises:
            Unexpected: when the relay cannot now.
        """
        self.stage = Stage.TLS
        self._expect((yield from self.command("STARTTLS")))
        if self._buffer:
            # Whatever came with the reply was not encrypted; somebody in between may have put it there.
            raise NotSmtp("it sent more than it may before the encryption")
        self._socket = yield from _encrypted(self._socket, context, host, self.deadline)
        yield from self._hello()

    def log_in(self, user: str, password: str) -> Steps[None]:
        """Log in by PLAIN (RFC 4616), else by LOGIN.

        Raises:
            NoSuchExtension: when the relay offers neither.
            Unexpected: when it does not accept them.
        """
        self.stage = Stage.LOGIN
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        if "PLAIN" in mechanisms:
            self._expect((yield from self.command("AUTH PLAIN " + _base64(f"\0{user}\0{password}"))))
        elif "LOGIN" in mechanisms:
            for line in ("AUTH LOGIN", _base64(user)):
                reply = yield from self.command(line)
                if reply.code != 334:
                    raise Unexpected(reply)
            self._expect((yield from self.command(_base64(password))))
        else:
            raise NoSuchExtension("it offers no log-in by PLAIN or LOGIN")

    def command(self, line: str) -> Steps[Reply]:
        """Say one line and wait for the reply."""
        self.begin([line])
        return (yield from self.next_reply())

    def begin(self, lines: Sequence[str]) -> None:
        """Have lines to say; `next_reply` says them, all at once where the relay takes that (RFC 2920).

        Who does not wait for every reply has to `skip` the rest before anything else is said.
        """
        said = "\r\n".join([*lines, ""]).encode()
        if not said.count(b"\r") == said.count(b"\n") == len(lines):
            raise ValueError("a command has one line")
        if "PIPELINING" in self.extensions:
            self._unsaid.append((said, len(lines)))
        else:
            self._unsaid.extend((line, 1) for line in said.splitlines(keepends=True))

    def next_reply(self) -> Steps[Reply]:
        """Wait for the reply to the next line."""
        if not self._awaited:
            octets, self._awaited = self._unsaid.popleft()
            yield from self.send(octets)
        self._awaited -= 1
        return (yield from self.reply())

    def skip(self) -> Steps[bool]:
        """Hear out what is still to be answered; whether the connection can be used for another mail."""
        self._unsaid.clear()
        try:
            while self._awaited:
                if (yield from self.next_reply()).code == 354:  # it waits for a mail that is not to come
                    return False
        except (OSError, NotSmtp):
            return False
        return True

    def send(self, octets: bytes) -> Steps[None]:
        """Send all of it."""
        view = memoryview(octets)
        while view:
            try:
                view = view[self._socket.send(view[:SEND_OCTETS]) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield Wait(self._socket, True, self.deadline.at)
            except ssl.SSLWantReadError:
                yield Wait(self._socket, False, self.deadline.at)

    def reply(self) -> Steps[Reply]:
        """Wait for a whole reply."""
        texts: list[str] = []
        size = 0
        while True:
            line = yield from self._line()
            size += len(line)
            match = REPLY_LINE.fullmatch(line)
            if match is None or size > REPLY_OCTETS:
                raise NotSmtp("what answers there is no SMTP server")
            text = _printable(match[3] or b"")
            enhanced = ENHANCED.match(text)
            if texts and enhanced and texts[0].startswith(enhanced[0]):
                text = text[enhanced.end() :].strip()  # relays repeat it on every line
            texts.append(text)
            if match[2] != b"-":
                return Reply(int(match[1]), " ".join(filter(None, texts)))

    def lines(self) -> Steps[list[str]]:
        """Wait for a whole reply and give its lines apart, its code left out.

        Raises:
            Unexpected: when it is not positive.
        """
        texts: list[str] = []
        while True:
            line = yield from self._line()
            match = REPLY_LINE.fullmatch(line)
            if match is None or len(texts) > 200:
                raise NotSmtp("what answers there is no SMTP server")
            texts.append(_printable(match[3] or b""))
            if match[2] != b"-":
                self._expect(Reply(int(match[1]), " ".join(texts)))
                return texts

    def quit(self) -> Steps[None]:
        """Say good-bye as far as the deadline allows, and close."""
        try:
            yield from self.command("QUIT")
        except (OSError, NotSmtp):
            pass  # what was accepted is accepted
        finally:
            self.close()

    def close(self) -> None:
        """Close without a word."""
        self._socket.close()

    def _hello(self) -> Steps[None]:
        yield from self.send(f"EHLO {self._own_name()}\r\n".encode())
        self.extensions = {}
        for line in (yield from self.lines())[1:]:
            keyword, _, parameters = line.replace("=", " ", 1).partition(" ")
            keyword = keyword.upper()
            self.extensions[keyword] = f"{self.extensions.get(keyword, '')} {parameters}".strip()

    def _own_name(self) -> str:
        """A name with a dot, or else our address as a literal (RFC 5321 section 4.1.3)."""
        name = socket.gethostname()
        if "." in name and re.fullmatch(r"[A-Za-z0-9.-]+", name):
            return name
        address = str(self._socket.getsockname()[0]).partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _line(self) -> Steps[bytes]:
        while b"\n" not in self._buffer:
            if len(self._buffer) > REPLY_OCTETS:
                raise NotSmtp("what answers there is no SMTP server")
            octets = yield from self._receive()
            if not octets:
                raise ConnectionLost("the connection was closed")
            self._buffer += octets
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def _receive(self) -> Steps[bytes]:
        writes = False
        while True:
            # What was decrypted already makes no socket readable.
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                yield Wait(self._socket, writes, self.deadline.at)
            try:
                return self._socket.recv(4096)
            except (BlockingIOError, ssl.SSLWantReadError):
                writes = False
            except ssl.SSLWantWriteError:
                writes = True

    @staticmethod
    def _expect(reply: Reply) -> None:
        if not reply.is_positive:
            raise Unexpected(reply)


def connect(relay: Relay, deadline: Deadline, context: ssl.SSLContext) -> Steps[SmtpConnection]:
    """Open a connection to the relay, up to and without the greeting; every address of its name is tried.

    Args:
        relay: where to.
        deadline: shared by all its addresses, so that one that keeps silent leaves time for the next.
        context: what its certificate is checked against.

    Raises:
        OSError: when none answers in time; `ssl.SSLError` when the encryption fails.
    """
    error: OSError = ConnectionLost("the name has no address")
    addresses = yield Call(
        lambda: socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM), deadline.at
    )
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            share = Deadline(deadline.left() / (len(addresses) - index))
            yield from _reach(sock, address, share)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if relay.tls is Tls.IMPLICIT:
                sock = yield from _encrypted(sock, context, relay.host, share)
        except OSError as reason:
            sock.close()
            error = reason
        else:
            return SmtpConnection(sock, deadline)
    raise error


def _reach(sock: socket.socket, address: Any, deadline: Deadline) -> Steps[None]:
    try:
        sock.connect(address)
    except BlockingIOError:
        yield Wait(sock, True, deadline.at)
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code)) from None


def _encrypted(
    sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline
) -> Steps[ssl.SSLSocket]:
    encrypted = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                encrypted.do_handshake()
            except ssl.SSLWantReadError:
                yield Wait(encrypted, False, deadline.at)
            except ssl.SSLWantWriteError:
                yield Wait(encrypted, True, deadline.at)
            else:
                return encrypted
    except BaseException:
        encrypted.close()  # it has taken the place of the other one
        raise


def tls_context(relay: Relay) -> ssl.SSLContext:
    """What the relay's certificate is checked against.

    Raises:
        OSError: when the file of certificates cannot be read.
    """
    context = ssl.create_default_context(cafile=relay.ca or None)
    if relay.tls is Tls.OPPORTUNISTIC:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _printable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return text.strip()
