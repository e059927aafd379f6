"""What is composed is read back by our own parser, and by the standard library's as a witness."""

from __future__ import annotations

import email
import email.header
import email.message
import email.utils
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mta.addresses import Address, parse_address, parse_recipients
from mta.email import Attachment, Email
from mta.mime import compose, parse

ANN = parse_address("Ann <ann@example.com>")
BOB = parse_address("bob@example.com")
DATE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
FRENCH = (
    "Réunion d'été à l'école : où, quand, comment — « détails » à vérifier dès réception, s'il vous plaît ! "
    * 2
)
ENCODED_WORD = re.compile(r"(?:^|(?<=[ (]))=\?utf-8\?[bq]\?[^?]*\?=")


def mail(**parts: object) -> Email:
    return Email(**{"sender": ANN, "to": (BOB,), "text": "Hi", "date": DATE, **parts})  # type: ignore[arg-type]


def witness(raw: bytes) -> email.message.Message:
    return email.message_from_bytes(raw, policy=policy.compat32)


def header(raw: bytes, name: str) -> str:
    value = re.sub(r"\r?\n", "", str(witness(raw)[name]))
    return str(email.header.make_header(email.header.decode_header(value)))


def assert_wire_form(raw: bytes) -> None:
    assert raw.isascii()
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.endswith(b"\r\n")
    assert b"\0" not in raw
    head = raw.partition(b"\r\n\r\n")[0].decode()
    for line in head.split("\r\n"):
        for word in ENCODED_WORD.findall(line):
            assert len(word) <= 75
            assert len(line) <= 76


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "Hi",
        FRENCH[:180],
        "Hi 🚀",
        "👨‍👩‍👧‍👦" * 20,
        "مرحبا بالعالم",
        "שלום עולם",
        "a  b   c",
        "=?utf-8?q?fake?=",
        "x" * 1200,
        "word " * 300 + "end",
        "日本語の件名" * 30,
    ],
)
def test_subject_of_any_kind_is_read_back_exactly(subject: str) -> None:
    raw = compose(mail(subject=subject))
    assert_wire_form(raw)
    assert parse(raw).subject == subject
    assert header(raw, "subject") == subject


SUBJECTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300).map(str.strip)


@given(SUBJECTS)
def test_any_subject_is_read_back_exactly(subject: str) -> None:
    raw = compose(mail(subject=subject))
    assert_wire_form(raw)
    assert parse(raw).subject == subject.strip()


@given(SUBJECTS)
def test_any_subject_is_read_back_exactly_by_the_standard_library(subject: str) -> None:
    assert header(compose(mail(subject=subject)), "subject") == subject


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200)
DOMAINS = st.sampled_from(["example.com", "xn--bcher-kva.example", "localhost"])
LOCALS = st.from_regex(r"[a-z0-9+_']{1,20}(\.[a-z0-9]{1,9})?|[ -~]{1,20}", fullmatch=True)
ADDRESSES = st.builds(Address, NAMES, LOCALS, DOMAINS)


@given(st.lists(ADDRESSES, min_size=1, max_size=6))
@example([Address("Müller-Lüdenscheidt, Frau Professor Doktor Ännchen " * 3, "ann", "example.com")])
@example([Address("=?utf-8?q?x?=", "ann", "example.com"), Address('a"b\\', 'a"b\\ @', "example.com")])
def test_any_list_of_names_and_addresses_is_read_back_exactly(addresses: list[Address]) -> None:
    raw = compose(mail(sender=addresses[0], to=tuple(addresses)))
    assert_wire_form(raw)
    parsed = parse(raw)
    assert [(m.name, m.email) for m in parsed.to] == [(a.name, a.email) for a in addresses]
    assert parsed.sender is not None
    assert parsed.sender.address == addresses[0]


def test_long_name_with_comma_and_emoji_is_one_address_for_the_standard_library_too() -> None:
    name = "Müller, Ännchen 👩‍🚒 " * 6
    raw = compose(mail(to=(Address(name, "ann", "example.com"), BOB)))
    pairs = email.utils.getaddresses([re.sub(r"\r\n", "", str(witness(raw)["to"]))])
    assert [pair[1] for pair in pairs] == ["ann@example.com", "bob@example.com"]
    assert str(email.header.make_header(email.header.decode_header(pairs[0][0]))) == name.strip()


