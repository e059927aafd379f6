"""Times, people and deliveries in words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bitmail.words import initials, is_zone, names, short_time, story, summary
from mta.outcomes import Outcome, Status
from mta.submission import Attempt, Delivery

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 14, 2, 7, tzinfo=BERLIN).timestamp()
REFUSED = Attempt("one", Outcome.UNAVAILABLE, NOW, 3, "Connection refused")
TAKEN = Attempt("two", Outcome.ACCEPTED, NOW, 112, "250 taken")


def delivery(status: Status, *attempts: Attempt, detail: str = "") -> Delivery:
    return Delivery("1", "grace@example.com", status, "two", detail, NOW, attempts)


@pytest.mark.parametrize(
    ("then", "shown"),
    [
        ((2026, 11, 25, 0, 5), "00:05"),
        ((2026, 11, 24, 23, 59), "Tue"),
        ((2026, 11, 18, 12, 0), "18 Nov"),
        ((2025, 11, 25, 12, 0), "2025-11-25"),
        ((2026, 12, 1, 12, 0), "1 Dec"),
    ],
)
def test_a_time_is_as_short_as_the_readers_day_allows(then: tuple[int, ...], shown: str) -> None:
    assert short_time(datetime(*then, tzinfo=BERLIN).timestamp(), NOW, BERLIN) == shown  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Grace Brewster Hopper", "GH"), ("bob@example.net", "BO"), ("", "?"), ("李", "李"), ("…@x", "?")],
)
def test_initials_stand_for_any_name(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_mail_shows_the_status_that_needs_attention_most_and_of_how_many_it_is_true() -> None:
    sent, failed = delivery(Status.SENT), delivery(Status.FAILED)
    assert summary([sent, sent]) == (Status.SENT, "sent")
    assert summary([sent, failed, sent]) == (Status.FAILED, "1 failed")


def test_a_story_tells_each_try_once_with_time_and_provider() -> None:
    refusal = "one did not take it at 14:02:07. The server could not be reached."
    assert story(delivery(Status.QUEUED), BERLIN) == "Waits for its turn."
    assert (
        story(delivery(Status.SENT, REFUSED, TAKEN), BERLIN)
        == f"{refusal} two took it at 14:02:07 in 112 ms."
    )
    assert (
        story(delivery(Status.DEFERRED, REFUSED, detail=REFUSED.detail), BERLIN)
        == f"{refusal} It is tried again by itself."
    )
    assert (
        story(delivery(Status.BOUNCED, TAKEN, detail="550 not on a Sunday"), BERLIN)
        == "two took it at 14:02:07 in 112 ms. Came back at 14:02:07: 550 not on a Sunday."
    )
    assert story(delivery(Status.COMPLAINED), BERLIN) == "The recipient reported it as spam at 14:02:07."
    assert story(delivery(Status.FAILED, detail="Nobody takes a mail this large"), BERLIN) == (
        "Nobody takes a mail this large."
    )


def test_a_reason_is_told_in_plain_language_where_it_is_known_and_else_in_its_own_words() -> None:
    words = "550 5.1.1 user unknown"
    plain = "The receiving server says that this mailbox does not exist."
    assert story(delivery(Status.BOUNCED, TAKEN, detail=words), BERLIN) == (
        f"two took it at 14:02:07 in 112 ms. Came back at 14:02:07. {plain}"
    )
    odd = Attempt("one", Outcome.REJECTED_MESSAGE, NOW, 3, "550 Not on a Sunday")
    assert story(delivery(Status.FAILED, odd, detail=odd.detail), BERLIN) == (
        "one did not take it at 14:02:07: 550 Not on a Sunday."
    )


@pytest.mark.parametrize(
    ("line", "people"),
    [
        ("Grace Hopper <grace@example.com>, bob@example.net", ["Grace Hopper", "bob@example.net"]),
        ('"Doe, Ann" <ann@example.com>', ["Doe, Ann"]),
        ("undisclosed-recipients:;", ["undisclosed-recipients"]),
        ("ann@", ["ann@"]),
        ("", []),
    ],
)
def test_a_line_of_addresses_names_people(line: str, people: list[str]) -> None:
    assert names(line) == people


def test_a_line_of_very_many_addresses_is_not_read_to_its_end() -> None:
    assert len(names("a@example.com, " * 10_000)) < 40


def test_only_time_zones_that_exist_are_time_zones() -> None:
    assert is_zone("Europe/Berlin")
    assert not any(
        is_zone(name) for name in ("../etc/passwd", "", None, 7, "Mars/Olympus", "Europe", "/etc/passwd")
    )
