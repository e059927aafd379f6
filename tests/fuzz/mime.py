"""Mail as it comes in: reading never fails, and what it says can be kept and shown."""

from __future__ import annotations

from contextlib import suppress

from mta.parsed import parse
from mta.sevenbit import NotSevenBit, seven_bit
from mta.tree import read_tree


def one(data: bytes) -> None:
    mail = parse(data)
    lines = [mail.subject, mail.snippet, mail.to_label, mail.message_id, *mail.references]
    lines += [file.name for file in mail.attachments]
    for line in lines:
        assert not set("\r\n\0\u202e\u2028") & set(line), f"no single line: {line!r}"
    for text in (*lines, mail.text, mail.html or ""):
        text.encode()  # no half letters, which no database takes
    for file in mail.attachments:
        assert not set("/\\") & set(file.name), f"a path: {file.name!r}"
    for person in (mail.sender, *mail.to, *mail.cc, *mail.reply_to):
        if person is not None:
            assert not set("\r\n\0") & set(person.label + person.email)
    read_tree(data)
    with suppress(NotSevenBit):
        assert seven_bit(data).isascii()
