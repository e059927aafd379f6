"""Mails in JSON, as other programs hand them in."""

from __future__ import annotations

from datetime import UTC, datetime

from mta.errors import Unacceptable
from mta.fields import read_head
from mta.wireform import read_json

DATE = datetime(2026, 2, 3, tzinfo=UTC)


def one(data: bytes) -> None:
    try:
        mail = read_json(data, key="k", date=DATE)
    except Unacceptable as refused:
        reasons = refused.errors
        assert reasons
        return
    assert mail.recipients, "a mail to nobody"
    head, found, _ = mail.raw.partition(b"\r\n\r\n")
    assert found
    head.decode()
    names = [field.name for field in read_head(mail.raw, 0, len(mail.raw)).fields]
    assert "bcc" not in names, "a Bcc is sent"
    assert names.count("from") == names.count("date") == names.count("message-id") == 1
    assert b"\n" not in mail.raw.replace(b"\r\n", b""), "a bare line feed"
