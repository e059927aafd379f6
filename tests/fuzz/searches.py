"""What people type into the search field: never fails, and what is asked of the index it can take."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from bitmail.search import LONGEST, parse_search
from store.search import words

ZONES = (ZoneInfo("UTC"), ZoneInfo("Pacific/Apia"), ZoneInfo("Europe/Copenhagen"))


def one(data: bytes) -> None:
    typed = data.decode("utf-8", "replace")
    for zone in ZONES:
        query = parse_search(typed, zone)
        assert sum(len(term.text) for term in query.terms) <= LONGEST
    for term in query.terms:
        assert all(words(term.text))
