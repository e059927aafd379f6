"""The gate before every event: nothing on the page happens without a session, unless it is listed here."""

from __future__ import annotations

import logging
from functools import lru_cache

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, OnLoadInternalState, State, StateUpdate
from reflex_base.event import Event
from reflex_base.event.context import EventContext
from reflex_base.registry import RegistrationContext
from reflex_base.utils.format import format_event_handler

from bitmail.arguments import Unfit, clean, is_clean
from bitmail.current import call_as, service, session_of
from bitmail.state.connection import ConnectionState
from bitmail.state.login import LogInState
from bitmail.state.navigation import NavigationState
from store import logs

# It would write down the arguments that strangers send.
logging.getLogger("reflex_base.event.processor.base_state_processor").setLevel(logging.ERROR)


@lru_cache(maxsize=1)
def public_events() -> frozenset[str]:
    """The full names of the events that need no session: what makes a page appear, and the log-in page itself."""
    handlers = [
        State.event_handlers["hydrate"],
        State.event_handlers["hydrate_and_load"],
        State.event_handlers["set_is_hydrated"],
        OnLoadInternalState.event_handlers["set_is_hydrated"],
        LogInState.event_handlers["show"],
        LogInState.event_handlers["ask"],
        LogInState.event_handlers["answered"],
        LogInState.event_handlers["lose"],
    ]
    return frozenset([_page_load(), *(format_event_handler(handler) for handler in handlers)])


@lru_cache(maxsize=1)
def refused_events() -> frozenset[str]:
    """The full names of the events that Reflex adds to ours and no page of ours sends, such as setting any variable."""
    registered = RegistrationContext.get().event_handlers
    return (
        frozenset(
            name for name, one in registered.items() if not one.handler.fn.__module__.startswith("bitmail.")
        )
        - public_events()
    )


@lru_cache(maxsize=1)
def _page_load() -> str:
    """The full name of the event by which a browser asks for the page of its address."""
    return format_event_handler(OnLoadInternalState.event_handlers["on_load_internal"])


@lru_cache(maxsize=1)
def _connections() -> frozenset[str]:
    """The full names of the events by which a page begins that has connected."""
    return frozenset(
        format_event_handler(State.event_handlers[name]) for name in ("hydrate", "hydrate_and_load")
    )


class Gate(Middleware):
    """Looks the session up for each event, so that a log-out anywhere bites at once."""

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Let the event pass, or ask who is there."""
        if event.name in public_events():
            if event.name == _page_load():
                (await state.get_state(NavigationState))._ask()
            elif event.name in _connections():
                (await state.get_state(ConnectionState))._meet()
            return None
        registered = RegistrationContext.get().event_handlers.get(event.name)
        if registered is None or event.name in refused_events() or not is_clean(state.router_data):
            return StateUpdate()
        try:
            event.payload.update(clean(registered.handler.fn, event.payload))
        except Unfit:
            return StateUpdate()
        if not (await state.get_state(ConnectionState))._is_known:
            # Once it connects anew it tells what it keeps, such as the mail that is being written.
            service().pages.reconnect(EventContext.get().token)
            return StateUpdate()
        headers = state.router_data.get("headers", {})
        session = await session_of(headers.get("cookie", ""))
        if session is None:
            return StateUpdate(events=Event.from_event_type(LogInState.event_handlers["ask"]))
        call_as(session, headers.get("accept-language", ""))
        logs.note(request=logs.new_request(), account=session.user)
        return None
