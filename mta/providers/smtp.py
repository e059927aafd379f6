"""SMTP: any relay that takes mail by RFC 5321."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from mta.outcomes import Answer, Outcome
from mta.providers.answers import DETAIL_CHARACTERS, WHOLE_CHARACTERS, Secrets
from mta.providers.base import Conversing, Outgoing, ProviderOptions
from mta.providers.conversation import Steps, carry_on
from mta.providers.smtp_answers import judge
from mta.providers.smtp_connection import (
    SEND_OCTETS,
    Deadline,
    NoSuchExtension,
    NotSmtp,
    Relay,
    SmtpConnection,
    Stage,
    Tls,
    Unexpected,
    connect,
    tls_context,
)

IDLE_SECONDS = 20.0
"""Most relays keep an idle connection longer than this."""
USES = 100
"""Mails over one connection; many relays allow no more."""
STALE_SECONDS = 5.0
"""How long a connection used before may keep silent until a fresh one is tried instead."""
QUIT_SECONDS = 2.0

LINE_END = re.compile(rb"\r\n|\r|\n")
NO_XCHAR = re.compile(rb"[^!-*,-<>-~]")
QUEUED_AS = re.compile(r"queued as ([\w.-]+)", re.IGNORECASE)
BEFORE_MAIL = (Stage.MAIL, Stage.RCPT, Stage.DATA)
"""Stages at which nothing of the mail itself was sent yet."""


class SMTP(Conversing):
    """Hands mails to one relay, over connections that are kept for a while.

    Whether a local part that is not ASCII can be sent to, only the relay itself says, by offering SMTPUTF8;
    where it does not, such a recipient is rejected. Other mails go out all the same, also when such an
    address stands in their head.
    """

    can_smtputf8 = True

    def __init__(
        self,
        name: str,
        relay: Relay,
        options: ProviderOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            name: what the provider is called on the screen and in the log.
            relay: where the mails go.
            options: what the operator set; `timeout` covers the whole of an attempt.
            clock: tells the time in seconds since the epoch.

        Raises:
            OSError: when the relay's file of certificates cannot be read.
        """
        super().__init__(name, options)
        self.relay = relay
        self._context = tls_context(relay)
        self._clock = clock
        log_in = f"\0{relay.user}\0{relay.password}" if relay.password else ""
        self._secrets = Secrets(relay.password, log_in)  # a relay may repeat what it was sent
        self._idle: list[SmtpConnection] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"SMTP({self.name!r}, {self.relay!r})"

    def converse(self, message: Outgoing) -> Steps[Answer]:
        """Hand over one mail for one recipient."""
        if not _is_path(message.sender) or not _is_path(message.recipient):
            return Answer(Outcome.REJECTED_RECIPIENT, "The address has characters in it that cannot be sent.")
        answer = yield from self._attempt(message, Deadline(self.options.timeout))
        return self._covered(answer)

    def check(self) -> Answer:
        """Connect and log in, as for a mail, and say good-bye."""
        return self._covered(carry_on(self._check()))

    def _check(self) -> Steps[Answer]:
        try:
            connection = yield from connect(self.relay, Deadline(self.options.timeout), self._context)
        except OSError as error:
            return self._failed(Stage.CONNECT, error)
        return (yield from self._checked(connection))

    def _covered(self, answer: Answer) -> Answer:
        """Without secrets; whole beside the sentence, where that is cut short."""
        words = self._secrets.cover(answer.detail)
        if words == answer.detail and len(words) <= DETAIL_CHARACTERS:
            return answer
        whole = words[:WHOLE_CHARACTERS] if len(words) > DETAIL_CHARACTERS else ""
        return replace(answer, detail=words[:DETAIL_CHARACTERS], whole=whole)

    def close(self) -> None:
        """Say good-bye on every connection that is kept."""
        with self._lock:
            connections, self._idle = self._idle, []
        for connection in connections:
            connection.deadline = Deadline(QUIT_SECONDS)
            carry_on(connection.quit())

    def _attempt(self, message: Outgoing, deadline: Deadline) -> Steps[Answer]:
        connection = self._take()
        if connection is not None:
            answer = yield from self._on_kept(connection, message, deadline)
            if answer is not None:
                return answer
        stage = Stage.CONNECT
        try:
            connection = yield from connect(self.relay, deadline, self._context)
        except OSError as error:
            return self._failed(stage, error)
        try:
            yield from self._prepare(connection)
            return (yield from self._hand_over(connection, message))
        except Unexpected as error:
            connection.close()
            return judge(connection.stage, error.reply, self._clock())
        except (OSError, NotSmtp, NoSuchExtension) as error:
            connection.close()
            return self._failed(connection.stage, error)

    def _on_kept(
        self, connection: SmtpConnection, message: Outgoing, deadline: Deadline
    ) -> Steps[Answer | None]:
        """The answer over a connection used before; None when it is of no use and nothing was sent."""
        connection.stage = Stage.MAIL
        try:
            connection.deadline = Deadline(min(STALE_SECONDS, deadline.left() / 4))
            if connection.needs_reset and not (yield from connection.command("RSET")).is_positive:
                connection.close()
                return None
            return (yield from self._hand_over(connection, message, deadline))
        except (OSError, NotSmtp) as error:
            connection.close()
            return None if connection.stage in BEFORE_MAIL else self._failed(connection.stage, error)
        except _Closing:
            connection.close()
            return None

    def _checked(self, connection: SmtpConnection) -> Steps[Answer]:
        try:
            yield from self._prepare(connection)
        except Unexpected as error:
            return judge(connection.stage, error.reply, self._clock())
        except (OSError, NotSmtp, NoSuchExtension) as error:
            return self._failed(connection.stage, error)
        else:
            connection.deadline = Deadline(QUIT_SECONDS)
            yield from connection.quit()
        finally:
            connection.close()
        return Answer(
            Outcome.ACCEPTED, "The relay accepts the log-in." if self.relay.user else "The relay answers."
        )

    def _prepare(self, connection: SmtpConnection) -> Steps[None]:
        """From the greeting to the log-in."""
        yield from connection.greet()
        wanted = self.relay.tls
        offered = "STARTTLS" in connection.extensions
        if wanted is Tls.STARTTLS and not offered:
            connection.stage = Stage.TLS
            raise NoSuchExtension("it offers no STARTTLS")
        if offered and wanted in (Tls.STARTTLS, Tls.OPPORTUNISTIC):
            yield from connection.start_tls(self._context, self.relay.host)
        if self.relay.user:
            yield from connection.log_in(self.relay.user, self.relay.password)

    def _hand_over(
        self, connection: SmtpConnection, message: Outgoing, deadline: Deadline | None = None
    ) -> Steps[Answer]:
        """One mail over an open connection.

        Args:
            connection: the connection; kept for the next mail if the relay wants to go on.
            message: the mail.
            deadline: for a connection used before: the one that counts once it has proved alive.
        """
        raw = _wire_lines(message.raw)
        if refusal := self._refusal(connection, message, raw):
            self._keep(connection)
            return refusal
        connection.needs_reset = True
        steps = [
            (Stage.MAIL, f"MAIL FROM:<{message.sender}>{_parameters(connection, message, raw)}"),
            (Stage.RCPT, f"RCPT TO:<{message.recipient}>"),
            (Stage.DATA, "DATA"),
        ]
        connection.begin([line for _, line in steps])
        for stage, _ in steps:
            connection.stage = stage
            reply = yield from connection.next_reply()
            if reply.code == 421 and deadline is not None:
                raise _Closing
            if stage is Stage.MAIL and deadline is not None:
                connection.deadline = deadline
            if not (reply.code == 354 if stage is Stage.DATA else reply.is_positive):
                return (yield from self._ended(connection, judge(stage, reply, self._clock()), reply.code))
        connection.stage = Stage.BODY
        written = _stuffed(raw) + b".\r\n"
        yield from connection.send(written[:-SEND_OCTETS])
        connection.stage = Stage.FINAL
        yield from connection.send(written[-SEND_OCTETS:])
        reply = yield from connection.reply()
        if not reply.is_positive:
            return (yield from self._ended(connection, judge(Stage.FINAL, reply, self._clock()), reply.code))
        connection.needs_reset = False
        queued = QUEUED_AS.search(reply.text)
        answer = Answer(
            Outcome.ACCEPTED, f"The relay took it: {reply}", provider_id=queued[1] if queued else ""
        )
        return (yield from self._ended(connection, answer, reply.code))

    def _refusal(self, connection: SmtpConnection, message: Outgoing, raw: bytes) -> Answer | None:
        """What this relay cannot take, known before anything is sent."""
        size = connection.extensions.get("SIZE", "")
        self.max_bytes = int(size) if size.isdecimal() and int(size) > 0 else None
        if self.max_bytes is not None and len(raw) > self.max_bytes:
            return Answer(
                Outcome.REJECTED_MESSAGE,
                f"The mail has {len(raw):,} bytes; the relay takes at most {self.max_bytes:,}.",
                try_other=True,
            )
        ascii_addresses = message.sender.isascii() and message.recipient.isascii()
        if not ascii_addresses and "SMTPUTF8" not in connection.extensions:
            return Answer(
                Outcome.REJECTED_RECIPIENT,
                "The relay takes no address with letters beyond ASCII before the @.",
                try_other=True,
            )
        if not raw.isascii() and not connection.extensions.keys() & {"8BITMIME", "SMTPUTF8"}:
            return Answer(Outcome.REJECTED_MESSAGE, "The relay takes only 7-bit mail.", try_other=True)
        return None

    def _failed(self, stage: Stage, error: Exception) -> Answer:
        """What a connection that could not be made, broke or kept silent means."""
        if stage is Stage.FINAL:
            how = "kept silent" if isinstance(error, TimeoutError) else "was lost"
            return Answer(
                Outcome.UNCERTAIN, f"The relay {how} after the whole mail was sent; it may have taken it."
            )
        reason = _reason(error)
        if isinstance(error, ssl.SSLCertVerificationError | NotSmtp | NoSuchExtension):
            return Answer(Outcome.MISCONFIGURED, f"The relay {self.relay.host} cannot be used: {reason}")
        return Answer(Outcome.UNAVAILABLE, f"The relay {self.relay.host} failed at {stage}: {reason}")

    def _ended(self, connection: SmtpConnection, answer: Answer, code: int) -> Steps[Answer]:
        connection.deadline = Deadline(QUIT_SECONDS)  # the answer is there, and waits for nothing else
        if code != 421 and (yield from connection.skip()):
            self._keep(connection)
        else:
            connection.close()
        return answer

    def _take(self) -> SmtpConnection | None:
        """A connection used before, the latest first; those idle for long are closed."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
            if connection is None or time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            old, self._idle = [connection, *self._idle], []
        for connection in old:
            connection.close()
        return None

    def _keep(self, connection: SmtpConnection) -> None:
        connection.uses += 1
        connection.idle_since = time.monotonic()
        with self._lock:
            if connection.uses < USES and len(self._idle) < self.options.concurrency:
                self._idle.append(connection)
                return
        connection.close()


class _Closing(Exception):
    """A connection used before is closed by the relay (421) before anything was sent."""


def _parameters(connection: SmtpConnection, message: Outgoing, raw: bytes) -> str:
    """RFC 1870, 3461, 6152 and 6531."""
    offered = connection.extensions
    wanted = [f"SIZE={len(raw)}"] if "SIZE" in offered else []
    if "DSN" in offered:
        # A bounce gives it back as Original-Envelope-Id.
        wanted.append(f"ENVID={_xtext(message.delivery_id)}")
    if not raw.isascii() and "8BITMIME" in offered:
        wanted.append("BODY=8BITMIME")
    head = raw.partition(b"\r\n\r\n")[0]
    if "SMTPUTF8" in offered and not (
        message.sender.isascii() and message.recipient.isascii() and head.isascii()
    ):
        wanted.append("SMTPUTF8")
    return "".join(f" {parameter}" for parameter in wanted)


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return NO_XCHAR.sub(lambda found: b"+%02X" % ord(found[0]), text.encode()).decode()


def _wire_lines(raw: bytes) -> bytes:
    """The mail with every line ended by CRLF: a bare CR or LF could hide its end (RFC 5321 section 2.3.8)."""
    if not raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        raw = LINE_END.sub(b"\r\n", raw)
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def _stuffed(raw: bytes) -> bytes:
    """RFC 5321 section 4.5.2: a line that begins with a dot gets another, since one alone ends the mail."""
    stuffed = raw.replace(b"\n.", b"\n..")
    return b"." + stuffed if raw.startswith(b".") else stuffed


def _is_path(address: str) -> bool:
    return address.isprintable() and "<" not in address and ">" not in address


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
