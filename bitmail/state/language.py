"""The language that the page is shown in."""

from __future__ import annotations

import reflex as rx

from bitmail.catalogue import page_words, spoken


class LanguageState(rx.State):
    """What the browser looks words up in, once another language counts than that in which the page came."""

    tag: str = ""
    words: dict[str, str] | None = None

    def _take(self) -> None:
        """Show the page in the language that counts for this event."""
        if self.tag and self.tag != spoken().value:
            self.words = page_words(spoken())
        self.tag = spoken().value
