"""The windows in which mails are written, over whatever page is open."""

from __future__ import annotations

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from bitmail.attachments import LIMIT, megabytes
from bitmail.drafts import SUBJECT_LIMIT, TEXT_LIMIT
from bitmail.pages import browser
from bitmail.pages.editor import RichEditor
from bitmail.pages.elements import icon
from bitmail.pages.people import people_field
from bitmail.pages.words import _
from bitmail.pictures import PICTURE_LIMIT
from bitmail.replies import Answer
from bitmail.state.compose import ComposeState
from bitmail.state.composer import COMPOSERS, Composer, FileRow, element_id
from bitmail.state.message import MessageState
from bitmail.state.toasts import Toast, ToastState

SAVE_AFTER = 3000
"""Milliseconds after the last key."""


def windows() -> rx.Component:
    """All windows that are open, and what was just done to a mail; they outlive the page below them."""
    return rx.fragment(
        rx.el.div(
            *(
                rx.cond(
                    window.window != "",
                    panel(slot, window),
                    rx.cond(rx.State.is_hydrated, browser.forget_spare(slot)),
                )
                for slot, window in enumerate(COMPOSERS)
            ),
            class_name="composers",
        ),
        toasts(),
    )


def panel(slot: int, window: type[Composer]) -> rx.Component:
    """One window."""
    title = rx.cond(window.title != "", window.title, _("New message"))
    return rx.el.section(
        form(slot, window, title),
        browser.WhenHidden.create(
            on_visibility_change=lambda hidden: rx.cond(
                hidden, window.keep(browser.values(slot, *browser.finish_all(only_addresses=True))), rx.noop()
            )
        ),
        rx.cond(rx.State.is_hydrated, rx.el.span(hidden=True, on_mount=window.keep(browser.values(slot)))),
        role="dialog",
        aria_label=title,
        class_name=rx.match(
            window.size, ("small", "composer small"), ("large", "composer large"), "composer"
        ),
    )


def form(slot: int, window: type[Composer], title: rx.Var[str]) -> rx.Component:
    """People, subject, text and files."""
    finished = browser.values(slot, *browser.finish_all())
    left = browser.values(slot, *browser.finish_all(only_addresses=True))
    return browser.ComposerForm.create(
        header(slot, window, title),
        rx.el.input(type="hidden", name="loaded", id=element_id(slot, "loaded")),
        rx.el.div(
            people_field(slot, window, "to", hint=_("Addresses, separated by ; or ,")),
            rx.el.div(people_field(slot, window, "cc"), people_field(slot, window, "bcc"), class_name="pair"),
            rx.cond(window.extra.contains("reply_to"), people_field(slot, window, "reply_to")),
            subject(slot, window),
            rx.el.textarea(
                id=element_id(slot, "text"),
                name="text",
                aria_label=_("Message"),
                aria_describedby=element_id(slot, "says_text"),
                max_length=TEXT_LIMIT,
                dir="auto",
                hidden=window.rich != "",
                class_name="words",
            ),
            rx.el.textarea(
                id=element_id(slot, "html"), name="html", hidden=True, custom_attrs={"aria-hidden": "true"}
            ),
            rx.cond(window.rich != "", rich_text(slot, window)),
            says(slot, window, "text"),
            files(slot, window),
            class_name="inside",
        ),
        questions(slot, window),
        foot(slot, window),
        name=browser.form_name(slot),
        no_validate=True,
        auto_complete="off",
        on_mount=window.begin(browser.spare(slot)),
        on_submit=lambda: window.send(finished).prevent_default,
        on_input=lambda: window.keep(browser.values(slot)).debounce(SAVE_AFTER),
        on_blur=lambda: window.keep(left),
        on_paste_capture=lambda given: take(window, given),
        on_drop_capture=lambda given: take(window, given),
        on_drag_over=lambda: rx.noop().prevent_default,
        on_key_down=lambda chord: rx.cond(
            chord == "mod+Enter",
            window.send(finished).prevent_default,
            rx.cond(chord == "mod+s", window.keep(left).prevent_default, rx.noop()),
        ),
    )


