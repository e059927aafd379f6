"""The page of contacts: the list, and a form for one of them."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages import browser
from bitmail.pages.elements import avatar, icon, link, note, ready, skeleton
from bitmail.pages.shell import menu, shell
from bitmail.pages.words import _
from bitmail.phrases import SIGNATURE_LIMIT
from bitmail.state.compose import ComposeState
from bitmail.state.contacts import ContactRow, ContactsState


def contacts() -> rx.Component:
    """The page."""
    return shell(routes.CONTACTS, listing(), detail(), is_open=ContactsState.is_open)


def listing() -> rx.Component:
    """The contacts, those met last first."""
    return rx.el.section(
        menu(routes.CONTACTS, _("Contacts")),
        rx.el.h1(_("Contacts"), class_name="unseen"),
        rx.el.form(
            rx.el.input(
                name="find",
                type="search",
                placeholder=_("Find contacts"),
                aria_label=_("Find contacts"),
                default_value=ContactsState.find,
                key=ContactsState.find,
            ),
            link(
                icon("plus"),
                _("New"),
                to=f"{routes.CONTACTS}?{routes.CONTACT}=new",
                class_name="btn",
            ),
            on_submit=ContactsState.look,
            class_name="bar",
        ),
        rx.el.div(
            ready(
                ContactsState.is_loaded,
                [
                    rx.foreach(ContactsState.rows, row),
                    rx.cond(
                        ContactsState.rows.length() == 0,
                        note(
                            rx.cond(
                                ContactsState.find != "",
                                _("Nobody by that name."),
                                _("No contacts yet. Whom you write to is kept here by itself."),
                            )
                        ),
                    ),
                    rx.el.div(
                        rx.cond(
                            ContactsState.older_href != "",
                            link(_("Older"), to=ContactsState.older_href, class_name="btn"),
                        ),
                        class_name="pager",
                    ),
                ],
                skeleton(6),
            ),
            class_name="rows",
        ),
        class_name="list contacts",
        aria_label=_("Contacts"),
    )


def row(contact: rx.Var[ContactRow]) -> rx.Component:
    """One contact."""
    return link(
        avatar(contact.initials),
        rx.el.span(contact.label, class_name="who", dir="auto"),
        rx.el.span(contact.groups, class_name="muted"),
        rx.el.span(contact.email, class_name="sub"),
        to=contact.href,
        class_name="row",
        custom_attrs={"aria-current": rx.cond(contact.id == ContactsState.id, "true", "false")},
        key=contact.id.to_string(),
    )


def detail() -> rx.Component:
    """The form, or what else there is to do with contacts."""
    back = link(icon("arrow-left"), _("Back"), to=routes.CONTACTS, class_name="btn ghost back")
    return rx.el.section(
        rx.el.div(back, class_name="bar"),
        rx.el.div(
            rx.el.p(ContactsState.told, role="status"),
            rx.cond(
                ContactsState.removed != "",
                rx.el.p(
                    _("Removed "),
                    ContactsState.removed,
                    ". ",
                    rx.el.button(_("Undo"), on_click=ContactsState.undo, type="button", class_name="btn"),
                ),
            ),
            rx.cond(ContactsState.is_open, edit(), carry()),
            class_name="contact",
        ),
        class_name="read contacts",
        aria_label=_("Contact"),
    )


def edit() -> rx.Component:
    """The form of one contact."""
    return rx.el.form(
        entry("name", _("Name"), ContactsState.name, "Grace Hopper"),
        entry("email", _("Address"), ContactsState.email, "grace@example.com"),
        entry("groups", _("Groups"), ContactsState.groups, _("Work, Friends")),
        rx.el.div(
            rx.el.button(_("Save"), type="submit", class_name="btn primary"),
            rx.cond(
                ContactsState.id > 0,
                rx.fragment(
                    rx.el.button(
                        icon("pencil"),
                        _("Write"),
                        on_click=ComposeState.write_to(ContactsState.line),
                        type="button",
                        class_name="btn",
                    ),
                    rx.el.button(
                        icon("trash-2"),
                        _("Remove"),
                        on_click=ContactsState.remove,
                        type="button",
                        class_name="btn ghost",
                    ),
                ),
            ),
            class_name="answers",
        ),
        on_submit=ContactsState.save,
        class_name="card-form",
        key=ContactsState.id.to_string(),
    )


def entry(name: str, label: rx.Var[str], value: rx.Var[str], hint: str) -> rx.Component:
    """One field of the form."""
    return rx.el.label(
        label,
        rx.el.input(
            id=f"contact_{name}",
            name=name,
            default_value=value,
            key=f"{name}{ContactsState.id.to_string()}{value}",
            placeholder=hint,
            aria_label=label,
            max_length=320,
            aria_describedby=f"says_contact_{name}",
            dir="auto",
        ),
        rx.el.p(
            ContactsState.errors.get(name, ""), id=f"says_contact_{name}", class_name="says", role="alert"
        ),
    )


def carry() -> rx.Component:
    """Import, export, and the signature."""
    return rx.fragment(
        rx.el.h1(_("Contacts")),
        rx.el.p(_("Pick one to change it, or carry them in and out."), class_name="muted"),
        rx.el.div(
            rx.el.label(
                icon("upload"),
                _("Import vCard or CSV"),
                browser.FilePicker.create(
                    type="file",
                    accept=".vcf,.vcard,.csv,text/vcard,text/csv",
                    aria_label=_("Import vCard or CSV"),
                    on_change=lambda given: browser.upload(ContactsState.take, given),
                ),
                class_name="btn pick",
            ),
            browser.DownloadLink.create(
                icon("download"), _("Export vCard"), href=routes.CONTACTS_VCARD, download="", class_name="btn"
            ),
            browser.DownloadLink.create(
                icon("download"), _("Export CSV"), href=routes.CONTACTS_CSV, download="", class_name="btn"
            ),
            class_name="answers",
        ),
        rx.el.hr(),
        rx.el.form(
            rx.el.label(
                _("Signature"),
                rx.el.textarea(
                    name="signature",
                    default_value=ContactsState.signature,
                    key=ContactsState.signature,
                    rows="3",
                    max_length=SIGNATURE_LIMIT,
                    aria_label=_("Signature"),
                    dir="auto",
                ),
                rx.el.p(ContactsState.errors.get("signature", ""), class_name="says", role="alert"),
            ),
            rx.el.button(_("Save signature"), type="submit", class_name="btn"),
            on_submit=ContactsState.set_signature,
            class_name="card-form",
        ),
    )
