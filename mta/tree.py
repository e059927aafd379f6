"""The tree of a MIME mail: where its parts are, for those who hand it on part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mta.fields import Head, parameters, read_head
from mta.parsed import DEPTH, decoded, parts_of

SEALED = {
    "multipart/signed": "a signature",
    "multipart/encrypted": "encryption",
    "application/pkcs7-mime": "encryption",
    "application/x-pkcs7-mime": "encryption",
    "multipart/report": "the form of a report",
}
"""Kinds whose meaning is lost when the mail is put together anew (RFC 1847, RFC 8551, RFC 6522)."""
_VISIBLE = re.compile(rb"\S")
GLANCE = 200
"""Octets of the body that are looked at for one that is not blank."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail, or a part of one.

    Attributes:
        raw: the whole mail, of which it is a stretch.
        start, end: where its head begins and its body ends.
        head: its fields.
        kind: its media type in lower case.
        details: the parameters of its media type.
        parts: what a multipart holds; empty for all else, and where it cannot be parted.
    """

    raw: bytes = field(repr=False)
    start: int
    end: int
    head: Head
    kind: str
    details: dict[str, str]
    parts: tuple[Entity, ...]

    @property
    def body(self) -> bytes:
        """The body as it came."""
        return self.raw[self.head.body_start : self.end]

    @property
    def content(self) -> bytes:
        """The octets that the body stands for."""
        return decoded(self.body, self.head)

    @property
    def file_name(self) -> str:
        """The name that it has as a file, or ""."""
        _, where = parameters(self.head.get("content-disposition"))
        return where.get("filename") or self.details.get("name", "")

    @property
    def is_blank(self) -> bool:
        """There is nothing in its body but white space, if that; found out without a copy of a large one."""
        return not _VISIBLE.search(self.raw, self.head.body_start, self.end)

    @property
    def is_file(self) -> bool:
        """It is a file, or an image: not text to be read with the mail."""
        disposition, _ = parameters(self.head.get("content-disposition"))
        readable = self.kind in ("text/plain", "text/html") or "/" not in self.kind
        return not self.parts and (not readable or disposition == "attachment" or bool(self.file_name))

    def walk(self) -> Iterator[Entity]:
        """It and all below it, in their order."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read_tree(raw: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Entity:
    """The tree of a mail; what cannot be parted, or is nested too deep, is left whole. Never fails."""
    limit = len(raw) if end is None else end
    head = read_head(raw, start, limit)
    kind, details = parameters(head.get("content-type"))
    parts: tuple[Entity, ...] = ()
    if kind.startswith("multipart/") and depth < DEPTH:
        found = parts_of(raw, details.get("boundary", ""), head.body_start, limit)
        spans = found[0] if found else []
        parts = tuple(read_tree(raw, first, last, depth + 1) for first, last in spans)
    return Entity(raw, start, limit, head, kind or "text/plain", details, parts)


def lowered_head(raw: bytes) -> bytes:
    """The head of a mail in lower case; all of a mail that ends within its head."""
    end = raw.find(b"\r\n\r\n")
    return (raw if end < 0 else raw[:end]).lower()


def is_plain(raw: bytes, head: bytes) -> bool:
    """Whether a glance is enough to see that `needs_mime` says nothing of a mail: it is one part, neither sealed nor
    signed nor empty, as most are. False where a second look is wanted.

    Args:
        raw: the mail.
        head: its `lowered_head`.
    """
    if b"multipart/" in head or b"pkcs7-mime" in head or b"dkim-signature" in head:
        return False
    body_start = len(head)
    return body_start < len(raw) and not raw[body_start : body_start + GLANCE].isspace()


def needs_mime(tree: Entity) -> str:
    """What of a mail only a provider can carry that takes MIME as it is, in words that follow “has”; or ""."""
    if tree.head.get("dkim-signature"):
        return "a DKIM signature of its own"
    for entity in tree.walk():
        if entity.kind in SEALED:
            return SEALED[entity.kind]
        if entity.is_file and entity.is_blank:
            return "an empty file"
    return ""
