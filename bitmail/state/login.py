"""The log-in page: what it says when the form was refused."""

from __future__ import annotations

import reflex as rx
from reflex_base.event import EventSpec

from bitmail import routes
from bitmail.accounts import SignUp
from bitmail.catalogue import _, preferred, speak
from bitmail.current import cookie, service, session_of
from bitmail.forms import TICKET_COOKIE
from bitmail.refusal import REFUSAL_COOKIE, Refusal
from bitmail.state.language import LanguageState
from bitmail.version import version


class LogInState(rx.State):
    """The log-in page. Nobody has to be logged in to see it."""

    name: str = ""
    reason: str = ""
    domain: str = ""
    invitation: str = ""
    token: str = ""
    page: str = ""
    is_asked: bool = False
    needs_code: bool = False
    may_sign_up: bool = True
    is_demo: bool = False
    version: str = ""

    @rx.event
    async def show(self) -> EventSpec | None:
        """The page is opened, or connects anew: go on where one wanted to, or say what the form was refused for."""
        page = routes.own_page(self.router.url.query_parameters.get(routes.NEXT, ""))
        if await session_of(self.router.headers.cookie):
            return rx.redirect(page or routes.INBOX, replace=True)
        self.token = self.router.session.client_token
        speak(preferred(self.router.headers.accept_language))
        (await self.get_state(LanguageState))._take()
        refusal = Refusal.decoded(cookie(self.router.headers.cookie, REFUSAL_COOKIE)) or Refusal("", "")
        self.name, self.reason = refusal.name, refusal.reason
        self.needs_code = bool(cookie(self.router.headers.cookie, TICKET_COOKIE))
        self.invitation = self.router.url.query_parameters.get(routes.INVITATION, "")[:100]
        self.page = page
        sign_up = service().settings.signup
        self.may_sign_up = sign_up is SignUp.FIRST_LOG_IN or (
            sign_up is SignUp.INVITE and self.invitation != ""
        )
        self.domain = service().settings.domain
        self.is_demo, self.version = service().is_demo, version()
        return None

    @rx.event
    def answered(self) -> None:
        """The form was answered, and the browser has the cookies of the answer, which only a new connection shows."""
        service().pages.reconnect(self.router.session.client_token)

    @rx.event
    def lose(self) -> None:
        """The form was sent, and no answer of ours came."""
        speak(preferred(self.router.headers.accept_language))
        self.reason = _(
            "The server did not answer as it should. Try again; if that does not help, reload this page."
        )

    @rx.event
    def ask(self) -> None:
        """Something was done after the session had ended: ask for the password over whatever the page shows."""
        if page := routes.own_page(self.router.url):  # the log-in page asks anyway
            self.page, self.domain = page, service().settings.domain
            self.is_asked = True
