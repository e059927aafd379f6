"""The language that the page is shown in."""

from __future__ import annotations

import reflex as rx

from bitmail.catalogue import page_words, spoken


class LanguageState(rx.State):
    """What the browser looks words up in: nothing for English, which stands in the page."""

    tag: str = ""
    words: dict[str, str] = {}  # noqa: RUF012 - Reflex copies the default for each client

    def _take(self) -> None:
        """Show the page in the language that counts for this event."""
        if self.tag != spoken().value:
            self.tag, self.words = spoken().value, page_words(spoken())
