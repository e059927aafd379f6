"""The app: pages, gate and shield put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import reflex as rx
from starlette.types import ASGIApp

from bitmail import routes
from bitmail.api import api
from bitmail.current import off_loop, service
from bitmail.frontend import CLIENT
from bitmail.gate import Gate
from bitmail.live import Live
from bitmail.monitor import Monitor
from bitmail.pages import compose, login, mailbox, settings, shell
from bitmail.shield import Shield
from bitmail.state.delivery import DeliveryState
from bitmail.state.login import LogInState
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.selection import SelectionState
from bitmail.state.session import SessionState
from bitmail.state.settings import SettingsState
from bitmail.version import version
from store import logs

log = logging.getLogger(__name__)


def shielded(inner: ASGIApp) -> ASGIApp:
    """The app behind its shield, with the API before the page."""
    running = service()
    shield = Shield(inner, CLIENT, running.settings.allowed_origins(), running.secret)
    return logs.Traced(Monitor(shield, running))


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The service works while the server does, and pages are told what changes."""
    running = service()
    live = Live(app, SessionState.refresh, asyncio.get_running_loop())
    running.pages = live
    running.model.watch(live.changed)
    await off_loop(version)  # asks git, once
    await off_loop(running.start)
    watching = asyncio.create_task(running.metrics.watch_loop())
    try:
        yield
    finally:
        watching.cancel()
        await off_loop(running.stop)


def failed(exception: Exception) -> None:
    """An event could not be handled; its traceback is for the log, never for the page."""
    log.error("an event could not be handled", exc_info=exception)


app = rx.App(
    stylesheets=["/bitmail.css"],
    head_components=[rx.el.link(rel="icon", href="/mark.svg", type="image/svg+xml")],
    html_lang="en",
    toaster=None,
    backend_exception_handler=failed,
    api_transformer=[api(), shielded],
    app_wraps={(5, "Overlay"): lambda stateful: shell.connection() if stateful else None},
)
app.add_middleware(Gate())
app.register_lifespan_task(lifespan)

app.add_page(login.login(), route=routes.LOG_IN, title="Log in · BitMail", on_load=LogInState.show)
LISTS = (
    (routes.INBOX, "Inbox"),
    (routes.DRAFTS, "Drafts"),
    (routes.OUTBOX, "Outbox"),
    (routes.SENT, "Sent"),
    (routes.ARCHIVE, "Archive"),
    (routes.SPAM, "Spam"),
    (routes.TRASH, "Trash"),
    (routes.FOLDER, "Folder"),
    (routes.SEARCH, "Search"),
)
OPENED = [SessionState.enter, MailboxState.open, SelectionState.clear]
for route, name in LISTS:
    app.add_page(
        mailbox.mailbox(route, name),
        route=route,
        title=shell.title(route, name),
        on_load=[*OPENED, MessageState.open, DeliveryState.open],
    )
app.add_page(
    settings.settings(),
    route=routes.SETTINGS,
    title="Settings · BitMail",
    on_load=[SessionState.enter, SettingsState.open],
)
app.add_page(
    compose.compose(),
    route=routes.COMPOSE,
    title="New message · BitMail",
    on_load=OPENED,
)
