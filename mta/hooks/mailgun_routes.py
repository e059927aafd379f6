"""Mailgun's routes: mail that came in, as a form, whole where the address ends in `mime`, else in parts.

Source: https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from mta.email import Attachment
from mta.hooks.call import HookCall, HookRefused, Refusal, words
from mta.hooks.form import Form, read_form
from mta.hooks.mailgun import MailgunHook
from mta.hooks.rebuilt import header_field, mails, rebuilt


class MailgunRoutes:
    """Takes calls that were signed with one key."""

    def __init__(self, hook: MailgunHook, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            hook: verifies the signature.
            clock: the time in seconds since the epoch.
        """
        self._hook = hook
        self._clock = clock

    def read(self, body: bytes, headers: Mapping[str, str]) -> HookCall:
        """The mail in a call; its token is to be taken for this mail only.

        Raises:
            HookRefused: it is not to be believed, or is no such form.
        """
        form = read_form(body, headers.get("content-type", ""))
        token = self._hook.verify(*(form.text(name) for name in ("timestamp", "token", "signature")))
        recipients = form.text("recipient").split(",")
        raw = form.octets("body-mime")
        if raw is None:
            raw = _from_parts(form)
        found = mails("mailgun", form.text("sender").strip(), recipients, raw, self._clock())
        if not found:
            raise HookRefused(Refusal.MALFORMED)
        return HookCall(mails=found, token=token, used_for=" ".join(mail.id for mail in found))


def _from_parts(form: Form) -> bytes:
    pairs = _json(form, "message-headers")
    told = (
        [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
        if isinstance(pairs, list)
        else []
    )
    if not told:
        told = [["From", form.text("from")], ["Subject", form.text("subject")]]
    fields = [field for name, value in told if (field := header_field(name, value)) is not None]
    cids = _json(form, "content-id-map")
    cid_of = (
        {field: cid for cid, field in cids.items() if isinstance(field, str)}
        if isinstance(cids, dict)
        else {}
    )
    attachments = [
        Attachment(field.file_name, field.type, field.content, words(cid_of.get(name)))
        for name, field in form.fields.items()
        if name.startswith("attachment-") and name[len("attachment-") :].isdecimal()
    ]
    return rebuilt(fields, form.text("body-plain"), form.text("body-html"), attachments)


def _json(form: Form, name: str) -> Any:
    try:
        return json.loads(form.octets(name) or b"null")
    except (ValueError, RecursionError):
        return None
