"""How times, people and deliveries are put into words for the person who reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bitmail.explain import explain
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
    Status.DEFERRED: "It is tried again by itself.",
    Status.UNCERTAIN: "It may have arrived: no clear answer came.",
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
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S")


def short_time(at: float, now: float, zone: ZoneInfo) -> str:
    """A time as short as the reader's day allows: 14:02, Mon, 25 Nov, or 2025-11-25."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if then.date() == today.date():
        return f"{then:%H:%M}"
    if then.date() < today.date() and today.date() - then.date() < timedelta(days=7):
        return f"{then:%a}"
    if then.year == today.year:
        return f"{then.day} {then:%b}"
    return f"{then:%Y-%m-%d}"


def full_time(at: float, zone: ZoneInfo) -> str:
    """A time in full: Wednesday, 25 November 2026, 14:02:07."""
    then = datetime.fromtimestamp(at, zone)
    return f"{then:%A}, {then.day} {then:%B %Y, %H:%M:%S}"


def day_time(at: float, zone: ZoneInfo) -> str:
    """A day and the time of it, to the minute: 25 Nov 2026, 14:02."""
    then = datetime.fromtimestamp(at, zone)
    return f"{then.day} {then:%b %Y, %H:%M}"


def browser_name(agent: str) -> str:
    """What a browser is called by people, as far as its own words tell: Firefox on Linux."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return agent[:40]
    return f"{browser} on {system}" if system else browser


def file_size(octets: int) -> str:
    """A size as people say it: 980 B, 12 KB, 3.4 MB."""
    if octets < 1000:
        return f"{octets} B"
    if octets < 1_000_000:
        return f"{octets / 1000:.0f} KB"
    return f"{octets / 1_000_000:.1f} MB"


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
    return status, status.value if count == total else f"{count} {status.value}"


def story(delivery: Delivery, zone: ZoneInfo) -> str:
    """What became of one recipient, in plain sentences with time and provider."""
    tries = [_try(attempt, zone) for attempt in delivery.attempts if attempt.outcome is not None]
    when = clock_time(delivery.updated, zone)
    match delivery.status:
        case Status.QUEUED:
            end = "Waits for its turn." if not tries else "Goes to the next provider."
        case Status.SENDING:
            end = (
                f"{delivery.provider} is taking it now."
                if delivery.provider
                else "A provider is taking it now."
            )
        case Status.SENT:
            end = ""
        case Status.DELIVERED:
            end = f"Delivered at {when}."
        case Status.BOUNCED:
            plain = explain(delivery.detail)
            end = (
                f"Came back at {when}. {plain}"
                if plain
                else f"Came back at {when}: {_sentence(delivery.detail)}"
            )
        case Status.COMPLAINED:
            end = f"The recipient reported it as spam at {when}."
        case Status.CANCELLED:
            end = f"Cancelled at {when}; it was not sent."
        case _:
            told = any(attempt.detail == delivery.detail for attempt in delivery.attempts)
            reason = "" if told else explain(delivery.detail) or _sentence(delivery.detail)
            end = " ".join(part for part in (reason, _NEXT.get(delivery.status, "")) if part)
    return " ".join(part for part in (*tries[-TRIES_TOLD:], end) if part)


def _try(attempt: Attempt, zone: ZoneInfo) -> str:
    at = clock_time(attempt.end, zone)
    if attempt.outcome is Outcome.ACCEPTED:
        return f"{attempt.provider} took it at {at} in {attempt.ms} ms."
    if plain := explain(attempt.detail):
        return f"{attempt.provider} did not take it at {at}. {plain}"
    return _sentence(f"{attempt.provider} did not take it at {at}: {attempt.detail}")


def _sentence(text: str) -> str:
    """The text with a full stop, if it has no end of its own."""
    return f"{text}." if text and text[-1] not in ".!?…" else text
