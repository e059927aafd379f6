"""Cards: contacts as other programs read and write them, in vCard and CSV."""

from __future__ import annotations

import binascii
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bitmail.contacts import Contact

CARDS_LIMIT = 20_000
_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\(.)")
_NAME_COLUMNS = ("name", "display name", "full name", "navn", "fn")
_EMAIL_COLUMNS = (
    "email",
    "e-mail",
    "e-mail address",
    "email address",
    "e-mail 1 - value",
    "primary email",
    "mail",
)
_GROUP_COLUMNS = ("groups", "group", "labels", "group membership", "categories", "grupper")
_FORMULA = ("=", "+", "-", "@", "\t")


@dataclass(frozen=True, slots=True)
class Card:
    """One person in a file: what is needed to make a contact, not yet known to be valid."""

    name: str
    email: str
    groups: str = ""


def write_vcards(contacts: Iterable[Contact]) -> str:
    """The contacts as vCard 4.0 (RFC 6350)."""
    return "".join(
        _folded(
            [
                "BEGIN:VCARD",
                "VERSION:4.0",
                f"FN:{_escaped(one.label)}",
                f"EMAIL:{_escaped(one.email)}",
                *(["CATEGORIES:" + ",".join(map(_escaped, one.groups))] if one.groups else []),
                "END:VCARD",
            ]
        )
        for one in contacts
    )


def write_csv(contacts: Iterable[Contact]) -> str:
    """The contacts as CSV with a head line (RFC 4180); no cell begins a formula in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("Name", "E-mail", "Groups"))
    for one in contacts:
        writer.writerow([_harmless(cell) for cell in (one.name, one.email, ",".join(one.groups))])
    return out.getvalue()


def read_cards(content: bytes) -> list[Card]:
    """The people in a file, vCard of any version or CSV, as far as it can be read; one for each address."""
    text = _decoded(content)
    cards = _vcards(text) if re.match(r"\s*BEGIN:VCARD", text, re.IGNORECASE) else _csv(text)
    return [card for card, _ in zip(cards, range(CARDS_LIMIT), strict=False)]


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _vcards(text: str) -> Iterator[Card]:
    name, groups, emails = "", "", list[str]()
    # vCard 2.1 breaks quoted-printable lines with `=` at their end.
    for line in re.sub(r"=\r?\n", "", _FOLD.sub("", text)).splitlines():
        head, _, value = line.partition(":")
        kind, *parameters = head.upper().split(";")
        kind = kind.rpartition(".")[2]
        if any("QUOTED-PRINTABLE" in parameter for parameter in parameters):
            value = binascii.a2b_qp(value.encode()).decode("utf-8", "replace")
        if kind == "BEGIN":
            name, groups, emails = "", "", []
        elif kind == "FN":
            name = _unescaped(value)
        elif kind == "N" and not name:
            family, _, given = (_unescaped(part) for part in (value + ";").partition(";"))
            name = f"{given.partition(';')[0]} {family}".strip()
        elif kind == "EMAIL" and (email := _unescaped(value).removeprefix("mailto:").strip()):
            emails.append(email)
        elif kind == "CATEGORIES":
            groups = value
        elif kind == "END":
            yield from (Card(name if name != email else "", email, groups) for email in emails)


def _csv(text: str) -> Iterator[Card]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text.replace("\0", "")), delimiter=delimiter)
    try:
        titles = [title.strip().casefold() for title in next(rows, [])]
        for row in rows:
            cells = dict(zip(titles, (cell.strip().removeprefix("'") for cell in row), strict=False))
            email = _first(cells, _EMAIL_COLUMNS)
            given = (cells.get("first name", ""), cells.get("last name", ""))
            name = _first(cells, _NAME_COLUMNS) or " ".join(filter(None, given))
            if email:
                yield Card(name, email, _first(cells, _GROUP_COLUMNS).replace(" ::: ", ","))
    except csv.Error:
        return


def _first(cells: dict[str, str], columns: Iterable[str]) -> str:
    return next((cells[column] for column in columns if cells.get(column)), "")


def _escaped(value: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", value).replace("\n", "\\n")


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()


def _folded(lines: Iterable[str]) -> str:
    """Lines of at most 75 octets, going on after a blank (RFC 6350, 3.2)."""
    out = []
    for line in lines:
        width = 0
        for letter in line:
            size = len(letter.encode())
            if width + size > 75:
                out.append("\r\n ")
                width = 1
            out.append(letter)
            width += size
        out.append("\r\n")
    return "".join(out)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
