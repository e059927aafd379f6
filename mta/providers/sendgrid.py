"""SendGrid: mails part by part over its HTTP API, version 3."""

from __future__ import annotations

import http.client
import json
import logging
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, Any
from urllib.request import BaseHandler, OpenerDirector, Request

from python_http_client import Client
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from mta.outcomes import Answer, Outcome
from mta.providers.answers import Judge, Row, Secrets, Signal
from mta.providers.base import Outgoing, Provider, ProviderOptions
from mta.providers.sendgrid_mail import encoded_size, mail_as_json
from mta.tree import needs_mime, read_tree

ENDPOINTS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
RIGHT_TO_SEND = "mail.send"

TABLE = (
    Row(
        Outcome.OVER_QUOTA,
        "takes no more mail for now",
        [401, 403],
        words="maximum credits exceeded",
        pause=3600,
    ),
    Row(Outcome.MISCONFIGURED, "does not accept the key", [401]),
    Row(Outcome.THROTTLED, "has blocked the account for a while", [403], words="temporary block", pause=3600),
    Row(
        Outcome.MISCONFIGURED,
        "does not send for this sender",
        [403],
        words=r"sender identity|\bfrom: ",
        sender_only=True,
    ),
    Row(Outcome.MISCONFIGURED, "does not allow the account to send", [403]),
    Row(
        Outcome.REJECTED_RECIPIENT,
        "refused the recipient",
        [400],
        words=r"personalizations\.\d+\.to\.\d+\.email: ",
        try_other=True,
    ),
    Row(Outcome.MISCONFIGURED, "has no such address", [404, 405, 406, 415]),
    Row(Outcome.REJECTED_MESSAGE, "says that the mail is too large", [413], try_other=True),
    Row(Outcome.THROTTLED, "asks for slower sending", [429], pause=60),
    Row(Outcome.UNCERTAIN, "gave no number to the mail, and may have taken it", [202]),
    Row(Outcome.UNAVAILABLE, "cannot be reached", codes=["URLError"]),
)
"""By https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors and its OpenAPI file.
An `URLError` means that the request was not sent whole; whatever comes later has other names."""


@dataclass(frozen=True, slots=True)
class SendGridAccount:
    """Where mails are handed in, and as whom.

    Attributes:
        key: an API key that may send mail; shown in no repr.
        endpoint: the address of the API without path.
    """

    key: str = field(repr=False)
    endpoint: str = ENDPOINTS["global"]


class SendGrid(Provider):
    """Hands mails to SendGrid, which puts them together anew.

    It has no envelope apart from the fields of the mail, so a recipient sees nobody else's address; and what must not
    be put together anew, such as a signed mail, it cannot carry.
    """

    can_envelope = False
    can_mime = False
    max_bytes = 30_000_000

    def __init__(
        self,
        name: str,
        account: SendGridAccount,
        options: ProviderOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            name: what the provider is called on the screen and in the log.
            account: where the mails go.
            options: what the operator set; `timeout` is what connection and answer may take each.
            clock: tells the time in seconds since the epoch.
        """
        super().__init__(name, options)
        self.account = account
        self._clock = clock
        self._judge = Judge("SendGrid", TABLE, Secrets(account.key))
        headers = SendGridAPIClient(account.key, host=account.endpoint).client.request_headers
        self._mail, self._scopes = (
            _Call(account.endpoint, dict(headers), 3, path, timeout=self.options.timeout)
            for path in (["mail", "send"], ["scopes"])
        )
        logging.getLogger("python_http_client").setLevel(logging.INFO)  # below that it logs the key

    def __repr__(self) -> str:
        return f"SendGrid({self.name!r}, {self.account!r})"

    def send(self, message: Outgoing) -> Answer:
        """Hand over one mail for one recipient."""
        tree = read_tree(message.raw)
        if lost := needs_mime(tree):
            return self._judge.unable(f"it has {lost}")
        mail = mail_as_json(tree, message)
        if (size := encoded_size(mail)) > self.max_bytes:
            return self._judge.too_large(size, self.max_bytes)
        signal, headers, _ = self._call(lambda: self._mail.post(request_body=mail))
        if signal.status == 202 and headers.get("X-Message-Id"):
            return self._judge.took(signal, headers["X-Message-Id"])
        return self._judge.judge(signal, self._clock())

    def check(self) -> Answer:
        """Ask what the key may do."""
        signal, _, body = self._call(lambda: self._scopes.get())
        scopes = _object(body).get("scopes")
        if signal.status != 200 or not isinstance(scopes, list):
            return self._judge.judge(signal, self._clock())
        if RIGHT_TO_SEND not in scopes:
            return Answer(
                Outcome.MISCONFIGURED, f"SendGrid's key has not the right to send; it needs {RIGHT_TO_SEND}."
            )
        return Answer(Outcome.ACCEPTED, "SendGrid accepts the key.")

    def _call(self, act: Callable[[], Any]) -> tuple[Signal, dict[str, str], bytes]:
        """What came of a call, and head and body of its answer."""
        try:
            response = act()
        except HTTPError as error:
            response = error
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            return Signal(code=type(error).__name__, text=str(reason)), {}, b""
        headers = {name.title(): value for name, value in (response.headers or {}).items()}
        reset = headers.get("X-Ratelimit-Reset", "")
        retry_at = float(reset) if reset.isdecimal() and response.status_code == 429 else None
        return (
            Signal(
                response.status_code,
                text=_words(response.body),
                retry_at=retry_at,
                body=response.body.decode("utf-8", "replace"),
            ),
            headers,
            response.body,
        )


class _Call(Client):  # type: ignore[misc]
    """One call of the package's client, which would follow a redirection, and take the key along wherever it goes."""

    def _make_request(self, opener: OpenerDirector, request: Request, timeout: float | None = None) -> Any:
        opener.add_handler(_Stay())
        return super()._make_request(opener, request, timeout)


class _Stay(BaseHandler):
    handler_order = 100  # before the one that would follow

    def http_error_302(
        self, request: Request, answer: IO[bytes], code: int, words: str, head: Message
    ) -> None:
        raise urllib.error.HTTPError(request.full_url, code, words, head, answer)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _words(body: bytes) -> str:
    """The errors as `field: message`, or whatever the answer is."""
    errors = _object(body).get("errors")
    if not isinstance(errors, list):
        return body.decode("utf-8", "replace")
    known = [error for error in errors if isinstance(error, dict)]
    return "; ".join(
        ": ".join(str(error[key]) for key in ("field", "message") if error.get(key)) for error in known
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
