"""SendGrid's Inbound Parse: mail that came in, as a form, whole or in parts.

Its calls are not signed, so their address holds a password.
Source: https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from mta.email import Attachment
from mta.fields import read_head
from mta.hooks.call import HookCall, HookRefused, Refusal, member, read_json, words
from mta.hooks.form import Form, read_form
from mta.hooks.rebuilt import mails, rebuilt


class SendGridParse:
    """Takes calls that know the password."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def check(self, headers: Mapping[str, str]) -> None:
        """Look at the password, before anything large is read.

        Raises:
            HookRefused: it is not the one.
        """
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            given = b""
        if scheme.lower() != "basic" or not hmac.compare_digest(given, self._secret):
            raise HookRefused(Refusal.FORGED)

    def read(self, body: bytes, headers: Mapping[str, str]) -> HookCall:
        """The mail in a call.

        Raises:
            HookRefused: it has no password, or is no such form.
        """
        self.check(headers)
        form = read_form(body, headers.get("content-type", ""))
        envelope = read_json(form.octets("envelope") or b"")
        people = member(envelope, "to")
        if not isinstance(people, list):
            raise HookRefused(Refusal.MALFORMED)
        raw = form.octets("email")
        if raw is None:
            raw = _from_parts(form)
        recipients = (words(person) for person in people)
        return HookCall(mails=mails("sendgrid", words(envelope, "from"), recipients, raw, self._clock()))


def _from_parts(form: Form) -> bytes:
    charsets = _json(form, "charsets")
    text, html = (form.text(name, words(charsets, name) or "utf-8") for name in ("text", "html"))
    head = read_head((form.octets("headers") or b"").strip() + b"\r\n\r\n")
    about = _json(form, "attachment-info")
    cids = _json(form, "content-ids")
    cid_of = {field: cid for cid, field in cids.items()} if isinstance(cids, dict) else {}
    attachments = [
        Attachment(
            words(about, name, "filename") or words(about, name, "name") or field.file_name,
            words(about, name, "type") or field.type,
            field.content,
            words(about, name, "content-id") or words(cid_of.get(name)),
        )
        for name, field in form.fields.items()
        if name.startswith("attachment") and name[len("attachment") :].isdecimal()
    ]
    return rebuilt([field.raw for field in head.fields], text, html, attachments)


def _json(form: Form, name: str) -> Any:
    try:
        return json.loads(form.octets(name) or b"{}")
    except (ValueError, RecursionError):
        return {}
