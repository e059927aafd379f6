"""Places: where a mail may lie: the mailboxes everyone has, and folders of one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bitmail.catalogue import _
from bitmail.errors import NoSuchFolder, Refused
from store import JsonStore

FOLDER_NAME = 60
"""Characters of a folder's name."""
MOST_FOLDERS = 200
_FOLDER = re.compile(r"folder-(\d{1,18})")


class MailboxName(StrEnum):
    """The mailboxes everyone has."""

    INBOX = "INBOX"
    DRAFTS = "Drafts"
    OUTBOX = "Outbox"
    SENT = "Sent"
    ARCHIVE = "Archive"
    SPAM = "Spam"
    TRASH = "Trash"


def place_of(value: str) -> str:
    """The place that an entry's `mailbox` names: a `MailboxName` where it is one, else the place of a folder."""
    try:
        return MailboxName(value)
    except ValueError:
        return value


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of one's own.

    Attributes:
        id: the store's id of it.
        name: as its owner calls it.
    """

    id: int
    name: str

    @property
    def place(self) -> str:
        """What the mails in it name as their mailbox; it stays when the folder is renamed."""
        return f"folder-{self.id}"


class Folders:
    """The folders of everyone; each call names whose it is about."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store

    def all(self, user: str) -> list[Folder]:
        """A person's folders, by name."""
        entries = self._store.get({"user": user, "kind": "folder"}, limit=MOST_FOLDERS)
        return sorted(
            (Folder(entry.id, entry.data["name"]) for entry in entries),
            key=lambda folder: folder.name.casefold(),
        )

    def folder(self, user: str, id: int) -> Folder:
        """One folder of this person.

        Raises:
            NoSuchFolder: there is none with this id, or it is somebody else's.
        """
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("user") != user or entry.data.get("kind") != "folder":
            raise NoSuchFolder(_("There is no such folder. Pick one of those on the left."))
        return Folder(entry.id, entry.data["name"])

    def create(self, user: str, name: str) -> Folder:
        """Make a folder.

        Raises:
            Refused: the name is none, or taken, or there are too many; with a sentence for the person.
        """
        name = self._free_name(user, name)
        if self._store.count({"user": user, "kind": "folder"}) >= MOST_FOLDERS:
            raise Refused(_("There are {most} folders already. Remove one first.", most=MOST_FOLDERS))
        folder = {"user": user, "kind": "folder", "folded": name.casefold()}
        id, created = self._store.put_if_absent(folder, folder | {"name": name})
        if not created:
            raise Refused(_("There is a folder “{name}” already. Choose another name.", name=name))
        return Folder(id, name)

    def rename(self, user: str, id: int, name: str) -> None:
        """Call a folder by another name; its mails stay in it.

        Raises:
            NoSuchFolder: there is none.
            Refused: the name is none, or taken.
        """
        folder = self.folder(user, id)
        if name.strip().casefold() != folder.name.casefold():
            self._free_name(user, name)
        changes = {"name": _clean(name), "folded": _clean(name).casefold()}
        self._store.update_by_id(id, changes, expecting={"user": user, "kind": "folder"})

    def forget(self, user: str, id: int) -> None:
        """Take a folder away; what is in it must have been moved before."""
        self.folder(user, id)
        self._store.remove(id)

    def is_place(self, user: str, place: str) -> bool:
        """Whether mail of this person may lie there."""
        if isinstance(place_of(place), MailboxName):
            return True
        found = _FOLDER.fullmatch(place)
        if not found:
            return False
        try:
            self.folder(user, int(found[1]))
        except NoSuchFolder:
            return False
        return True

    def _free_name(self, user: str, name: str) -> str:
        name = _clean(name)
        if not name:
            raise Refused(_("A folder needs a name. Type one."))
        if len(name) > FOLDER_NAME:
            raise Refused(
                _(
                    "This name has {length} characters, and {most} fit. Type a shorter one.",
                    length=len(name),
                    most=FOLDER_NAME,
                )
            )
        known = {mailbox.value.casefold() for mailbox in MailboxName}
        match = {"user": user, "kind": "folder", "folded": name.casefold()}
        if name.casefold() in known or self._store.get(match, limit=1):
            raise Refused(_("There is a folder “{name}” already. Choose another name.", name=name))
        return name


def _clean(name: str) -> str:
    """One line without what cannot be stored or seen."""
    return "".join(letter for letter in " ".join(name.split()) if letter.isprintable()).strip()
