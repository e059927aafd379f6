"""Incoming mail: what the world sends to people here becomes mail in their INBOX, or is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum

from bitmail.accounts import Accounts
from mta.fields import read_head
from mta.hooks.bucket import Gone
from mta.hooks.call import NotNow, StoredMail
from mta.incoming import IncomingMail
from mta.listener import Looping
from store import Entry, JsonStore

log = logging.getLogger(__name__)

MOST_HOPS = 100
"""Received fields above which a mail goes round in circles (RFC 5321, 6.3)."""
LIFETIME = 3 * 86400.0
"""Seconds for which a mail in a bucket is tried to be fetched."""
AT_ONCE = 100


class Filed(StrEnum):
    """What came of an incoming mail."""

    IN_INBOX = "filed"
    UNKNOWN = "unknown recipient"
    LOOPING = "looping"


class Incoming:
    """Files by the envelope recipient alone, whatever the mail says of itself."""

    def __init__(
        self,
        store: JsonStore,
        accounts: Accounts,
        receive: Callable[[IncomingMail], None],
        fetch: Callable[[str, str, str], bytes],
        domain: str,
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            store: where it is written down what is to be fetched.
            accounts: who has a mailbox.
            receive: files a mail in INBOX, durably, and once for each id.
            fetch: reads an object of S3: of a region, a bucket, and its key there.
            domain: our own.
            clock: the time in seconds since the epoch.
        """
        self._store = store
        self._accounts = accounts
        self._receive = receive
        self._fetch = fetch
        self._domain = domain
        self._clock = clock

    def knows(self, address: str) -> bool:
        """Whether somebody here gets mail at this address."""
        return self._accounts.at(address) is not None

    def take(self, mail: IncomingMail) -> Filed:
        """File a mail, durably; repeating changes nothing."""
        if not self.knows(mail.recipient):
            return Filed.UNKNOWN
        if self._loops(mail.raw):
            log.warning("a mail to %s goes round in circles and is refused", mail.recipient)
            return Filed.LOOPING
        self._receive(mail)
        return Filed.IN_INBOX

    def deliver(self, mail: IncomingMail) -> None:
        """File a mail whose recipient is known.

        Raises:
            Looping: it goes round in circles.
        """
        if self.take(mail) is Filed.LOOPING:
            raise Looping

    def keep(self, mail: StoredMail) -> None:
        """Write down that a mail is to be fetched; durable when this returns, and once for each id."""
        data = {
            "to_fetch": mail.id,
            "sender": mail.sender,
            "recipients": "\n".join(mail.recipients),
            "region": mail.region,
            "bucket": mail.bucket,
            "key": mail.key,
            "at": repr(mail.received_at),
            "since": repr(self._clock()),
            "fetching": "1",
        }
        self._store.put_if_absent({"to_fetch": mail.id}, data)

    def fetch(self) -> None:
        """Fetch and file what was written down."""
        failed: Exception | None = None
        for entry in self._store.get({"fetching": "1"}, limit=AT_ONCE):
            try:
                self._fetch_one(entry)
            except Exception as error:  # noqa: BLE001 - raised when all the others were tried
                failed = error
            else:
                self._store.remove(entry.id)
        if failed is not None:
            raise failed

    def _fetch_one(self, entry: Entry) -> None:
        data = entry.data
        people = [one for one in data["recipients"].split("\n") if self.knows(one)]
        if not people:
            return
        try:
            raw = self._fetch(data["region"], data["bucket"], data["key"])
        except Gone as error:
            log.critical("the mail %s cannot be fetched: %s", data["key"], error)
            return
        except NotNow as error:
            if self._clock() - float(data["since"]) > LIFETIME:
                log.critical("the mail %s was not fetched, and stays in its bucket: %s", data["key"], error)
                return
            raise
        for person in people:
            id = f"{data['to_fetch']}-{person}"
            self.take(IncomingMail(id, data["sender"], person, raw, float(data["at"])))

    def _loops(self, raw: bytes) -> bool:
        """Whether it was passed on too often, or is a message of our own that comes back."""
        head = read_head(raw)
        hops = sum(field.name == "received" for field in head.fields)
        own = head.get("message-id")
        return hops > MOST_HOPS or (own.startswith("<bounce.") and own.endswith(f"@{self._domain}>"))