def rich_text(slot: int, window: type[Composer]) -> rx.Component:
    """The editor, which comes when it is asked for. The form has its text at each key."""
    mirror = f'document.forms.{browser.form_name(slot)}?.elements["html"]'
    return rx.el.div(
        RichEditor.create(
            value=rx.Var(f'{mirror}?.value ?? ""', _var_type=str),
            on_change=lambda html: window.keep(
                browser.values(slot, rx.Var(f'f.elements["html"].value = {html!s}', _var_type=str))
            ).debounce(SAVE_AFTER),
        ),
        role="group",
        aria_label=_("Message"),
        class_name="rich",
    )


def take(window: type[Composer], given: rx.Var[list[object]]) -> list[rx.event.EventSpec]:
    """Files were picked, pasted or dropped. Words are none of ours; nor small pictures where the editor takes them."""
    is_text = (
        f"!{given!s}.every(f => /^image\\/(png|jpeg|gif|webp)$/.test(f.type) && f.size <= {PICTURE_LIMIT})"
    )
    some = (given.length() > 0) & ((window.rich == "") | rx.Var(is_text).to(bool))
    send = browser.upload(window.attach, given, window.window, progress=window.progress)
    return [
        rx.cond(some, window.announce(browser.described(given)).prevent_default.stop_propagation, rx.noop()),
        rx.cond(some, send, rx.noop()),
    ]


def header(slot: int, window: type[Composer], title: rx.Var[str]) -> rx.Component:
    """What is written, whether it is kept, and the window's own buttons."""
    kept = browser.values(slot, *browser.finish_all())
    is_small = window.size == "small"

    def button(symbol: str, label: rx.Var[str], event: object, look: str = "") -> rx.Component:
        return rx.el.button(
            icon(symbol),
            on_click=event,
            type="button",
            aria_label=label,
            title=label,
            class_name=f"btn bare {look}",
        )

    return rx.el.header(
        rx.el.h2(title, dir="auto"),
        rx.el.span(
            rx.cond(has_connection_errors, _("Not saved, retrying"), window.saved),
            class_name="muted",
            role="status",
        ),
        rx.cond(
            is_small,
            button("chevron-up", _("Restore"), window.resize("")),
            button("minus", _("Minimise"), window.resize("small"), "wide-only"),
        ),
        rx.cond(
            window.size == "large",
            button("minimize-2", _("Make smaller"), window.resize(""), "wide-only"),
            button("maximize-2", _("Make larger"), window.resize("large"), "wide-only"),
        ),
        button("x", _("Close"), window.close(kept)),
    )


def subject(slot: int, window: type[Composer]) -> rx.Component:
    """What the mail is about."""
    id = element_id(slot, "subject")
    return rx.el.div(
        rx.el.label(_("Subject"), html_for=id),
        browser.LineField.create(
            id=id,
            name="subject",
            max_length=SUBJECT_LIMIT,
            aria_label=_("Subject"),
            aria_describedby=element_id(slot, "says_subject"),
            dir="auto",
            on_key_down=lambda key, _, is_chord: rx.cond(
                (key == "Enter") & ~is_chord,
                rx.set_focus(element_id(slot, "text")).prevent_default,
                rx.noop(),
            ),
        ),
        says(slot, window, "subject"),
        class_name="f",
    )


def says(slot: int, window: type[Composer], name: str) -> rx.Component:
    """What is wrong with a field."""
    return rx.el.p(
        window.errors.get(name, ""), id=element_id(slot, f"says_{name}"), class_name="says", role="alert"
    )


