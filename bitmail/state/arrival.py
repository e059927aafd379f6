"""Arriving at a page: all that it shows is looked up in one go, and told to the browser at once.

An event for each part would cost the browser a rendering each.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from bitmail.state.compose import ComposeState
from bitmail.state.contacts import ContactsState
from bitmail.state.delivery import DeliveryState
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.navigation import NavigationState
from bitmail.state.ops import OpsState
from bitmail.state.selection import SelectionState
from bitmail.state.session import SessionState
from bitmail.state.settings import SettingsState
from bitmail.view import number


class ArrivalState(rx.State):
    """What is done first on each page."""

    @rx.event
    async def at_list(self) -> Any:
        """A list is opened or turned, or a mail of it is opened."""
        if (await self.get_state(NavigationState))._is_left:
            return await self._arrive(MailboxState, SelectionState)
        message = await self.get_state(MessageState)
        to_do = await self._arrive(MessageState, MailboxState, SelectionState, DeliveryState)
        return [*to_do, MessageState.mark_read] if message._is_new else to_do

    @rx.event
    async def open(self, id: int, is_plain: bool) -> Any:
        """A mail of the list was clicked: show it while the browser still makes the page of its address.

        Args:
            id: the mail.
            is_plain: the click goes to the page, and not to another tab.
        """
        named = number(id)
        if not named or is_plain is not True:
            return None
        (await self.get_state(NavigationState))._leave()
        message = await self.get_state(MessageState)
        await message._open(named)
        await (await self.get_state(DeliveryState))._open(named)
        return MessageState.mark_read if message._is_new else None

    @rx.event
    async def at_settings(self) -> Any:
        """Settings are opened."""
        return await self._arrive(SettingsState)

    @rx.event
    async def at_ops(self) -> Any:
        """The operator's page is opened."""
        return await self._arrive(OpsState)

    @rx.event
    async def at_contacts(self) -> Any:
        """Contacts are opened or turned, or one of them is opened."""
        return await self._arrive(ContactsState)

    @rx.event
    async def at_compose(self) -> Any:
        """The address asks for a new mail."""
        await (await self.get_state(SessionState))._arrive()
        return await (await self.get_state(ComposeState))._begin()

    async def _arrive(self, *parts: type[rx.State]) -> list[Any]:
        """Show the page with these parts; what is to be done next."""
        session = await self.get_state(SessionState)
        await session._arrive()
        for part in parts:
            await (await self.get_state(part))._arrive()  # type: ignore[attr-defined]
        await session._look()
        then = await (await self.get_state(ComposeState))._arrive()
        return [] if then is None else [then]
