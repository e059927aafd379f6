"""The log-in page: what it says when the form was refused."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

import reflex as rx

from bitmail.current import cookie, service

REFUSAL_COOKIE = "bitmail_refused"
"""Carries a refusal from the form's answer to the page that shows it; scripts cannot read it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the log-in form was refused, and the name that was typed into it."""

    name: str
    reason: str

    def encoded(self) -> str:
        """The refusal as a cookie's value."""
        return base64.urlsafe_b64encode(json.dumps([self.name, self.reason]).encode()).decode()

    @classmethod
    def decoded(cls, value: str) -> Refusal | None:
        """The refusal in a cookie's value, or None when it is none of ours."""
        try:
            name, reason = json.loads(base64.urlsafe_b64decode(value))
        except (binascii.Error, ValueError, TypeError):
            return None
        return cls(name, reason) if isinstance(name, str) and isinstance(reason, str) else None


class LogInState(rx.State):
    """The log-in page. Nobody has to be logged in to see it."""

    name: str = ""
    reason: str = ""
    domain: str = ""
    is_demo: bool = False

    @rx.event
    def show(self) -> None:
        """The page is opened: say what the last form was refused for, if it was."""
        refusal = Refusal.decoded(cookie(self.router.headers.cookie, REFUSAL_COOKIE)) or Refusal("", "")
        self.name, self.reason = refusal.name, refusal.reason
        self.domain = service().settings.domain
        self.is_demo = service().is_demo