@pytest.mark.parametrize("count", [50, 1000])
def test_long_list_of_recipients_is_folded_and_whole(count: int) -> None:
    to = tuple(parse_address(f'"Person, {n}" <person{n}@example.com>') for n in range(count))
    raw = compose(mail(to=to))
    assert_wire_form(raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert [mailbox.address for mailbox in parse(raw).to] == list(to)


def test_bcc_is_only_in_the_authors_copy() -> None:
    secret = mail(cc=(parse_address("carl@example.com"),), bcc=(parse_address("dora@example.com"),))
    assert b"dora" not in compose(secret)
    assert b"Bcc: dora@example.com\r\n" in compose(secret, with_bcc=True)


def test_mail_with_bcc_only_names_nobody() -> None:
    parsed = parse(compose(mail(to=(), bcc=(BOB,))))
    assert (parsed.to, parsed.to_label) == ((), "undisclosed-recipients")


def test_non_ascii_local_part_alone_stands_as_utf8() -> None:
    raw = compose(mail(subject="Grüße", to=(parse_address("Jörg <üser@bücher.example>"), BOB)))
    assert raw.decode().count("ü") == 1
    assert [mailbox.email for mailbox in parse(raw).to] == ["üser@xn--bcher-kva.example", "bob@example.com"]


def test_reply_names_what_it_answers_and_the_thread() -> None:
    references = tuple(f"<{n}.{'x' * 60}@example.com>" for n in range(30))
    raw = compose(mail(in_reply_to=references[-1], references=references, message_id="<new@example.com>"))
    parsed = parse(raw)
    assert_wire_form(raw)
    assert (parsed.message_id, parsed.in_reply_to) == ("<new@example.com>", references[-1])
    assert parsed.references == references
    assert parsed.date == DATE


def test_reply_to_is_written() -> None:
    assert parse(compose(mail(reply_to=(BOB,)))).reply_to[0].address == BOB


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hi",
        "one\n\ntwo\n\nthree",
        "Grüße\n👨‍👩‍👧",
        "مرحبا بالعالم " * 40,
        "x" * 3000,
        "--\nAnn",
        "-- \nAnn",
        "From here\n>From there",
        ".\n..\n.x",
        "blank at the end \n\ttab\t\nend",
        "a\u2028b\u0085c\x0bd\x1be",
        "=20 =3D = ==",
    ],
)
@pytest.mark.parametrize("html", [None, "<p>x</p>"])
def test_text_of_any_kind_is_read_back_exactly(text: str, html: str | None) -> None:
    raw = compose(mail(text=text, html=html))
    assert_wire_form(raw)
    assert parse(raw).text == text


BODIES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\ufeff")).map(
    lambda t: t.rstrip("\n")
)


@given(BODIES, BODIES)
def test_any_text_and_html_is_read_back_exactly(text: str, html: str) -> None:
    raw = compose(mail(text=text, html=html))
    assert_wire_form(raw)
    parsed = parse(raw)
    assert (parsed.text, parsed.html) == (text, html)
    plain, rich = (part.get_payload(decode=True).decode() for part in witness(raw).get_payload())  # type: ignore[union-attr]
    assert plain.replace("\r\n", "\n").removesuffix("\n") == text
    assert rich.replace("\r\n", "\n").removesuffix("\n") == html


TYPES = st.sampled_from(["image/png", "text/csv", "message/rfc822", "multipart/x", ""])


@given(
    st.lists(
        st.builds(
            Attachment, st.text(max_size=80), TYPES, st.binary(max_size=200), st.sampled_from(["", "i@x"])
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_any_attachments_are_read_back_exactly(files: list[Attachment], rich: bool) -> None:
    raw = compose(mail(html="<p>Hi</p>" if rich else None, attachments=tuple(files)))
    assert_wire_form(raw)
    parsed = parse(raw)
    assert not parsed.damaged
    sent = sorted((file.name, file.content, file.content_id) for file in files)
    assert sorted((file.name, file.content, file.content_id) for file in parsed.attachments) == sent
    names = sorted(
        part.get_filename() or "" for part in witness(raw).walk() if part.get_content_disposition()
    )
    assert names == sorted(file.name for file in files)


def test_two_files_of_one_name_and_an_empty_one_are_all_sent() -> None:
    files = (
        Attachment("a.jpg", "image/jpeg", b"1"),
        Attachment("a.jpg", "image/jpeg", b"2"),
        Attachment("b", "", b""),
    )
    assert parse(compose(mail(attachments=files))).attachments == files


def test_umlaut_in_a_file_name_is_written_by_rfc_2231() -> None:
    raw = compose(mail(attachments=(Attachment("Prüfbericht Q1.pdf", "application/pdf", b"x"),)))
    assert b"filename*=utf-8''Pr%C3%BCfbericht%20Q1.pdf" in raw


def test_structure_with_text_html_image_and_file_nests_as_it_should() -> None:
    files = (Attachment("i.png", "image/png", b"i", "i@x"), Attachment("f.pdf", "application/pdf", b"f"))
    raw = compose(mail(html='<img src="cid:i@x">', attachments=files))
    kinds = [part.get_content_type() for part in witness(raw).walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]


@pytest.mark.parametrize("content", [b"Subject: x\r\n\r\nHi\r\n", b"Subject: \xfc\n\nHi", b""])
def test_attached_mail_keeps_its_bytes(content: bytes) -> None:
    file = Attachment("mail.eml", "message/rfc822", content)
    [parsed] = parse(compose(mail(attachments=(file,)))).attachments
    assert parsed.content == content


@pytest.mark.parametrize("odd", ["\r\n", "\n", "\u0085", "\u2028"])
@pytest.mark.parametrize(
    "write",
    [
        lambda text: mail(subject=text),
        lambda text: mail(attachments=(Attachment(text, text, b"", text),)),
        lambda text: mail(in_reply_to=text, references=(text,)),
    ],
)
def test_line_end_in_any_field_adds_no_header(odd: str, write: Callable[[str], Email]) -> None:
    raw = compose(write(f"a{odd}X-Evil: 1"))
    assert_wire_form(raw)
    assert not re.search(rb"^X-Evil", raw, re.MULTILINE)


def test_composing_twice_gives_the_same_bytes() -> None:
    one = mail(html="<p>x</p>", attachments=(Attachment("a", "", b"a"),))
    assert compose(one) == compose(one)


def test_every_recipient_field_of_recipients_typed_is_kept() -> None:
    to = parse_recipients('"A; B" <ann@example.com>; bob@example.com').addresses
    assert [mailbox.address for mailbox in parse(compose(mail(to=to))).to] == list(to)
