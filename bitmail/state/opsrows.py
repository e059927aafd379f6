"""What the operator's page shows, row by row, in words and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bitmail.catalogue import N_, _
from bitmail.controlroom import Happened, Overview
from bitmail.presence import WebServer
from bitmail.words import STATUS_WORDS, clock_time, day_time, full_time
from mta.health import ContainerReport
from mta.holder import place_of
from mta.service import ProviderHealth, ServiceState
from mta.steering import Plan, Ruling
from mta.submission import Attempt, Submission
from mta.tallies import Tally


@dataclass
class Tile:
    """A provider in one container."""

    name: str
    place: str
    state: str
    tone: str
    until: str
    success: str
    p50: str
    p95: str
    flight: str
    limit: str
    weight: str
    share: str
    error: str
    is_out: bool


@dataclass
class ContainerRow:
    """A container that is alive."""

    place: str
    scheduler: str
    version: str
    seen: str


@dataclass
class ServerRow:
    """A web server that is there."""

    place: str
    version: str
    seen: str


@dataclass
class EventRow:
    """Something that happened."""

    number: int
    time: str
    kind: str
    text: str
    submission: str


@dataclass
class FoundRow:
    """A mail that was found."""

    id: str
    time: str
    sender: str
    subject: str
    recipients: str


@dataclass
class LifeRow:
    """A recipient, or an attempt, of the mail that is shown."""

    key: str
    time: str
    who: str
    status: str
    text: str
    is_attempt: bool
    provider_id: str = ""
    answer: str = ""


def tiles(overview: Overview, zone: ZoneInfo) -> list[Tile]:
    """Every provider of every container."""
    all_of_them = sum(sum(one.counts.values()) for report in overview.containers for one in report.providers)
    return [
        _tile(one, report.holder, all_of_them, zone)
        for report in overview.containers
        for one in report.providers
    ]


def _tile(one: ProviderHealth, holder: str, all_of_them: int, zone: ZoneInfo) -> Tile:
    figures, made = one.figures, sum(one.counts.values())
    tones = {ServiceState.IN_SERVICE: "ok", ServiceState.OUT: "bad"}
    return Tile(
        name=one.name,
        place=place_of(holder),
        state=one.state.value,
        tone=tones.get(one.state, "wait"),
        until="" if one.until is None else clock_time(one.until, zone),
        success=f"{figures.success:.0%}" if figures.recent else "–",
        p50=_ms(figures.p50) if figures.recent else "–",
        p95=_ms(figures.p95) if figures.recent else "–",
        flight=_part(str(figures.running), str(figures.concurrency)),
        limit=_part(f"{figures.used:.0f}", f"{figures.rate:g}/s") if figures.rate else _("none"),
        weight=str(figures.weight),
        share=f"{made / all_of_them:.0%}" if all_of_them else "–",
        error=one.error,
        is_out=one.state in (ServiceState.OUT, ServiceState.TRIAL),
    )


def rulings(plan: Plan, zone: ZoneInfo) -> list[str]:
    """What operators set, as sentences with who and when."""
    told = []
    if plan.scheduler:
        told.append(_("The scheduler is {value}, set by {by} on {time}.", **_ruled(plan.scheduler, zone)))
    for name, ruling in sorted(plan.weights.items()):
        told.append(
            _(
                "The weight of {provider} is {value}, set by {by} on {time}.",
                provider=name,
                **_ruled(ruling, zone),
            )
        )
    return told


def _ruled(ruling: Ruling, zone: ZoneInfo) -> dict[str, str]:
    return {"value": ruling.value, "by": ruling.by, "time": full_time(ruling.at, zone)}


def container(report: ContainerReport, now: float) -> ContainerRow:
    """A container, by what it told last; `now` is in seconds since the epoch."""
    return ContainerRow(place_of(report.holder), report.scheduler, report.version, _ago(now - report.at))


def server(one: WebServer, now: float) -> ServerRow:
    """A web server, by what it said last; `now` is in seconds since the epoch."""
    return ServerRow(one.place, one.version, _ago(now - one.at))


def event(happened: Happened, zone: ZoneInfo) -> EventRow:
    """Something that happened."""
    one = happened.event
    return EventRow(happened.number, clock_time(one.at, zone), one.kind.value, one.text, one.submission_id)


def found(mail: Submission, zone: ZoneInfo) -> FoundRow:
    """A mail, with the first of its recipients."""
    first = ", ".join(f"{one.recipient} {_(STATUS_WORDS[one.status])}" for one in mail.deliveries[:3])
    more = len(mail.deliveries) - 3
    recipients = _("{first} and {more} more", first=first, more=more) if more > 0 else first
    return FoundRow(mail.id, day_time(mail.created, zone), mail.sender, mail.subject[:200], recipients)


def life(mail: Submission, answers: Mapping[tuple[str, int], str], zone: ZoneInfo) -> list[LifeRow]:
    """What became of a mail: how it was accepted, then each recipient and its attempts.

    Args:
        mail: whose life.
        answers: what providers said in full, by the id of a delivery and the number of the attempt, from 1.
        zone: of the person who looks.
    """
    rows = [
        LifeRow(
            "accepted",
            full_time(mail.created, zone),
            mail.id,
            "",
            _("accepted, and on disk"),
            is_attempt=False,
        )
    ]
    for one in mail.deliveries[:100]:
        rows.append(
            LifeRow(
                one.id,
                full_time(one.updated, zone),
                one.recipient,
                one.status.value,
                one.detail,
                is_attempt=False,
            )
        )
        for number, made in enumerate(one.attempts, 1):
            rows.append(_tried(f"{one.id}/{number}", made, answers.get((one.id, number), ""), zone))
    return rows


def _tried(key: str, made: Attempt, answer: str, zone: ZoneInfo) -> LifeRow:
    outcome = made.outcome or _("running")
    return LifeRow(
        key,
        full_time(made.at, zone),
        made.provider,
        "",
        f"{outcome}, {made.ms} ms. {made.detail}",
        is_attempt=True,
        provider_id=made.provider_id,
        answer=answer,
    )


def point(tally: Tally, zone: ZoneInfo) -> dict[str, str | int]:
    """One point of a chart."""
    return {
        "time": clock_time(tally.at, zone)[:5],
        "sent": tally.sent,
        "failed": tally.failed,
        "held": tally.held,
    }


def _part(part: str, whole: str) -> str:
    return _("{part} of {whole}", part=part, whole=whole)


def _ms(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds * 1000:.0f} ms"


def span(seconds: float) -> str:
    """So many seconds, in the largest unit that they fill."""
    seconds = max(0.0, seconds)
    for size, form in (
        (86400, N_("{number} d")),
        (3600, N_("{number} h")),
        (60, N_("{number} min")),
    ):
        if seconds >= size:
            number = f"{seconds / size:.0f}"
            return _(form, number=number)
    return f"{seconds:.0f} s"


def _ago(seconds: float) -> str:
    return _("{time} ago", time=span(seconds))
