"""Whether the server knows what a page has told it since it connected."""

from __future__ import annotations

import reflex as rx


class ConnectionState(rx.State):
    """What is known of a page is forgotten after a while in which nothing came from it, or when the database of states
    loses it. What comes from the page then finds everything empty, and must not take that for what is on the screen.
    """

    _is_known: bool = False

    def _meet(self) -> None:
        """A page connects: it is told all that it shows, and tells what it keeps."""
        self._is_known = True
