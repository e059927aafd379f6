"""A mail in 7 bits is the same mail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.email import Attachment
from mta.parsed import parse
from mta.sevenbit import NotSevenBit, seven_bit
from tests.mta.corpus import CORPUS, by_hand, mail, multipart

LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60)
TEXT = st.lists(LINE, max_size=6).map("\n".join)


def one_part(text: str, kind: str, encoding: str) -> bytes:
    head = f"Subject: S\nMIME-Version: 1.0\nContent-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: {encoding}"
    return by_hand(head, text + "\n")


@pytest.mark.parametrize("name", list(CORPUS))
def test_mail_when_written_in_7_bits_then_short_lines_of_ascii(name: str) -> None:
    raw = seven_bit(CORPUS[name])
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert seven_bit(raw) == raw


@settings(max_examples=60)
@given(TEXT, st.sampled_from(["text/plain", "text/html"]), st.sampled_from(["8bit", "binary", "7bit"]))
def test_text_when_written_in_7_bits_then_the_same_text(text: str, kind: str, encoding: str) -> None:
    raw = one_part(text, kind, encoding)
    again = seven_bit(raw)
    assert again.isascii()
    assert parse(again) == parse(raw)


@settings(max_examples=60)
@given(st.binary(max_size=3000))
def test_octets_when_no_mail_at_all_then_ascii_and_no_error(octets: bytes) -> None:
    assert seven_bit(octets).isascii()


@settings(max_examples=60)
@given(st.binary(max_size=400).filter(lambda octets: b"\r" not in octets and b"\n" not in octets))
def test_file_when_binary_as_it_is_then_the_same_octets(octets: bytes) -> None:
    head = "MIME-Version: 1.0\nContent-Type: application/x-any; name=a\nContent-Transfer-Encoding: binary"
    raw = by_hand(head, b"") + octets + b"\r\n"
    [file] = parse(seven_bit(raw)).attachments
    assert file.content == octets + b"\r\n"


def test_line_when_too_long_then_encoded_and_the_same() -> None:
    raw = one_part("x" * 3000, "text/plain", "7bit")
    assert max(map(len, raw.split(b"\r\n"))) == 3000
    again = seven_bit(raw)
    assert max(map(len, again.split(b"\r\n"))) <= 998
    assert parse(again) == parse(raw)


def test_field_when_too_long_for_a_line_then_folded_and_the_same() -> None:
    raw = by_hand("Subject: " + "word " * 300 + "end\nX-Ids: " + "y" * 1200)
    again = seven_bit(raw)
    assert max(map(len, again.split(b"\r\n"))) <= 998
    assert parse(again) == parse(raw)


def test_names_of_files_when_in_8_bits_then_the_same() -> None:
    [file] = parse(seven_bit(CORPUS["8 bits in parts"])).attachments
    assert file == Attachment("Übersicht.pdf", "application/pdf", "üüü\r\n".encode())


def test_address_when_its_local_part_is_beyond_ascii_then_seen_and_the_others_stay_addresses() -> None:
    again = parse(seven_bit(by_hand("Cc: Ü <üser@example.com>, Cy <cy@example.com>, di@example.com")))
    assert [box.email for box in again.cc] == ["cy@example.com", "di@example.com"]
    assert again.cc[0].name == "Cy"


def test_preamble_when_in_8_bits_then_only_that_is_spoiled() -> None:
    raw = multipart("multipart/mixed", "Content-Type: text/plain\n\nHi\n").replace(
        b"--b\r\n", b"Gr\xfc\xdfe\r\n--b\r\n", 1
    )
    again = seven_bit(raw)
    assert again.isascii()
    assert replace(parse(again), damaged=False) == replace(parse(raw), damaged=False)


def test_signature_when_over_8_bits_then_refused_and_over_7_bits_kept() -> None:
    def signed(text: str, subject: str) -> bytes:
        raw = multipart(
            "multipart/signed", f"Content-Type: text/plain\n\n{text}\n", "Content-Type: x/y\n\nz\n"
        )
        return raw.replace(b"Subject: Parts", f"Subject: {subject}".encode())

    with pytest.raises(NotSevenBit, match="signature"):
        seven_bit(signed("Grüße", "Hi"))
    raw = signed("Hi", "Grüße")
    head_end = raw.index(b"\r\n\r\n")
    assert seven_bit(raw).endswith(raw[head_end:])


def test_mail_when_composed_here_then_to_the_byte() -> None:
    raw = mail(subject="Grüße", text="ü" * 2000, html="<p>ü</p>")
    assert seven_bit(raw) is raw
