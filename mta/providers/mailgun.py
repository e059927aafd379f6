"""Mailgun: whole mails in MIME over its HTTP API, version 3."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from mta.outcomes import Answer, Outcome
from mta.providers.answers import Judge, Row, Secrets, Signal
from mta.providers.base import DELIVERY_TAG, Outgoing, Provider, ProviderOptions

ENDPOINTS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
CONNECT_SHARE = 0.3
"""Of the time of an attempt, what the connection may take."""

TABLE = (
    # 420 is not documented, and is sent for some limits all the same.
    Row(Outcome.THROTTLED, "asks for slower sending", [420, 429], pause=60),
    Row(Outcome.MISCONFIGURED, "does not accept the key", [401]),
    Row(Outcome.MISCONFIGURED, "does not know the domain; one of the EU needs the region eu", [404]),
    Row(Outcome.MISCONFIGURED, "does not allow the account to send", [403]),
    Row(Outcome.MISCONFIGURED, "does not send for the domain", [400], words="not allowed to send"),
    Row(
        Outcome.REJECTED_RECIPIENT,
        "refused the recipient",
        [400],
        words=r"\b(to|cc|bcc) parameter is not a valid address",
        try_other=True,
    ),
    Row(Outcome.UNAVAILABLE, "could not do what it understood", [402]),
    Row(Outcome.MISCONFIGURED, "has no such address", [405, 406, 415]),
    Row(Outcome.REJECTED_MESSAGE, "says that the mail is too large", [413], try_other=True),
    Row(
        Outcome.UNAVAILABLE,
        "cannot be reached",
        codes=["NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "SSLError", "ProxyError"],
    ),
)
"""By https://github.com/mailgun/documentation and its OpenAPI file; what failed has the name that urllib3 gives it."""


@dataclass(frozen=True, slots=True)
class MailgunAccount:
    """Where mails are handed in, and as whom.

    Attributes:
        domain: the domain that sends.
        key: an API key, or the sending key of the domain; shown in no repr.
        endpoint: the address of the API without path.
    """

    domain: str
    key: str = field(repr=False)
    endpoint: str = ENDPOINTS["us"]


class Mailgun(Provider):
    """Hands mails to Mailgun as they are, over connections that are kept."""

    max_bytes = 25_000_000

    def __init__(
        self,
        name: str,
        account: MailgunAccount,
        options: ProviderOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            name: what the provider is called on the screen and in the log.
            account: where the mails go.
            options: what the operator set; `timeout` covers connection and answer.
            clock: tells the time in seconds since the epoch.
        """
        super().__init__(name, options)
        self.account = account
        self._clock = clock
        self._judge = Judge("Mailgun", TABLE, Secrets(account.key, f"api:{account.key}"))
        self._url = f"{account.endpoint}/v3/{quote(account.domain, safe='')}/messages.mime"
        self._session = requests.Session()
        self._session.auth = ("api", account.key)
        adapter = HTTPAdapter(pool_maxsize=self.options.concurrency, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __repr__(self) -> str:
        return f"Mailgun({self.name!r}, {self.account!r})"

    def send(self, message: Outgoing) -> Answer:
        """Hand over one mail for one recipient."""
        if len(message.raw) > self.max_bytes:
            return self._judge.too_large(len(message.raw), self.max_bytes)
        signal, given = self._post(
            {"to": message.recipient, f"v:{DELIVERY_TAG}": message.delivery_id}, message.raw
        )
        if signal.status == 200 and given.get("id"):
            return self._judge.took(signal, str(given["id"]))
        return self._judge.judge(signal, self._clock())

    def check(self) -> Answer:
        """Hand in nothing for nobody: what is wrong with key or domain is said before what is wrong with the mail.

        A key that may only send can do this too.
        """
        signal, _ = self._post({"o:testmode": "yes"}, b"")
        answer = self._judge.judge(signal, self._clock())
        if signal.status == 400 and answer.outcome is not Outcome.MISCONFIGURED:
            return Answer(Outcome.ACCEPTED, f"Mailgun accepts the key for {self.account.domain}.")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _post(self, values: dict[str, str], raw: bytes) -> tuple[Signal, dict[str, object]]:
        """What came of a call, and the JSON object of its answer, or {}."""
        limit = self.options.timeout
        try:
            response = self._session.post(
                self._url,
                data=values,
                files={"message": ("message.eml", raw, "message/rfc822")},
                timeout=(limit * CONNECT_SHARE, limit * (1 - CONNECT_SHARE)),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return Signal(code=_cause(error), text=str(error)), {}
        try:
            given = response.json()
        except ValueError:
            given = None
        given = given if isinstance(given, dict) else {}
        body = response.content.decode(
            "utf-8", "replace"
        )  # `text` would guess at the charset of a large page
        text = given.get("message")
        return Signal(response.status_code, text=text if isinstance(text, str) else body, body=body), given


def _cause(error: requests.RequestException) -> str:
    """The name of what failed: `requests` has one class for a refused and for a lost connection."""
    inner = error.args[0] if error.args else None
    inner = getattr(inner, "reason", None) or inner
    return type(inner if isinstance(inner, Exception) else error).__name__
