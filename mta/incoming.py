"""Mail that a provider hands in, and the tray where it lies until the web tier has filed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mta.errors import MtaError
from mta.tables import incoming
from store.database import Database


class NoMailbox(MtaError):
    """Nobody here gets mail at this address."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} has no mailbox here")


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One mail for one recipient.

    Attributes:
        id: the same each time the same mail is handed in, so that it is filed once.
        sender: the envelope sender, `local@domain`, or "" for a bounce.
        recipient: the envelope recipient, `local@domain`.
        raw: the mail in MIME.
        received_at: when the provider had it, in seconds since the epoch.
    """

    id: str
    sender: str
    recipient: str
    raw: bytes = field(repr=False)
    received_at: float


class IncomingTray:
    """Keeps mail that came in to one process until another has filed it, whatever is killed in between.

    Whoever files a mail removes it afterwards. So a mail may be filed again, and whoever files goes by its id.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = sqlite if database.is_sqlite else postgresql
        self._insert = dialect.insert(incoming).on_conflict_do_nothing(index_elements=[incoming.c.id])

    def put(self, mail: IncomingMail) -> None:
        """Keep a mail, durable on return; the same one again changes nothing.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        self._database.write(self._put, mail)

    def ids(self, after: str, limit: int) -> list[str]:
        """The ids that lie here, in their order, from the one after `after`."""
        with self._database.read() as connection:
            return list(connection.execute(_IDS, {"after": after, "limit": limit}).scalars())

    def mail(self, id: str) -> IncomingMail | None:
        """The mail of an id, or None when it was removed."""
        with self._database.read() as connection:
            row = connection.execute(_MAIL, {"id": id}).mappings().first()
        return None if row is None else IncomingMail(**{**row, "raw": bytes(row["raw"])})

    def remove(self, id: str) -> None:
        """Forget a mail: it is filed."""
        self._database.write(_remove, id)

    def _put(self, connection: Connection, mails: Sequence[IncomingMail]) -> list[None]:
        # In one order everywhere, so that two hosts never wait for each other.
        connection.execute(self._insert, [_row(mail) for mail in sorted(mails, key=lambda mail: mail.id)])
        return [None] * len(mails)


_IDS = select(incoming.c.id).where(incoming.c.id > bindparam("after")).order_by(incoming.c.id)
_IDS = _IDS.limit(bindparam("limit"))
_MAIL = select(incoming).where(incoming.c.id == bindparam("id"))
_REMOVE = delete(incoming).where(incoming.c.id.in_(bindparam("ids", expanding=True)))


def _row(mail: IncomingMail) -> dict[str, object]:
    return {
        "id": mail.id,
        "sender": mail.sender,
        "recipient": mail.recipient,
        "received_at": mail.received_at,
        "raw": mail.raw,
    }


def _remove(connection: Connection, ids: Sequence[str]) -> list[None]:
    connection.execute(_REMOVE, {"ids": sorted(ids)})
    return [None] * len(ids)
