"""What is called at the hooks of providers, also where the signature is right."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from mta.hooks.call import HookCall, HookRefused
from mta.hooks.form import read_form
from mta.hooks.mailgun import MailgunHook
from mta.hooks.mailgun_routes import MailgunRoutes
from mta.hooks.sendgrid import SendGridHook
from mta.hooks.sendgrid_parse import SendGridParse
from mta.hooks.ses import SesHook
from tests.mta.signing import MAILGUN_KEY, TOPIC, Amazon, Twilio, form_data, mailgun_signature

NOW = 1_800_000_000.0
AMAZON, TWILIO = Amazon(NOW), Twilio()
MAILGUN = MailgunHook(MAILGUN_KEY, lambda: NOW)
ROUTES = MailgunRoutes(MAILGUN, lambda: NOW)
SENDGRID = SendGridHook(TWILIO.public_key, lambda: NOW)
PARSE = SendGridParse("password", lambda: NOW)
SES = SesHook([TOPIC], AMAZON.fetch, lambda: NOW)
LOGIN = {"authorization": "Basic " + base64.b64encode(b"u:password").decode()}


def one(data: bytes) -> None:
    for read in (MAILGUN.read, SES.read):
        refused(read, data)
    signed(data)
    refused(SENDGRID.read, data, TWILIO.headers(data, NOW))
    refused(SES.read, AMAZON.call(data.decode("utf-8", "replace")))
    forms(data)


def signed(data: bytes) -> None:
    try:
        event = json.loads(data)
        body = json.dumps({"signature": mailgun_signature(NOW, "t" * 50), "event-data": event}).encode()
    except (ValueError, RecursionError):
        return
    refused(MAILGUN.read, body)


def forms(data: bytes) -> None:
    kind, _, rest = data.partition(b"\n")
    refused(read_form, rest, kind.decode("latin-1"))
    refused(read_form, data, "multipart/form-data; boundary=xYzZY")
    pieces = data.split(b"\0")
    keys = (
        "recipient",
        "sender",
        "message-headers",
        "content-id-map",
        "body-plain",
        "body-html",
        "body-mime",
    )
    fields = dict(zip(keys, pieces, strict=False))
    refused(ROUTES.read, *form_data({**mailgun_signature(NOW, "t"), **fields}))
    keys = ("envelope", "headers", "charsets", "attachment-info", "text", "html", "email")
    body, headers = form_data(dict(zip(keys, pieces, strict=False)))
    refused(PARSE.read, body, {**headers, **LOGIN})


def refused(read: Callable[..., object], *given: object) -> None:
    """Read; whatever comes, it is refused or says what the store can keep."""
    try:
        call = read(*given)
    except HookRefused:
        return
    if isinstance(call, HookCall):
        for report in call.reports:
            line = report.report_id + report.recipient + report.reason + report.delivery_id
            assert not set("\r\n\0") & set(line)
            line.encode()
        for mail in call.mails:
            (mail.id + mail.sender + mail.recipient).encode()