def files(slot: int, window: type[Composer]) -> rx.Component:
    """The files that go along, and those on their way."""

    def row(file: rx.Var[FileRow]) -> rx.Component:
        return rx.el.li(
            icon("paperclip"),
            rx.el.span(file.name, class_name="name", dir="auto"),
            rx.el.span(file.size, class_name="muted"),
            rx.cond(file.note != "", rx.el.span(file.note, class_name="warning")),
            rx.el.button(
                icon("x"),
                on_click=window.detach(file.id),
                type="button",
                aria_label=_("Remove {name}", name=file.name),
                class_name="btn bare",
            ),
            key=file.id.to_string(),
        )

    return rx.fragment(
        rx.el.ul(
            rx.foreach(window.files, row),
            rx.foreach(
                window.uploading,
                lambda name: rx.el.li(
                    icon("loader"),
                    rx.el.span(name, class_name="name", dir="auto"),
                    rx.el.progress(
                        value=window.percent, max=100, aria_label=_("Attaching {name}", name=name)
                    ),
                    rx.el.span(window.percent.to_string(), " %", class_name="muted"),
                    rx.el.button(
                        icon("x"),
                        on_click=window.give_up(name),
                        type="button",
                        aria_label=_("Do not wait for {name}", name=name),
                        class_name="btn bare",
                    ),
                ),
            ),
            class_name="enclosed",
            aria_label=_("Attachments"),
        ),
        says(slot, window, "attachments"),
    )


def questions(slot: int, window: type[Composer]) -> rx.Component:
    """What is asked before the mail leaves, or is discarded."""

    def ask(lines: rx.Component, yes: str, event: object) -> rx.Component:
        return rx.el.div(
            lines,
            rx.el.div(
                rx.el.button(
                    yes, on_click=event, type="button", class_name="btn primary", id=element_id(slot, "asked")
                ),
                rx.el.button(_("Write on"), on_click=window.write_on, type="button", class_name="btn"),
                class_name="answers",
            ),
            role="alertdialog",
            aria_label=_("Question"),
            class_name="question",
        )

    typed = browser.values(slot, *browser.finish_all())
    return rx.fragment(
        rx.cond(
            window.asked.length() > 0,
            ask(rx.el.div(rx.foreach(window.asked, rx.el.p)), _("Send anyway"), window.send_anyway(typed)),
        ),
        rx.cond(
            window.asks_to_discard,
            ask(rx.el.p(_("Discard this draft?")), _("Discard"), window.discard(typed, True)),
        ),
    )


def foot(slot: int, window: type[Composer]) -> rx.Component:
    """What is done with the mail."""
    typed = browser.values(slot, *browser.finish_all())
    return rx.el.div(
        rx.el.button(icon("send"), _("Send"), type="submit", class_name="btn primary"),
        later(slot, window),
        rx.el.label(
            icon("paperclip"),
            browser.FilePicker.create(
                type="file",
                multiple=True,
                aria_label=_("Attach files"),
                on_change=lambda given: take(window, given),
            ),
            class_name="btn ghost pick",
            title=_("Attach files"),
        ),
        rich_button(slot, window),
        more(slot, window),
        rx.el.span(window.problem, class_name="says", role="alert"),
        rx.el.span(
            window.summary,
            rx.cond((window.summary != "") & (window.weight != ""), " · ", ""),
            window.weight,
            class_name="muted count",
        ),
        rx.el.button(
            icon("trash-2"),
            on_click=window.discard(typed, False),
            type="button",
            aria_label=_("Discard"),
            title=_("Discard"),
            class_name="btn ghost",
        ),
        class_name="foot",
    )


def rich_button(slot: int, window: type[Composer]) -> rx.Component:
    """Between plain text and rich text."""
    typed = browser.values(slot)
    return rx.cond(
        window.rich != "",
        rx.el.button(
            icon("remove-formatting"),
            on_click=window.simplify(typed),
            type="button",
            aria_label=_("Plain text"),
            title=_("Plain text"),
            class_name="btn ghost",
        ),
        rx.el.button(
            icon("type"),
            on_click=window.enrich(typed),
            type="button",
            aria_label=_("Rich text"),
            title=_("Rich text"),
            class_name="btn ghost",
        ),
    )


