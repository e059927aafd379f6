"""What an author is told of a mail that came to nothing."""

from __future__ import annotations

import pytest

from bitmail.catalogue import Language, speaking
from bitmail.returned import LISTED, advice, told
from mta.bounce import Bounce
from mta.outcomes import Status
from mta.submission import Delivery, Submission

NOW = 1_800_000_000.0


def delivery(recipient: str, detail: str, status: Status = Status.BOUNCED) -> Delivery:
    return Delivery(f"id-{recipient}", recipient, status, "ses", detail, NOW)


def bounce(*failed: Delivery, subject: str = "Grüße", others: int = 0) -> Bounce:
    more = tuple(delivery(f"x{number}@example.org", "", Status.SENT) for number in range(others))
    submission = Submission("s", "k", "ann", "ann@example.com", subject, NOW - 60, (*failed, *more))
    return Bounce("batch", submission, failed, b"", NOW)


def test_who_when_why_and_what_to_do_are_told() -> None:
    said = told(bounce(delivery("bob@example.net", "550 5.1.1 no such user."), others=2))
    assert (said.writer, said.subject) == ("Mail Delivery System", "Not delivered: Grüße")
    assert (
        "Your mail “Grüße” of 15 January 2027, 07:59 UTC could not be delivered to 1 of its 3 recipients."
        in said.text
    )
    assert "550 5.1.1 no such user." in said.text
    assert "typing mistake" in said.text
    assert "The page of the mail in Sent" in said.text


def test_a_dane_is_told_in_danish() -> None:
    with speaking(Language.DANISH):
        said = told(bounce(delivery("bob@example.net", "")))
        bare = told(bounce(delivery("bob@example.net", ""), subject=""))
    assert (said.writer, said.subject, bare.subject) == (
        "Postomdelingen",
        "Ikke leveret: Grüße",
        "Ikke leveret",
    )
    assert said.text == (
        "Din mail “Grüße” fra 15. januar 2027 kl. 07.59 UTC kunne ikke leveres til sin modtager.\n\n"
        "bob@example.net\n    Der blev ikke givet nogen grund.\n"
        "    Ret det, der står ovenfor, hvis du kan, og send mailen igen.\n"
    )


def test_when_thousands_fail_then_some_are_named() -> None:
    failed = [delivery(f"p{number}@example.net", "mailbox full") for number in range(3000)]
    text = told(bounce(*failed, others=10)).text
    assert text.count("@example.net") == LISTED
    assert "And 2,950 more" in text


@pytest.mark.parametrize(
    ("detail", "word"),
    [
        ("550 5.1.1 unknown", "typing"),
        ("552 5.2.2 over quota", "full"),
        ("The mailbox of this user is full.", "full"),
        ("552 5.3.4 Message size exceeds limit", "large"),
        ("554 5.7.1 rejected", "does not want"),
        ("550 No such recipient", "typing"),
        ("", "again"),
        ("550 5.9.9 strange", "again"),
    ],
)
def test_advice_when_a_reason_is_known_then_what_to_do_about_it(detail: str, word: str) -> None:
    assert word in advice(delivery("bob@example.net", detail))
