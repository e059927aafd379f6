"""The gate before every event: nothing on the page happens without a session, unless it is listed here."""

from __future__ import annotations

from functools import lru_cache

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, OnLoadInternalState, State, StateUpdate
from reflex_base.event import Event
from reflex_base.utils.format import format_event_handler

from bitmail.current import call_as, session_of
from bitmail.routes import LOG_IN
from bitmail.state.login import LogInState
from store import logs


@lru_cache(maxsize=1)
def public_events() -> frozenset[str]:
    """The full names of the events that need no session: what makes a page appear, and the log-in page itself."""
    handlers = [
        State.event_handlers["hydrate"],
        State.event_handlers["hydrate_and_load"],
        State.event_handlers["set_is_hydrated"],
        OnLoadInternalState.event_handlers["on_load_internal"],
        OnLoadInternalState.event_handlers["set_is_hydrated"],
        LogInState.event_handlers["show"],
    ]
    return frozenset(format_event_handler(handler) for handler in handlers)


class Gate(Middleware):
    """Looks the session up for each event, so that a log-out anywhere bites at once."""

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Let the event pass, or send the browser to the log-in page."""
        if event.name in public_events():
            return None
        session = await session_of(state.router_data.get("headers", {}).get("cookie", ""))
        if session is None:
            return StateUpdate(events=Event.from_event_type(rx.redirect(LOG_IN)))
        call_as(session)
        logs.note(request=logs.new_request(), account=session.user)
        return None
