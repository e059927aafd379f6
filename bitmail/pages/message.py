"""The open mail."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.elements import avatar, icon, link
from bitmail.pages.status import deliveries
from bitmail.pages.words import _
from bitmail.state.message import FileRow, MessageState, TextSegment

FIT = "({ currentTarget: it }) => { it.style.height = `${it.contentDocument.body.scrollHeight}px`; }"
"""A frame cannot be as high as what is in it by CSS alone."""


def message() -> rx.Component:
    """Who wrote to whom, what became of it, and what it says."""
    return rx.el.article(
        rx.el.h1(MessageState.subject, dir="auto"),
        rx.el.div(
            avatar(MessageState.initials),
            rx.el.div(
                rx.el.strong(MessageState.who),
                " ",
                rx.el.span(MessageState.address, class_name="muted"),
                rx.el.div(
                    people(_("to"), MessageState.to),
                    people(_("cc"), MessageState.cc),
                    people(_("bcc"), MessageState.bcc),
                ),
                rx.el.div(MessageState.time, class_name="muted"),
            ),
            more(),
            class_name="meta",
        ),
        deliveries(),
        remarks(),
        rx.cond(
            MessageState.frame != "",
            rx.el.iframe(
                src=MessageState.frame,
                sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox",
                title=_("Message"),
                class_name="paper",
                custom_attrs={"onLoad": rx.Var(_js_expr=FIT)},
                key=MessageState.frame,
            ),
            rx.el.div(rx.foreach(MessageState.text, segment), class_name="text", dir="auto"),
        ),
        rx.cond(MessageState.files.length() > 0, files()),
        class_name="body",
    )


def people(label: rx.Var[str], line: rx.Var[str]) -> rx.Component:
    """One line of recipients, if there are any."""
    return rx.cond(line != "", rx.el.div(f"{label} ", line, class_name="muted people"))


def more() -> rx.Component:
    """What is done with a mail less often."""
    address = "/mail/" + MessageState.id.to_string()
    return rx.el.details(
        rx.el.summary(icon("ellipsis-vertical"), class_name="btn bare", aria_label=_("More")),
        rx.el.div(
            rx.el.button(
                icon("printer"),
                _("Print"),
                type="button",
                custom_attrs={"onClick": rx.Var(_js_expr="() => window.print()")},
            ),
            rx.el.a(icon("download"), _("Download"), href=address + "/message", download=True),
            rx.el.a(icon("code"), _("View source"), href=address + "/source", target="_blank"),
            class_name="menu",
        ),
        class_name="more",
    )


def remarks() -> rx.Component:
    """What the reader should know about the mail before the mail."""
    return rx.fragment(
        rx.cond(
            MessageState.blocked > 0,
            remark(
                "image-off",
                _("Remote images are not shown: they would tell the sender that and where the mail is read."),
                rx.el.button(
                    _("Show images"), on_click=MessageState.show_images, type="button", class_name="btn"
                ),
                rx.el.button(
                    _("Always from this sender"),
                    on_click=MessageState.trust_sender,
                    type="button",
                    class_name="btn ghost",
                ),
            ),
        ),
        rx.cond(
            MessageState.is_damaged,
            remark(
                "triangle-alert",
                _("Parts of this mail are damaged and not shown. Its source can be downloaded."),
            ),
        ),
        rx.cond(
            MessageState.wants_receipt,
            remark("eye-off", _("The sender asks to be told when this is read. Nothing was sent.")),
        ),
        rx.cond(
            MessageState.list_name != "",
            remark(
                "mails",
                _("This mail came by a list."),
                rx.el.button(
                    _("Unsubscribe"), on_click=MessageState.leave_list, type="button", class_name="btn"
                ),
            ),
        ),
        rx.cond(
            MessageState.list_page != "",
            remark(
                "mails",
                _("This mail came by a list."),
                rx.el.a(
                    _("Unsubscribe page"),
                    href=MessageState.list_page,
                    target="_blank",
                    rel="noopener noreferrer",
                    class_name="btn",
                ),
            ),
        ),
        rx.cond(
            MessageState.list_mail != "",
            remark(
                "mails",
                _("This mail came by a list that is left by mail."),
                link(_("Write it"), to=MessageState.list_mail, class_name="btn"),
            ),
        ),
        rx.cond(MessageState.left_list != "", remark("mails", MessageState.left_list)),
    )


def remark(symbol: str, words: str | rx.Var[str], *actions: rx.Component) -> rx.Component:
    """One thing to know, and what to do about it."""
    return rx.el.div(icon(symbol), rx.el.span(words), *actions, class_name="remark", role="note")


def segment(part: rx.Var[TextSegment]) -> rx.Component:
    """A stretch of plain text."""
    return rx.match(
        part.kind,
        ("link", rx.el.a(part.text, href=part.href, target="_blank", rel="noopener noreferrer")),
        ("quote", rx.el.details(rx.el.summary(_("Quoted text")), rx.el.div(part.text), class_name="quoted")),
        rx.el.span(part.text),
    )


def files() -> rx.Component:
    """The files of the mail."""
    return rx.el.section(
        rx.el.header(
            rx.el.h2(
                rx.cond(
                    MessageState.files.length() == 1,
                    _("1 file"),
                    _("{count} files", count=MessageState.files.length()),
                )
            ),
            rx.cond(
                MessageState.files.length() > 1,
                rx.el.a(
                    icon("download"),
                    _("Download all"),
                    href="/mail/" + MessageState.id.to_string() + "/files",
                    download=True,
                    class_name="btn ghost",
                ),
            ),
        ),
        rx.el.ul(rx.foreach(MessageState.files, file), aria_label=_("Files")),
        class_name="files",
    )


def file(row: rx.Var[FileRow]) -> rx.Component:
    """One file: what it is, a look at it where that is harmless, and the way to keep it."""
    return rx.el.li(
        rx.cond(
            row.is_image,
            rx.el.img(src=row.show_href, alt="", loading="lazy"),
            icon("file"),
        ),
        rx.el.div(
            rx.cond(
                row.show_href != "",
                rx.el.a(row.name, href=row.show_href, target="_blank", dir="auto"),
                rx.el.a(row.name, href=row.href, download=True, dir="auto"),
            ),
            rx.el.span(row.size, class_name="muted"),
        ),
        rx.el.a(
            icon("download"),
            href=row.href,
            download=True,
            class_name="btn bare",
            aria_label=_("Download {name}", name=row.name),
        ),
        key=row.href,
    )
