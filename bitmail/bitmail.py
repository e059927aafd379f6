"""The app: pages, gate and shield put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import reflex as rx
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from reflex_base.event.context import EventContext
from reflex_base.event.processor.event_processor import QueueShutDown
from reflex_components_core.core._upload import upload
from starlette.types import ASGIApp

from bitmail import routes
from bitmail.api import api
from bitmail.crowd import Crowd
from bitmail.current import off_loop, service
from bitmail.downloads import downloads
from bitmail.frontend import CLIENT
from bitmail.gate import Gate
from bitmail.live import Live
from bitmail.monitor import Monitor
from bitmail.operations import Operations
from bitmail.pages import compose, contacts, login, mailbox, ops, settings, shell
from bitmail.pages.words import _, on_document
from bitmail.shield import UNAVAILABLE, Shield
from bitmail.state.arrival import ArrivalState
from bitmail.state.language import LanguageState
from bitmail.state.login import LogInState
from bitmail.state.session import SessionState
from bitmail.version import version
from store import logs

log = logging.getLogger(__name__)

OPERATORS_LOOK = 2.0
"""Seconds between two looks of an operator's page, while something happens."""


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
    watching = [
        asyncio.create_task(Crowd(app).watch()),
        asyncio.create_task(running.metrics.watch_loop()),
        asyncio.create_task(tell_operators(running.operations, live)),
    ]
    try:
        yield
    finally:
        for task in watching:
            task.cancel()
        await off_loop(running.stop)


async def tell_operators(operations: Operations, live: Live) -> None:
    """Have the operators' open pages look again after something happened, for ever."""
    while operations.operators:
        await asyncio.sleep(OPERATORS_LOOK)
        if operations.room.has_news():
            for name in operations.operators:
                live.changed(name)


class BeforeTheEnd(logging.Filter):
    """Lets no event into the log that a page sent while the server stops: the end of its connection tells it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is about anything else."""
        return not (record.exc_info and isinstance(record.exc_info[1], QueueShutDown))


def failed(exception: Exception) -> None:
    """An event could not be handled; its traceback is for the log, never for the page.

    While the database or Redis is away the page loses its connection, and gets it back with them: so it says what it
    says where the server is away, which comes to the same for the person, and goes on as it does then.
    """
    if isinstance(exception, (*UNAVAILABLE, RedisConnectionError, RedisTimeoutError)):
        log.warning("an event could not be handled: %s", exception)
        service().pages.cut_off(EventContext.get().token)
        return
    log.error("an event could not be handled", exc_info=exception)


def around() -> rx.Component:
    """What every page is surrounded by, and what outlives it."""
    return rx.fragment(
        on_document("lang", LanguageState.tag),
        on_document("data-theme", SessionState.theme),
        shell.connection(),
        compose.windows(),
    )


for one in ("engineio.server", "socketio.server"):
    logging.getLogger(one).setLevel(logging.ERROR)  # who has no level yet prints each line by itself as well
logging.getLogger("engineio.server").addFilter(BeforeTheEnd())
http = api()
http.routes.extend(downloads())
app = rx.App(
    stylesheets=["/bitmail.css"],
    head_components=[rx.el.link(rel="icon", href="/mark.svg", type="image/svg+xml")],
    html_lang="en",
    toaster=None,
    backend_exception_handler=failed,
    api_transformer=[http, shielded],
    app_wraps={(5, "Overlay"): lambda stateful: around() if stateful else None},
)
# Reflex's own way in for files, without its way out: the shield asks for a session, and the gate once more.
http.add_route("/_upload", upload(app), methods=["POST"])
app.add_middleware(Gate())
app.register_lifespan_task(lifespan)

# Given as functions, since a server has no use for what they return: the front end is built before.
app.add_page(login.login, route=routes.LOG_IN, title=shell.named(_("Log in")), on_load=LogInState.show)
LISTS = (
    (routes.INBOX, _("Inbox")),
    (routes.DRAFTS, _("Drafts")),
    (routes.OUTBOX, _("Outbox")),
    (routes.SENT, _("Sent")),
    (routes.ARCHIVE, _("Archive")),
    (routes.SPAM, _("Spam")),
    (routes.TRASH, _("Trash")),
    (routes.FOLDER, _("Folder")),
    (routes.SEARCH, _("Search")),
)
for route, name in LISTS:
    app.add_page(
        partial(mailbox.mailbox, route, name),
        route=route,
        title=shell.title(route, name),
        on_load=ArrivalState.at_list,
    )
app.add_page(
    settings.settings,
    route=routes.SETTINGS,
    title=shell.named(_("Settings")),
    on_load=ArrivalState.at_settings,
)
app.add_page(
    ops.ops,
    route=routes.OPS,
    title=shell.named(_("Operations")),
    on_load=ArrivalState.at_ops,
)
app.add_page(
    partial(mailbox.mailbox, routes.INBOX, _("Inbox")),
    route=routes.COMPOSE,
    title=shell.named(_("New message")),
    on_load=ArrivalState.at_compose,
)
app.add_page(
    contacts.contacts,
    route=routes.CONTACTS,
    title=shell.named(_("Contacts")),
    on_load=ArrivalState.at_contacts,
)
