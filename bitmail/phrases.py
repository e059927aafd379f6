"""Phrases: words that a person keeps to write with, which are a signature and templates."""

from __future__ import annotations

from dataclasses import dataclass

from bitmail.catalogue import _, decimal
from bitmail.drafts import TEXT_LIMIT, storable
from bitmail.errors import FieldError, Unsendable
from store import JsonStore

SIGNATURE_LIMIT = 2_000
NAME_LIMIT = 100
MOST_TEMPLATES = 200


@dataclass(frozen=True, slots=True)
class Template:
    """A text to begin a mail with.

    Attributes:
        id: the store's id.
        name: what it is called in the menu.
        subject, text: what it puts into a mail.
    """

    id: int
    name: str
    subject: str
    text: str


class Phrases:
    """The signatures and templates of everyone; each call names whose it is about."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store

    def signature(self, user: str) -> str:
        """The person's signature, or ""."""
        found = self._store.get({"kind": "signature", "user": user}, limit=1)
        return found[0].data["text"] if found else ""

    def set_signature(self, user: str, text: str) -> None:
        """Keep a signature; "" for none.

        Raises:
            Unsendable: it is too long.
        """
        if len(text) > SIGNATURE_LIMIT:
            reason = _(
                "A signature has at most {most} characters; this has {length}.",
                most=decimal(SIGNATURE_LIMIT),
                length=decimal(len(text)),
            )
            raise Unsendable((FieldError("signature", "", reason),))
        mine = {"kind": "signature", "user": user}
        id, created = self._store.put_if_absent(mine, mine | {"text": storable(text).strip("\n")})
        if not created:
            self._store.update_by_id(id, {"text": storable(text).strip("\n")}, expecting=mine)

    def signed(self, user: str, text: str = "") -> str:
        """A text with the signature below it, after the line that tells programs where it begins (RFC 3676, 4.3)."""
        signature = self.signature(user)
        return f"{text}\n\n-- \n{signature}" if signature else text

    def templates(self, user: str) -> list[Template]:
        """The person's templates by name."""
        found = self._store.get({"templates of": user}, limit=MOST_TEMPLATES)
        templates = [
            Template(entry.id, entry.data["name"], entry.data["subject"], entry.data["text"])
            for entry in found
        ]
        return sorted(templates, key=lambda template: template.name.casefold())

    def save_template(self, user: str, name: str, subject: str, text: str) -> int:
        """Keep a template, in the place of one with the same name; return its id.

        Raises:
            Unsendable: it has no name, or something is too long, or there are too many.
        """
        name = " ".join(storable(name).split())[:NAME_LIMIT]
        if not name:
            raise Unsendable((FieldError("name", "", _("A template needs a name.")),))
        if len(text) > TEXT_LIMIT:
            raise Unsendable(
                (
                    FieldError(
                        "text", "", _("A template has at most {most} characters.", most=decimal(TEXT_LIMIT))
                    ),
                )
            )
        if self._store.count({"templates of": user}) >= MOST_TEMPLATES:
            raise Unsendable(
                (FieldError("name", name, _("{most} templates are all there may be.", most=MOST_TEMPLATES)),)
            )
        words = {"subject": storable(subject), "text": storable(text)}
        place = {"templates of": user, "name": name}
        id, created = self._store.put_if_absent(place, place | words)
        if not created:
            self._store.update_by_id(id, words, expecting=place)
        return id

    def remove_template(self, user: str, id: int) -> bool:
        """Take a template away; whether it was there."""
        entry = self._store.get_by_id(id)
        return entry is not None and entry.data.get("templates of") == user and self._store.remove(id)
