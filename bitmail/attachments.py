"""Attachments: files kept beside a draft until it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from bitmail.catalogue import _, decimal
from bitmail.erasure import erase
from bitmail.errors import FieldError, Unsendable
from mta.email import Attachment
from store import BlobStore, Entry, JsonStore
from store.blobs import Arriving

LIMIT = 25 * 1024 * 1024
"""Octets that the files of one mail may have together, as mail carries them."""
MOST = 100
"""Files of one mail."""
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attached:
    """A file kept with a draft.

    Attributes:
        id: the store's id of it.
        name: the file name, one line, without a path.
        type: its media type.
        size: octets.
        content_id: by which the rich text shows it as an image, or "".
    """

    id: int
    name: str
    type: str
    size: int
    content_id: str
    _blob: str

    @classmethod
    def of(cls, entry: Entry) -> Attached:
        """The file that an entry of the store stands for."""
        data = entry.data
        return cls(
            entry.id, data["name"], data["type"], int(data["size"]), data.get("content_id", ""), data["blob"]
        )


def encoded_size(size: int) -> int:
    """Octets that a file takes in a mail: base64 in lines of 76 (RFC 2045, 6.8)."""
    letters = (size + 2) // 3 * 4
    return letters + (letters + 75) // 76 * 2


def megabytes(octets: int) -> str:
    """A size in words: `19.0 MB`, `12 KB`."""
    return f"{decimal(octets / _MB, '0.0')} MB" if octets >= _MB // 10 else f"{-(-octets // 1024)} KB"


def check_total(files: Iterable[tuple[str, int]]) -> None:
    """See to it that files fit into one mail.

    Args:
        files: name and size in octets of each, in the order in which they were attached.

    Raises:
        Unsendable: naming the first file that does not fit, its size and the limit.
    """
    total = 0
    for number, (name, size) in enumerate(files, 1):
        total += encoded_size(size)
        if number > MOST:
            raise Unsendable(
                (
                    FieldError(
                        "attachments",
                        name,
                        _("“{name}” is one too many: a mail carries {most} files.", name=name, most=MOST),
                    ),
                )
            )
        if total > LIMIT:
            alone = _(
                "“{name}” has {size}, which are {encoded} in a mail",
                name=name,
                size=megabytes(size),
                encoded=megabytes(encoded_size(size)),
            )
            others = (
                ""
                if total == encoded_size(size)
                else _(", {total} with the other files", total=megabytes(total))
            )
            reason = _("{alone}{others}; {limit} fit.", alone=alone, others=others, limit=megabytes(LIMIT))
            raise Unsendable((FieldError("attachments", name, reason),))


class Attachments:
    """The files of everyone's drafts; each call names whose it is about."""

    def __init__(self, store: JsonStore, blobs: BlobStore) -> None:
        self._store = store
        self._blobs = blobs

    def of(self, user: str, draft: str) -> tuple[Attached, ...]:
        """The files of a draft, in the order in which they came."""
        return tuple(map(Attached.of, self._store.get({"user": user, "attached_to": draft})))

    def add(
        self, user: str, draft: str, name: str, type: str, pieces: Iterable[bytes], *, is_inline: bool = False
    ) -> Attached:
        """Keep a file with a draft, durably; it is never in memory as a whole.

        Args:
            user: whose draft.
            draft: its key.
            name: the file's name as the browser says it; only the last part of a path is kept.
            type: its media type as the browser says it.
            pieces: its bytes.
            is_inline: whether the rich text is to show it.

        Raises:
            Unsendable: it does not fit beside the files that are there.
        """
        file = Attachment(name, type, b"")
        there = [(one.name, one.size) for one in self.of(user, draft)]
        with Arriving(pieces) as blob:
            check_total([*there, (file.name, blob.size)])
            self._blobs.keep(blob)
            data = {
                "user": user,
                "attached_to": draft,
                "name": file.name,
                "type": file.type,
                "size": str(blob.size),
                "blob": blob.sha256,
                "content_id": f"{secrets.token_hex(12)}@bitmail" if is_inline else "",
            }
        return Attached.of(Entry(self._store.put(data), data))

    def keep(self, user: str, draft: str, files: Iterable[Attachment]) -> None:
        """Keep files of another mail with a draft, as they are there.

        Raises:
            Unsendable: they are too large together.
        """
        files = list(files)
        check_total([(file.name, len(file.content)) for file in files])
        self._store.put_many(
            [
                {
                    "user": user,
                    "attached_to": draft,
                    "name": file.name,
                    "type": file.type,
                    "size": str(len(file.content)),
                    "blob": self._blobs.put(file.content),
                    "content_id": file.content_id,
                }
                for file in files
            ]
        )

    def content(self, user: str, id: int) -> tuple[Attached, bytes] | None:
        """One file of this person with its bytes, or None."""
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("user") != user or "attached_to" not in entry.data:
            return None
        content = self._blobs.get(entry.data["blob"])
        return None if content is None else (Attached.of(entry), content)

    def load(self, user: str, draft: str) -> tuple[Attachment, ...]:
        """The files of a draft with their bytes, for sending."""
        loaded = []
        for one in self.of(user, draft):
            content = self._blobs.get(one._blob)
            if content is None:
                raise LookupError(f"the content of attachment {one.id} is not in the store")
            loaded.append(Attachment(one.name, one.type, content, one.content_id))
        return tuple(loaded)

    def remove(self, user: str, draft: str, id: int) -> bool:
        """Take a file away; its bytes go too, unless something else names them. Whether it was there."""
        entry = self._store.get_by_id(id)
        if entry is None or (entry.data.get("user"), entry.data.get("attached_to")) != (user, draft):
            return False
        return erase(self._store, self._blobs, entry)

    def copy(self, user: str, draft: str, to: str) -> None:
        """Give another draft the same files."""
        found = self._store.get({"user": user, "attached_to": draft})
        self._store.put_many([{**entry.data, "attached_to": to} for entry in found])

    def move(self, user: str, draft: str, to: str) -> None:
        """Give the files to another draft."""
        self._store.update_all({"user": user, "attached_to": draft}, {"attached_to": to})

    def forget(self, user: str, draft: str) -> None:
        """Take all files of a draft away."""
        for one in self.of(user, draft):
            self.remove(user, draft, one.id)