def later(slot: int, window: type[Composer]) -> rx.Component:
    """Send at a time to be chosen, in the person's own time zone."""
    return rx.el.details(
        rx.el.summary(
            icon("clock"),
            rx.el.span(_("Send later")),
            class_name="btn",
            aria_label=_("Send later"),
            title=_("Send later"),
        ),
        rx.el.div(
            rx.el.label(_("Day and time"), html_for=element_id(slot, "at")),
            rx.el.input(
                type="datetime-local",
                id=element_id(slot, "at"),
                name="at",
                aria_describedby=element_id(slot, "says_at"),
            ),
            says(slot, window, "at"),
            rx.el.button(
                _("Schedule"),
                on_click=window.send_later(browser.values(slot, *browser.finish_all())),
                type="button",
                class_name="btn primary",
            ),
            class_name="sheet",
        ),
        class_name="later",
    )


def more(slot: int, window: type[Composer]) -> rx.Component:
    """What is seldom needed: templates, and where answers shall go."""
    typed = browser.values(slot)
    return rx.el.details(
        rx.el.summary(
            icon("ellipsis"),
            class_name="btn ghost",
            aria_label=_("More"),
            title=_("More"),
            on_click=window.list_templates,
        ),
        rx.el.div(
            rx.foreach(
                window.templates,
                lambda template: rx.el.button(
                    icon("file-text"),
                    template[1],
                    on_click=window.use_template(template[0], typed),
                    type="button",
                    class_name="btn ghost",
                ),
            ),
            rx.el.button(
                icon("save"),
                _("Save as a template"),
                on_click=window.save_template(typed),
                type="button",
                class_name="btn ghost",
            ),
            rx.el.button(
                icon("reply"),
                _("Set Reply-To"),
                on_click=window.show_field("reply_to"),
                type="button",
                class_name="btn ghost",
            ),
            rx.el.span(
                _("Files: at most {limit} as mail carries them", limit=megabytes(LIMIT)), class_name="muted"
            ),
            class_name="sheet",
        ),
        class_name="extras",
    )


def answers() -> rx.Component:
    """How one goes on from the mail that is open."""
    ways = (
        (Answer.REPLY, _("Reply"), "reply"),
        (Answer.REPLY_ALL, _("Reply all"), "reply-all"),
        (Answer.FORWARD, _("Forward"), "forward"),
        (Answer.EDIT_AS_NEW, _("Edit as new"), "pencil"),
    )
    return rx.el.div(
        *(
            rx.el.button(
                icon(symbol),
                rx.el.span(label),
                on_click=ComposeState.answer(MessageState.id, how.value),
                type="button",
                aria_label=label,
                title=label,
                class_name="btn ghost",
            )
            for how, label, symbol in ways
        ),
        class_name="ways",
    )


def toasts() -> rx.Component:
    """What was just done, and the way back."""

    def toast(shown: rx.Var[Toast]) -> rx.Component:
        def undo(event: object) -> rx.Component:
            return rx.el.button(_("Undo"), on_click=event, type="button", class_name="btn bare undo")

        return rx.el.div(
            rx.el.span(shown.text),
            rx.cond(shown.mail > 0, undo(ToastState.undo_send(shown.mail))),
            rx.cond(shown.draft != "", undo(ToastState.undo_discard(shown.draft))),
            rx.el.button(
                icon("x"),
                on_click=ToastState.dismiss(shown.number),
                type="button",
                class_name="btn bare",
                aria_label=_("Dismiss"),
            ),
            class_name="toast",
            key=shown.number.to_string(),
        )

    return rx.el.div(
        rx.foreach(ToastState.toasts, toast), class_name="toasts done", role="status", aria_label=_("Done")
    )
