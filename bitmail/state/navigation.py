"""Which came last: a click on a mail, or the question for the page of an address."""

from __future__ import annotations

import reflex as rx


class NavigationState(rx.State):
    """What the browser did last to get elsewhere.

    A page is asked for by one event and looked up by another, behind all that came meanwhile. A mail that is clicked
    just then would be covered by the one of the address that was left with the click.
    """

    _is_left: bool = False

    def _ask(self) -> None:
        """The browser asks for the page of its address."""
        self._is_left = False

    def _leave(self) -> None:
        """A mail was clicked, and so the address is left that a page was asked for."""
        self._is_left = True
