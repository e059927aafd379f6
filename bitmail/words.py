"""How times, people and deliveries are put into words for the person who reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bitmail.catalogue import N_, _, decimal, moment
from bitmail.explain import explain
from bitmail.retelling import retold
from mta.outcomes import Outcome, Status
from mta.parsed import read_mailboxes
from mta.submission import Attempt, Delivery

_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_WORD = re.compile(r"[^\W_]+")
_URGENCY = (
    Status.FAILED,
    Status.BOUNCED,
    Status.COMPLAINED,
    Status.UNCERTAIN,
    Status.DEFERRED,
    Status.SENDING,
    Status.QUEUED,
    Status.CANCELLED,
    Status.SENT,
    Status.DELIVERED,
)
"""Which status stands for a mail with several recipients: the first of these that any of them has."""

STATUS_WORDS = {
    Status.QUEUED: N_("queued"),
    Status.SENDING: N_("sending"),
    Status.SENT: N_("sent"),
    Status.DELIVERED: N_("delivered"),
    Status.DEFERRED: N_("deferred"),
    Status.BOUNCED: N_("bounced"),
    Status.COMPLAINED: N_("complained"),
    Status.FAILED: N_("failed"),
    Status.UNCERTAIN: N_("uncertain"),
    Status.CANCELLED: N_("cancelled"),
}
"""What each status is called on the screen."""
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""What stands in a browser's own words; the first that is found counts, since many claim to be others as well."""
_NEXT = {
    Status.DEFERRED: N_("It is tried again by itself."),
    Status.UNCERTAIN: N_("It may have arrived: no clear answer came."),
}
"""What follows, where something does."""
NAMED_CHARACTERS = 400
"""Of a line of addresses, what a row of a list may show."""
TRIES_TOLD = 4
"""Attempts that a story tells, the last ones."""


def is_zone(name: object) -> bool:
    """Whether this is the name of an IANA time zone; browsers may say anything."""
    if not isinstance(name, str) or not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def clock_time(at: float, zone: ZoneInfo) -> str:
    """The time of day, to the second: 14:02:07."""
    return moment(datetime.fromtimestamp(at, zone), _("HH:mm:ss"))


def short_time(at: float, now: float, zone: ZoneInfo) -> str:
    """A time as short as the reader's day allows: 14:02, Mon, 25 Nov, or 2025-11-25."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if then.date() == today.date():
        return moment(then, _("HH:mm"))
    if then.date() < today.date() and today.date() - then.date() < timedelta(days=7):
        return moment(then, "EEE")
    if then.year == today.year:
        return moment(then, _("d MMM"))
    return moment(then, _("yyyy-MM-dd"))


def full_time(at: float, zone: ZoneInfo) -> str:
    """A time in full: Wednesday, 25 November 2026, 14:02:07."""
    then = datetime.fromtimestamp(at, zone)
    return moment(then, _("EEEE, d MMMM y, HH:mm:ss"))


def day_time(at: float, zone: ZoneInfo) -> str:
    """A day and the time of it, to the minute: 25 Nov 2026, 14:02."""
    then = datetime.fromtimestamp(at, zone)
    return moment(then, _("d MMM y, HH:mm"))


def browser_name(agent: str) -> str:
    """What a browser is called by people, as far as its own words tell: Firefox on Linux."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return agent[:40]
    return _("{browser} on {system}", browser=browser, system=system) if system else browser


def file_size(octets: int) -> str:
    """A size as people say it: 980 B, 12 KB, 3.4 MB."""
    if octets < 1000:
        return f"{octets} B"
    if octets < 1_000_000:
        return f"{octets / 1000:.0f} KB"
    return f"{decimal(octets / 1_000_000, '0.0')} MB"


def initials(name: str) -> str:
    """One or two capitals that stand for a person."""
    words = _WORD.findall(name.partition("@")[0]) or ["?"]
    letters: str = words[0][0] + words[-1][0] if len(words) > 1 else words[0][:2]
    return letters.upper()


def names(line: str) -> list[str]:
    """Those whom a line of addresses names, as people read them; the first ones of very many."""
    found, label = read_mailboxes(line[:NAMED_CHARACTERS])
    return [person.label for person in found] or ([label] if label else [])


def urgency(delivery: Delivery) -> int:
    """Sorts deliveries so that those which need attention most come first."""
    return _URGENCY.index(delivery.status)


def summary(deliveries: Iterable[Delivery]) -> tuple[Status, str]:
    """One status for a whole mail, and the words beside it: how many recipients it is true of, if not of all."""
    counts = Counter(delivery.status for delivery in deliveries)
    status = next(status for status in _URGENCY if counts[status])
    count, total = counts[status], counts.total()
    word = _(STATUS_WORDS[status])
    return status, word if count == total else f"{decimal(count)} {word}"


def story(delivery: Delivery, zone: ZoneInfo) -> str:
    """What became of one recipient, in plain sentences with time and provider."""
    tries = [_try(attempt, zone) for attempt in delivery.attempts if attempt.outcome is not None]
    when = clock_time(delivery.updated, zone)
    match delivery.status:
        case Status.QUEUED:
            end = _("Waits for its turn.") if not tries else _("Goes to the next provider.")
        case Status.SENDING:
            end = (
                _("{provider} is taking it now.", provider=delivery.provider)
                if delivery.provider
                else _("A provider is taking it now.")
            )
        case Status.SENT:
            end = ""
        case Status.DELIVERED:
            end = _("Delivered at {when}.", when=when)
        case Status.BOUNCED:
            plain = explain(delivery.detail)
            end = (
                _("Came back at {when}. {plain}", when=when, plain=plain)
                if plain
                else _("Came back at {when}: {detail}", when=when, detail=_sentence(retold(delivery.detail)))
            )
        case Status.COMPLAINED:
            end = _("The recipient reported it as spam at {when}.", when=when)
        case Status.CANCELLED:
            end = _("Cancelled at {when}; it was not sent.", when=when)
        case _:
            told = any(attempt.detail == delivery.detail for attempt in delivery.attempts)
            reason = "" if told else explain(delivery.detail) or _sentence(retold(delivery.detail))
            end = " ".join(
                part
                for part in (reason, _(_NEXT[delivery.status]) if delivery.status in _NEXT else "")
                if part
            )
    return " ".join(part for part in (*tries[-TRIES_TOLD:], end) if part)


def _try(attempt: Attempt, zone: ZoneInfo) -> str:
    at = clock_time(attempt.end, zone)
    if attempt.outcome is Outcome.ACCEPTED:
        return _("{provider} took it at {at} in {ms} ms.", provider=attempt.provider, at=at, ms=attempt.ms)
    if plain := explain(attempt.detail):
        return _("{provider} did not take it at {at}. {plain}", provider=attempt.provider, at=at, plain=plain)
    return _sentence(
        _(
            "{provider} did not take it at {at}: {detail}",
            provider=attempt.provider,
            at=at,
            detail=attempt.detail,
        )
    )


def _sentence(text: str) -> str:
    """The text with a full stop, if it has no end of its own."""
    return f"{text}." if text and text[-1] not in ".!?…" else text
