"""Finished mails that scripts hand in: refused with a reason, or sent without anybody's Bcc."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from mta.errors import Unacceptable
from mta.fields import read_head
from mta.rawmail import prepare
from mta.sevenbit import NotSevenBit, seven_bit
from mta.wireform import read_rfc822

DATE = datetime(2026, 2, 3, tzinfo=UTC)


def one(data: bytes) -> None:
    try:
        mail = prepare(data, key="k", date=DATE)
        read_rfc822(data, sender=None, recipients=(), key="k", date=DATE)
    except Unacceptable as refused:
        reasons = refused.errors
        assert reasons
        assert all(fault.field and fault.reason for fault in reasons)
        return
    head = read_head(mail.raw, 0, len(mail.raw))
    assert not {field.name for field in head.fields} & {"bcc", "resent-bcc", "return-path"}, "a Bcc is sent"
    assert b"\n" not in mail.raw.replace(b"\r\n", b""), "a bare line feed"
    assert b"\r" not in mail.raw.replace(b"\r\n", b""), "a bare carriage return"
    assert not set("\r\n") & set(mail.subject)
    with suppress(NotSevenBit):
        assert seven_bit(mail.raw).isascii()
