"""Qualified mail: what a program of this host wrote, with the host's domain where addresses have none."""

from __future__ import annotations

import re
from email.utils import formataddr, getaddresses

_FIELDS = re.compile(rb"(?:from|sender|reply-to|to|cc|bcc)[ \t]*:", re.IGNORECASE)
_HEAD = re.compile(rb"[!-9;-~]+[ \t]*:")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_FROM_LINE = re.compile(rb"From [^\n]*\n")


def qualified(raw: bytes, domain: str, author: str) -> bytes:
    """A mail that can go out into the world.

    Cron writes `From: root (Cron Daemon)`; RFC 5322 section 3.4.1 wants a domain behind it. A text without any
    header becomes the body.

    Args:
        raw: the mail with line ends of any kind.
        domain: the domain of this host's people.
        author: the From of a mail without one.
    """
    if (mbox := _FROM_LINE.match(raw)) is not None:
        raw = raw[mbox.end() :]
    head, gap, body = _split(raw)
    fields = _unfolded(head)
    named = [_with_domains(field, domain) if _FIELDS.match(field) else field for field in fields]
    if not any(field.lower().startswith(b"from") and _FIELDS.match(field) for field in fields):
        named.insert(0, b"From: " + author.encode("utf-8", "surrogateescape"))
    return b"\n".join(named) + gap + body


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    if not _HEAD.match(raw):
        return b"", b"\n\n", raw.lstrip(b"\r\n")
    end = re.search(rb"\r?\n\r?\n", raw)
    if end is None:
        return raw.rstrip(b"\r\n"), b"\n\n", b""
    return raw[: end.start()], b"\n\n", raw[end.end() :]


def _unfolded(head: bytes) -> list[bytes]:
    """The fields, each with its continuation lines."""
    fields: list[bytes] = []
    for line in head.splitlines():
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\n" + line
        else:
            fields.append(line)
    return fields


def _with_domains(field: bytes, domain: str) -> bytes:
    name, _, value = field.decode("utf-8", "surrogateescape").partition(":")
    people = getaddresses([_FOLD.sub("", value)])
    if not any(address and "@" not in address for _, address in people):
        return field  # as it was written
    shown = [
        formataddr((person, address if "@" in address else f"{address}@{domain}"))
        for person, address in people
        if address
    ]
    return f"{name}: {', '.join(shown)}".encode("utf-8", "surrogateescape")
