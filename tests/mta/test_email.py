from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mta.addresses import parse_address, parse_recipients
from mta.email import Attachment, Email

ANN = parse_address("Ann <ann@example.com>")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029"])
def test_subject_with_a_line_end_becomes_one_line(line_end: str) -> None:
    assert Email(ANN, subject=f"Hi{line_end}Bcc: x@example.com").subject == "Hi Bcc: x@example.com"


def test_nul_and_surrogates_anywhere_never_stay() -> None:
    email = Email(ANN, subject="a\0b\ud800", text="a\0b\ud800", html="a\0b\ud800")
    assert (email.subject, email.text, email.html) == ("ab\ufffd",) * 3


def test_text_with_any_line_ends_has_one_kind() -> None:
    assert Email(ANN, text="a\r\nb\rc\nd").text == "a\nb\nc\nd"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Docs\\a.pdf", "a.pdf"),
        ("", "attachment"),
        ("..", "attachment"),
        ("dir/", "attachment"),
        ("a\r\nX: y.txt", "a X: y.txt"),
        ("a\u2028b.txt", "a b.txt"),
        ("a\0b.txt", "ab.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("Prüfbericht Q1.pdf", "Prüfbericht Q1.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_file_name_is_the_last_part_on_one_line(given: str, kept: str) -> None:
    assert Attachment(given, "text/plain", b"").name == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Image/PNG", "image/png"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("", "application/octet-stream"),
        ("png", "application/octet-stream"),
        ("image/png\r\nX: y", "application/octet-stream"),
    ],
)
def test_file_type_that_is_none_becomes_the_general_one(given: str, kept: str) -> None:
    assert Attachment("a", given, b"").type == kept


def test_content_id_keeps_no_brackets_and_no_header() -> None:
    assert Attachment("a", "image/png", b"", content_id="<a@b>").content_id == "a@b"
    assert Attachment("a", "image/png", b"", content_id="a\r\nX: y").content_id == ""


def test_recipients_are_each_once_in_to_cc_bcc_order() -> None:
    email = Email(
        ANN,
        to=parse_recipients("Ann@example.com, c@example.com").addresses,
        cc=parse_recipients("ann@EXAMPLE.com, b@example.com").addresses,
        bcc=parse_recipients("B@example.com, a@example.com").addresses,
    )
    assert [r.email for r in email.recipients] == [
        "Ann@example.com",
        "c@example.com",
        "b@example.com",
        "a@example.com",
    ]


def test_message_id_is_made_in_the_domain_of_the_sender_and_differs() -> None:
    first, second = Email(ANN), Email(ANN)
    assert first.message_id.endswith("@example.com>")
    assert first.message_id != second.message_id


def test_message_id_that_is_none_raises() -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        Email(ANN, message_id="<a@b>\r\nBcc: x@example.com")


def test_date_without_a_time_zone_raises() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Email(ANN, date=datetime(2026, 1, 2))


def test_references_that_are_none_are_left_out_and_long_threads_shortened() -> None:
    references = ("<first@x>", "bad", "<a b>", "<c@x>\r\nBcc: x", *(f"<{n}@x>" for n in range(100)))
    email = Email(ANN, references=references, in_reply_to="bad", date=datetime(2026, 1, 2, tzinfo=UTC))
    assert email.in_reply_to == ""
    assert len(email.references) == 50
    assert (email.references[0], email.references[-1]) == ("<first@x>", "<99@x>")
