"""`send`: a finished mail from a file or standard input, for scripts and cron, used as `sendmail` is used."""

from __future__ import annotations

import getpass
import secrets
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import formataddr
from pathlib import Path
from typing import BinaryIO

from bitmail.commands.base import Command, CommandFailed, Output
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from mta.desk import Desk
from mta.errors import KeyConflict, Unacceptable
from mta.qualified import qualified
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from mta.wireform import read_rfc822
from store import Database, migrate

MOST = 40 * 1024 * 1024
"""Bytes that a mail may have."""


def send(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Put a mail into the spool; whichever container runs sends it, now or once it is started."""
    if not arguments.recipients and not arguments.t:
        raise CommandFailed("Name recipients, or give -t to take those of the mail.", ExitStatus.USAGE)
    raw = _read(arguments.file, dot_ends=not (arguments.i or "i" in arguments.o or arguments.file))
    sender = _address(arguments.f, settings.domain)
    author = sender or f"{getpass.getuser()}@{settings.domain}"
    raw = qualified(raw, settings.domain, formataddr((arguments.F, author)))
    recipients = [_address(one, settings.domain) or "" for one in arguments.recipients]
    try:
        new = read_rfc822(
            raw,
            sender=sender,
            recipients=[] if arguments.t and not recipients else recipients,
            key=arguments.key or secrets.token_urlsafe(16),
            date=datetime.now(UTC),
        )
    except Unacceptable as refusal:
        reasons = " ".join(
            f"{one.field}: {one.reason} ({one.value})" if one.value else f"{one.field}: {one.reason}"
            for one in refusal.errors
        )
        raise CommandFailed(f"The mail was not taken. {reasons}", ExitStatus.DATA) from None
    with closing(Database(settings.resolved_database_url())) as database:
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        try:
            submission = Desk(database, settings.container_settings()).submit(new)
        except KeyConflict as conflict:
            raise CommandFailed(f"{conflict}.", ExitStatus.DATA) from None
    said = [f"The mail is on disk as {submission.id}."] if arguments.v else []
    out.value({"submission": submission.id}, *said)
    return ExitStatus.OK


def _read(file: Path | None, *, dot_ends: bool) -> bytes:
    try:
        if file is not None:
            with file.open("rb") as stream:
                raw = stream.read(MOST + 1)
        elif dot_ends:
            raw = b"".join(_until_dot(sys.stdin.buffer))
        else:
            raw = sys.stdin.buffer.read(MOST + 1)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.", ExitStatus.NO_INPUT) from None
    if len(raw) > MOST:
        raise CommandFailed(f"A mail may have {MOST // 1024 // 1024} MB.", ExitStatus.DATA)
    if not raw.strip():
        raise CommandFailed("There is no mail to send: the input is empty.", ExitStatus.NO_INPUT)
    return raw


def _until_dot(stream: BinaryIO) -> Iterable[bytes]:
    """Lines up to one that is a dot, as sendmail reads them."""
    left = MOST
    while (line := stream.readline(left + 1)) and line.rstrip(b"\r\n") != b".":
        yield line
        if (left := left - len(line)) < 0:
            return


def _address(text: str | None, domain: str) -> str | None:
    """An address of the command line with its domain; "" for the empty sender."""
    if text is None:
        return None
    text = text.strip()
    if text in ("", "<>"):
        return ""
    bare = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    return bare if "@" in bare else f"{bare}@{domain}"


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "recipients", nargs="*", metavar="RECIPIENT", help="who gets it, whatever it says itself"
    )
    parser.add_argument("-t", action="store_true", help="send to its To, Cc and Bcc")
    parser.add_argument("-i", action="store_true", help="a line that is a dot does not end it")
    parser.add_argument("-f", "-r", metavar="ADDRESS", help="the envelope sender; by default that of From")
    parser.add_argument("-F", default="", metavar="NAME", help="the author's name, where it has no From")
    parser.add_argument("-v", action="store_true", help="say its id")
    parser.add_argument(
        "-o", action="append", default=[], metavar="OPTION", help="-oi is -i; others do nothing"
    )
    parser.add_argument("--file", type=Path, metavar="FILE", help="read it from there")
    parser.add_argument("--key", metavar="KEY", help="idempotency key: the same mail is sent once by it")


COMMANDS = (Command("send", "send a finished mail, as sendmail does", send, _arguments),)
