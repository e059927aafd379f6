"""Documents: the HTML of mails as their frames show it. It is made once for an opening, which asks for it twice."""

from __future__ import annotations

import html
import threading
from collections import OrderedDict
from dataclasses import dataclass

from bitmail.mailboxes import Mailboxes
from bitmail.sanitiser import sanitise
from mta.parsed import ParsedMail

KEPT = 4_000_000
"""Characters of documents that are kept, the last ones asked for."""
_PAPER = """<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<style>{css}</style><style>
html{{color-scheme:light;background:#fff;color:#1c1e21}}
body{{margin:0!important;padding:16px 20px!important;font:15px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}}
img{{max-width:100%}}pre{{white-space:pre-wrap}}
blockquote{{margin:8px 0 8px 2px;padding-left:12px;border-left:2px solid #c9ccd1}}
summary{{cursor:pointer;color:#5b616b;font-size:13px;padding:4px 0}}
table{{max-width:100%}}a{{color:#0b57d0}}
</style></head><body>{body}</body></html>"""


@dataclass(frozen=True, slots=True)
class Document:
    """What a frame shows.

    Attributes:
        page: the whole of it.
        blocked: remote images that are not shown.
    """

    page: str
    blocked: int


class Documents:
    """The documents of everyone; each call names whose it is about, and looks whose the mail is."""

    def __init__(self, mailboxes: Mailboxes, kept: int = KEPT) -> None:
        """
        Args:
            mailboxes: where the mails are.
            kept: characters of documents to keep.
        """
        self._mailboxes = mailboxes
        self._most = kept
        self._kept: OrderedDict[tuple[int, bool], Document] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, user: str, id: int, *, images: bool = False, content: ParsedMail | None = None) -> Document:
        """The document of one mail.

        Args:
            user: whose.
            id: of the mail.
            images: whether remote images may be loaded.
            content: the mail taken apart, where that is done already.

        Raises:
            NoSuchMail: there is none with this id, or it is somebody else's.
        """
        mail, which = self._mailboxes.mail(user, id), (id, images)
        with self._lock:
            if which in self._kept:
                self._kept.move_to_end(which)
                return self._kept[which]
        made = _made(content or self._mailboxes.content(user, id), id, images)
        if not mail.is_draft:
            self._keep(which, made)
        return made

    def _keep(self, which: tuple[int, bool], made: Document) -> None:
        with self._lock:
            if which not in self._kept:
                self._kept[which] = made
                self._size += len(made.page)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1].page)


def _made(content: ParsedMail, id: int, images: bool) -> Document:
    numbers = {
        found.content_id: number for number, found in enumerate(content.attachments) if found.content_id
    }

    def inline(content_id: str) -> str | None:
        number = numbers.get(content_id)
        return None if number is None else f"/mail/{id}/file/{number}?show=1"

    markup = content.html
    if markup is None:
        markup = f'<pre style="font-family: inherit">{html.escape(content.text)}</pre>'
    clean = sanitise(markup, images=images, inline=inline)
    return Document(_PAPER.format(css=clean.css, body=clean.html), clean.blocked)
