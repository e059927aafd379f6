"""Whom a mail may be meant for, while an address is typed."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from bitmail.contacts import Suggestion
from bitmail.current import caller, off_loop, service
from bitmail.state.window import Window
from bitmail.typed import PEOPLE


@dataclass
class Offer:
    """One suggestion while an address is typed."""

    label: str
    detail: str
    text: str


class Suggesting(Window, mixin=True):
    """People are suggested below the field that is typed into."""

    offers: list[Offer] = []  # noqa: RUF012 - Reflex copies the default for each client
    offered_in: str = ""
    offered_for: str = ""
    active: int = -1

    @rx.event
    async def look(self, field: str, typed: str) -> None:
        """Somebody is being typed into a field for people."""
        if field not in PEOPLE or not isinstance(typed, str) or len(typed) > 200:
            return
        found = await off_loop(service().model.contacts.suggest, caller().user, typed)
        self._offer(field, typed, found)

    @rx.event
    def step(self, by: int) -> None:
        """An arrow key moves among the suggestions."""
        if isinstance(by, int) and self.offers:
            self.active = (max(self.active, -1) + by) % len(self.offers)

    @rx.event
    def stop_looking(self) -> None:
        """The suggestions are not wanted."""
        self._offer("", "", [])

    def _offer(self, field: str, typed: str, found: list[Suggestion]) -> None:
        self.offers = [Offer(one.label, one.detail, one.text) for one in found]
        self.offered_in, self.offered_for = field, typed
        self.active = 0 if found and "@" not in typed else -1
