"""The log-in page: what it says when the form was refused."""

from __future__ import annotations

import reflex as rx

from bitmail.current import cookie, service
from bitmail.refusal import REFUSAL_COOKIE, Refusal
from bitmail.version import version


class LogInState(rx.State):
    """The log-in page. Nobody has to be logged in to see it."""

    name: str = ""
    reason: str = ""
    domain: str = ""
    is_demo: bool = False
    version: str = ""

    @rx.event
    def show(self) -> None:
        """The page is opened: say what the last form was refused for, if it was."""
        refusal = Refusal.decoded(cookie(self.router.headers.cookie, REFUSAL_COOKIE)) or Refusal("", "")
        self.name, self.reason = refusal.name, refusal.reason
        self.domain = service().settings.domain
        self.is_demo, self.version = service().is_demo, version()
