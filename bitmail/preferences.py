"""Preferences: how a person wants their web-mail to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TypeVar

from bitmail.catalogue import Language, _
from bitmail.drafts import storable
from bitmail.errors import Refused
from bitmail.words import is_zone
from store import JsonStore

NAME_CHARACTERS = 100
Chosen = TypeVar("Chosen", bound=StrEnum)


class Theme(StrEnum):
    """Which colours are shown."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Density(StrEnum):
    """How close the rows of a list stand."""

    NORMAL = "normal"
    COMPACT = "compact"


class Listing(StrEnum):
    """What a row of a list stands for."""

    MAILS = "mails"
    CONVERSATIONS = "conversations"


class Images(StrEnum):
    """When remote images are loaded."""

    ASK = "ask"
    ALWAYS = "always"


class Editor(StrEnum):
    """What a new mail is written in."""

    PLAIN = "plain"
    RICH = "rich"


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's preferences.

    Attributes:
        display_name: the name that others see beside the address, or "".
        zone: an IANA time zone, or "" for the browser's.
        language: the tag of one of ours, or "" for the browser's.
        theme, density, listing, images, editor: as said there.
        undo: seconds in which a mail can be called back.
        shortcuts: whether single keys do something.
        spoken: the tag of the language that their browser asked for last, for what is told while no browser is open.
    """

    display_name: str = ""
    zone: str = ""
    theme: Theme = Theme.SYSTEM
    density: Density = Density.NORMAL
    images: Images = Images.ASK
    editor: Editor = Editor.PLAIN
    undo: int = 10
    shortcuts: bool = True
    language: str = ""
    spoken: str = Language.ENGLISH.value
    listing: Listing = Listing.MAILS


UNDO_CHOICES = (0, 5, 10, 20, 30)
"""Seconds to choose from."""
FIELDS = tuple(field.name for field in fields(Preferences))


class PreferencesKept:
    """The preferences of everyone; each call names whose."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store

    def of(self, user: str) -> Preferences:
        """The person's preferences; what they never set is as it is for everyone."""
        found = self._store.get(_whose(user), limit=1)
        return _read(found[0].data) if found else Preferences()

    def language(self, user: str) -> Language:
        """The language in which the person is told something while they are away."""
        wanted = self.of(user)
        return Language(wanted.language or wanted.spoken)

    def set(self, user: str, field: str, value: str) -> Preferences:
        """Change one preference.

        Args:
            user: whose.
            field: one of `FIELDS`.
            value: as a form gives it.

        Returns:
            All of them, as they are now.

        Raises:
            Refused: the value is none of those there are, with a sentence.
        """
        changed = _changed(self.of(user), field, value)
        whose = _whose(user)
        data = {field: _text(getattr(changed, field))}
        id, created = self._store.put_if_absent(whose, whose | data)
        if not created:
            self._store.update_by_id(id, data, expecting=whose)
        return changed


def _changed(now: Preferences, field: str, value: str) -> Preferences:
    match field:
        case "display_name":
            name = " ".join(storable(value).split())
            if len(name) > NAME_CHARACTERS:
                raise Refused(
                    _(
                        "A name has at most {most} characters; this has {length}.",
                        most=NAME_CHARACTERS,
                        length=len(name),
                    )
                )
            return replace(now, display_name=name)
        case "zone":
            if value and not is_zone(value):
                raise Refused(
                    _("There is no time zone “{zone}”. Choose one like Europe/Copenhagen.", zone=value[:64])
                )
            return replace(now, zone=value)
        case "language":
            return replace(now, language=_one_of(Language, value).value if value else "")
        case "spoken":
            return replace(now, spoken=_one_of(Language, value).value)
        case "undo":
            if value not in map(str, UNDO_CHOICES):
                raise Refused(
                    _("Choose one of {choices} seconds.", choices=", ".join(map(str, UNDO_CHOICES)))
                )
            return replace(now, undo=int(value))
        case "shortcuts":
            return replace(now, shortcuts=value == "1")
        case "theme":
            return replace(now, theme=_one_of(Theme, value))
        case "density":
            return replace(now, density=_one_of(Density, value))
        case "listing":
            return replace(now, listing=_one_of(Listing, value))
        case "images":
            return replace(now, images=_one_of(Images, value))
        case "editor":
            return replace(now, editor=_one_of(Editor, value))
    raise Refused(_("There is no such setting."))


def _one_of(kind: type[Chosen], value: str) -> Chosen:
    try:
        return kind(value)
    except ValueError:
        raise Refused(_("Choose one of {choices}.", choices=", ".join(kind))) from None


def _read(data: Mapping[str, str]) -> Preferences:
    """What an entry says; what it says wrongly, since an older or newer version wrote it, is left out."""
    found = Preferences()
    for field in FIELDS:
        if field in data:
            try:
                found = _changed(found, field, data[field])
            except Refused:
                continue
    return found


def _text(value: object) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else str(value)


def _whose(user: str) -> dict[str, str]:
    return {"kind": "preferences", "user": user}
