"""The list: search, what is done with the selected mails, the rows, and the way to older ones."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.mailboxes import PAGE
from bitmail.pages.elements import (
    TickButton,
    avatar,
    badge,
    choice,
    icon,
    icon_button,
    link,
    note,
    opener,
    popover,
    ready,
    skeleton,
)
from bitmail.pages.shell import menu, name_form
from bitmail.pages.words import _
from bitmail.places import MailboxName
from bitmail.preferences import Listing
from bitmail.search import LONGEST
from bitmail.state.arrival import ArrivalState
from bitmail.state.keys import SEARCH_ID, KeysState
from bitmail.state.mailbox import MailboxState, Row
from bitmail.state.message import MessageState
from bitmail.state.selection import Act, SelectionState
from bitmail.state.session import SessionState

EMPTY = {
    routes.INBOX: _("No mail here yet. What others send you appears here by itself."),
    routes.DRAFTS: _("No drafts. What you begin to write is kept here."),
    routes.OUTBOX: _("Nothing waits to be sent."),
    routes.SENT: _("Nothing sent yet. Compose a mail, and you can watch it on its way here."),
    routes.ARCHIVE: _("Nothing archived yet. Archive what is done with, and it stays findable here."),
    routes.SPAM: _("No spam. Mark a mail as spam, and it comes here."),
    routes.TRASH: _("Trash is empty. What you delete stays here until you empty it."),
    routes.FOLDER: _("Nothing in this folder yet. Move mails here, or drag them onto its name."),
    routes.SEARCH: _("Nothing found. Try fewer or shorter words."),
}
MOVE_ID = "move_to"
SHOW_ID = "show_only"
FIXED = (
    (_("Inbox"), MailboxName.INBOX, "inbox"),
    (_("Archive"), MailboxName.ARCHIVE, "archive"),
    (_("Spam"), MailboxName.SPAM, "circle-alert"),
    (_("Trash"), MailboxName.TRASH, "trash-2"),
)


def listing(here: str, title: rx.Var[str]) -> rx.Component:
    """The list's pane."""
    return rx.el.section(
        menu(here, title),
        rx.el.h1(title, class_name="unseen"),
        rx.cond(SelectionState.selected.length() > 0, bulk_bar(here), search_bar(here)),
        strip(here),
        rx.el.div(
            ready(
                MailboxState.is_loaded,
                [
                    rx.foreach(MailboxState.rows, line),
                    rx.cond(
                        MailboxState.rows.length() == 0,
                        note(
                            rx.cond(
                                MailboxState.empty != "",
                                MailboxState.empty,
                                EMPTY.get(here, EMPTY[routes.INBOX]),
                            )
                        ),
                    ),
                    pager(),
                ],
                skeleton(6),
            ),
            class_name="rows",
        ),
        class_name="list",
        aria_label=title,
    )


def search_bar(here: str) -> rx.Component:
    """Search, and which mails are shown."""
    return rx.el.div(
        rx.el.form(
            icon("search"),
            rx.el.input(
                id=SEARCH_ID,
                name=routes.TYPED,
                type="search",
                placeholder=_("Search mail"),
                default_value=MailboxState.typed,
                key=MailboxState.typed,
                max_length=LONGEST,
                auto_complete="off",
                aria_label=_("Search"),
                dir="auto",
            ),
            on_submit=MailboxState.search,
            role="search",
            class_name="search",
        ),
        opener(SHOW_ID, icon("list-filter"), look="btn ghost square", label=_("Show and sort"))
        if here != routes.SEARCH
        else rx.fragment(),
        popover(
            SHOW_ID,
            rx.el.p(_("Show"), class_name="muted"),
            *(
                choice(SHOW_ID, icon(symbol), words, on_click=MailboxState.show(what))
                for what, words, symbol in (
                    ("all", _("All mails"), "mails"),
                    ("unread", _("Only unread"), "mail"),
                    ("starred", _("Only starred"), "star"),
                    ("files", _("Only with attachments"), "paperclip"),
                )
            ),
            rx.cond(
                MailboxState.is_grouped,
                choice(
                    SHOW_ID,
                    icon("rows-3"),
                    _("Every mail on its own"),
                    on_click=MailboxState.show(Listing.MAILS.value),
                ),
                choice(
                    SHOW_ID,
                    icon("messages-square"),
                    _("Conversations"),
                    on_click=MailboxState.show(Listing.CONVERSATIONS.value),
                ),
            )
            if here not in (routes.DRAFTS, routes.OUTBOX)
            else rx.fragment(),
            rx.el.p(_("Sort"), class_name="muted"),
            choice(SHOW_ID, icon("arrow-down"), _("Newest first"), on_click=MailboxState.show("newest")),
            choice(SHOW_ID, icon("arrow-up"), _("Oldest first"), on_click=MailboxState.show("oldest")),
            label=_("Show and sort"),
        ),
        class_name="bar",
    )


