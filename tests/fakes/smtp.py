"""A scripted SMTP relay over a real socket, with a ledger of what it accepted."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from tests.fakes.listener import Listener


@dataclass(frozen=True, slots=True)
class Act:
    """What the relay does instead of its usual reply.

    Attributes:
        kind: what it does.
        octets: what it sends.
        after: seconds that it lets pass before.
        takes: it takes the mail all the same; only where the mail has come.
    """

    kind: str
    octets: bytes = b""
    after: float = 0.0
    takes: bool = False


CLOSE = Act("close")
"""Closes the connection in good order."""
RESET = Act("reset")
"""Resets the connection."""
HANG = Act("hang")
"""Says nothing and keeps the connection."""


def say(text: str) -> Act:
    """Reply with these lines."""
    return Act("say", b"".join(line.encode() + b"\r\n" for line in text.split("\n")))


def cut(octets: bytes) -> Act:
    """Send these octets and close."""
    return Act("cut", octets)


def drip(text: str) -> Act:
    """Reply so slowly that each octet comes in time and the whole never does."""
    return Act("drip", text.encode())


def say_and_close(text: str) -> Act:
    """Reply and close at once."""
    return Act("cut", text.encode() + b"\r\n")


@dataclass(slots=True)
class Mail:
    """A mail as the relay accepted it: the commands' arguments, and what came between DATA and the dot.

    `at` is when, in seconds since the epoch.
    """

    mail_from: str
    rcpt_to: str
    content: bytes
    at: float


@dataclass(slots=True)
class Session:
    """One connection: what the client said on it."""

    sock: socket.socket
    commands: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)


class FakeRelay(Listener):
    """Follows a script: for each stage a list of acts, one for each time the stage is reached.

    After them, and where there is none, it accepts. The stages are `greeting`, `ehlo`, `starttls`, `auth`,
    `mail`, `rcpt`, `data`, `body` (some of the mail came), `final`, `rset` and `quit`.
    """

    def __init__(
        self,
        script: dict[str, list[Act]] | None = None,
        *,
        extensions: tuple[str, ...] = ("8BITMIME", "SIZE 10000000", "SMTPUTF8"),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(host)
        self.script = {stage: deque(acts) for stage, acts in (script or {}).items()}
        self.extensions = extensions
        self.tls = tls
        self.implicit = implicit
        self.login = login
        self.accepted: list[Mail] = []
        self.accepting = threading.Lock()
        self.sessions: list[Session] = []
        self.reached = threading.Condition()

    @property
    def commands(self) -> list[str]:
        """All that was said, on all connections."""
        return [command for session in self.sessions for command in session.commands]

    def drop_connections(self) -> None:
        """Close every connection, as a relay does with idle ones, and wait until they are."""
        self.break_connections()
        assert all(session.closed.wait(10) for session in self.sessions)

    def go_down(self) -> None:
        """Refuse connections from now on, and break those that there are."""
        self.close()
        # Bound and not listening, so that it is refused and nobody else gets the port meanwhile.
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self.break_connections()

    def come_up(self) -> None:
        """Take connections again."""
        self._listener.listen()
        self.listen()

    def break_connections(self) -> None:
        """End those that there are; one by TLS has a socket of its own."""
        super().break_connections()
        for session in self.sessions:
            with suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)

    def serve(self, sock: socket.socket) -> None:
        """Have one conversation by SMTP."""
        session = Session(sock)
        self.sessions.append(session)
        try:
            _Conversation(self, session).run()
        except (OSError, ssl.SSLError, _Over):
            pass
        finally:
            session.sock.close()
            session.closed.set()

    def act(self, stage: str) -> Act | None:
        """The act for this time at the stage."""
        with self.reached:
            self.reached.notify_all()
            acts = self.script.get(stage)
            return acts.popleft() if acts else None

    def plan(self) -> Mapping[str, Act]:
        """The acts for the mail that begins now, by stage, where the script has none."""
        return {}

    def take(self, mail: Mail) -> None:
        """Accept a mail: it is in the ledger before the client can hear of it."""
        with self.accepting:
            self.accepted.append(mail)

    def wait_stopped(self, seconds: float | None = None) -> bool:
        """Wait until the test is over, or so long."""
        return self._stop.wait(seconds)


class _Over(Exception):
    """The conversation has ended."""


class _Conversation:
    def __init__(self, relay: FakeRelay, session: Session) -> None:
        self.relay = relay
        self.session = session
        self.buffer = b""
        self.secure = False
        self.sender = self.recipient = ""
        self.plan: Mapping[str, Act] = {}

    def run(self) -> None:
        if self.relay.tls is not None and self.relay.implicit:
            self._wrap()
        self._reply("greeting", "220 fake.example ESMTP")
        while True:
            line = self._read_until(b"\r\n").decode()
            self.session.commands.append(line)
            verb, _, argument = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    self._hello()
                case "STARTTLS":
                    if self._reply("starttls", "220 go"):
                        self._wrap()
                case "AUTH":
                    self._auth(argument)
                case "MAIL":
                    self.plan = self.relay.plan()
                    if self._reply("mail", "250 2.1.0 ok"):
                        self.sender = argument.removeprefix("FROM:")
                case "RCPT":
                    if self._reply("rcpt", "250 2.1.5 ok"):
                        self.recipient = argument.removeprefix("TO:")
                case "DATA":
                    self._data()
                case "RSET":
                    self._reply("rset", "250 2.0.0 ok")
                case "QUIT":
                    self._reply("quit", "221 2.0.0 bye")
                    raise _Over
                case _:
                    self._send(b"502 5.5.2 unknown\r\n")

    def _hello(self) -> None:
        offers = list(self.relay.extensions)
        if self.relay.tls is not None and not self.secure:
            offers.append("STARTTLS")
        lines = ["fake.example", *offers]
        text = "\n".join(f"250-{line}" for line in lines[:-1]) + f"\n250 {lines[-1]}"
        self._reply("ehlo", text.lstrip("\n"))

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if mechanism == "PLAIN":
            given = tuple(base64.b64decode(initial).decode().split("\0")[1:])
        else:
            answers = []
            for prompt in ("Username:", "Password:"):
                self._send(b"334 " + base64.b64encode(prompt.encode()) + b"\r\n")
                answers.append(base64.b64decode(self._read_until(b"\r\n")).decode())
            given = tuple(answers)
        self._reply("auth", "235 2.7.0 ok" if given == self.relay.login else "535 5.7.8 wrong")

    def _data(self) -> None:
        if not self._reply("data", "354 go"):
            return
        act = self._act("body")
        if act is not None:
            self._receive()
            self._perform(act)
        content = self._read_until(b"\r\n.\r\n") + b"\r\n"
        final = self._act("final") or say("250 2.0.0 Ok: queued as ABC123")
        self.relay.wait_stopped(final.after)
        if final.takes or final.octets.startswith(b"250 "):
            whole = (b"\r\n" + content).replace(b"\r\n..", b"\r\n.")[2:]
            self.relay.take(Mail(self.sender, self.recipient, whole, time.time()))
        self._perform(final)

    def _act(self, stage: str) -> Act | None:
        return self.relay.act(stage) or self.plan.get(stage)

    def _reply(self, stage: str, usual: str) -> bool:
        """Do what the script says at this stage, or reply as usual; true if that was positive."""
        act = self._act(stage) or say(usual)
        self.relay.wait_stopped(act.after)
        self._perform(act)
        return act.octets[:1] in (b"2", b"3")

    def _perform(self, act: Act) -> None:
        match act.kind:
            case "say":
                self._send(act.octets)
            case "cut":
                self._send(act.octets)
                raise _Over
            case "close":
                raise _Over
            case "reset":
                self.session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _Over
            case "hang":
                self._wait_until_the_client_is_gone()
                raise _Over
            case "drip":
                for octet in act.octets:
                    self._send(bytes([octet]))
                    if self.relay.wait_stopped(0.05):
                        raise _Over

    def _wait_until_the_client_is_gone(self) -> None:
        """Without reading, since what is read makes room for more to be sent."""
        poll = select.poll()
        poll.register(self.session.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        poll.poll()

    def _wrap(self) -> None:
        assert self.relay.tls is not None
        self.session.sock = self.relay.tls.wrap_socket(self.session.sock, server_side=True)
        self.secure = True

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._receive()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _receive(self) -> None:
        octets = self.session.sock.recv(65536)
        if not octets:
            raise _Over
        self.buffer += octets

    def _send(self, octets: bytes) -> None:
        self.session.sock.sendall(octets)
