"""A delivery's timeline, and servers' words in plain language."""

from __future__ import annotations

import pytest

from bitmail.explain import explain
from bitmail.timeline import timeline
from mta.outcomes import Outcome, Status
from mta.submission import Attempt, Delivery

NOW = 1_800_000_000.0


def told(status: Status, *attempts: Attempt, detail: str = "") -> list[tuple[str, str, str, bool | None]]:
    delivery = Delivery("1", "grace@example.com", status, "two", detail, NOW + 60, attempts)
    return [(step.text, step.plain, step.words, step.good) for step in timeline(delivery, NOW)]


def test_a_timeline_tells_each_attempt_with_provider_outcome_and_words_and_how_it_ended() -> None:
    refused = Attempt("one", Outcome.UNAVAILABLE, NOW + 1, 500, "Connection refused")
    taken = Attempt("two", Outcome.ACCEPTED, NOW + 2, 112, "250 taken")
    assert told(Status.DELIVERED, refused, taken) == [
        ("Queued: on disk, and waiting for its turn.", "", "", None),
        ("one could not take it.", "The server could not be reached.", "Connection refused", False),
        ("two took it in 112 ms.", "", "250 taken", True),
        ("Delivered: the receiving server has it.", "", "", True),
    ]
    delivery = Delivery("1", "g@example.com", Status.SENT, "two", "", NOW + 9, (refused, taken))
    assert [step.at for step in timeline(delivery, NOW)] == [NOW, NOW + 1.5, NOW + 2.112]


def test_a_bounce_is_told_in_plain_language_and_in_its_own_words() -> None:
    words = "550 5.1.1 <grace@example.com>: Recipient address rejected: User unknown"
    taken = Attempt("two", Outcome.ACCEPTED, NOW, 1, "250 taken")
    assert told(Status.BOUNCED, taken, detail=words)[-1] == (
        "It bounced: the receiving server gave it back.",
        "The receiving server says that this mailbox does not exist.",
        words,
        False,
    )


def test_every_outcome_and_status_has_a_sentence_and_an_attempt_that_runs_too() -> None:
    for outcome in Outcome:
        assert told(Status.QUEUED, Attempt("one", outcome, NOW, 1, "x"))[1][0].endswith(".")
    assert told(Status.SENDING, Attempt("one", None, NOW, 0, ""))[1][0] == "one was asked to take it."
    assert [len(told(status)) for status in Status] == [
        1 if status in (Status.QUEUED, Status.SENDING, Status.SENT) else 2 for status in Status
    ]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("550-5.1.1 The email account that you tried to reach does not exist.", "does not exist"),
        ("The relay refused the recipient: 550 No such user here", "does not exist"),
        (
            "5.1.2 Bad destination host 'DNS Hard Error looking up example.invalid (MX): NXDOMAIN'",
            "after the @",
        ),
        ("452 4.2.2 The email account that you tried to reach is over quota", "full"),
        ("552 5.3.4 Message size exceeds fixed limit", "too large"),
        (
            "550 5.7.26 Unauthenticated email from example.com is not accepted due to DMARC policy",
            "really from",
        ),
        ("554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "by its rules"),
        ("450 4.7.1 Greylisted, try again in 300 seconds", "try again later"),
        ("4.4.1 Connection timed out", "in time"),
        ("250 2.0.0 OK", ""),
        ("", ""),
    ],
)
def test_what_a_server_says_is_explained_or_left_alone(words: str, meant: str) -> None:
    explained = explain(words)
    assert meant in explained
    assert bool(explained) == bool(meant)