def bulk_bar(here: str) -> rx.Component:
    """What can be done with the selected mails."""
    return rx.el.div(
        icon_button("list-checks", _("Select all on this page"), on_click=SelectionState.select_all),
        rx.el.strong(_("{count} selected", count=SelectionState.selected.length()), role="status"),
        *acts(here),
        icon_button("x", _("Clear selection"), look="btn ghost square last", on_click=SelectionState.clear),
        class_name="bar bulk",
        role="toolbar",
        aria_label=_("Selected mails"),
    )


def acts(here: str, id: rx.Var[int] | int = 0, menu: str = MOVE_ID) -> list[rx.Component]:
    """The buttons for the mail of that id, or for the selected ones."""

    def button(what: Act, symbol: str, label: rx.Var[str]) -> rx.Component:
        return icon_button(symbol, label, on_click=SelectionState.act(what.value, id))

    if here == routes.OUTBOX:
        return []
    delete = button(Act.DELETE, "trash-2", _("Delete for good") if here == routes.TRASH else _("Delete"))
    if here == routes.DRAFTS:
        return [delete]
    back = {routes.SPAM: _("Not spam"), routes.TRASH: _("Move to Inbox"), routes.ARCHIVE: _("Move to Inbox")}
    return [
        button(Act.RESTORE, "inbox", back[here])
        if here in back
        else button(Act.ARCHIVE, "archive", _("Archive")),
        delete,
        *([] if here in (routes.SPAM, routes.SENT) else [button(Act.SPAM, "circle-alert", _("Spam"))]),
        *move_menu(menu, id),
        *mark_menu(f"{menu}_marks", id),
    ]


def move_menu(menu: str, id: rx.Var[int] | int) -> list[rx.Component]:
    """Where the mails may be moved to."""
    return [
        opener(menu, icon("folder-input"), look="btn ghost square", label=_("Move to")),
        popover(
            menu,
            *(
                choice(menu, icon(symbol), name, on_click=SelectionState.move(place.value, id))
                for name, place, symbol in FIXED
            ),
            rx.foreach(
                SessionState.folders,
                lambda folder: choice(
                    menu,
                    icon("folder"),
                    rx.el.span(folder.name, dir="auto"),
                    on_click=SelectionState.move(folder.place, id),
                ),
            ),
            label=_("Move to"),
        ),
    ]


def mark_menu(menu: str, id: rx.Var[int] | int) -> list[rx.Component]:
    """What the mails may be marked as."""
    marks = (
        (Act.READ, "mail-open", _("Mark as read")),
        (Act.UNREAD, "mail", _("Mark as unread")),
        (Act.STAR, "star", _("Star")),
        (Act.UNSTAR, "star-off", _("Take the star off")),
    )
    return [
        opener(menu, icon("ellipsis"), look="btn ghost square", label=_("Mark")),
        popover(
            menu,
            *(
                choice(menu, icon(symbol), label, on_click=SelectionState.act(what.value, id))
                for what, symbol, label in marks
            ),
            label=_("Mark"),
        ),
    ]


def strip(here: str) -> rx.Component:
    """One line below the bar, where the list is not simply all mails, or can be done something with as a whole."""
    parts = [
        rx.cond(
            MailboxState.shown != "",
            rx.el.div(
                rx.el.span(MailboxState.shown, class_name="grow", dir="auto"),
                link(
                    _("Close search") if here == routes.SEARCH else _("Show all"),
                    to=routes.INBOX if here == routes.SEARCH else MailboxState.all_href,
                ),
                class_name="strip",
                role="status",
            ),
        )
    ]
    if here == routes.TRASH:
        parts.append(
            rx.cond(
                MailboxState.rows.length() > 0,
                rx.el.div(
                    rx.el.span(_("What lies here can be put back."), class_name="grow"),
                    confirmed(
                        "empty_trash",
                        _("Empty Trash"),
                        _("Everything in Trash is deleted for good. This cannot be undone."),
                        SelectionState.empty_trash,
                    ),
                    class_name="strip",
                ),
            )
        )
    if here == routes.FOLDER:
        parts.append(folder_strip())
    return rx.fragment(*parts)


