"""The operator's page."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.catalogue import N_
from bitmail.pages.elements import badge, icon, ready, skeleton
from bitmail.pages.shell import menu, shell
from bitmail.pages.words import _, in_words
from bitmail.state.ops import KINDS, TROUBLE, OpsState
from bitmail.state.opsrows import ContainerRow, EventRow, FoundRow, LifeRow, ServerRow, Tile
from mta.inquiry import By
from mta.providers.options import MOST_WEIGHT
from mta.scheduler import BUILT_IN
from mta.steering import CONFIGURED

LOOK_AFTER = 300
"""Milliseconds after the last key until events are looked through."""
SERIES = (
    ("sent", _("sent"), "var(--ok)"),
    ("failed", _("failed"), "var(--bad)"),
    ("held", _("held"), "var(--wait)"),
)
PERSON = (
    ("lock", _("Lock")),
    ("unlock", _("Unlock")),
    ("end-sessions", _("End sessions")),
    ("lift", _("Lift suppression")),
)
FOUND_BY = (
    (By.ANYTHING, _("anything")),
    (By.RECIPIENT, _("recipient")),
    (By.SENDER, _("sender")),
    (By.SUBJECT, _("subject")),
    (By.MESSAGE_ID, "Message-ID"),
    (By.PROVIDER_ID, _("id at the provider")),
    (By.SUBMISSION, _("id here")),
)
KIND_WORDS = {"": _("all kinds"), TROUBLE: _("trouble")}
SERVICE_STATES = (N_("in service"), N_("paused"), N_("out"), N_("trial"))
"""How a provider is, as the container says it."""


def ops() -> rx.Component:
    """How everything is, and what can be done about it."""
    return shell(
        routes.OPS,
        rx.el.div(
            menu(routes.OPS, _("Operations")),
            rx.el.h1(_("Operations"), class_name="unseen"),
            rx.el.div(
                rx.el.strong(_("Operations")), class_name="bar wide", custom_attrs={"aria-hidden": "true"}
            ),
            rx.el.article(
                rx.cond(OpsState.problem != "", rx.el.p(OpsState.problem, class_name="says", role="alert")),
                rx.cond(
                    OpsState.problem == "",
                    rx.fragment(
                        asked(),
                        ready(
                            OpsState.is_loaded,
                            [
                                providers(),
                                schedule(),
                                queue(),
                                charts(),
                                hosts(),
                                events(),
                                inquiry(),
                                people(),
                            ],
                            skeleton(6),
                        ),
                    ),
                ),
                class_name="ops",
            ),
            class_name="wide-pane",
        ),
    )


def section(title: rx.Var[str], *parts: rx.Component) -> rx.Component:
    """A part of the page."""
    return rx.el.section(rx.el.h2(title), *parts, aria_label=title)


def asked() -> rx.Component:
    """What was asked for and waits to be confirmed, and what came of it."""
    return rx.el.div(
        rx.cond(
            OpsState.question != "",
            rx.el.div(
                rx.el.p(OpsState.question),
                rx.el.button(_("Yes"), on_click=OpsState.confirm, type="button", class_name="btn primary"),
                rx.el.button(_("No"), on_click=OpsState.leave, type="button", class_name="btn"),
                class_name="ask",
                role="alertdialog",
                aria_label=_("Confirm"),
            ),
        ),
        rx.cond(OpsState.done != "", rx.el.p(icon("check"), OpsState.done, class_name="done", role="status")),
        rx.cond(OpsState.refusal != "", rx.el.p(OpsState.refusal, class_name="says", role="alert")),
    )


def providers() -> rx.Component:
    """A tile for each provider in each container."""
    return section(
        _("Providers"),
        rx.el.div(rx.foreach(OpsState.tiles, tile), class_name="tiles"),
        rx.cond(
            OpsState.tiles.length() == 0,
            rx.el.p(_("No container is running: no mail goes out."), class_name="says", role="alert"),
        ),
    )


def tile(one: rx.Var[Tile]) -> rx.Component:
    """A provider."""
    figures = (
        (_("Success"), one.success),
        (_("Share"), one.share),
        (_("Weight"), one.weight),
        ("p50", one.p50),
        ("p95", one.p95),
        (_("In flight"), one.flight),
        (_("Rate limit"), one.limit),
    )
    return rx.el.article(
        rx.el.header(
            rx.el.strong(one.name),
            rx.el.span(
                rx.cond(
                    one.until != "",
                    _("{state} until {time}", state=in_words(one.state), time=one.until),
                    in_words(one.state),
                ),
                class_name="badge " + one.tone,
            ),
        ),
        rx.el.dl(*(rx.el.div(rx.el.dt(name), rx.el.dd(value)) for name, value in figures)),
        rx.cond(one.error != "", rx.el.p(one.error, class_name="muted")),
        rx.el.footer(
            rx.el.span(one.place, class_name="muted"),
            action(_("Check"), "check", one.name),
            rx.cond(
                one.is_out,
                action(_("Put back"), "provider-in", one.name),
                action(_("Take out"), "provider-out", one.name),
            ),
        ),
        aria_label=one.name,
    )


def action(words: rx.Var[str], verb: str, *about: rx.Var[str]) -> rx.Component:
    """A button that asks first."""
    return rx.el.button(words, on_click=OpsState.ask(verb, list(about)), type="button", class_name="btn")


def schedule() -> rx.Component:
    """What picks the providers, and how it can be changed while everything runs."""
    return section(
        _("Scheduling"),
        rx.cond(
            OpsState.rulings.length() > 0,
            rx.el.ul(rx.foreach(OpsState.rulings, rx.el.li)),
            rx.el.p(_("All is as configured."), class_name="muted"),
        ),
        rx.el.form(
            rx.el.select(
                *(rx.el.option(name, value=name) for name in (*BUILT_IN, CONFIGURED)),
                name="scheduler",
                aria_label=_("Scheduler"),
            ),
            rx.el.button(_("Change scheduler"), type="submit", class_name="btn"),
            on_submit=OpsState.ask_schedule,
        ),
        rx.el.form(
            rx.el.select(
                rx.foreach(OpsState.names, lambda name: rx.el.option(name, value=name)),
                name="provider",
                aria_label=_("Provider"),
            ),
            rx.el.input(
                name="weight",
                placeholder=_("1 to {most}, or {configured}", most=str(MOST_WEIGHT), configured=CONFIGURED),
                aria_label=_("Weight"),
                auto_complete="off",
                size=28,
            ),
            rx.el.button(_("Set weight"), type="submit", class_name="btn"),
            on_submit=OpsState.ask_weight,
        ),
        rx.el.p(_("Weights count while the scheduler is weighted."), class_name="muted"),
    )


def queue() -> rx.Component:
    """What waits."""
    return section(
        _("Queue"),
        rx.el.dl(
            rx.foreach(OpsState.depth, lambda one: rx.el.div(rx.el.dt(one[0]), rx.el.dd(one[1]))),
            rx.el.div(rx.el.dt(_("oldest")), rx.el.dd(rx.cond(OpsState.oldest != "", OpsState.oldest, "–"))),
        ),
    )


def charts() -> rx.Component:
    """How much was sent, and failed."""
    return section(
        _("Throughput"),
        rx.el.div(
            chart(_("Last hour"), OpsState.hour), chart(_("Last day"), OpsState.day), class_name="charts"
        ),
        rx.el.p(
            _(
                "What became of recipients, by all containers and reports: sent, failed (and bounced, or complained "
                "of), held (deferred or uncertain)."
            ),
            class_name="muted",
        ),
    )


def chart(title: rx.Var[str], data: rx.Var[list[dict[str, str | int]]]) -> rx.Component:
    """One chart."""
    return rx.el.figure(
        rx.el.figcaption(title),
        rx.recharts.bar_chart(
            *(
                rx.recharts.bar(data_key=key, name=name, stack_id="all", fill=colour)
                for key, name, colour in SERIES
            ),
            rx.recharts.x_axis(data_key="time"),
            rx.recharts.y_axis(allow_decimals=False, width=40),
            rx.recharts.tooltip(),
            data=data,
            width="100%",
            height=180,
        ),
    )


def hosts() -> rx.Component:
    """Which containers and web servers are alive."""
    return rx.fragment(
        section(_("Containers"), rx.el.ul(rx.foreach(OpsState.containers, container))),
        section(_("Web servers"), rx.el.ul(rx.foreach(OpsState.servers, server))),
    )


def container(one: rx.Var[ContainerRow]) -> rx.Component:
    """A container."""
    return rx.el.li(
        rx.el.strong(one.place),
        rx.el.span(_("version {version}", version=one.version)),
        rx.cond(one.scheduler != "", rx.el.span(_("picks by {scheduler}", scheduler=one.scheduler))),
        rx.el.span(_("seen {when}", when=one.seen), class_name="muted"),
    )


def server(one: rx.Var[ServerRow]) -> rx.Component:
    """A web server."""
    return rx.el.li(
        rx.el.strong(one.place),
        rx.el.span(_("version {version}", version=one.version)),
        rx.el.span(_("seen {when}", when=one.seen), class_name="muted"),
    )


def events() -> rx.Component:
    """What happens."""
    return section(
        _("Events"),
        rx.el.div(
            rx.el.select(
                *(rx.el.option(KIND_WORDS.get(kind, kind), value=kind) for kind in KINDS),
                value=OpsState.kind,
                on_change=lambda chosen: OpsState.narrow("kind", chosen),
                aria_label=_("Kind of event"),
            ),
            rx.el.select(
                rx.el.option(_("all providers"), value=""),
                rx.foreach(OpsState.names, lambda name: rx.el.option(name, value=name)),
                value=OpsState.about,
                on_change=lambda chosen: OpsState.narrow("about", chosen),
                aria_label=_("Provider of event"),
            ),
            rx.el.input(
                placeholder=_("Words, or an id"),
                on_change=lambda typed: OpsState.narrow("words", typed).debounce(LOOK_AFTER),
                aria_label=_("Words of event"),
                auto_complete="off",
                custom_attrs={"maxLength": 200},
            ),
            class_name="filters",
        ),
        rx.el.ul(rx.foreach(OpsState.events, event), class_name="log", tab_index=0),
        rx.cond(OpsState.events.length() == 0, rx.el.p(_("No event to show."), class_name="muted")),
    )


def event(one: rx.Var[EventRow]) -> rx.Component:
    """Something that happened."""
    return rx.el.li(
        rx.el.time(one.time),
        rx.el.code(one.kind),
        rx.el.span(one.text, dir="auto", lang="en"),
        rx.cond(one.submission != "", show(one.submission)),
        key=one.number.to_string(),
    )


def show(id: rx.Var[str]) -> rx.Component:
    """Shows the mail with this id."""
    return rx.el.button(_("Show"), on_click=OpsState.show(id), type="button", class_name="btn ghost")


def inquiry() -> rx.Component:
    """Finds a mail, and shows its whole life."""
    return section(
        _("Find a mail"),
        rx.el.form(
            rx.el.input(
                name="words",
                placeholder=_("Address, beginning of a subject, Message-ID or id"),
                aria_label=_("What is known of it"),
                required=True,
                auto_complete="off",
            ),
            rx.el.select(
                *(rx.el.option(words, value=kind.value) for kind, words in FOUND_BY),
                name="by",
                aria_label=_("By"),
            ),
            rx.el.button(_("Find"), type="submit", class_name="btn"),
            on_submit=OpsState.find,
        ),
        rx.el.p(OpsState.finding, role="status", class_name="muted"),
        rx.el.ul(rx.foreach(OpsState.found, found)),
        rx.cond(
            OpsState.shown != "",
            rx.el.div(
                rx.el.h3(
                    rx.cond(OpsState.shown_head != "", OpsState.shown_head, _("It is not in the spool.")),
                    dir="auto",
                ),
                rx.cond(OpsState.can_retry, action(_("Try again"), "retry", OpsState.shown)),
                rx.cond(OpsState.can_cancel, action(_("Cancel"), "cancel", OpsState.shown)),
                rx.el.ol(rx.foreach(OpsState.life, life)),
                class_name="life",
            ),
        ),
    )


def found(one: rx.Var[FoundRow]) -> rx.Component:
    """A mail that was found."""
    return rx.el.li(
        rx.el.time(one.time),
        rx.el.span(one.sender),
        rx.el.strong(one.subject, dir="auto"),
        rx.el.span(one.recipients, class_name="muted"),
        show(one.id),
    )


def life(one: rx.Var[LifeRow]) -> rx.Component:
    """A recipient, or an attempt."""
    return rx.el.li(
        rx.el.time(one.time),
        rx.el.strong(one.who),
        badge(one.status, in_words(one.status)),
        rx.el.span(one.text, dir="auto"),
        rx.cond(
            one.provider_id != "", rx.el.span(_("id"), " ", rx.el.code(one.provider_id), class_name="muted")
        ),
        rx.cond(one.answer != "", rx.el.pre(one.answer, aria_label=_("The answer"), dir="auto", tab_index=0)),
        class_name=rx.cond(one.is_attempt, "attempt", ""),
        key=one.key,
    )


def people() -> rx.Component:
    """What can be done about an account."""
    return section(
        _("People"),
        rx.el.form(
            rx.el.input(name="name", placeholder=_("Account"), aria_label=_("Account"), auto_complete="off"),
            rx.el.input(
                name="address",
                placeholder=_("Suppressed address"),
                aria_label=_("Suppressed address"),
                auto_complete="off",
            ),
            rx.el.select(
                *(rx.el.option(words, value=verb) for verb, words in PERSON),
                name="verb",
                aria_label=_("What to do"),
            ),
            rx.el.button(_("Do it"), type="submit", class_name="btn"),
            on_submit=OpsState.ask_person,
        ),
        action(_("Invite somebody"), "invite"),
    )
