"""Webhooks: the addresses that people have told what becomes of their mail."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bitmail.catalogue import _
from bitmail.errors import FieldError, Unsendable
from bitmail.outward import IPAddress, is_public
from mta.calls import CALLED_FOR, Calls
from mta.outcomes import Status
from store import Entry, JsonStore

MOST = 10
"""Webhooks of one account."""
LONGEST_URL = 2000
PREFIX = "whsec_"
"""What every secret begins with, as Standard Webhooks has it; 32 random bytes in base64 follow."""
PATIENCE = 3 * 86_400.0
"""Seconds of nothing but failures after which a webhook is switched off."""
EVERY = tuple(sorted(CALLED_FOR))
GONE = "It answered 410: it wants no more calls."


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook.

    Attributes:
        id: the store's id.
        user: whose.
        url: where it is called.
        statuses: what it is told.
        created: seconds since the epoch.
        failing_since: when it began to fail, in seconds since the epoch; 0 while it does not.
        error: why it failed the last time, as a sentence, or "".
        is_off: it is called no more.
        on_since: when it was switched on, in seconds since the epoch.
        secret: signs what it is told.
    """

    id: int
    user: str
    url: str
    statuses: frozenset[Status]
    created: float
    failing_since: float
    error: str
    is_off: bool
    on_since: float
    secret: str = field(repr=False)

    @property
    def key(self) -> bytes:
        """The bytes that sign."""
        return base64.b64decode(self.secret.removeprefix(PREFIX))


class Webhooks:
    """The webhooks of everyone; each call names whose, and may block."""

    def __init__(
        self,
        store: JsonStore,
        calls: Calls,
        *,
        to_loopback: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: where they are kept.
            calls: where it is written down what they are to be told.
            to_loopback: this host itself may be called, also without TLS.
            clock: seconds since the epoch.
        """
        self._store = store
        self._calls = calls
        self._to_loopback = to_loopback
        self._clock = clock
        self._subscribed: set[int] = set()

    def make(self, user: str, url: str, statuses: Collection[Status] = EVERY) -> tuple[Webhook, str]:
        """Make a webhook, and return it with its secret: shown now and never again.

        Args:
            user: whose.
            url: where to call.
            statuses: what to tell; at least one.

        Raises:
            Unsendable: naming what is wrong.
        """
        url = url.strip()
        reason = self._fault(url)
        if reason:
            raise Unsendable((FieldError("url", url[:LONGEST_URL], reason),))
        if not statuses or not CALLED_FOR.issuperset(statuses):
            raise Unsendable(
                (
                    FieldError(
                        "statuses", "", _("Choose at least one of {choices}.", choices=", ".join(EVERY))
                    ),
                )
            )
        if len(self.of(user)) >= MOST:
            reason = _(
                "{most} webhooks are the most there may be. Remove one that is not used any more.", most=MOST
            )
            raise Unsendable((FieldError("url", url, reason),))
        secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        data = {
            "kind": "webhook",
            "webhooks of": user,
            "url": url,
            "statuses": " ".join(sorted(statuses)),
            "created": repr(self._clock()),
            "failing_since": "0",
            "error": "",
            "off": "",
            "secret": secret,
        }
        webhook = _webhook(Entry(self._store.put(data), data))
        self._calls.subscribe(webhook.id, user, webhook.statuses)
        return webhook, secret

    def of(self, user: str) -> list[Webhook]:
        """The webhooks of a person, oldest first."""
        return [_webhook(entry) for entry in self._store.get({"webhooks of": user}, limit=MOST)]

    def of_user(self, user: str, id: int) -> Webhook | None:
        """The webhook of an id, if it is this person's."""
        webhook = self.find(id)
        return webhook if webhook is not None and webhook.user == user else None

    def switch_on(self, user: str, id: int) -> bool:
        """Call a webhook of this person again, of what happens from now on; whether there is one. One that is on stays
        as it is.
        """
        webhook = self.of_user(user, id)
        if webhook is None or not webhook.is_off:
            return webhook is not None
        on = {"off": "", "failing_since": "0", "error": "", "on": repr(self._clock())}
        self._store.update_by_id(id, on)
        self._calls.subscribe(id, user, webhook.statuses)
        return True

    def find(self, id: int) -> Webhook | None:
        """The webhook of an id."""
        entry = self._store.get_by_id(id)
        return _webhook(entry) if entry is not None and entry.data.get("kind") == "webhook" else None

    def end(self, user: str, id: int) -> bool:
        """Remove a webhook of this person, with what it was still to be told; whether there was one."""
        if self.of_user(user, id) is None:
            return False
        removed = self._store.remove(id)
        self._calls.unsubscribe(id)
        return removed

    def follow(self, user: str) -> None:
        """Have this process's spool know a person's webhooks, before a mail of theirs is submitted to it: they may
        have been made where another spool is.
        """
        for webhook in self.of(user):
            if webhook.id not in self._subscribed and not webhook.is_off:
                self._calls.subscribe(webhook.id, user, webhook.statuses)
                self._subscribed.add(webhook.id)

    def mended(self, webhook: Webhook) -> None:
        """It took a call."""
        if webhook.failing_since:
            self._store.update_by_id(webhook.id, {"failing_since": "0", "error": ""})

    def failed(self, webhook: Webhook, reason: str) -> bool:
        """It took no call; whether that has gone on for too long now."""
        since = webhook.failing_since or self._clock()
        changes = {"failing_since": repr(since), "error": reason}
        if not webhook.failing_since or reason != webhook.error:
            self._store.update_by_id(webhook.id, changes)
        return self._clock() - since >= PATIENCE

    def switch_off(self, webhook: Webhook, reason: str) -> None:
        """Call it no more; it stays on its owner's list, with the reason."""
        self._store.update_by_id(webhook.id, {"off": "1", "error": reason})
        self.forget(webhook.id)

    def forget(self, id: int) -> None:
        """Let go what is written down for a webhook that is called no more."""
        self._calls.unsubscribe(id)
        self._subscribed.discard(id)

    def _fault(self, url: str) -> str:
        """Why a webhook cannot be called at this address, or ""."""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            host, parts = "", urlsplit("")
        if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or not host:
            return _(
                "This is no address. Write it like https://example.com/hook, in at most {most} characters.",
                most=LONGEST_URL,
            )
        if parts.username is not None or parts.password is not None or parts.fragment:
            return _("Leave out the name, the password and the part after #. The signature proves who calls.")
        address = _literal(host)
        is_here = host == "localhost" or (address is not None and address.is_loopback)
        if is_here and self._to_loopback and parts.scheme in ("http", "https"):
            return ""
        if parts.scheme != "https":
            return _("The address has to begin with https://.")
        if is_here or (address is not None and not is_public(address)):
            return _("This address is not in the open net, and is not called.")
        return ""


def _literal(host: str) -> IPAddress | None:
    """The IP address that a host is written as, if it is."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _webhook(entry: Entry) -> Webhook:
    data: Mapping[str, str] = entry.data
    return Webhook(
        id=entry.id,
        user=data["webhooks of"],
        url=data["url"],
        statuses=frozenset(map(Status, data["statuses"].split())),
        created=float(data["created"]),
        failing_since=float(data["failing_since"]),
        error=data["error"],
        is_off=bool(data["off"]),
        on_since=float(data.get("on", data["created"])),
        secret=data["secret"],
    )