def folder_strip() -> rx.Component:
    """The folder's name, and what can be done with it."""
    return rx.el.div(
        rx.el.strong(MailboxState.title, class_name="grow", dir="auto"),
        opener("rename_folder", _("Rename"), look="linked", label=_("Rename folder")),
        popover(
            "rename_folder",
            name_form(SelectionState.rename_folder, MailboxState.title, SelectionState.problem, _("Rename")),
            label=_("Rename folder"),
            role="dialog",
        ),
        confirmed(
            "remove_folder",
            _("Remove"),
            _("The folder goes, and what is in it moves to Archive."),
            SelectionState.remove_folder,
        ),
        class_name="strip",
    )


def confirmed(id: str, verb: rx.Var[str], warning: rx.Var[str], event: rx.EventHandler) -> rx.Component:
    """A button that asks once more."""
    return rx.fragment(
        opener(id, verb, look="linked", label=verb),
        popover(
            id,
            rx.el.p(warning),
            choice(id, verb, on_click=event),
            choice(id, _("Keep")),
            label=verb,
            role="dialog",
        ),
    )


def line(mail: rx.Var[Row]) -> rx.Component:
    """One mail, as it is now."""
    marks = MailboxState.marks[mail.id]
    return rx.fragment(
        row(
            mail=mail,
            unread=marks.unread,
            starred=marks.starred,
            status=marks.status,
            status_text=marks.status_text,
            is_open=mail.id == MessageState.id,
            is_selected=SelectionState.selected.contains(mail.id),
            has_cursor=KeysState.cursor == mail.id,
        ),
        key=mail.id.to_string(),
    )


@rx.memo
def row(
    mail: rx.Var[Row],
    unread: rx.Var[bool],
    starred: rx.Var[bool],
    status: rx.Var[str],
    status_text: rx.Var[str],
    is_open: rx.Var[bool],
    is_selected: rx.Var[bool],
    has_cursor: rx.Var[bool],
) -> rx.Component:
    """Who and when; what about, and its marks. Its box lies over the initials."""
    return rx.el.div(
        link(
            avatar(mail.initials),
            rx.el.span(
                rx.cond(unread, rx.el.span(_("Unread. "), class_name="unseen")),
                mail.who,
                rx.cond(
                    mail.thread_size != "",
                    rx.el.b(mail.thread_size, class_name="size", title=_("Mails in this conversation")),
                ),
                class_name="who",
                dir="auto",
            ),
            rx.el.time(mail.time, title=mail.full_time, aria_label=mail.full_time),
            rx.el.span(
                mail.subject,
                rx.cond(mail.snippet != "", rx.el.span(" · ", mail.snippet)),
                class_name="sub",
                dir="auto",
            ),
            rx.el.span(
                rx.cond(mail.place != "", rx.el.span(mail.place, class_name="lies")),
                rx.cond(
                    mail.has_files,
                    rx.el.span(icon("paperclip"), rx.el.span(_("Has attachments"), class_name="unseen")),
                ),
                badge(status, status_text),
                class_name="marks",
            ),
            to=mail.href,
            on_click=lambda is_plain: ArrivalState.open(mail.opens, is_plain),
            class_name=rx.cond(unread, "row new", "row"),
            custom_attrs={"aria-current": rx.cond(is_open, "true", "false")},
        ),
        rx.cond(
            has_cursor,
            # It takes the focus when it appears, which a link does not; Enter on it is a click.
            rx.el.button(
                on_click=rx.redirect(mail.href),
                type="button",
                auto_focus=True,
                class_name="at",
                aria_label=_("Open {subject}", subject=mail.subject),
            ),
        ),
        TickButton.create(
            icon("check", 14),
            on_click=lambda shift: SelectionState.select(mail.id, shift),
            type="button",
            role="checkbox",
            class_name="tick",
            aria_label=_("Select {subject}", subject=mail.subject),
            custom_attrs={"aria-checked": rx.cond(is_selected, "true", "false")},
        ),
        rx.el.button(
            icon("star"),
            on_click=SelectionState.act(rx.cond(starred, Act.UNSTAR.value, Act.STAR.value), mail.id),
            type="button",
            class_name="star",
            aria_label=_("Star {subject}", subject=mail.subject),
            title=_("Star"),
            custom_attrs={"aria-pressed": rx.cond(starred, "true", "false")},
        ),
        class_name=rx.cond(is_selected, "line chosen", "line"),
    )


def pager() -> rx.Component:
    """The way to older mails, and back."""
    return rx.el.div(
        rx.cond(
            MailboxState.newest_href != "",
            link(_("First page"), to=MailboxState.newest_href, class_name="btn"),
        ),
        rx.cond(
            MailboxState.older_href != "",
            link(_("Next {count}", count=PAGE), to=MailboxState.older_href, class_name="btn"),
        ),
        class_name="pager",
    )
